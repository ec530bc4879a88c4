# SPDX-License-Identifier: MIT
# ABI test guests: every directory here is one, built as build/guests/<directory>.

GUEST_TESTS := $(notdir $(patsubst %/,%,$(dir $(wildcard tests/guests/*/main.c))))
$(foreach t,$(GUEST_TESTS),$(eval $(call guest_program,$(t),tests/guests/$(t))))

.PHONY: guests
guests: $(GUEST_PROGRAMS)

-include $(GUEST_PROGRAM_OBJ:.o=.d)
