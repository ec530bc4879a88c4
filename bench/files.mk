# SPDX-License-Identifier: MIT
# The benchmark guests and helpers, and the targets that compare hypervisors, backends and rings with them.

$(eval $(call guest_program,bench-micro,bench/micro))
$(eval $(call guest_program,bench-pair,bench/pair))
-include $(bench-micro_OBJ:.o=.d) $(bench-pair_OBJ:.o=.d)

guests: $(BUILD)/guests/bench-micro $(BUILD)/guests/bench-pair

# Stands in for a hypervisor to see when the boot loader is through.
$(BUILD)/bench/entry: bench/entry/entry.S
	@mkdir -p $(@D)
	$(CC) -m32 -c -o $@.o $<
	$(LD) -m elf_i386 -static -Ttext=0x100000 --build-id=none -o $@ $@.o

# Programs for dom0, static, and the plugin that QEMU loads.
BENCH_TOOLS := $(addprefix $(BUILD)/bench/,cost cputime evtchn_turns pages mark load disk worker)
# Guest handles are written through two types.
BENCH_CFLAGS := -std=gnu11 -O2 -fno-strict-aliasing -Wall -Wextra -Wshadow -Werror

$(BENCH_TOOLS): $(BUILD)/bench/%: bench/system/%.c bench/system/privcmd.h
	@mkdir -p $(@D)
	$(HOSTCC) $(BENCH_CFLAGS) -static -o $@ $<

$(BUILD)/bench/count.so: bench/system/count.c
	@mkdir -p $(@D)
	$(HOSTCC) $(BENCH_CFLAGS) -shared -fPIC -o $@ $<

.PHONY: bench bench-system bench-tools
bench-tools: guests system-programs $(BENCH_TOOLS) $(BUILD)/bench/entry $(BUILD)/bench/count.so

bench: bench-tools all
	bench/run
	bench/rings/run
	bench/rings/run-net

bench-system: bench-tools all tools
	bench/run-system
	bench/run-disk
	bench/run-net
