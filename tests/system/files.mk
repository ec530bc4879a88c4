# SPDX-License-Identifier: MIT
# System tests. NAMES='xl-* guest-two' chooses among the cases.

.PHONY: check-system check-oracle soak

RUN_ALL := BUILD=$(BUILD) tests/system/run-all

check-system: setup all guests
	@$(RUN_ALL) $(NAMES)

check-oracle: setup guests
	@$(RUN_ALL) --oracle $(NAMES)

soak: setup all guests
	@$(RUN_ALL) --soak $(NAMES)
