/* SPDX-License-Identifier: MIT */
/* What booting and CPU bring-up ask of paging.c beyond x86/mm.h. */
#ifndef X86_PAGING_H
#define X86_PAGING_H

#include <core/types.h>

/* Makes the tables behind a CPU's window, so that hyp_l1e() finds its entries. 0 or -ENOMEM. */
int cpu_window_prepare(unsigned int cpu);

#endif
