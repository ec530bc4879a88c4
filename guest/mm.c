/* SPDX-License-Identifier: MIT */
/* Frames, the linear mapping and page-table helpers: see mm.h. */
#include <guest/console.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>

unsigned long *p2m;
pte_t *kernel_l4;

static unsigned long next_pfn;		/* first free page of the linear mapping */
static unsigned long linear_end;	/* first pfn behind it */
static unsigned long top_pfn;		/* pfns from here on have been given out unmapped */
static void *free_pages;				/* linked through their first words */
static unsigned long nr_free;

static unsigned int pt_index(unsigned long va, unsigned int level)
{
	return va >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
}

const pte_t *pt_lookup(const pte_t *l4, unsigned long va, unsigned int level)
{
	const pte_t *table = l4;

	for (unsigned int l = 4;; l--) {
		const pte_t *e = &table[pt_index(va, l)];

		if (l == level)
			return e;
		if (!(*e & PTE_P))
			return NULL;
		table = mfn_to_virt(pte_mfn(*e));
	}
}

pte_t pt_leaf(unsigned long va)
{
	const pte_t *e = pt_lookup(kernel_l4, va, 1);

	return e ? *e : 0;
}

long pt_write(const pte_t *entry, pte_t value)
{
	struct mmu_update u = { .ptr = virt_to_maddr(entry), .val = value };

	return mmu_update(&u, 1, NULL);
}

long page_protect(void *page)
{
	return update_va_mapping(PTR(page), pte_make(virt_to_mfn(page), PTE_KERNEL_RO),
				 UVMF_INVLPG | UVMF_ALL);
}

long page_unprotect(void *page)
{
	return update_va_mapping(PTR(page), pte_make(virt_to_mfn(page), PTE_KERNEL),
				 UVMF_INVLPG | UVMF_ALL);
}

/* Make the page a table and hook it into *entry. */
static void add_table(const pte_t *entry, void *page)
{
	long rc = page_protect(page);

	if (!rc)
		rc = pt_write(entry, pte_make(virt_to_mfn(page), PTE_TABLE));
	if (rc)
		panic("add_table: %ld", rc);
}

void pt_map(pte_t *l4, unsigned long va, pte_t pte)
{
	long rc;

	for (unsigned int level = 4; level > 1; level--) {
		const pte_t *e = pt_lookup(l4, va, level);

		if (!(*e & PTE_P))
			add_table(e, page_alloc());
	}
	rc = pt_write(pt_lookup(l4, va, 1), pte);
	if (rc)
		panic("pt_map %lx: %ld", va, rc);
}

/* The end of everything that the builder put into the initial mapping. */
static unsigned long builder_end(void)
{
	const struct start_info *si = start_info;
	unsigned long end = boot_rsp, e[] = {
		PTR(si) + PAGE_SIZE,
		si->pt_base + si->nr_pt_frames * PAGE_SIZE,
		si->mfn_list + si->nr_pages * sizeof(unsigned long),
		si->flags & SIF_MOD_START_PFN ? 0 : si->mod_start + si->mod_len,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(e); i++)
		if (e[i] > end)
			end = e[i];
	return (end + PAGE_SIZE - 1) & PAGE_MASK;
}

/* Map pfns [linear_end, linear_end + 512) by one new L1 table. */
static void extend_linear(unsigned long limit)
{
	pte_t *l1 = page_alloc();
	unsigned long va = PTR(pfn_to_virt(linear_end));

	for (unsigned long i = 0; i < 512 && linear_end + i < limit; i++)
		l1[i] = pte_make(p2m[linear_end + i], PTE_KERNEL);
	add_table(pt_lookup(kernel_l4, va, 2), l1);
	linear_end = linear_end + 512 < limit ? linear_end + 512 : limit;
}

void mm_init(void)
{
	unsigned long limit = MM_LINEAR_MAX >> PAGE_SHIFT, most = start_info->nr_pages / 4 * 3;

	p2m = (unsigned long *)start_info->mfn_list;
	kernel_l4 = (pte_t *)start_info->pt_base;
	next_pfn = virt_to_pfn((void *)builder_end());
	top_pfn = start_info->nr_pages;
	if (limit > most)
		limit = most;

	linear_end = next_pfn;
	while (pt_leaf(PTR(pfn_to_virt(linear_end))) & PTE_P)
		linear_end++;
	if (linear_end & 511)
		panic("initial mapping ends oddly at pfn %lx", linear_end);
	while (linear_end < limit)
		extend_linear(limit);
}

void *page_alloc_raw(void)
{
	void *page = free_pages;

	if (page) {
		free_pages = *(void **)page;
		nr_free--;
	} else if (next_pfn < linear_end) {
		page = pfn_to_virt(next_pfn++);
	} else {
		panic("out of memory");
	}
	return page;
}

void *page_alloc(void)
{
	return memset(page_alloc_raw(), 0, PAGE_SIZE);
}

void page_free(void *page)
{
	*(void **)page = free_pages;
	free_pages = page;
	nr_free++;
}

unsigned long page_available(void)
{
	return nr_free + linear_end - next_pfn;
}

unsigned long pfn_alloc_unmapped(void)
{
	return top_pfn > linear_end ? --top_pfn : 0;
}

long mmuext_mfn(unsigned int cmd, unsigned long mfn)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn };

	return mmuext_op(&op, 1, NULL);
}

long mmuext_simple(unsigned int cmd, unsigned long linear_addr)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.linear_addr = linear_addr };

	return mmuext_op(&op, 1, NULL);
}

long pt_pin(void *page, unsigned int level)
{
	return mmuext_mfn(MMUEXT_PIN_L1_TABLE + level - 1, virt_to_mfn(page));
}

long pt_unpin(void *page)
{
	return mmuext_mfn(MMUEXT_UNPIN_TABLE, virt_to_mfn(page));
}
