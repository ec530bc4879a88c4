/* SPDX-License-Identifier: MIT */
/* What a port does for domains and vcpus. */
#ifndef ARCH_DOMAIN_H
#define ARCH_DOMAIN_H

#include <core/types.h>
#include <xen/xen.h>
#include <xen/domctl.h>

struct domain;
struct vcpu;

int arch_domain_create(struct domain *d, const struct xen_domctl_createdomain *cfg);
void arch_domain_destroy(struct domain *d);	/* last: no reference is left */
/* -EINVAL: flags we do not have */
int arch_sanitise_domain_config(struct xen_domctl_createdomain *cfg);
int arch_vcpu_create(struct vcpu *v);
void arch_vcpu_destroy(struct vcpu *v);
/* Gives back page tables and memory; all vcpus are off CPUs. -ERESTART when preempted. */
int arch_domain_relinquish(struct domain *d);
void arch_domain_shutdown(struct domain *d);
void arch_domain_pause(struct domain *d);
void arch_domain_unpause(struct domain *d);
void arch_domain_creation_finished(struct domain *d);

/* A struct vcpu_guest_context in, checked; -EINVAL etc. as the oracle; -ERESTART when preempted. */
int arch_set_info_guest(struct vcpu *v, const struct vcpu_guest_context *ctxt);
void arch_get_info_guest(struct vcpu *v, struct vcpu_guest_context *ctxt);
int arch_vcpu_reset(struct vcpu *v);
/* VCPUOPs beyond the common ones (register_vcpu_time_memory_area, get_physid, send_nmi). */
long arch_vcpu_op(unsigned int cmd, struct vcpu *v, unsigned long arg);

/*
 * Leaves prev, enters next (both may be idle vcpus); interrupts are off. Calls
 * context_saved(prev) once prev's state is in memory. Returns, or never, on
 * next's behalf: the caller must not touch anything after it.
 */
void context_switch(struct vcpu *prev, struct vcpu *next) __attribute__((noreturn));
/* next == prev: returns to it. */
void continue_running(struct vcpu *v) __attribute__((noreturn));
/* Registers and TLB of v are loaded on no CPU any more when this returns. */
void sync_vcpu_execstate(struct vcpu *v);
void sync_local_execstate(void);

/* Upcall state in vcpu_info, which is a port's business. */
void vcpu_mark_events_pending(struct vcpu *v);
bool vcpu_event_delivery_is_enabled(const struct vcpu *v);
void vcpu_set_event_delivery(struct vcpu *v, bool enabled);
bool local_events_need_delivery(void);	/* current has an unmasked pending event */

/*
 * Makes the kernel's addresses of current reachable, and takes that back: where
 * user mode has page tables of its own, they are not while it runs.
 */
bool kernel_addresses_begin(struct vcpu *v);	/* to be handed to _end() */
void kernel_addresses_end(struct vcpu *v, bool changed);

/* XENVER_get_features submap; false if there is no such submap. */
bool arch_get_features(unsigned int submap, uint32_t *bits);
/* The "xen-3.0-x86_64" string. */
const char *arch_capabilities(void);
unsigned long arch_virt_start(void);
/* vm_assist types that guests may enable. */
unsigned long arch_vm_assist_valid(void);

/* Hypercall continuation, see core/hypercall.h: rewrites the guest's registers. */
void arch_hypercall_rewind(struct vcpu *v, unsigned int op, unsigned int nr,
			   const unsigned long *args);
/*
 * HYPERVISOR_iret as an entry of a multicall: registers are replaced; what the
 * multicall shall return.
 */
long arch_hypercall_iret(void);
/* Shows a vcpu's registers and a bit of its stack on the console. */
void arch_dump_vcpu(struct vcpu *v);
void arch_dump_domain(struct domain *d);
/*
 * Calls each for every page table entry by which a control domain maps memory of a dying one (others can
 * do so by grants only). Goes over all frames, so other work of this CPU is done in between.
 */
void arch_each_mapping(void (*each)(const struct domain *by, const struct domain *dying, void *data),
		       void *data);

/* machine_restart/halt: dom0 said so, or a panic. Never return. */
void machine_restart(unsigned int delay_ms) __attribute__((noreturn));
void machine_halt(void) __attribute__((noreturn));
/* dom0 shut down: SHUTDOWN_*; honours noreboot. */
void hwdom_shutdown(unsigned int reason) __attribute__((noreturn));

#endif
