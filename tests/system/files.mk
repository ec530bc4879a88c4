# SPDX-License-Identifier: MIT
# System tests. CASE='xl-* guest-two' chooses among them.

.PHONY: check-system check-oracle soak

RUN_ALL := BUILD=$(BUILD) tests/system/run-all

check-system: setup all guests
	@$(RUN_ALL) $(CASE)

check-oracle: setup guests
	@$(RUN_ALL) --oracle $(CASE)

soak: setup all guests
	@$(RUN_ALL) --soak $(CASE)
