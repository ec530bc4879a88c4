/* SPDX-License-Identifier: MIT */
/*
 * x86's page-table code runs unchanged in a process; only the places that
 * cannot exist there are moved: the machine-to-physical table is an array.
 */
#ifndef HOST_X86_LAYOUT_H
#define HOST_X86_LAYOUT_H

#include_next <x86/layout.h>

extern unsigned long host_m2p[];
#undef RW_M2P_START
#define RW_M2P_START	((unsigned long)host_m2p)

#endif
