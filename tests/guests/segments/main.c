/* SPDX-License-Identifier: MIT */
/*
 * Class 13: segments, descriptor tables, debug registers and base addresses.
 *
 * A descriptor page may hold code and data segments, call gates to the guest's own code, and what
 * can never be loaded; privileged descriptors would give ring 3 a way up. Descriptor pages may not
 * be writable. Debug registers may not watch the hypervisor, bases must be canonical, and neither
 * kernel nor user mode, nor another vcpu, sees the other's.
 *
 * boot-args: --smp 2
 */
#include <guest/cpu.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/smp.h>
#include <guest/string.h>
#include <guest/trap.h>
#include <guest/user.h>

#define DATA_DPL3	0x00cff3000000ffffUL
#define DATA_DPL0	0x00cf93000000ffffUL
#define DATA_ABSENT	0x00cf73000000ffffUL
#define CODE64_DPL3	0x00affb000000ffffUL
#define DPL_MASK	0x0000600000000000UL

static uint64_t *gdt;

static uint16_t load_fs(unsigned int selector)
{
	uint16_t got;

	__asm__ volatile("mov %1, %%fs; mov %%fs, %0" : "=r"(got) : "r"(selector));
	return got;
}

static void do_load_fs(void *selector)
{
	load_fs(PTR(selector));
}

static const struct {
	const char *name;
	uint64_t desc;
	bool ok;
} descriptors[] = {
	{ "null", 0, true },
	{ "data, DPL 3", DATA_DPL3, true },
	{ "data, DPL 0", DATA_DPL0, true },
	{ "data, absent", DATA_ABSENT, true },
	{ "64-bit code", CODE64_DPL3, true },
	{ "conforming code", 0x00affe000000ffff, true },
	{ "absent TSS", 0x0000098000000067 & ~0x0000800000000000UL, true },
	{ "TSS", 0x0000890000000067, false },
	{ "busy TSS", 0x00008b0000000067, false },
	{ "LDT", 0x0000820000000067, false },
	{ "interrupt gate", 0x00008e00e0330000, false },
	{ "trap gate", 0x00008f00e0330000, false },
	{ "task gate", 0x0000850000000000, false },
	{ "16-bit call gate", 0x0000840000000000, false },
	{ "call gate to the guest kernel", 0x00008c00e0330000, true },
	{ "call gate to ring 0 code", 0x00008c00e0080000, false },
	{ "call gate with parameters", 0x00008c01e0330000, false },
	{ "type 0, present", 0x0000800000000000, true },
};

static void test_update_descriptor(void)
{
	uint64_t *plain = page_alloc();

	for (unsigned int i = 0; i < ARRAY_SIZE(descriptors); i++)
		ktest_eq(update_descriptor(virt_to_maddr(&gdt[20]), descriptors[i].desc),
			 descriptors[i].ok ? 0 : -XEN_EINVAL, "update_descriptor: %s",
			 descriptors[i].name);
	ktest_eq(update_descriptor(virt_to_maddr(&gdt[20]) + 4, DATA_DPL3), -XEN_EINVAL,
		 "misaligned");
	ktest_eq(update_descriptor(1UL << 50, DATA_DPL3), -XEN_EINVAL, "no such frame");
	ktest_eq(update_descriptor(virt_to_maddr(kernel_l4), DATA_DPL3), -XEN_EINVAL,
		 "a page table");
	ktest_eq(update_descriptor(virt_to_maddr(plain), DATA_DPL3), 0, "a plain page");
	ktest_eq(plain[0], DATA_DPL3, "is written");
	page_free(plain);

	ktest_eq(update_descriptor(virt_to_maddr(&gdt[21]), DATA_DPL0), 0, "DPL 0 descriptor");
	ktest_eq(gdt[21] & DPL_MASK, DPL_MASK, "is raised to DPL 3");
	ktest_eq(update_descriptor(virt_to_maddr(&gdt[20]), DATA_ABSENT), 0, "absent descriptor");
}

static void test_set_gdt(void)
{
	unsigned long frame;
	uint64_t *bad = page_alloc();

	gdt = page_alloc();
	gdt[3] = DATA_DPL3;
	frame = virt_to_mfn(gdt);
	ktest_eq(set_gdt(&frame, 512), -XEN_EINVAL, "a writable page as GDT");
	page_protect(gdt);
	ktest_eq(set_gdt(&frame, 512), 0, "a read-only page");
	ktest_eq(page_unprotect(gdt), -XEN_EBUSY, "then it cannot be writable");
	ktest_eq(pt_pin(gdt, 1), -XEN_EINVAL, "nor a page table");
	ktest_eq(set_gdt(&frame, 7169), -XEN_EINVAL, "into the reserved part");
	ktest_eq(set_gdt(&frame, ~0U), -XEN_EINVAL, "2^32-1 entries");

	for (unsigned int i = 0; i < ARRAY_SIZE(descriptors); i++) {
		unsigned long bad_frame = virt_to_mfn(bad);

		page_unprotect(bad);
		bad[511] = descriptors[i].desc;
		page_protect(bad);
		ktest_eq(set_gdt(&bad_frame, 512), descriptors[i].ok ? 0 : -XEN_EINVAL,
			 "GDT page with %s", descriptors[i].name);
		set_gdt(&frame, 512);
	}
	ktest_eq(page_unprotect(bad), 0, "refused and dropped pages are free again");
	frame = virt_to_mfn(kernel_l4);
	ktest_eq(set_gdt(&frame, 512), -XEN_EINVAL, "a page table as GDT");
	frame = ~0UL >> 12;
	ktest_eq(set_gdt(&frame, 512), -XEN_EINVAL, "no such frame");
	page_free(bad);
}

static void test_loading(void)
{
	ktest_eq(load_fs(3 << 3 | 3), 3 << 3 | 3, "load our descriptor");
	ktest_eq(trap_vector_of(do_load_fs, (void *)(20UL << 3 | 3)), VEC_NP, "an absent one");
	ktest_eq(trap_vector_of(do_load_fs, (void *)0xe008UL), VEC_GP,
		 "the hypervisor's code segment");
	ktest_eq(trap_vector_of(do_load_fs, (void *)0xe010UL), VEC_GP,
		 "the hypervisor's data segment");
	ktest_eq(trap_vector_of(do_load_fs, (void *)0xe040UL), VEC_GP, "the hypervisor's TSS");
	ktest_eq(trap_vector_of(do_load_fs, (void *)0xfff8UL), VEC_GP, "beyond the limit");
	ktest_eq(trap_vector_of(do_load_fs, (void *)(100UL << 3 | 7)), VEC_GP, "an LDT not set");
	load_fs(0);
}

static void test_ldt(void)
{
	uint64_t *ldt = page_alloc(), *bad = page_alloc();
	struct mmuext_op op = { .cmd = MMUEXT_SET_LDT };

	ldt[5] = DATA_DPL3;
	page_protect(ldt);
	op.arg1.linear_addr = PTR(ldt);
	op.arg2.nr_ents = 512;
	ktest_eq(mmuext_op(&op, 1, NULL), 0, "set an LDT");
	ktest_eq(load_fs(5 << 3 | 7), 5 << 3 | 7, "load from it");
	load_fs(0);
	ktest_eq(trap_vector_of(do_load_fs, (void *)(600UL << 3 | 7)), VEC_GP, "beyond its end");
	ktest_eq(page_unprotect(ldt), -XEN_EBUSY, "an LDT in use cannot be writable");

	op.arg2.nr_ents = 8193;
	ktest_eq(mmuext_op(&op, 1, NULL), -XEN_EINVAL, "8,193 entries");
	op.arg2.nr_ents = 512;
	op.arg1.linear_addr = PTR(ldt) + 8;
	ktest_eq(mmuext_op(&op, 1, NULL), -XEN_EINVAL, "not page-aligned");
	op.arg1.linear_addr = 0x0000800000000000;
	ktest_eq(mmuext_op(&op, 1, NULL), -XEN_EINVAL, "non-canonical");
	op.arg1.linear_addr = HYPERVISOR_VIRT_START;
	ktest_eq(mmuext_op(&op, 1, NULL), -XEN_EINVAL, "in the hypervisor");

	bad[7] = 0x00008b0000000067;	/* a TSS */
	page_protect(bad);
	op.arg1.linear_addr = PTR(bad);
	ktest_eq(mmuext_op(&op, 1, NULL), 0, "an LDT with a TSS in it is set");
	ktest_ok(trap_vector_of(do_load_fs, (void *)(5UL << 3 | 7)) >= 0, "but cannot be used");
	op.arg1.linear_addr = 0x1000;
	ktest_eq(mmuext_op(&op, 1, NULL), 0, "an unmapped LDT is set");
	ktest_ok(trap_vector_of(do_load_fs, (void *)(5UL << 3 | 7)) >= 0, "but cannot be used");
	op.arg2.nr_ents = 0;
	ktest_eq(mmuext_op(&op, 1, NULL), 0, "no LDT");
	ktest_eq(page_unprotect(ldt), 0, "the page is free again");
	ktest_eq(page_unprotect(bad), 0, "the bad one too");
}

static void test_debug_registers(void)
{
	static const struct {
		unsigned int reg;
		uint64_t value;
		long want;
	} sets[] = {
		{ 0, 0x1000, 0 }, { 3, 0x1000, 0 },
		{ 0, HYPERVISOR_VIRT_START, -XEN_EPERM }, { 1, 0xffff830000000000, -XEN_EPERM },
		{ 2, 0xffff87ffffffffff, -XEN_EPERM }, { 3, 0x0000800000000000, -XEN_EPERM },
		{ 4, 0, 0 }, { 5, 0, 0 }, { 8, 0, -XEN_ENODEV }, { 15, 0, -XEN_ENODEV },
		{ ~0U, 0, -XEN_ENODEV }, { 6, 1UL << 32, -XEN_EINVAL }, { 7, 1UL << 32,
									 -XEN_EINVAL },
		{ 7, 1 << 13, -XEN_EPERM }, { 7, 0x00020001, -XEN_EPERM }, { 7, 0, 0 }, { 6, 0, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(sets); i++)
		ktest_eq(set_debugreg(sets[i].reg, sets[i].value), sets[i].want, "set DR%d to %lx",
			 (int)sets[i].reg, sets[i].value);
	set_debugreg(2, 0x123456);
	ktest_eq(get_debugreg(2), 0x123456, "read DR2");
	ktest_eq(get_debugreg(6), 0xffff0ff0, "DR6's fixed bits");
	ktest_eq(get_debugreg(7), 0x400, "DR7's fixed bits");
	ktest_eq(get_debugreg(8), -XEN_ENODEV, "read DR8");
	ktest_eq(get_debugreg(~0U), -XEN_ENODEV, "read DR-1");
	set_debugreg(2, 0);
}

static uint64_t fs_word(void)
{
	uint64_t v;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(v));
	return v;
}

static uint64_t gs_word(void)
{
	uint64_t v;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	return v;
}

static void read_fs(void *arg __unused)
{
	fs_word();
}

static long user_gs_word(long unused __unused)
{
	return gs_word();
}

static void test_bases(void)
{
	static const uint64_t bad[] = { 0x0000800000000000, 0x8000000000000000,
				       0xffff7fffffffffff };
	static uint64_t a = 0xa, b = 0xb, c = 0xc;

	for (unsigned int which = 0; which < 3; which++)
		for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
			ktest_eq(set_segment_base(which, bad[i]), -XEN_EINVAL, "base %u at %lx",
				 which,
				 bad[i]);
	ktest_eq(set_segment_base(4, 0), -XEN_EINVAL, "base of no segment");
	ktest_eq(set_segment_base(SEGBASE_FS, PTR(&a)), 0, "FS base");
	ktest_eq(fs_word(), 0xa, "is used");
	ktest_eq(set_segment_base(SEGBASE_GS_KERNEL, PTR(&b)), 0, "kernel GS base");
	ktest_eq(gs_word(), 0xb, "is used");
	ktest_eq(set_segment_base(SEGBASE_GS_USER, PTR(&c)), 0, "user GS base");
	ktest_eq(gs_word(), 0xb, "is not the kernel's");
	user_init();
	ktest_eq(user_call(user_gs_word, 0), 0xc, "user mode sees its own");
	ktest_eq(gs_word(), 0xb, "the kernel its own again");
	ktest_eq(set_segment_base(SEGBASE_FS, 0xffff830000000000), 0, "FS base in the hypervisor");
	ktest_eq(trap_vector_of(read_fs, NULL), VEC_PF, "gives no access");
	ktest_eq(set_segment_base(SEGBASE_GS_USER_SEL, 3 << 3), 0, "user GS selector");
	ktest_eq(gs_word(), 0xb, "leaves the kernel's base");
	ktest_eq(set_segment_base(SEGBASE_GS_USER_SEL, 0xfff8), 0, "a bad user GS selector");
	set_segment_base(SEGBASE_GS_USER_SEL, 0);
	set_segment_base(SEGBASE_FS, 0);
}

/* Everything but rax, rcx and r11 survives a hypercall. */
static void test_hypercall_registers(void)
{
	uint64_t in[13], out[13];

	for (unsigned int i = 0; i < ARRAY_SIZE(in); i++)
		in[i] = 0x1111111111111111UL * (i + 1);
	in[5] = XENVER_version;		/* rdi */
	in[4] = 0;			/* rsi */
	__asm__ volatile("push %%rbp\n"
			 "mov 0(%0), %%rbx; mov 8(%0), %%rbp; mov 24(%0), %%rdx\n"
			 "mov 32(%0), %%rsi\n"
			 "mov 48(%0), %%r8; mov 56(%0), %%r9; mov 64(%0), %%r10\n"
			 "mov 72(%0), %%r12\n"
			 "mov 80(%0), %%r13; mov 88(%0), %%r14\n"
			 "push %1; push %0; mov 40(%0), %%rdi\n"
			 "mov $17, %%eax; syscall\n"
			 "pop %%rcx; pop %%rcx\n"
			 "mov %%rbx, 0(%%rcx); mov %%rbp, 8(%%rcx); mov %%rdx, 24(%%rcx)\n"
			 "mov %%rsi, 32(%%rcx); mov %%rdi, 40(%%rcx); mov %%r8, 48(%%rcx)\n"
			 "mov %%r9, 56(%%rcx); mov %%r10, 64(%%rcx); mov %%r12, 72(%%rcx)\n"
			 "mov %%r13, 80(%%rcx); mov %%r14, 88(%%rcx)\n"
			 "pop %%rbp"
			 :: "a"(in), "c"(out)
			 : "rbx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "memory");
	for (unsigned int i = 0; i < 12; i++)
		if (i != 2)
			ktest_quiet_eq(out[i], in[i], "register %u after a hypercall", i);
	ktest_ok(true, "registers survive a hypercall");
}

/* On the second vcpu: nothing of the first one's state shows. */
static long other_dr0, other_fs_ok;

static void look(void *arg __unused)
{
	static uint64_t word = 0xe;

	other_dr0 = get_debugreg(0);
	set_segment_base(SEGBASE_FS, PTR(&word));
	for (unsigned int i = 0; i < 100; i++) {
		sched_op(SCHEDOP_yield, NULL);
		other_fs_ok += fs_word() == 0xe;
	}
}

static void test_vcpus(void)
{
	static uint64_t word = 0xd;
	unsigned int ok = 0;

	if (!smp_exists(1))
		return;
	set_debugreg(0, 0x7777);
	set_segment_base(SEGBASE_FS, PTR(&word));
	ktest_eq(smp_boot(1), 0, "second vcpu");
	smp_run(1, look, NULL);
	for (unsigned int i = 0; i < 100; i++) {
		sched_op(SCHEDOP_yield, NULL);
		ok += fs_word() == 0xd;
	}
	smp_wait(1);
	ktest_eq(other_dr0, 0, "the other vcpu's DR0");
	ktest_eq(ok, 100, "our FS base stays ours");
	ktest_eq(other_fs_ok, 100, "the other's stays its own");
	ktest_eq(get_debugreg(0), 0x7777, "our DR0 stays");
}

int guest_main(void)
{
	test_set_gdt();
	test_update_descriptor();
	test_loading();
	test_ldt();
	test_debug_registers();
	test_bases();
	test_hypercall_registers();
	test_vcpus();
	return ktest_result();
}
