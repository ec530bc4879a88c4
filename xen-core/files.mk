# SPDX-License-Identifier: MIT
# The core: knows no CPU.
HYP_SRC += $(addprefix xen-core/, \
	lib/string.c lib/printf.c lib/math.c cmdline.c console.c console_ring.c keyhandler.c symbols.c \
	hypercall.c multicall.c version.c)
