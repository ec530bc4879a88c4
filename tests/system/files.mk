# SPDX-License-Identifier: MIT
# System tests. CASE='xl-* guest-two' chooses among them.

.PHONY: check-system check-oracle soak

RUN_ALL := BUILD=$(BUILD) tests/system/run-all

check-system: setup all guests tools debug-build
	@$(RUN_ALL) $(CASE)

# The hypervisor with its checks, for the case of that name.
.PHONY: debug-build
debug-build:
	@$(MAKE) --no-print-directory DEBUG=1 BUILD=$(BUILD)/debug all

check-oracle: setup guests tools system-programs
	@$(RUN_ALL) --oracle $(CASE)

soak: setup all guests tools system-programs
	@$(RUN_ALL) --soak $(CASE)

# Programs that cases put into dom0, static.
SYSTEM_PROGRAMS := $(addprefix $(BUILD)/system-programs/,disk_load link_relay log_dirty)

$(SYSTEM_PROGRAMS): $(BUILD)/system-programs/%: tests/system/programs/%.c tests/guests/log-dirty/report.h
	@mkdir -p $(@D)
	@echo "  HOSTCC $@"
	@$(HOSTCC) -std=gnu11 -O2 $(WARN) -static -o $@ $<

# A disk with those that run in a guest.
$(BUILD)/system-programs/guest.img: tests/system/lib/program-disk $(BUILD)/system-programs/disk_load
	@echo "  DISK   $@"
	@$< $@ $(BUILD)/system-programs/disk_load

.PHONY: system-programs
system-programs: $(SYSTEM_PROGRAMS) $(BUILD)/system-programs/guest.img
check-system: system-programs
