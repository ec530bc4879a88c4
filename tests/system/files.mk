# SPDX-License-Identifier: MIT
# System tests. CASE='xl-* guest-two' chooses among them.

.PHONY: check-system check-oracle soak

RUN_ALL := BUILD=$(BUILD) tests/system/run-all

check-system: setup all guests tools
	@$(RUN_ALL) $(CASE)

check-oracle: setup guests tools
	@$(RUN_ALL) --oracle $(CASE)

soak: setup all guests tools
	@$(RUN_ALL) --soak $(CASE)
