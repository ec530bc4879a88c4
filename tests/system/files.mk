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

check-oracle: setup guests tools
	@$(RUN_ALL) --oracle $(CASE)

soak: setup all guests tools
	@$(RUN_ALL) --soak $(CASE)
