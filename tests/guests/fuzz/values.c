/* SPDX-License-Identifier: MIT */
/*
 * Values for the fuzzer: mostly plausible ones, so that calls get past the first check, and some
 * that nothing should accept.
 *
 * Two kinds of memory are kept apart. Frames of the arena may be mapped, pinned, freed, exchanged,
 * granted at will, so the fuzzer's own code never touches them. Buffers are ordinary writable
 * memory that is only pointed to; their frames are never named.
 */
#include "fuzz.h"

#include <guest/console.h>
#include <guest/event.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/time.h>

#define WINDOW		0x0000010000000000UL
#define ARENA		256
#define WINDOW_PAGES	1024
#define BUFFER_PAGES	4
#define EXTENTS		40	/* the most that a small count asks for */
#define MAX_FRAMES	(1UL << 21)	/* 8 GiB of machine memory */

static uint64_t state;
static unsigned long arena[ARENA];		/* frames */
static unsigned long arena_pfn[ARENA];
static const pte_t *window_l1[WINDOW_PAGES / 512];
static char buffers[BUFFER_PAGES][PAGE_SIZE] __page_aligned;
static char structs[FUZZ_MAX_MULTICALL][FUZZ_STRUCT_BYTES];
static xen_pfn_t extents[EXTENTS];
static unsigned int first_port = 1;
static uint64_t kernel_frames[MAX_FRAMES / 64];

uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1d;
}

unsigned int random_below(unsigned int n)
{
	return (random64() >> 33) % n;
}

void values_reserve_ports(void)
{
	long port = event_alloc_unbound(DOMID_SELF, DOMID_SELF);

	first_port = port;
	event_close(port);
}

/* Is the frame one of the guest's own kernel? Those must not be handed out. */
static bool is_kernel_frame(uint64_t mfn)
{
	return mfn < MAX_FRAMES && (kernel_frames[mfn / 64] >> mfn % 64 & 1);
}

static void mark_kernel_frame(uint64_t mfn, bool kernel)
{
	if (mfn < MAX_FRAMES && is_kernel_frame(mfn) != kernel)
		kernel_frames[mfn / 64] ^= 1UL << mfn % 64;
}

/* All frames of the linear mapping are the kernel's, and the builder's shared_info. */
static void find_kernel_frames(void)
{
	unsigned long end = MM_LINEAR_MAX >> PAGE_SHIFT;

	if (end > start_info->nr_pages)
		end = start_info->nr_pages;
	for (unsigned long pfn = 0; pfn < end; pfn++)
		mark_kernel_frame(p2m[pfn], true);
	mark_kernel_frame(start_info->shared_info >> PAGE_SHIFT, true);
}

void adopt_frames(unsigned int n)
{
	/* The extents may have been elsewhere, or have been filled anew since. */
	for (unsigned int i = 0; i < n && i < EXTENTS; i++)
		if (!is_kernel_frame(extents[i]))
			arena[random_below(ARENA)] = extents[i];
}

void values_init(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15 + 1;
	find_kernel_frames();
	for (unsigned int i = 0; i < ARENA; i++) {
		void *page = page_alloc();

		arena_pfn[i] = virt_to_pfn(page);
		arena[i] = virt_to_mfn(page);
		mark_kernel_frame(arena[i], false);
		/* No mapping of our own: pages start without a type. */
		update_va_mapping(PTR(page), 0, UVMF_INVLPG);
	}
	for (unsigned int i = 0; i < WINDOW_PAGES / 512; i++) {
		pt_map(kernel_l4, WINDOW + i * 512 * PAGE_SIZE, 0);
		window_l1[i] = pt_lookup(kernel_l4, WINDOW + i * 512 * PAGE_SIZE, 1);
	}
}

void *struct_buffer(unsigned int n)
{
	return structs[n];
}

static uint64_t bad_address(void)
{
	static const uint64_t bad[] = {
		0, 0x1000, 0x00007ffffffff000, 0x0000800000000000, 0xffff7ffffffffff8,
		0xffff800000000000, 0xffff828000000000, 0xffff82d040200000, 0xffff830000000000,
		0xffff87fffffffff0, 0xffff880000000000, 0xfffffffffffffff0, 0x8000000000000000,
	};

	return bad[random_below(ARRAY_SIZE(bad))] + (random_below(4) ? 0 : random_below(4096));
}

static uint64_t strange_frame(void)
{
	switch (random_below(3)) {
	case 0:
		return random64() & 0xfffffffffffff;
	case 1:
		return random_below(1 << 17);
	default:
		return ~0UL >> random_below(64);
	}
}

static uint64_t frame(void)
{
	uint64_t mfn;

	if (random_below(6) == 0) {
		mfn = strange_frame();
		if (!is_kernel_frame(mfn))
			return mfn;
	}
	return arena[random_below(ARENA)];
}

static uint64_t window_address(void)
{
	if (random_below(10) == 0)
		return bad_address();
	return WINDOW + random_below(WINDOW_PAGES) * PAGE_SIZE +
	       (random_below(20) ? 0 : random_below(4096));
}

/* The machine address of an entry: of a window, or of a page that may be a table. */
static uint64_t entry_address(void)
{
	uint64_t at = random_below(512) * 8 + (random_below(8) ? 0 : random_below(8));

	if (random_below(2))
		return virt_to_maddr(window_l1[random_below(WINDOW_PAGES / 512)]) + at;
	return frame() << PAGE_SHIFT | at;
}

static uint64_t entry(void)
{
	uint64_t pte = frame() << PAGE_SHIFT & PTE_MFN_MASK;

	if (random_below(4) == 0)
		return 0;
	pte |= random_below(2) ? PTE_KERNEL : PTE_KERNEL_RO;
	if (random_below(3) == 0)
		pte |= PTE_US;
	if (random_below(6) == 0)
		pte ^= 1UL << random_below(64);
	return pte;
}

static uint64_t extents_address(void)
{
	if (random_below(12) == 0)
		return bad_address();
	/* A pfn where an mfn is wanted may happen to be the kernel's. */
	for (unsigned int i = 0; i < EXTENTS; i++) {
		extents[i] = random_below(3) ? frame() : arena_pfn[random_below(ARENA)];
		if (is_kernel_frame(extents[i]))
			extents[i] = frame();
	}
	return PTR(extents);
}

static uint64_t domid(void)
{
	static const uint16_t ids[] = { DOMID_SELF, DOMID_SELF, DOMID_SELF, 0, 1, 77, DOMID_IO,
					DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE };

	if (random_below(20) == 0)
		return random_below(65536);
	return ids[random_below(ARRAY_SIZE(ids))];
}

static uint64_t mmuext_command(void)
{
	unsigned int cmd = random_below(24);

	/* A base of the fuzzer's making would take away its own code. */
	return cmd == MMUEXT_NEW_BASEPTR ? MMUEXT_NEW_USER_BASEPTR : cmd;
}

unsigned int letter_size(char letter)
{
	switch (letter) {
	case 'd':
	case 'u':
	case 'w':
	case '.':
		return 2;
	case 'p':
	case 'v':
	case 'r':
	case 'h':
	case 'o':
	case 'z':
	case 'x':
	case '0':
	case 'c':
		return 4;
	default:
		return 8;
	}
}

static uint64_t number_of(char letter)
{
	switch (letter) {
	case 'p':
		return random_below(20) ? first_port + random_below(40) : random64();
	case 'v':
	case 'V':
		return random_below(20) ? random_below(3) : random64();
	case 'r':
		return random_below(20) ? 8 + random_below(40) : random64();
	case 'h':
		return random_below(20) ? random_below(40) : random64();
	case 'n':
	case 'o':
	case 'u':
		return random_below(30) ? random_below(9) : random_below(40);
	case 'z':
		return random_below(20) ? 0 : 30 + random_below(40);
	case 't':
		return random_below(5) ? time_now() + random_below(2000000) + MS : random64();
	case '0':
	case '.':
		return 0;
	default:
		return random64() >> random_below(64);
	}
}

uint64_t value_of(char letter)
{
	switch (letter) {
	case 'd':
		return domid();
	case 'f':
		return frame();
	case 'a':
		return window_address();
	case 'm':
		return entry_address();
	case 'y':
		return entry();
	case 'e':
		return extents_address();
	case 'c':
		return mmuext_command();
	case 'b':
		if (random_below(8) == 0)
			return bad_address();
		return PTR(buffers) + random_below(BUFFER_PAGES - 1) * PAGE_SIZE +
		       (random_below(3) ? 0 : random_below(4096));
	default:
		return number_of(letter);
	}
}
