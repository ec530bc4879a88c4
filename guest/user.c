/* SPDX-License-Identifier: MIT */
/* User mode entry and exit: see user.h. */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/mm.h>
#include <guest/string.h>
#include <guest/user.h>

#define USER_STACK	(2 * PAGE_SIZE)
#define RFLAGS_IF	0x200

extern char user_trampoline[], user_done[];

/* user_entry.S: save registers and *saved_rsp, then resume the frame; returns by user_resume. */
long user_switch(unsigned long *saved_rsp, const struct trap_frame *frame);
extern char user_resume[];

static char user_stack[8][USER_STACK] __page_aligned;

static pte_t *user_l4;

void user_init(void)
{
	long rc = 0;

	if (!user_l4) {
		user_l4 = page_alloc();
		user_l4[511] = kernel_l4[511];
		user_l4[0] = kernel_l4[0];
		rc = page_protect(user_l4);
		if (!rc)
			rc = pt_pin(user_l4, 4);
	}
	if (!rc)
		rc = mmuext_mfn(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(user_l4));
	if (rc)
		panic("user_init: %ld", rc);
}

void user_share(unsigned long va)
{
	unsigned int slot = va >> 39 & 511;
	long rc = pt_write(&user_l4[slot], kernel_l4[slot]);

	if (rc)
		panic("user_share %lx: %ld", va, rc);
}

long user_call(long (*fn)(long), long arg)
{
	struct cpu *cpu = this_cpu();
	struct trap_frame frame = {
		.rax = PTR(fn),
		.rdi = arg,
		.rip = PTR(user_trampoline),
		.cs = FLAT_USER_CS,
		.rflags = RFLAGS_IF,
		.rsp = PTR(user_stack[cpu->id]) + USER_STACK,
		.ss = FLAT_USER_SS,
	};

	return user_switch(&cpu->user_rsp, &frame);
}

bool user_leave(struct trap_frame *frame, unsigned int vector)
{
	if (vector != VEC_UD || frame->rip != PTR(user_done))
		return false;
	frame->rip = PTR(user_resume);
	frame->rsp = this_cpu()->user_rsp;
	frame->cs = FLAT_KERNEL_CS & ~3;
	frame->ss = FLAT_KERNEL_SS;
	return true;
}
