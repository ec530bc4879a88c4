/* SPDX-License-Identifier: MIT */
/*
 * Extended state (XSAVE) belongs to one vcpu: two of them on one CPU fill every component that the
 * CPU policy offers with patterns of their own, take turns, and must find them unchanged. XCR0 as well:
 * one runs with all components, the other with x87 and SSE only, and its XGETBV says so.
 *
 * Arguments: need=MASK fails if XCR0 cannot have these bits (0xe7 where the CPU has AVX-512).
 * Bug class 13: register state leaking between vcpus.
 *
 * boot-args: --cmdline dom0_max_vcpus=2
 */
#include <guest/cpu.h>
#include <guest/hypercall.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/smp.h>
#include <guest/start.h>
#include <guest/string.h>

#define COMPONENTS	10
#define LEGACY_BYTES	512
#define HEADER_BYTES	64
#define ST_AT		32
#define XMM_AT		160
#define FTW_AT		4
#define MXCSR_AT	24
#define XSTATE_BV_AT	LEGACY_BYTES
#define PKRU		9
#define CR4_OSXSAVE	(1UL << 18)
#define TURNS		300

static struct { uint32_t offset, bytes; } component[COMPONENTS];
static uint64_t offered;		/* what XCR0 may have */
static uint8_t image[2][PAGE_SIZE] __attribute__((aligned(64)));
static uint8_t seen[2][PAGE_SIZE] __attribute__((aligned(64)));
static unsigned long differences[2];

static void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile(XEN_EMULATE_PREFIX "cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

static void xsetbv(uint64_t value)
{
	__asm__ volatile("xsetbv" :: "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint64_t xgetbv(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static void set_osxsave(void)
{
	unsigned long cr4;

	__asm__ volatile("mov %%cr4, %0\n\tor %1, %0\n\tmov %0, %%cr4"
			 : "=&r"(cr4) : "r"(CR4_OSXSAVE));
}

static void restore(const void *from, uint64_t mask)
{
	__asm__ volatile("xrstor64 (%0)"
			 :: "r"(from), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
}

static void save(void *to, uint64_t mask)
{
	__asm__ volatile("xsave64 (%0)"
			 :: "r"(to), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
}

static uint8_t pattern(uint64_t seed, unsigned int i)
{
	uint64_t x = (seed + i) * 0x9e3779b97f4a7c15;

	return (uint8_t)(x >> 56);
}

/* An image with all of mask in use, different for each seed; every register is a valid value. */
static void fill(uint8_t *to, uint64_t mask, uint64_t seed)
{
	memset(to, 0, PAGE_SIZE);
	*(uint16_t *)to = 0x37f;
	to[FTW_AT] = 0xff;
	*(uint32_t *)(to + MXCSR_AT) = 0x1f80;
	for (unsigned int r = 0; r < 8; r++) {
		for (unsigned int i = 0; i < 8; i++)
			to[ST_AT + 16 * r + i] = pattern(seed, 16 * r + i);
		to[ST_AT + 16 * r + 7] |= 0x80;		/* normalised */
		to[ST_AT + 16 * r + 8] = pattern(seed, 16 * r + 8);
		to[ST_AT + 16 * r + 9] = 0x3f;
	}
	for (unsigned int i = 0; i < 256; i++)
		to[XMM_AT + i] = pattern(seed, 1000 + i);
	for (unsigned int c = 2; c < COMPONENTS; c++)
		if ((mask >> c & 1) && component[c].bytes && c != PKRU)
			for (unsigned int i = 0; i < component[c].bytes; i++)
				to[component[c].offset + i] = pattern(seed + c, 2000 + i);
	if (mask >> PKRU & 1)		/* key 0, which all our pages have, stays usable */
		*(uint32_t *)(to + component[PKRU].offset) = (uint32_t)(seed * 0x10004) & ~3U;
	*(uint64_t *)(to + XSTATE_BV_AT) = mask;
}

static unsigned long count_differences(const uint8_t *a, const uint8_t *b, uint64_t mask)
{
	unsigned long n = 0;

	for (unsigned int r = 0; r < 8; r++)
		n += memcmp(a + ST_AT + 16 * r, b + ST_AT + 16 * r, 10) != 0;
	n += memcmp(a + XMM_AT, b + XMM_AT, 256) != 0;
	for (unsigned int c = 2; c < COMPONENTS; c++)
		if ((mask >> c & 1) && component[c].bytes)
			n += memcmp(a + component[c].offset, b + component[c].offset,
				    component[c].bytes) != 0;
	return n;
}

/* The hypervisor works on whole pages, for which it may use vector registers itself. */
static unsigned long clear_and_copy(unsigned int me)
{
	static uint8_t pages[2][2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
	struct mmuext_op op = { .cmd = MMUEXT_COPY_PAGE };
	unsigned long bad = 0;

	op.arg1.mfn = virt_to_mfn(pages[me][0]);
	op.arg2.src_mfn = virt_to_mfn(pages[me][1]);
	pages[me][1][PAGE_SIZE - 1] = 0x5a;
	bad += mmuext_op(&op, 1, NULL) || pages[me][0][PAGE_SIZE - 1] != 0x5a;
	op.cmd = MMUEXT_CLEAR_PAGE;
	bad += mmuext_op(&op, 1, NULL) || pages[me][0][PAGE_SIZE - 1];
	return bad;
}

/* Of one vcpu: its patterns against those of the other, which runs in between. */
static void take_turns(unsigned int me, uint64_t xcr0)
{
	set_osxsave();
	xsetbv(xcr0);
	for (unsigned int turn = 0; turn < TURNS; turn++) {
		fill(image[me], xcr0, me * 7777 + turn);
		restore(image[me], xcr0);
		if (turn & 1)
			differences[me] += clear_and_copy(me);
		else
			sched_op(SCHEDOP_yield, NULL);
		save(seen[me], xcr0);
		differences[me] += count_differences(image[me], seen[me], xcr0);
		differences[me] += xgetbv() != xcr0;
	}
}

static void second(void *unused __unused)
{
	take_turns(1, offered);
	take_turns(1, 3);
}

static void find_components(void)
{
	uint32_t r[4];

	cpuid(0xd, 0, r);
	offered = (uint64_t)r[3] << 32 | r[0];
	for (unsigned int c = 2; c < COMPONENTS; c++) {
		cpuid(0xd, c, r);
		if (!(offered >> c & 1))
			continue;
		component[c].bytes = r[0];
		component[c].offset = r[1];
		ktest_note("component %u: %u bytes at %u", c, r[0], r[1]);
		if (r[0] + r[1] > PAGE_SIZE)
			ktest_ok(false, "component %u fits into our image", c);
	}
}

/* The argument need=0x..., 0 without it. */
static uint64_t needed(void)
{
	static const char key[] = "need=0x";
	const char *p = (const char *)start_info->cmd_line;
	uint64_t v = 0;

	while (*p && memcmp(p, key, sizeof(key) - 1))
		p++;
	for (p += *p ? sizeof(key) - 1 : 0; *p; p++) {
		if (*p >= '0' && *p <= '9')
			v = v << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			v = v << 4 | (uint64_t)(*p - 'a' + 10);
		else
			break;
	}
	return v;
}

int guest_main(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	if (!(r[2] >> 26 & 1)) {
		ktest_note("this CPU has no XSAVE");
		ktest_eq(0, (long)needed(), "components needed");
		return ktest_result();
	}
	find_components();
	ktest_ok((offered & 3) == 3, "XCR0 may have 0x%lx", (unsigned long)offered);
	ktest_ok((offered & needed()) == needed(), "and that is all that is needed");
	ktest_eq(smp_boot(1), 0, "a second vcpu");
	smp_run(1, second, NULL);
	take_turns(0, 3);
	take_turns(0, offered);
	smp_wait(1);
	ktest_eq((long)differences[0], 0, "vcpu 0 kept its state");
	ktest_eq((long)differences[1], 0, "vcpu 1 kept its state");
	return ktest_result();
}
