# SPDX-License-Identifier: MIT
# Unit tests: the core's sources compiled unchanged for arch/host, under ASan and UBSan.
# tests/unit/test_<noun>.c names what it links in a comment: "LINK: xen-core/<file>.c ...".

UNIT_DIR := $(BUILD)/unit
UNIT_CFLAGS := -std=gnu11 -O1 -g $(WARN) $(ABIDEF) $(INC) -Iarch/host/include -Iarch/x86/include -Itests/unit \
	-DKRYPTON_DEBUG -DKRYPTON_HOST -fno-builtin -fno-strict-aliasing -fno-common -fno-pie \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
UNIT_LDFLAGS := -no-pie -fsanitize=address,undefined -Wl,-z,lazy -Wl,--unresolved-symbols=ignore-all \
	-Wl,--wrap=alloc_xenheap_pages -Wl,--wrap=alloc_xenheap_page -Wl,--wrap=alloc_domheap_pages

UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
unit_links = $(shell sed -n 's/^.*LINK: *//p' tests/unit/$(1).c | sed 's,\*/,,')
unit_obj = $(patsubst %,$(UNIT_DIR)/obj/%.o,$(1))
UNIT_COMMON := $(call unit_obj,$(HOST_SRC) xen-core/page_alloc.c tests/unit/harness.c)

$(UNIT_DIR)/obj/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  UNITCC $<"
	@$(CC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

define unit_program
$(1)_UNIT_OBJ := $$(call unit_obj,tests/unit/$(1).c $$(filter-out xen-core/page_alloc.c,$$(call unit_links,$(1))))
UNIT_ALL_OBJ += $$($(1)_UNIT_OBJ)
$(UNIT_DIR)/$(1): $$($(1)_UNIT_OBJ) $$(UNIT_COMMON)
	@echo "  UNITLD $$@"
	@$$(CC) $$(UNIT_LDFLAGS) -o $$@ $$($(1)_UNIT_OBJ) $$(UNIT_COMMON) -lcmocka
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_program,$(t))))
-include $(patsubst %.o,%.d,$(sort $(UNIT_ALL_OBJ) $(UNIT_COMMON)))

.PHONY: check-unit unit-tests
unit-tests: $(addprefix $(UNIT_DIR)/,$(UNIT_TESTS))

# Runs all, also after a failure; exits with 1 if any failed.
check-unit: unit-tests
	@tests/unit/run-all $(addprefix $(UNIT_DIR)/,$(UNIT_TESTS))
