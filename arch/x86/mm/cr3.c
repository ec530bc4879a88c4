/* SPDX-License-Identifier: MIT */
/*
 * Loading a vcpu's page tables: its kernel's or its user space's, as
 * TF_kernel_mode says (base_tables.c keeps them).
 *
 * User mappings are global entries in the TLB, so that they survive the switch
 * between kernel and user (switch_cr3); changing to another address space must
 * therefore flush global entries too (write_ptbase).
 */
#include "private.h"

#include <x86/asm.h>

void switch_cr3(unsigned long cr3)
{
	write_cr3(cr3);
}

void write_ptbase(struct vcpu *v)
{
	write_cr3(v->arch.load_cr3[v->arch.flags & TF_kernel_mode]);
	flush_tlb_local();
}
