# SPDX-License-Identifier: MIT
# kl, the command line; installed as xl, too.
KL_SRC := $(sort $(wildcard dom0-tools/kl/*.c))
$(eval $(call tools_program,kl,$(KL_SRC)))
