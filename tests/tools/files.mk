# SPDX-License-Identifier: MIT
# Host tests of dom0-tools, pvlib and the drivers, under ASan and UBSan with the system's library.
# tests/tools/test_<noun>.c and tests/pv/test_<noun>.c name what they link: "LINK: dom0-tools/libs/x/y.c ...",
# and libraries: "LIBS: -llzma". tests/tools/fuzz_<noun>.c likewise: a fuzz target is a program that
# runs a fixed number of seeded cases (FUZZ_CASES in the environment) and prints "N passed, N failed" at the end.

TT_DIR := $(BUILD)/tooltest
TT_CFLAGS := -std=gnu11 -O1 -g $(WARN) $(ABIDEF) -D_GNU_SOURCE -DTOOLS_TEST $(TOOLS_INC) -Itests/tools -Itests/fake \
	-fno-strict-aliasing -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
TT_TESTS := $(wildcard tests/tools/test_*.c tests/pv/test_*.c)
TT_FUZZ := $(wildcard tests/tools/fuzz_*.c tests/pv/fuzz_*.c)
# Two tests of one name: only one of them would ever run.
TT_NAMES := $(notdir $(TT_TESTS) $(TT_FUZZ))
$(if $(filter-out $(words $(TT_NAMES)),$(words $(sort $(TT_NAMES)))),$(error tests/tools and tests/pv have files of the same name))
tt_links = $(shell sed -n 's/^.*LINK: *//p' $(1) | sed 's,\*/,,')
tt_libs = $(shell sed -n 's/^.*LIBS: *//p' $(1) | sed 's,\*/,,')

$(TT_DIR)/obj/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  TESTCC $<"
	@$(CC) $(TT_CFLAGS) -MMD -MP -c -o $@ $<

define tt_program
$(1)_TT_OBJ := $$(patsubst %,$(TT_DIR)/obj/%.o,$(2) $$(call tt_links,$(2)))
TT_ALL_OBJ += $$($(1)_TT_OBJ)
$(TT_DIR)/$(1): $$($(1)_TT_OBJ)
	@echo "  TESTLD $$@"
	@$$(CC) -fsanitize=address,undefined -o $$@ $$^ $$(call tt_libs,$(2)) -lcmocka
endef
$(foreach t,$(TT_TESTS) $(TT_FUZZ),$(eval $(call tt_program,$(notdir $(t:.c=)),$(t))))
-include $(patsubst %.o,%.d,$(sort $(TT_ALL_OBJ)))

.PHONY: check-tools tool-tests check-tools-fuzz
tool-tests: $(addprefix $(TT_DIR)/,$(notdir $(TT_TESTS:.c=)))

# Last the programs themselves.
$(TT_DIR)/programs: tests/tools/programs.sh $(TOOLS_PROGRAMS)
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec %s/tests/tools/programs.sh %s\n' '$(CURDIR)' '$(abspath $(TOOLS_DIR))' >$@
	@chmod +x $@

check-tools: tool-tests $(TT_DIR)/programs
	@ASAN_OPTIONS=detect_leaks=1 tests/unit/run-all $(addprefix $(TT_DIR)/,$(notdir $(TT_TESTS:.c=))) $(TT_DIR)/programs

# The short share of the fuzz targets: fixed seeds.
check-tools-fuzz: $(addprefix $(TT_DIR)/,$(notdir $(TT_FUZZ:.c=)))
	@tests/tools/run-fuzz $^
