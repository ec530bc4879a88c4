/* SPDX-License-Identifier: MIT */
/*
 * Class 12: exceptions, from kernel and from user mode.
 *
 * Each exception that software can raise comes with its vector, error code, address, and a frame
 * that says where it came from; flags that would bite the handler are cleared. Gates that mask
 * events do, nested traps nest, NMIs come one at a time, single-stepping and watchpoints report in
 * DR6. Left out is what QEMU 7.2 does not emulate rightly: "int n" (wrong error code), icebp and
 * #XM.
 */
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/string.h>
#include <guest/trap.h>
#include <guest/user.h>

#define RFLAGS_TF	0x100
#define RFLAGS_IF	0x200

/* The instruction that must trap carries a label, so that its address can be checked. */
#define TRAPPING(name, label, code)					\
	extern char label[];						\
	static void name(void *arg __unused)				\
	{								\
		__asm__ volatile(code ::: "rax", "rcx", "rdx", "memory");	\
	}

TRAPPING(do_divide, de_at, "xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; .globl de_at\n"
	 "de_at: div %%ecx")
TRAPPING(do_int3, bp_at, "int3; .globl bp_at\nbp_at: nop")
TRAPPING(do_ud2, ud_at, ".globl ud_at\nud_at: ud2")
TRAPPING(do_noncanonical, gp_at, "movabs $0x8000000000000000, %%rax; .globl gp_at\n"
	 "gp_at: mov (%%rax), %%rax")
TRAPPING(do_selector, sel_at, "mov $0xfff8, %%eax; .globl sel_at\nsel_at: mov %%eax, %%ds")
TRAPPING(do_lidt, lidt_at, ".globl lidt_at\nlidt_at: lidt (%%rsp)")
TRAPPING(do_read_hole, pfr_at, "mov $0x1234, %%eax; .globl pfr_at\npfr_at: mov (%%rax), %%rax")
TRAPPING(do_write_hole, pfw_at, "mov $0x1238, %%eax; .globl pfw_at\npfw_at: mov %%rax, (%%rax)")
TRAPPING(do_read_xen, pfx_at, "movabs $0xffff830000000000, %%rax; .globl pfx_at\n"
	 "pfx_at: mov (%%rax), %%rax")
TRAPPING(do_exec_hole, pfe_at, "mov $0x5678, %%eax; call *%%rax")

static void do_x87(void *arg __unused)
{
	uint16_t control = 0x37f & ~4;

	__asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp; .globl mf_at\nmf_at: fwait"
			 :: "m"(control));
}
extern char mf_at[];

static const struct {
	const char *name;
	void (*fn)(void *);
	unsigned int vector;
	uint64_t error;		/* as from kernel mode */
	const void *at;		/* NULL: not checked */
	uint64_t cr2;
} cases[] = {
	{ "#DE", do_divide, VEC_DE, 0, de_at, 0 },
	{ "#BP", do_int3, VEC_BP, 0, bp_at, 0 },
	{ "#UD", do_ud2, VEC_UD, 0, ud_at, 0 },
	{ "#GP, non-canonical read", do_noncanonical, VEC_GP, 0, gp_at, 0 },
	{ "#GP, bad selector", do_selector, VEC_GP, 0xfff8, sel_at, 0 },
	{ "#GP, lidt", do_lidt, VEC_GP, 0, lidt_at, 0 },
	{ "#PF, read", do_read_hole, VEC_PF, 0, pfr_at, 0x1234 },
	{ "#PF, write", do_write_hole, VEC_PF, 2, pfw_at, 0x1238 },
	{ "#PF, fetch", do_exec_hole, VEC_PF, 0x10, (void *)0x5678, 0x5678 },
	{ "#MF", do_x87, VEC_MF, 0, mf_at, 0 },
};

static void check_case(unsigned int i, const struct trap_catch *c, bool user)
{
	const struct trap_frame *f = &c->frame;
	const char *mode = user ? "user" : "kernel";
	uint64_t error = cases[i].error;

	if (cases[i].vector == VEC_PF && user)
		error |= 4;
	ktest_eq(c->vector, cases[i].vector, "%s from %s: vector", cases[i].name, mode);
	ktest_quiet_eq(f->error, error, "%s from %s: error code", cases[i].name, mode);
	if (cases[i].at)
		ktest_quiet_eq(f->rip, PTR(cases[i].at), "%s from %s: rip", cases[i].name, mode);
	if (cases[i].vector == VEC_PF)
		ktest_quiet_eq(c->cr2, cases[i].cr2, "%s from %s: cr2", cases[i].name, mode);
	ktest_quiet_eq(f->cs, user ? FLAT_USER_CS : FLAT_KERNEL_CS & ~3, "%s from %s: cs",
		       cases[i].name, mode);
	ktest_quiet_eq(f->ss, user ? FLAT_USER_SS : FLAT_KERNEL_SS, "%s from %s: ss",
		       cases[i].name, mode);
}

static unsigned int current_case;

static long user_case(long unused __unused)
{
	cases[current_case].fn(NULL);
	return 0;
}

static void enter_user(void *arg __unused)
{
	user_call(user_case, 0);
}

static void test_vectors(void)
{
	struct trap_catch c;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		c.vector = ~0U;
		trap_catch(&c, cases[i].fn, NULL);
		check_case(i, &c, false);
	}
	user_init();
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		current_case = i;
		c.vector = ~0U;
		trap_catch(&c, enter_user, NULL);
		check_case(i, &c, true);
	}
	c.vector = ~0U;
	trap_catch(&c, do_read_xen, NULL);
	ktest_eq(c.vector, VEC_PF, "read of hypervisor memory");
	ktest_note("its error code is %lx", c.frame.error);
}

static long wrong_vectors, ud_rflags, ud_mask, ud_frame_mask, ud_frame_if;

static bool note_state(struct trap_frame *f, unsigned int vector)
{
	uint64_t flags;

	wrong_vectors += vector != VEC_UD;
	__asm__ volatile("pushfq; pop %0" : "=r"(flags));
	ud_rflags = flags;
	ud_mask = this_vcpu_info()->evtchn_upcall_mask;
	ud_frame_mask = f->saved_upcall_mask;
	ud_frame_if = !!(f->rflags & RFLAGS_IF);
	f->rip += 2;
	return true;
}

/* Flags at the handler, and gates with and without event masking. */
static void test_gate_flags(void)
{
	struct trap_info gate[2] = {
		{ .vector = VEC_UD, .cs = FLAT_KERNEL_CS, .address = trap_stub(VEC_UD) },
	};

	trap_set_hook(VEC_UD, note_state);
	for (unsigned int masking = 0; masking < 2; masking++)
		for (unsigned int masked = 0; masked < 2; masked++) {
			gate[0].flags = masking ? 4 : 0;
			set_trap_table(gate);
			if (masked)
				event_disable();
			else
				event_enable();
			__asm__ volatile("std; ud2; cld" ::: "memory");
			ktest_eq(ud_mask, masking | masked,
				 "gate flag %u, mask %u: mask in handler",
				 masking, masked);
			ktest_eq(ud_frame_mask, masked, "mask in frame");
			ktest_eq(ud_frame_if, !masked, "IF in frame is the opposite");
			ktest_eq(this_vcpu_info()->evtchn_upcall_mask, masked, "restored by iret");
			ktest_ok(ud_rflags & RFLAGS_IF, "the real IF stays set");
		}
	trap_set_hook(VEC_UD, NULL);
	trap_init();
	event_enable();
}

static unsigned int nesting, deepest;

static bool nest(struct trap_frame *f, unsigned int vector __unused)
{
	nesting++;
	if (nesting > deepest)
		deepest = nesting;
	if (nesting < 10)
		__asm__ volatile("ud2");
	nesting--;
	f->rip += 2;
	return true;
}

static void test_nesting(void)
{
	trap_set_hook(VEC_UD, nest);
	__asm__ volatile("ud2");
	trap_set_hook(VEC_UD, NULL);
	ktest_eq(deepest, 10, "traps inside of handlers");
}

static unsigned int nr_nmis, nmi_nesting, nmi_max;

static bool on_nmi(struct trap_frame *f __unused, unsigned int vector __unused)
{
	nr_nmis++;
	nmi_nesting++;
	if (nmi_nesting > nmi_max)
		nmi_max = nmi_nesting;
	if (nr_nmis < 3) {
		vcpu_op(VCPUOP_send_nmi, 0, NULL);
		xen_version(XENVER_version, NULL);
	}
	nmi_nesting--;
	return true;
}

static void test_nmi(void)
{
	trap_set_hook(VEC_NMI, on_nmi);
	ktest_eq(vcpu_op(VCPUOP_send_nmi, 0, NULL), 0, "send an NMI to ourselves");
	for (unsigned int i = 0; i < 10; i++)
		xen_version(XENVER_version, NULL);
	ktest_eq(nr_nmis, 3, "each NMI sent from the handler came");
	ktest_eq(nmi_max, 1, "but only after its iret");
	ktest_eq(vcpu_op(VCPUOP_send_nmi, 1000, NULL), -XEN_ENOENT, "to no vcpu");
	trap_set_hook(VEC_NMI, NULL);
}

static unsigned int steps;
static uint64_t step_dr6;

static bool on_step(struct trap_frame *f, unsigned int vector __unused)
{
	steps++;
	step_dr6 = get_debugreg(6);
	set_debugreg(6, 0xffff0ff0);
	if (steps == 5)
		f->rflags &= ~RFLAGS_TF;
	return true;
}

static uint64_t watched;

static void test_debug(void)
{
	trap_set_hook(VEC_DB, on_step);
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq\n"
			 "nop; nop; nop; nop; nop; nop; nop; nop"
			 ::: "memory", "cc");
	ktest_eq(steps, 5, "five single steps");
	ktest_ok(step_dr6 & 0x4000, "DR6.BS is set: %lx", step_dr6);

	steps = 10;
	ktest_eq(set_debugreg(0, PTR(&watched)), 0, "DR0");
	ktest_eq(set_debugreg(7, 0x000d0401), 0, "DR7: watch 8 bytes for writes");
	WRITE_ONCE(watched, 1);
	barrier();
	ktest_eq(steps, 11, "the watchpoint fired");
	ktest_ok(step_dr6 & 1, "DR6.B0 is set: %lx", step_dr6);
	ktest_eq(set_debugreg(7, 0x400), 0, "DR7 off");
	WRITE_ONCE(watched, 2);
	ktest_eq(steps, 11, "and is silent when off");
	trap_set_hook(VEC_DB, NULL);
}

static void touch_fpu(void *arg __unused)
{
	__asm__ volatile("fnop");
}

static void test_device_not_available(void)
{
	__asm__ volatile("fninit");
	ktest_eq(fpu_taskswitch(1), 0, "set TS");
	ktest_eq(trap_vector_of(touch_fpu, NULL), VEC_NM, "#NM with TS set");
	ktest_eq(trap_vector_of(touch_fpu, NULL), -1, "the #NM has cleared TS");
	fpu_taskswitch(1);
	fpu_taskswitch(0);
	ktest_eq(trap_vector_of(touch_fpu, NULL), -1, "no #NM after clearing TS");
}

/* Registers survive a trap: all but rcx and r11 are ours to check by the frame. */
static void test_registers(void)
{
	struct trap_catch c;

	trap_catch(&c, do_ud2, NULL);
	ktest_ok(c.frame.rsp > PTR(this_cpu()) && c.frame.rsp < PTR(this_cpu()) + GUEST_STACK_SIZE,
		 "rsp in the frame is the stack's");
	ktest_eq(c.frame.rflags & (RFLAGS_TF | 0x4000), 0, "no TF or NT in the frame");
}

int guest_main(void)
{
	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	event_enable();
	test_vectors();
	test_gate_flags();
	test_nesting();
	test_nmi();
	test_debug();
	test_device_not_available();
	test_registers();
	return ktest_result();
}
