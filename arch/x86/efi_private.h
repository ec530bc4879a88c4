/* SPDX-License-Identifier: MIT */
/*
 * Between efi_runtime.c (tables, entering and leaving the firmware) and
 * efi_call.c (what dom0 asks).
 */
#ifndef X86_EFI_PRIVATE_H
#define X86_EFI_PRIVATE_H

#include <x86/efi.h>

/* NULL: no EFI, or its runtime services cannot be used. */
extern struct efi_runtime_services *efi_rs;
extern uint32_t efi_rs_revision;
extern bool efi_booted;

/*
 * The firmware may be called, and its memory read, between the two. Interrupts
 * are off meanwhile; only the hypervisor's memory and the firmware's are mapped.
 */
struct efi_state {
	unsigned long cr3, cr4, flags;
};
void efi_enter(struct efi_state *s);
void efi_leave(const struct efi_state *s);

#endif
