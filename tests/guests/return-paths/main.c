/* SPDX-License-Identifier: MIT */
/*
 * Class 12: the ways out of the hypervisor.
 *
 * iret frames with non-canonical addresses, bad selectors and flags a guest may not have, to kernel
 * and to user mode, by IRET and by SYSRET; syscalls from user code whose next instruction is not
 * canonical. A CPU's SYSRET to a non-canonical address faults in ring 0 on the guest's stack: the
 * hypervisor must see it coming. Every bad frame must come back as a failsafe callback or an
 * exception of the guest's own, and a good one must deliver exactly what it says.
 */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/trap.h>
#include <guest/user.h>

void iret_to(const struct iret_context *frame);
extern char landing[], stepping[];

static struct iret_context frame;

static void go(void *arg __unused)
{
	iret_to(&frame);
}

/* The frames' rsp: on the boot stack, for this_cpu() masks rsp, but away from what is in use. */
static uint64_t other_stack(void)
{
	return PTR(this_cpu()) + GUEST_STACK_SIZE / 4;
}

/* A frame that lands at `landing`, which raises #UD. */
static void good_frame(bool user, uint64_t flags)
{
	frame = (struct iret_context){
		.rax = 0x1111, .r11 = 0x2222, .rcx = 0x3333, .flags = flags,
		.rip = PTR(landing), .rflags = 0x202,
		.cs = user ? FLAT_USER_CS : FLAT_KERNEL_CS & ~3,
		.rsp = other_stack(),
		.ss = user ? FLAT_USER_SS : FLAT_KERNEL_SS,
	};
}

/* Traps from user mode must find a kernel stack. */
static void set_kernel_stack(void)
{
	/* This too on the boot stack. */
	stack_switch(FLAT_KERNEL_SS, PTR(this_cpu()) + GUEST_STACK_SIZE / 2);
}

static unsigned int outcome(struct trap_catch *c)
{
	c->vector = 999;
	set_kernel_stack();
	trap_catch(c, go, NULL);
	return c->vector;
}

static void test_good(void)
{
	struct trap_catch c;

	for (unsigned int user = 0; user < 2; user++)
		for (unsigned int sysret = 0; sysret < 2; sysret++) {
			good_frame(user, sysret ? VGCF_in_syscall : 0);
			ktest_eq(outcome(&c), VEC_UD, "good frame, user %u, sysret %u", user,
				 sysret);
			ktest_eq(c.frame.rip, PTR(landing), "rip");
			ktest_eq(c.frame.rsp, other_stack(), "rsp");
			ktest_eq(c.frame.rax, 0x1111, "rax");
			ktest_eq(c.frame.cs & 3, user ? 3 : 0, "mode");
			if (!sysret) {
				ktest_eq(c.frame.rcx, 0x3333, "rcx");
				ktest_eq(c.frame.r11, 0x2222, "r11");
			}
		}
}

static void test_noncanonical(void)
{
	static const uint64_t addresses[] = {
		0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000, 0x7fffffffffffffff,
		0x0000deadbeef0000, 0xffff800000000000, 0xffff830000000000, 0x00007fffffffffff,
	};
	struct trap_catch c;

	for (unsigned int i = 0; i < ARRAY_SIZE(addresses); i++)
		for (unsigned int user = 0; user < 2; user++)
			for (unsigned int sysret = 0; sysret < 2; sysret++) {
				unsigned int v;

				good_frame(user, sysret ? VGCF_in_syscall : 0);
				frame.rip = addresses[i];
				v = outcome(&c);
				ktest_ok(v == VEC_FAILSAFE || v == VEC_GP || v == VEC_PF,
					 "rip %lx, user %u, sysret %u: %u", addresses[i], user,
					 sysret,
					 v);
			}
	good_frame(true, 0);
	frame.rsp = 0x8000000000000000;
	ktest_ok(outcome(&c) != 999, "non-canonical user rsp: %u", c.vector);
	good_frame(true, VGCF_in_syscall);
	frame.rsp = 0xffff830000000000;
	ktest_eq(outcome(&c), VEC_UD, "user rsp in the hypervisor is of no concern");
	ktest_eq(c.frame.rsp, 0xffff830000000000, "and kept");
}

static void test_selectors(void)
{
	static const uint16_t selectors[] = { 0x0003, 0x000b, 0xe003, 0xe00b, 0xe023, 0xe02b,
					     0xe033,
					      0xe03b, 0xe043, 0xfff3, 0x0007, 0xe007 };
	struct trap_catch c;

	for (unsigned int i = 0; i < ARRAY_SIZE(selectors); i++) {
		unsigned int v;

		good_frame(true, 0);
		frame.ss = selectors[i];
		v = outcome(&c);
		ktest_ok(v == VEC_FAILSAFE || v == VEC_UD || v == VEC_GP, "ss %x: %u", selectors[i],
			 v);
		good_frame(true, 0);
		frame.cs = selectors[i];
		v = outcome(&c);
		ktest_ok(v != 999, "cs %x: %u", selectors[i], v);
	}
}

/* Flags that a guest may not set are dropped; those it may are kept. */
static void test_flags(void)
{
	struct trap_catch c;

	for (unsigned int user = 0; user < 2; user++) {
		good_frame(user, 0);
		frame.rflags = 0x3fffd7;	/* all but TF, reserved ones too */
		frame.rflags &= ~(0x100UL | 0x20000 | 0x4000);
		ktest_eq(outcome(&c), VEC_UD, "all flags, user %u", user);
		ktest_note("flags %lx became %lx", (unsigned long)frame.rflags,
			   (unsigned long)c.frame.rflags);
		ktest_eq(c.frame.rflags & 0x20000, 0, "VM is clear");
		ktest_eq(c.frame.rflags & 0xcd5, 0xcd5, "arithmetic flags and DF are kept");
		good_frame(user, 0);
		frame.rflags = 0;
		ktest_eq(outcome(&c), VEC_UD, "no flags, user %u", user);
		event_enable();
		good_frame(user, 0);
		frame.rflags = 0x302;
		frame.rip = PTR(stepping);
		ktest_eq(outcome(&c), VEC_DB, "TF: a step is taken, user %u", user);
	}
}

/* iret unmasks events by IF and delivers what is pending at once. */
static void test_pending(void)
{
	struct trap_catch c;
	evtchn_port_t a, b;
	unsigned long before;

	event_self_pair(&a, &b);
	event_set_handler(b, NULL);
	before = event_count(b);	/* binding itself has sent one */
	event_disable();
	event_send(a);
	good_frame(false, 0);
	frame.rflags = 0x002;
	outcome(&c);
	ktest_eq(event_count(b), before, "iret with IF clear: event stays pending");
	event_disable();
	good_frame(false, 0);
	outcome(&c);
	ktest_eq(event_count(b), before + 1, "iret with IF set: event delivered");
	ktest_eq(c.frame.rip, PTR(landing), "at the frame's rip");
}

/* A user syscall at the very end of the canonical range would return to a non-canonical address. */
static uint8_t *last_page;

static long jump_to_last_syscall(long arg)
{
	__asm__ volatile("jmp *%0" :: "r"(arg), "a"(1));
	return 0;
}

static void enter_user(void *arg __unused)
{
	user_call(jump_to_last_syscall, 0x00007ffffffffffe);
}

static unsigned int nr_syscalls;
static uint64_t syscall_rip;

static bool on_syscall(struct trap_frame *f, unsigned int vector __unused)
{
	nr_syscalls++;
	syscall_rip = f->rip;
	return true;
}

static void test_last_syscall(void)
{
	unsigned long va = 0x00007ffffffff000;
	struct trap_catch c;

	last_page = page_alloc();
	last_page[0xffe] = 0x0f;	/* syscall */
	last_page[0xfff] = 0x05;
	pt_map(kernel_l4, va, pte_make(virt_to_mfn(last_page), PTE_P | PTE_US | PTE_A));
	user_init();
	user_share(va);
	trap_set_hook(VEC_SYSCALL, on_syscall);
	c.vector = 999;
	trap_catch(&c, enter_user, NULL);
	trap_set_hook(VEC_SYSCALL, NULL);
	ktest_eq(nr_syscalls, 1, "syscall in the last bytes of the lower half");
	ktest_eq(syscall_rip, 0x0000800000000000, "its return address is not canonical");
	ktest_ok(c.vector == VEC_FAILSAFE || c.vector == VEC_GP || c.vector == VEC_PF,
		 "returning there is the guest's own fault: %u", c.vector);
}

int guest_main(void)
{
	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	event_enable();
	user_init();
	test_good();
	test_noncanonical();
	test_selectors();
	test_flags();
	test_pending();
	test_last_syscall();
	return ktest_result();
}
