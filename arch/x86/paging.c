/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables (x86/layout.h says what is where).
 *
 * head.S leaves 4 GiB mapped at 0 and in the direct map, and the image, all
 * writable and executable. paging_init() builds the real tables beside that,
 * switches over, and then makes the frame table and the machine-to-physical
 * table. Every L4 slot that will ever be used has its L3 from then on, so the
 * slots can be copied into guests' L4 tables and never go stale.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <arch/flush.h>
#include <x86/asm.h>
#include <x86/boot_info.h>
#include <x86/cpufeature.h>
#include <x86/mm.h>
#include <x86/paging.h>

extern char _start[], _etext[], _erodata[], __init_begin[], _einittext[], __init_end[];
extern char _sdata[], _end[], __ro_after_init_start[], __ro_after_init_end[];
extern char __init_bss_start[], __init_bss_end[];

pte_t idle_l4[PT_ENTRIES] __section(".bss.page_aligned") __aligned(4096);
unsigned long max_page __ro_after_init;
unsigned long image_phys_offset __ro_after_init;

/* Tables under construction; idle_l4 once they are loaded. */
static pte_t *hyp_l4 = idle_l4;
static DEFINE_SPINLOCK(paging_lock, LOCK_ANY);

#define LEVEL_SHIFT(level)	(12 + 9 * ((level) - 1))
#define LEVEL_SIZE(level)	(1UL << LEVEL_SHIFT(level))

/* A zeroed page for a table; NULL only after boot. */
static pte_t *alloc_table(void)
{
	if (total_free_pages())
		return alloc_xenheap_page();
	return mfn_to_virt(boot_alloc_pages(1, 1));
}

/*
 * The entry of that level for va, making the tables above it if `create`.
 * NULL: no such table (a larger page in the way counts as none), or no memory.
 */
static pte_t *walk(unsigned long va, unsigned int level, bool create)
{
	pte_t *table = hyp_l4;

	for (unsigned int l = 4; ; l--) {
		pte_t *e = &table[(va >> LEVEL_SHIFT(l)) & 511];

		if (l == level)
			return e;
		if (!pte_present(*e)) {
			pte_t *next = create ? alloc_table() : NULL;

			if (!next)
				return NULL;
			*e = pte_make(virt_to_mfn(next), PTE_HYP_TABLE);
		}
		if (l < 4 && (e->pte & PTE_PSE))
			return NULL;
		table = mfn_to_virt(pte_mfn(*e));
	}
}

pte_t *hyp_l1e(unsigned long va)
{
	return walk(va, 1, false);
}

mfn_t idle_l4_mfn(void)
{
	return image_virt_to_mfn(idle_l4);
}

void init_guest_l4_slots(pte_t *l4)
{
	for (unsigned int i = HYP_FIRST_SLOT; i <= HYP_LAST_SLOT; i++)
		l4[i] = idle_l4[i];
}

int map_pages_to_hyp(unsigned long va, mfn_t mfn, unsigned long nr, uint64_t flags)
{
	int rc = 0;

	spin_lock(&paging_lock);
	for (; nr; nr--, va += PAGE_SIZE, mfn = mfn_add(mfn, 1)) {
		pte_t *e = walk(va, 1, true);

		if (!e) {
			rc = -ENOMEM;
			break;
		}
		write_once(e->pte, pte_make(mfn, flags).pte);
	}
	spin_unlock(&paging_lock);
	return rc;
}

void unmap_pages_from_hyp(unsigned long va, unsigned long nr)
{
	spin_lock(&paging_lock);
	for (; nr; nr--, va += PAGE_SIZE) {
		pte_t *e = walk(va, 1, false);

		if (e)
			write_once(e->pte, 0);
	}
	spin_unlock(&paging_lock);
	flush_tlb_all();
}

int cpu_window_prepare(unsigned int cpu)
{
	pte_t *e;

	spin_lock(&paging_lock);
	e = walk(CPU_WINDOW_START + (unsigned long)cpu * CPU_WINDOW_SIZE, 1, true);
	spin_unlock(&paging_lock);
	return e ? 0 : -ENOMEM;
}

/* ---- device memory ---- */

static unsigned long ioremap_next = IOREMAP_START;

void *ioremap(paddr_t pa, size_t len)
{
	unsigned long offset = pa & ~PAGE_MASK;
	unsigned long nr = PFN_UP(offset + len);
	unsigned long va;

	if (!len || pa + len < pa)
		return NULL;
	/* Addresses are not reused: there are 256 GiB of them, and a guard page after each. */
	va = atomic_fetch_add(&ioremap_next, (nr + 1) * PAGE_SIZE);
	if (va + nr * PAGE_SIZE > IOREMAP_END)
		return NULL;
	if (map_pages_to_hyp(va, paddr_to_mfn(pa), nr, PTE_HYP_UC))
		return NULL;
	return (void *)(va + offset);
}

void iounmap(void *va, size_t len)
{
	unsigned long start = (unsigned long)va & PAGE_MASK;

	unmap_pages_from_hyp(start, PFN_UP(((unsigned long)va & ~PAGE_MASK) + len));
}

/* ---- boot ---- */

/* Maps with the largest pages that fit. Boot only: memory cannot run out unnoticed. */
static void __init map_range(unsigned long va, paddr_t pa, paddr_t end, uint64_t flags)
{
	unsigned int top = cpu_has(X86_FEATURE_PAGE1GB) ? 3 : 2;

	while (pa < end) {
		unsigned int level = top;
		pte_t *e;

		while (level > 1 && (((va | pa) & (LEVEL_SIZE(level) - 1)) ||
				     end - pa < LEVEL_SIZE(level)))
			level--;
		e = walk(va, level, true);
		if (!e)
			panic("Mapping %#lx: a larger page is in the way\n", va);
		*e = pte_make(paddr_to_mfn(pa), flags | (level > 1 ? PTE_PSE : 0));
		va += LEVEL_SIZE(level);
		pa += LEVEL_SIZE(level);
	}
}

static void __init map_direct(paddr_t start, paddr_t end)
{
	end = min(end, (paddr_t)(DIRECTMAP_END - DIRECTMAP_START));
	if (start < end)
		map_range(DIRECTMAP_START + start, start, end, PTE_HYP_RW);
}

/*
 * RAM and ACPI tables, neighbours as one piece so that large pages fit; the
 * first MiB as a whole but for the VGA window (ROMs and the BIOS data area are
 * read there).
 */
static void __init build_direct_map(void)
{
	const struct boot_info *bi = &boot_info;
	paddr_t start = MB(1), end = MB(1);

	map_direct(0, 0xa0000);
	map_direct(0xc0000, MB(1));
	for (unsigned int i = 0; i < bi->nr_e820; i++) {
		const struct e820_entry *e = &bi->e820[i];
		paddr_t s = max(e->addr & PAGE_MASK, (paddr_t)MB(1));
		paddr_t stop = ROUNDUP(e->addr + e->size, PAGE_SIZE);

		if (e->type == E820_RESERVED || e->type == E820_UNUSABLE || stop <= s)
			continue;
		if (s > end) {
			map_direct(start, end);
			start = s;
		}
		end = max(end, stop);
		start = max(start, (paddr_t)MB(1));
	}
	map_direct(start, end);
}

static void __init map_image_part(const char *start, const char *end, uint64_t flags)
{
	unsigned long va = (unsigned long)start & PAGE_MASK;
	unsigned long stop = ROUNDUP((unsigned long)end, PAGE_SIZE);

	for (; va < stop; va += PAGE_SIZE)
		*walk(va, 1, true) = pte_make(image_virt_to_mfn((void *)va), flags);
}

/* No part of the image is both writable and executable. */
static void __init build_image_map(void)
{
	map_image_part(_start, _etext, PTE_HYP_RX);
	map_image_part(_etext, _erodata, PTE_HYP_RO);
	map_image_part(__init_begin, _einittext, PTE_HYP_RX);
	map_image_part(_einittext, __init_end, PTE_HYP_RW);
	map_image_part(_sdata, _end, PTE_HYP_RW);
}

/* The frame table: 32 bytes a frame, all frames below max_page. */
static void __init build_frame_table(void)
{
	unsigned long bytes = ROUNDUP(max_page << PAGE_INFO_SHIFT, PAGE_SIZE);
	unsigned long large = LEVEL_SIZE(2), done = 0;

	for (; done + large <= bytes; done += large) {
		mfn_t m = boot_alloc_pages(512, 512);

		map_range(FRAMETABLE_START + done, mfn_to_paddr(m), mfn_to_paddr(m) + large,
			  PTE_HYP_RW);
	}
	if (done < bytes) {
		mfn_t m = boot_alloc_pages(PFN_DOWN(bytes - done), 1);

		map_range(FRAMETABLE_START + done, mfn_to_paddr(m),
			  mfn_to_paddr(m) + bytes - done, PTE_HYP_RW);
	}
}

/*
 * The machine-to-physical table, twice: writable for us, readable for guests.
 * Whole 2 MiB chunks, contiguous: guests get them by XENMEM_machphys_mfn_list.
 */
static void __init build_m2p(void)
{
	unsigned long chunk = LEVEL_SIZE(2);

	for (unsigned long done = 0; done < max_page * sizeof(unsigned long); done += chunk) {
		mfn_t m = boot_alloc_pages(512, 512);
		paddr_t pa = mfn_to_paddr(m);
		unsigned long *entry = mfn_to_virt(m);

		for (unsigned long i = 0; i < chunk / sizeof(*entry); i++)
			entry[i] = ~0UL;
		map_range(RW_M2P_START + done, pa, pa + chunk, PTE_HYP_RW);
		map_range(RO_M2P_START + done, pa, pa + chunk, PTE_HYP_RO | PTE_USER);
	}
}

/* Tables for every slot that is used, so that copies of the slots stay right. */
static void __init populate_slots(void)
{
	static const unsigned long slots[] __initconst = {
		RO_M2P_START, IOREMAP_START, RW_M2P_START, FRAMETABLE_START, CPU_WINDOW_START,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++)
		walk(slots[i], 3, true);
	cpu_window_prepare(0);
}

void __init paging_init(void)
{
	static pte_t new_l4[PT_ENTRIES] __section(".bss.init") __aligned(4096);

	hyp_l4 = new_l4;
	build_direct_map();
	build_image_map();
	populate_slots();

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NX);
	memcpy(idle_l4, new_l4, sizeof(idle_l4));	/* slot 0 goes */
	hyp_l4 = idle_l4;
	write_cr3(mfn_to_paddr(idle_l4_mfn()));

	build_frame_table();
	build_m2p();
}

/* Write-protects what is constant after boot (__ro_after_init). */
static void paging_seal(void)
{
	unsigned long va = (unsigned long)__ro_after_init_start;

	for (; va < (unsigned long)__ro_after_init_end; va += PAGE_SIZE)
		*walk(va, 1, false) = pte_make(image_virt_to_mfn((void *)va), PTE_HYP_RO);
	flush_tlb_all();
}

static void free_image_range(char *start, char *end)
{
	paddr_t pa = (unsigned long)start + image_phys_offset;
	paddr_t len = (paddr_t)(end - start), end_pa = pa + len;

	unmap_pages_from_hyp((unsigned long)start, PFN_DOWN(len));
	for (; pa < end_pa; pa += PAGE_SIZE) {
		struct page_info *pg = mfn_to_page(paddr_to_mfn(pa));

		pg->count_info = PGC_xen_heap;
		free_xenheap_page(page_to_virt(pg));
	}
}

/* Not in init memory itself, and nothing of it may be on the stack's way back. */
void free_init_memory(void)
{
	unsigned long kib = (unsigned long)(__init_end - __init_begin +
					    __init_bss_end - __init_bss_start) >> 10;

	paging_seal();
	free_image_range(__init_begin, __init_end);
	free_image_range(__init_bss_start, __init_bss_end);
	printk(XENLOG_INFO "Freed %lu KiB of init memory\n", kib);
}
