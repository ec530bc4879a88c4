/* SPDX-License-Identifier: MIT */
/*
 * User mode: ring 3 with the guest's user page tables, entered by iret and left by a #UD.
 *
 * The user top-level table shares the kernel's half-gigabyte slots, so any function of the image
 * can run as "user": what differs is the mode that the hypervisor sees. Such code must not call the
 * hypervisor (its syscalls go to the guest kernel: see trap_set_hook(VEC_SYSCALL)).
 */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <guest/trap.h>

/* Build and install the user page tables: once, before user_call(), on the calling vcpu. */
void user_init(void);

/* Let user mode see the L4 slot of va too; after user_init() and after the kernel has mapped va. */
void user_share(unsigned long va);

/*
 * Run fn(arg) in user mode on a user stack; returns fn's result. Traps go to trap_catch() as usual.
 */
long user_call(long (*fn)(long), long arg);

/* trap_dispatch(): is this the #UD by which user_trampoline ends? If so make the frame leave. */
bool user_leave(struct trap_frame *frame, unsigned int vector);

/* From user mode: a system call to the guest kernel's VEC_SYSCALL hook. */
static inline long user_syscall(long nr, long arg)
{
	__asm__ volatile("syscall" : "+a"(nr) : "D"(arg) : "rcx", "r11", "memory");
	return nr;
}

#endif
