# SPDX-License-Identifier: MIT
# The benchmark guests, and the targets that compare hypervisors with them.

$(eval $(call guest_program,bench-micro,bench/micro))
-include $(bench-micro_OBJ:.o=.d)

guests: $(BUILD)/guests/bench-micro

# Stands in for a hypervisor to see when the boot loader is through.
$(BUILD)/bench/entry: bench/entry/entry.S
	@mkdir -p $(@D)
	$(CC) -m32 -nostdlib -static -no-pie -Wl,-Ttext=0x100000 -Wl,--build-id=none -o $@ $<

.PHONY: bench bench-system
bench: $(BUILD)/guests/bench-micro $(BUILD)/bench/entry all
	bench/run

bench-system: guests all
	bench/run-system
