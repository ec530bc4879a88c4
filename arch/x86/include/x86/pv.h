/* SPDX-License-Identifier: MIT */
/* PV guests: traps bounced into them, callbacks, privileged instructions, descriptors. */
#ifndef X86_PV_H
#define X86_PV_H

#include <core/domain.h>

/* Queue an exception for current, delivered on the way out. */
void pv_inject_hw_exception(unsigned int vector, int error_code);	/* error_code < 0: none */
void pv_inject_page_fault(unsigned int error_code, unsigned long cr2);
void pv_traps_init(void);	/* once, at boot */
/* A #PF enters the guest's handler now (traps.c); error_code as the CPU's. */
void pv_bounce_page_fault(struct vcpu *v, unsigned int error_code, unsigned long cr2);
/* A #GP or #UD from the guest: true if emulated (regs advanced). */
bool pv_emulate_privileged_op(struct cpu_user_regs *regs);
bool pv_emulate_forced_invalid_op(struct cpu_user_regs *regs);
void toggle_guest_mode(struct vcpu *v);		/* kernel <-> user: tables, GS */
bool guest_kernel_mode(const struct vcpu *v, const struct cpu_user_regs *regs);
int pv_set_gdt(struct vcpu *v, const unsigned long *frames, unsigned int entries);
void pv_destroy_gdt(struct vcpu *v);
int pv_set_ldt(struct vcpu *v, unsigned long base, unsigned int ents);	/* MMUEXT_SET_LDT */
void pv_destroy_ldt(struct vcpu *v);
/* The CPU touched v's LDT at offset `off`: maps that page. False if the guest has none there. */
bool pv_map_ldt_page(struct vcpu *v, unsigned long off);
/* Loads v's descriptor tables into this CPU's window. */
void pv_load_descriptors(struct vcpu *v);
/* Makes a descriptor safe for a guest (DPL raised ...). False if it cannot be allowed. */
bool pv_fix_descriptor(uint64_t *desc);
bool pv_io_permitted(struct vcpu *v, unsigned int port, unsigned int bytes);
void pv_hypercall_page_fill(void *page);	/* one page, 32 bytes an entry */
/* dom0 (pv/dom0_build.c): panics with a one-line cause when it cannot. */
/* The CR4 that a guest of d sees after asking for `wanted`. */
unsigned long pv_fixup_guest_cr4(const struct domain *d, unsigned long wanted);
struct boot_info;
void dom0_build(const struct boot_info *bi);

#endif
