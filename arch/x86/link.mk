# SPDX-License-Identifier: MIT
#
# From objects to build/krypton-syms (ELF64, at its linked address, for gdb),
# build/krypton (ELF32, what loaders load) and build/krypton.gz.
#
# Two passes: the first finds out where functions are, the second adds their
# names (core/symbols.h). The table lies behind the code, so nothing moves.

HYP_LDFLAGS := -m elf_x86_64 -nostdlib -static -z noexecstack -z max-page-size=4096 \
	--build-id=sha1 --no-warn-rwx-segments -T arch/x86/krypton.lds
BOOT_DIR := arch/x86/boot
LD	?= ld
NM	?= nm

# HYP_OBJ is complete only after every files.mk has been read.
.SECONDEXPANSION:
GEN_OBJ := $(BUILD)/obj/version.gen.o

$(BUILD)/krypton-syms: $$(HYP_OBJ) $$(INIT_LIBS) $(GEN_OBJ) arch/x86/krypton.lds \
		$(BOOT_DIR)/mksymtab.py
	@echo "  LD    $@"
	@$(PYTHON) $(BOOT_DIR)/mksymtab.py < /dev/null > $(BUILD)/gen/symtab.c
	@$(CC) $(HYP_CFLAGS) -I$(BOOT_DIR) -c -o $(BUILD)/obj/symtab.gen.o $(BUILD)/gen/symtab.c
	@$(LD) $(HYP_LDFLAGS) -o $(BUILD)/krypton.pass1 $(HYP_OBJ) $(INIT_LIBS) $(GEN_OBJ) \
		$(BUILD)/obj/symtab.gen.o
	@$(NM) -n $(BUILD)/krypton.pass1 | $(PYTHON) $(BOOT_DIR)/mksymtab.py > $(BUILD)/gen/symtab.c
	@$(CC) $(HYP_CFLAGS) -I$(BOOT_DIR) -c -o $(BUILD)/obj/symtab.gen.o $(BUILD)/gen/symtab.c
	@$(LD) $(HYP_LDFLAGS) -o $@ $(HYP_OBJ) $(INIT_LIBS) $(GEN_OBJ) $(BUILD)/obj/symtab.gen.o
	@rm -f $(BUILD)/krypton.pass1

$(BUILD)/krypton: $(BUILD)/krypton-syms $(BOOT_DIR)/mkelf32.py
	@echo "  ELF32 $@"
	@$(PYTHON) $(BOOT_DIR)/mkelf32.py $< $@

$(BUILD)/krypton.gz: $(BUILD)/krypton
	@echo "  GZ    $@"
	@gzip -9 -n -c $< > $@

# Who built what from what. The date is the commit's (or SOURCE_DATE_EPOCH), so
# that the same sources give the same bytes.
BUILD_EPOCH = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)
BUILD_LOG := $(shell git rev-parse --git-path logs/HEAD 2>/dev/null)

$(BUILD)/gen/version.c: $(wildcard $(BUILD_LOG)) arch/x86/link.mk Makefile
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	@{ echo '/* Made by arch/x86/link.mk; do not edit. */'; \
	   echo '#include <core/version.h>'; \
	   echo 'const char krypton_version[] = "$(VERSION)";'; \
	   echo 'const char krypton_extraversion[] = ".0-krypton";'; \
	   echo "const char krypton_compiler[] = \"$$($(CC) --version | head -n 1)\";"; \
	   echo 'const char krypton_compile_by[] = "krypton";'; \
	   echo 'const char krypton_compile_domain[] = "localdomain";'; \
	   echo "const char krypton_compile_date[] = \"$$(LC_ALL=C date -u -d @$(BUILD_EPOCH))\";"; \
	   echo "const char krypton_changeset[] = \"$$(git log -1 --format='%cd git:%h' --date=rfc 2>/dev/null || echo unknown)\";"; \
	 } > $@

$(GEN_OBJ): $(BUILD)/gen/version.c
	@mkdir -p $(@D)
	@$(CC) $(HYP_CFLAGS) -c -o $@ $<
