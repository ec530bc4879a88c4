# SPDX-License-Identifier: MIT
# ABI test guests: every directory here is one, built as build/guests/<directory>.

GUEST_TESTS := $(notdir $(patsubst %/,%,$(dir $(wildcard tests/guests/*/main.c))))
$(foreach t,$(GUEST_TESTS),$(eval $(call guest_program,$(t),tests/guests/$(t))))

.PHONY: guests
guests: $(GUEST_PROGRAMS)

-include $(GUEST_PROGRAM_OBJ:.o=.d)

# Hypercall fuzzing for as long as one likes: each round has a seed of its own, which is printed.
FUZZ_CALLS	?= 1000000
FUZZ_SEED	?= 1
FUZZ_ROUNDS	?= 5
.PHONY: fuzz
fuzz: guests all
	@last=$$(($(FUZZ_SEED) + $(FUZZ_ROUNDS) - 1)); \
	for seed in $$(seq $(FUZZ_SEED) $$last); do \
		echo "fuzz: seed $$seed"; \
		tests/system/boot --kernel $(BUILD)/guests/fuzz --mem 512 --timeout 3600 \
			--dom0-cmdline "seed=$$seed calls=$(FUZZ_CALLS)" || exit 1; \
	done
