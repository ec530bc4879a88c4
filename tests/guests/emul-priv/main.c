/* SPDX-License-Identifier: MIT */
/*
 * Class 14: emulation of privileged instructions.
 *
 * The kernel's control-register, MSR, port and CPUID instructions work as far as the ABI goes; from
 * user mode each is a #GP; what is not in the set is a #GP or #UD for the kernel too, at the
 * instruction's address, with no register changed. Prefixes and instructions that straddle a page
 * must not confuse the decoder.
 */
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>
#include <guest/user.h>

#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_EFER		0xc0000080
#define MSR_APIC_BASE		0x1b
#define MSR_PAT			0x277
#define MSR_LSTAR		0xc0000082
#define MSR_STAR		0xc0000081

struct msr {
	uint32_t index;
	uint64_t value;
};

static void do_rdmsr(void *arg)
{
	struct msr *m = arg;
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(m->index));
	m->value = (uint64_t)hi << 32 | lo;
}

static void do_wrmsr(void *arg)
{
	struct msr *m = arg;

	__asm__ volatile("wrmsr" :: "a"((uint32_t)m->value), "d"((uint32_t)(m->value >> 32)),
			 "c"(m->index) : "memory");
}

static int rdmsr(uint32_t index, uint64_t *value)
{
	struct msr m = { .index = index };
	int v = trap_vector_of(do_rdmsr, &m);

	*value = m.value;
	return v;
}

static int wrmsr(uint32_t index, uint64_t value)
{
	struct msr m = { index, value };

	return trap_vector_of(do_wrmsr, &m);
}

static void test_msrs(void)
{
	static uint64_t word = 0x77;
	uint64_t v, seen;

	ktest_eq(wrmsr(MSR_FS_BASE, PTR(&word)), -1, "write FS_BASE");
	__asm__ volatile("mov %%fs:0, %0" : "=r"(seen));
	ktest_eq(seen, 0x77, "is used");
	ktest_eq(rdmsr(MSR_FS_BASE, &v), -1, "read FS_BASE");
	ktest_eq(v, PTR(&word), "its value");
	ktest_eq(wrmsr(MSR_FS_BASE, 0x0000800000000000), VEC_GP, "non-canonical FS_BASE");
	ktest_eq(wrmsr(MSR_GS_BASE, PTR(&word)), -1, "write GS_BASE");
	ktest_eq(rdmsr(MSR_GS_BASE, &v), -1, "read GS_BASE");
	ktest_eq(v, PTR(&word), "its value");
	ktest_eq(wrmsr(MSR_GS_BASE, 1UL << 63), VEC_GP, "non-canonical GS_BASE");
	ktest_eq(wrmsr(MSR_KERNEL_GS_BASE, PTR(&word)), -1, "write KERNEL_GS_BASE");
	ktest_eq(rdmsr(MSR_KERNEL_GS_BASE, &v), -1, "read KERNEL_GS_BASE");
	ktest_eq(v, PTR(&word), "its value");
	ktest_eq(wrmsr(MSR_KERNEL_GS_BASE, 1UL << 63), VEC_GP, "non-canonical KERNEL_GS_BASE");
	wrmsr(MSR_FS_BASE, 0);

	ktest_eq(rdmsr(MSR_EFER, &v), -1, "read EFER");
	ktest_eq(v & 0x1501, 0x501, "EFER: SCE, LME, LMA; no SVME");
	ktest_eq(wrmsr(MSR_EFER, v), -1, "write EFER unchanged");
	ktest_eq(wrmsr(MSR_EFER, v ^ 0x800), VEC_GP, "write EFER changed");
	ktest_eq(rdmsr(MSR_APIC_BASE, &v), -1, "read APIC_BASE");
	ktest_eq(v, 0xfee00900, "its value");
	ktest_eq(wrmsr(MSR_APIC_BASE, v), VEC_GP, "write APIC_BASE");
	ktest_eq(rdmsr(MSR_PAT, &v), -1, "read PAT");
	ktest_eq(v, 0x0050100070406, "its value");
	ktest_eq(wrmsr(MSR_PAT, 0x0007040600070406), VEC_GP, "write PAT");
	ktest_eq(rdmsr(MSR_LSTAR, &v), VEC_GP, "read LSTAR");
	ktest_eq(wrmsr(MSR_LSTAR, 0), VEC_GP, "write LSTAR");
	ktest_eq(wrmsr(MSR_STAR, 0), VEC_GP, "write STAR");
	ktest_eq(rdmsr(0xdeadbeef, &v), VEC_GP, "read an unknown MSR");
	ktest_eq(wrmsr(0xdeadbeef, 0), VEC_GP, "write an unknown MSR");
	ktest_eq(rdmsr(0x10, &v), -1, "read TSC");
}

#define CR_ACCESS(n)							\
	static void read_cr##n(void *p)					\
	{								\
		unsigned long v;					\
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v));	\
		*(unsigned long *)p = v;				\
	}								\
	static void write_cr##n(void *p)				\
	{								\
		__asm__ volatile("mov %0, %%cr" #n :: "r"(*(unsigned long *)p) : "memory");	\
	}

CR_ACCESS(0)
CR_ACCESS(2)
CR_ACCESS(3)
CR_ACCESS(4)
CR_ACCESS(8)

static void test_control_registers(void)
{
	unsigned long v = 0, w;

	ktest_eq(trap_vector_of(read_cr0, &v), -1, "read CR0");
	ktest_eq(v & 0x80000011, 0x80000011, "CR0: PG, ET, PE");
	ktest_eq(trap_vector_of(write_cr0, &v), -1, "write CR0 unchanged");
	w = v ^ 0x10000;
	ktest_eq(trap_vector_of(write_cr0, &w), VEC_GP, "write CR0.WP changed");
	w = v | 8;
	ktest_eq(trap_vector_of(write_cr0, &w), -1, "write CR0.TS");
	trap_vector_of(read_cr0, &w);
	ktest_eq(w & 8, 8, "TS reads as set");
	__asm__ volatile("clts");
	trap_vector_of(read_cr0, &w);
	ktest_eq(w & 8, 0, "clts clears it");

	w = 0x123456789000;
	ktest_eq(trap_vector_of(write_cr2, &w), -1, "write CR2");
	ktest_eq(this_vcpu_info()->arch.cr2, w, "lands in vcpu_info");
	v = 0;
	ktest_eq(trap_vector_of(read_cr2, &v), -1, "read CR2");
	ktest_eq(v, w, "its value");

	ktest_eq(trap_vector_of(read_cr3, &v), -1, "read CR3");
	ktest_eq(v, virt_to_mfn(kernel_l4) << PAGE_SHIFT, "the L4's machine address");
	ktest_eq(trap_vector_of(write_cr3, &v), -1, "write CR3 unchanged");
	w = virt_to_mfn(&v) << PAGE_SHIFT;
	ktest_eq(trap_vector_of(write_cr3, &w), VEC_GP, "a data page as CR3");

	ktest_eq(trap_vector_of(read_cr4, &v), -1, "read CR4");
	ktest_note("CR4 reads as %lx", v);
	ktest_eq(v & 0x20, 0x20, "CR4: PAE");
	ktest_eq(trap_vector_of(write_cr4, &v), -1, "write CR4 unchanged");
	w = v | 0x2000;
	ktest_eq(trap_vector_of(write_cr4, &w), -1, "a forbidden CR4 bit");
	trap_vector_of(read_cr4, &w);
	ktest_eq(w, v, "is ignored");
	ktest_ok(trap_vector_of(read_cr8, &v) >= 0, "read CR8 faults");
	w = 0;
	ktest_ok(trap_vector_of(write_cr8, &w) >= 0, "write CR8 faults");
}

/* Instructions as bytes, so that they can be placed anywhere. */
static const struct {
	const char *name;
	uint8_t len, bytes[8];
	int want;		/* vector for the kernel, -1 none */
} instructions[] = {
	{ "wbinvd", 2, { 0x0f, 0x09 }, -1 },
	{ "invd", 2, { 0x0f, 0x08 }, VEC_GP },
	{ "invlpg", 3, { 0x0f, 0x01, 0x38 }, VEC_GP },
	{ "lgdt", 3, { 0x0f, 0x01, 0x10 }, VEC_GP },
	{ "lidt", 3, { 0x0f, 0x01, 0x18 }, VEC_GP },
	{ "lldt", 3, { 0x0f, 0x00, 0xd0 }, VEC_GP },
	{ "ltr", 3, { 0x0f, 0x00, 0xd8 }, VEC_GP },
	{ "lmsw", 3, { 0x0f, 0x01, 0xf0 }, VEC_GP },
	{ "swapgs", 3, { 0x0f, 0x01, 0xf8 }, VEC_GP },
	{ "sysret", 3, { 0x48, 0x0f, 0x07 }, VEC_GP },
	{ "rsm", 2, { 0x0f, 0xaa }, VEC_UD },
	{ "hlt", 1, { 0xf4 }, VEC_GP },
	{ "mov dr4", 3, { 0x0f, 0x21, 0xe0 }, -1 },
	{ "mov dr7", 3, { 0x0f, 0x21, 0xf8 }, -1 },
	{ "rdpmc", 2, { 0x0f, 0x33 }, VEC_GP },
	{ "in with iopl 0", 2, { 0xe4, 0x20 }, VEC_GP },
	{ "out with iopl 0", 2, { 0xe6, 0x20 }, VEC_GP },
	{ "prefixed clts", 5, { 0x66, 0xf2, 0x48, 0x0f, 0x06 }, -1 },
	{ "locked clts", 3, { 0xf0, 0x0f, 0x06 }, VEC_UD },
	{ "clts", 2, { 0x0f, 0x06 }, -1 },
	{ "ud1", 3, { 0x0f, 0xb9, 0xc0 }, VEC_UD },
};

/* rax points at the page: reads by lgdt and friends find zeros. */
static void call_code(void *code)
{
	static char zeros[64];

	__asm__ volatile("call *%0" :: "r"(code), "a"(zeros), "c"(0) : "rdx", "memory");
}

static long user_call_code(long code)
{
	call_code((void *)code);
	return 0;
}

static void enter_user(void *code)
{
	user_call(user_call_code, PTR(code));
}

static void test_instructions(void)
{
	uint8_t *page = page_alloc(), *next = page_alloc();
	struct trap_catch c;

	ktest_ok(next == page + PAGE_SIZE, "adjacent pages");
	user_init();
	for (unsigned int i = 0; i < ARRAY_SIZE(instructions); i++) {
		unsigned int len = instructions[i].len;
		/* In the middle of a page, and across two. */
		uint8_t *places[] = { page + 64, next - 1 };

		for (unsigned int p = 0; p < 2; p++) {
			memcpy(places[p], instructions[i].bytes, len);
			places[p][len] = 0xc3;
			c.vector = -1;
			trap_catch(&c, call_code, places[p]);
			ktest_quiet_eq((int)c.vector, instructions[i].want, "%s",
				       instructions[i].name);
			if (c.vector != -1U)
				ktest_quiet_eq(c.frame.rip, PTR(places[p]), "%s: rip",
					       instructions[i].name);
		}
		places[0] = page + 64;
		memcpy(places[0], instructions[i].bytes, len);
		places[0][len] = 0xc3;
		c.vector = -1;
		trap_catch(&c, enter_user, places[0]);
		ktest_ok(c.vector == VEC_GP || c.vector == VEC_UD, "%s in user mode: %d",
			 instructions[i].name, (int)c.vector);
	}
}

static void test_cpuid(void)
{
	uint32_t a = 0x40000000, b, c = 0, d;

	__asm__ volatile(XEN_EMULATE_PREFIX "cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	ktest_ok(b == 0x566e6558 && c == 0x65584d4d && d == 0x4d4d566e, "signature XenVMMXenVMM");
	ktest_ok(a >= 0x40000002, "highest leaf %x", a);
	a = 0x40000001;
	c = 0;
	__asm__ volatile(XEN_EMULATE_PREFIX "cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	ktest_eq(a, 0x00040011, "version leaf");
	a = 1;
	c = 0;
	__asm__ volatile(XEN_EMULATE_PREFIX "cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	ktest_eq(d & (1 << 3 | 1 << 13), 0, "no PSE, PGE");
	ktest_eq(c & (1 << 3 | 1 << 5 | 1 << 17 | 1 << 21), 0, "no MONITOR, VMX, PCID, x2APIC");
	a = 7;
	c = 0;
	__asm__ volatile(XEN_EMULATE_PREFIX "cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	ktest_eq(b & (1 << 7 | 1 << 20), 0, "no SMEP, SMAP");
	ktest_eq(c & (1 << 2), 0, "no UMIP");
	a = 0x80000001;
	c = 0;
	__asm__ volatile(XEN_EMULATE_PREFIX "cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	ktest_eq(c & (1 << 2), 0, "no SVM");
}

/* I/O privilege: cli and sti with iopl, ports from user mode by the bitmap. */
static long user_in(long port)
{
	uint8_t v;

	__asm__ volatile("inb %%dx, %0" : "=a"(v) : "d"((uint16_t)port));
	return v;
}

static void enter_user_in(void *port)
{
	user_call(user_in, PTR(port));
}

static void do_cli(void *arg __unused)
{
	__asm__ volatile("cli; sti");
}

static void test_io(void)
{
	struct physdev_set_iopl iopl = { .iopl = 1 };
	struct physdev_set_iobitmap map = { .nr_ports = 65536 };
	static uint8_t bitmap[8192];

	ktest_eq(physdev_op(PHYSDEVOP_set_iopl, &iopl), 0, "iopl 1");
	ktest_eq(trap_vector_of(do_cli, NULL), -1, "cli and sti in the kernel with iopl 1");
	ktest_eq(user_in(0x21), 0xff, "the PIC is hidden from the kernel too");
	iopl.iopl = 4;
	ktest_eq(physdev_op(PHYSDEVOP_set_iopl, &iopl), -XEN_EINVAL, "iopl 4");
	ktest_eq(trap_vector_of(enter_user_in, (void *)0x80), VEC_GP, "user: in without rights");
	set_xen_guest_handle(map.bitmap, bitmap);
	ktest_eq(physdev_op(PHYSDEVOP_set_iobitmap, &map), 0, "an all-clear bitmap");
	ktest_eq(trap_vector_of(enter_user_in, (void *)0x80), -1, "user: in with rights");
	ktest_eq(user_call(user_in, 0x21), 0xff, "but the PIC's mask reads as ones");
	map.nr_ports = 65537;
	ktest_eq(physdev_op(PHYSDEVOP_set_iobitmap, &map), -XEN_EINVAL, "65,537 ports");
	map.nr_ports = 0;
	physdev_op(PHYSDEVOP_set_iobitmap, &map);
}

int guest_main(void)
{
	vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
	event_enable();
	test_msrs();
	test_control_registers();
	test_instructions();
	test_cpuid();
	test_io();
	return ktest_result();
}
