# SPDX-License-Identifier: MIT
# The benchmark guests, and the targets that compare hypervisors with them.

$(eval $(call guest_program,bench-micro,bench/micro))

guests: $(BUILD)/guests/bench-micro

.PHONY: bench bench-system
bench: $(BUILD)/guests/bench-micro
	bench/run
