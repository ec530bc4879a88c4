# SPDX-License-Identifier: MIT
#
# Krypton: `make`, `make run`, `make check`; `make help` lists the rest.
# Each folder names its sources in a files.mk of its own.

BUILD	?= build
CC	?= gcc
ifeq ($(origin CC),default)
CC	:= gcc
endif
HOSTCC	?= gcc
DEBUG	?= 0
VERSION	:= 0.1
PYTHON	?= python3

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

WARN	:= -Wall -Wextra -Wshadow -Wundef -Wmissing-prototypes -Werror
ABIDEF	:= -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00041100
INC	:= -Ixen-core/include -Iarch/include

# The hypervisor: no red zone (interrupts use the stack), no SSE (the registers
# are the guest's), position-independent so that it may be loaded anywhere.
HYP_CFLAGS := -std=gnu11 -O2 -g $(WARN) $(ABIDEF) $(INC) -Iarch/x86/include -I$(BUILD)/gen \
	-ffreestanding -fbuiltin -fno-stack-protector -fno-strict-aliasing -fno-common -fPIE \
	-include arch/x86/include/machine/hidden.h -fcf-protection=none -fno-asynchronous-unwind-tables \
	-mno-red-zone -mgeneral-regs-only -mcmodel=small
ifneq ($(DEBUG),0)
HYP_CFLAGS += -DKRYPTON_DEBUG
endif
HYP_CFLAGS += $(HYP_CFLAGS_$(notdir $(CC)))
HYP_CFLAGS_gcc := -fno-tree-loop-distribute-patterns -mindirect-branch-register
HYP_AFLAGS := -D__ASSEMBLY__ $(filter-out -std=gnu11,$(HYP_CFLAGS))

HYP_SRC :=
INIT_LIBS :=
include xen-core/files.mk
include arch/x86/files.mk

HYP_OBJ := $(addprefix $(BUILD)/obj/,$(addsuffix .o,$(HYP_SRC)))

include $(wildcard arch/host/files.mk dom0-tools/files.mk tests/unit/files.mk tests/tools/files.mk guest/files.mk tests/guests/files.mk \
	tests/system/files.mk tests/fuzz/files.mk bench/files.mk packaging/files.mk docs/files.mk)

.PHONY: all clean help check layers check-reading-order check-hypercalls
all: $(BUILD)/krypton $(BUILD)/krypton.gz $(BUILD)/krypton-syms

$(BUILD)/obj/%.c.o: %.c $(BUILD)/gen/asm_offsets.h
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(HYP_CFLAGS) $(CFLAGS_$(subst /,_,$*)) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.S.o: %.S $(BUILD)/gen/asm_offsets.h
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@$(CC) $(HYP_AFLAGS) -MMD -MP -c -o $@ $<

# Offsets of structure fields for assembly, read from what the compiler lays out.
$(BUILD)/gen/asm_offsets.h: arch/x86/asm_offsets.c
	@mkdir -p $(@D) $(BUILD)/obj
	@echo "  GEN   $@"
	@$(CC) $(HYP_CFLAGS) -MMD -MP -MT $@ -MF $(BUILD)/obj/asm_offsets.d -S -o $(BUILD)/obj/asm_offsets.s $<
	@sed -n 's/^.*@@OFFSET \([A-Za-z0-9_]*\) \$$*\([-0-9]*\).*$$/#define \1 \2/p' $(BUILD)/obj/asm_offsets.s > $@

-include $(HYP_OBJ:.o=.d) $(BUILD)/obj/asm_offsets.d

# All tests; tools/check sums up what its steps count.
check:
	@BUILD=$(BUILD) tools/check

layers:
	@$(PYTHON) tools/layers

check-reading-order:
	@$(PYTHON) tools/check-reading-order

check-hypercalls:
	@$(PYTHON) tools/check-hypercalls

clean:
	rm -rf $(BUILD)

help:
	@echo 'make                build/krypton, build/krypton.gz, build/krypton-syms (CC=clang, DEBUG=1, BUILD=folder)'
	@echo 'make tools guests   what runs in dom0: build/tools; the test guests: build/guests'
	@echo 'make setup          installs and downloads what building and testing need; run, check-system and iso do so themselves'
	@echo 'make run            boot GRUB, Krypton, Debian as dom0 and a guest in QEMU'
	@echo 'make check          all tests: check-unit check-tools check-tools-fuzz check-system (CASE=...)'
	@echo '                    layers check-reading-order check-hypercalls'
	@echo 'make check-oracle   the system tests on Debian'\''s Xen (CASE=...)'
	@echo 'make soak fuzz      long campaigns'
	@echo 'make bench          micro-benchmarks beside Xen; bench-system: whole paths'
	@echo 'make iso deb        build/krypton.iso, a demonstration; a Debian package'
	@echo 'make install        DESTDIR=...; install-tools, uninstall'
	@echo 'make clean          removes build'
