/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls, issued by `syscall` directly (no hypercall page needed): number in %eax, arguments in
 * %rdi, %rsi, %rdx, %r10, %r8; %rcx and %r11 are lost. All return >= 0 or a negative XEN_E* number.
 *
 * hypercall() takes everything as unsigned long: tests pass deliberately wrong values through it.
 * The named wrappers below are for proper use.
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include <guest/types.h>

#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

static inline long hypercall(unsigned int nr, unsigned long a1, unsigned long a2, unsigned long a3,
			     unsigned long a4, unsigned long a5)
{
	register unsigned long r10 __asm__("r10") = a4;
	register unsigned long r8 __asm__("r8") = a5;
	long ret = nr;

	__asm__ volatile("syscall"
			 : "+a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
			 :
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long hypercall3(unsigned int nr, unsigned long a1, unsigned long a2, unsigned long a3)
{
	long ret = nr;

	__asm__ volatile("syscall"
			 : "+a"(ret), "+D"(a1), "+S"(a2), "+d"(a3)
			 :
			 : "rcx", "r11", "r10", "r8", "memory");
	return ret;
}

#define PTR(p)	((unsigned long)(p))

static inline long xen_version(unsigned int cmd, void *arg)
{
	return hypercall3(__HYPERVISOR_xen_version, cmd, PTR(arg), 0);
}

static inline long console_io(unsigned int cmd, unsigned long count, void *buf)
{
	return hypercall3(__HYPERVISOR_console_io, cmd, count, PTR(buf));
}

static inline long sched_op(unsigned int cmd, void *arg)
{
	return hypercall3(__HYPERVISOR_sched_op, cmd, PTR(arg), 0);
}

static inline long evtchn_op(unsigned int cmd, void *arg)
{
	return hypercall3(__HYPERVISOR_event_channel_op, cmd, PTR(arg), 0);
}

static inline long memory_op(unsigned int cmd, void *arg)
{
	return hypercall3(__HYPERVISOR_memory_op, cmd, PTR(arg), 0);
}

static inline long grant_op(unsigned int cmd, void *arg, unsigned int count)
{
	return hypercall3(__HYPERVISOR_grant_table_op, cmd, PTR(arg), count);
}

static inline long vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg)
{
	return hypercall3(__HYPERVISOR_vcpu_op, cmd, vcpu, PTR(arg));
}

static inline long physdev_op(unsigned int cmd, void *arg)
{
	return hypercall3(__HYPERVISOR_physdev_op, cmd, PTR(arg), 0);
}

static inline long callback_op(unsigned int cmd, void *arg)
{
	return hypercall3(__HYPERVISOR_callback_op, cmd, PTR(arg), 0);
}

static inline long set_trap_table(struct trap_info *table)
{
	return hypercall3(__HYPERVISOR_set_trap_table, PTR(table), 0, 0);
}

static inline long set_gdt(unsigned long *frames, unsigned int entries)
{
	return hypercall3(__HYPERVISOR_set_gdt, PTR(frames), entries, 0);
}

static inline long update_descriptor(uint64_t maddr, uint64_t desc)
{
	return hypercall3(__HYPERVISOR_update_descriptor, maddr, desc, 0);
}

static inline long stack_switch(unsigned long ss, unsigned long rsp)
{
	return hypercall3(__HYPERVISOR_stack_switch, ss, rsp, 0);
}

static inline long set_segment_base(unsigned int which, unsigned long base)
{
	return hypercall3(__HYPERVISOR_set_segment_base, which, base, 0);
}

static inline long set_debugreg(unsigned int reg, unsigned long value)
{
	return hypercall3(__HYPERVISOR_set_debugreg, reg, value, 0);
}

static inline long get_debugreg(unsigned int reg)
{
	return hypercall3(__HYPERVISOR_get_debugreg, reg, 0, 0);
}

static inline long fpu_taskswitch(int set)
{
	return hypercall3(__HYPERVISOR_fpu_taskswitch, set, 0, 0);
}

static inline long set_timer_op(uint64_t deadline_ns)
{
	return hypercall3(__HYPERVISOR_set_timer_op, deadline_ns, 0, 0);
}

static inline long vm_assist(unsigned int cmd, unsigned int type)
{
	return hypercall3(__HYPERVISOR_vm_assist, cmd, type, 0);
}

static inline long multicall(struct multicall_entry *calls, unsigned int n)
{
	return hypercall3(__HYPERVISOR_multicall, PTR(calls), n, 0);
}

static inline long update_va_mapping(unsigned long va, uint64_t pte, unsigned long flags)
{
	return hypercall3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

/* Apply n updates; *done (may be NULL) counts those applied. */
static inline long mmu_update(struct mmu_update *req, unsigned int n, unsigned int *done)
{
	return hypercall(__HYPERVISOR_mmu_update, PTR(req), n, PTR(done), DOMID_SELF, 0);
}

static inline long mmuext_op(struct mmuext_op *op, unsigned int n, unsigned int *done)
{
	return hypercall(__HYPERVISOR_mmuext_op, PTR(op), n, PTR(done), DOMID_SELF, 0);
}

#endif
