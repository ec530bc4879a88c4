/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables of PV guests. Their frames have the type PGT_seg_desc_page,
 * so the guest cannot write to them and each descriptor has been through
 * pv_fix_descriptor(). While a vcpu is loaded its frames are mapped into the
 * CPU's window (x86/layout.h), the LDT's page by page as the CPU touches them.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/log_dirty.h>
#include <arch/flush.h>
#include <arch/map.h>
#include <arch/percpu.h>
#include <x86/asm.h>
#include <x86/context.h>
#include <x86/entry.h>
#include <x86/layout.h>
#include <x86/mm.h>
#include <x86/pv.h>

#define GDT_PAGES	FIRST_RESERVED_GDT_PAGE
#define LDT_PAGES	16
#define ENTRIES_PER_PAGE 512
#define WINDOW_FLAGS	(PTE_PRESENT | PTE_RW | PTE_ACCESSED | PTE_DIRTY | PTE_NX)

#define DESC_PRESENT	(1UL << 47)
#define DESC_S		(1UL << 44)	/* code or data, not a system descriptor */
#define DESC_TYPE	(15UL << 40)
#define DESC_DPL	(3UL << 45)
#define DESC_CALL_GATE	(12UL << 40)

static DEFINE_PER_CPU(pte_t *, window);		/* entries of this CPU's window */
static DEFINE_PER_CPU(unsigned int, gdt_pages_in);	/* how many GDT pages are mapped */
static DEFINE_PER_CPU(uint16_t, ldt_pages_in);	/* and which of the LDT's */
static DEFINE_PER_CPU(unsigned int, ldt_ents_in);

static unsigned long window_va(unsigned int page)
{
	return CPU_WINDOW_START + smp_processor_id() * CPU_WINDOW_SIZE + page * PAGE_SIZE;
}

static pte_t *this_window(void)
{
	if (unlikely(!this_cpu(window)))
		this_cpu(window) = hyp_l1e(window_va(0));
	return this_cpu(window);
}

/* Is v's state in this CPU, so that the window must follow? */
static bool loaded_here(const struct vcpu *v)
{
	return loaded_vcpu_here() == v && v->dirty_cpu == smp_processor_id();
}

/* ---- what a descriptor may be ---- */

/*
 * A call gate must lead to code of the guest's own, and gets DPL 0: a gate
 * that ring 3 could take would not tell kernel from user mode. What the DPL
 * was is kept in the selector, by the ABI.
 */
static bool fix_call_gate(uint64_t *desc)
{
	uint64_t d = *desc;
	uint16_t sel = (uint16_t)(d >> 16);

	if (sel >> 3 >= FIRST_RESERVED_GDT_ENTRY && sel != FLAT_KERNEL_CS64 && !(sel & 4))
		return false;
	if (d >> 32 & 0xff)
		return false;		/* reserved */
	*desc = (d & ~DESC_DPL & ~(3UL << 16)) | 3UL << 16;
	return true;
}

bool pv_fix_descriptor(uint64_t *desc)
{
	uint64_t d = *desc;

	if (!(d & DESC_PRESENT))
		return true;
	if (!(d & DESC_S)) {
		/* No TSS, no LDT, no other gate; type 0, the second half of a gate, is harmless. */
		if ((d & DESC_TYPE) == DESC_CALL_GATE)
			return fix_call_gate(desc);
		return !(d & DESC_TYPE);
	}
	/* Code and data: any base and limit, but for ring 3. */
	*desc = d | DESC_DPL;
	return true;
}

/* ---- the window ---- */

static void map_gdt(const struct vcpu *v)
{
	pte_t *w = this_window();
	unsigned int i, nr = v->arch.nr_gdt_frames, old = this_cpu(gdt_pages_in);

	for (i = 0; i < nr; i++)
		write_once(w[i].pte, pte_make(v->arch.gdt_frames[i], WINDOW_FLAGS).pte);
	for (; i < old; i++)
		write_once(w[i].pte, 0);
	this_cpu(gdt_pages_in) = nr;
}

static void map_ldt(const struct vcpu *v)
{
	pte_t *w = this_window() + CPU_WINDOW_LDT_PAGE;
	uint16_t now = v->arch.ldt_mapped, either = now | this_cpu(ldt_pages_in);

	for (unsigned int i = 0; either >> i; i++)
		if (either & (1u << i))
			write_once(w[i].pte, now & (1u << i) ?
				   pte_make(v->arch.ldt_frames[i], WINDOW_FLAGS).pte : 0);
	this_cpu(ldt_pages_in) = now;
	if (v->arch.ldt_ents | this_cpu(ldt_ents_in)) {
		load_ldt(v->arch.ldt_ents);
		this_cpu(ldt_ents_in) = v->arch.ldt_ents;
	}
}

/* The TLB flush comes with the page tables. */
void pv_load_descriptors(struct vcpu *v)
{
	map_gdt(v);
	map_ldt(v);
}

/* ---- GDT ---- */

static void put_desc_page(mfn_t mfn)
{
	put_page_and_type(mfn_to_page(mfn));
}

void pv_destroy_gdt(struct vcpu *v)
{
	unsigned int nr = v->arch.nr_gdt_frames;

	v->arch.gdt_ents = 0;
	v->arch.nr_gdt_frames = 0;
	if (!nr)
		return;
	if (loaded_here(v)) {
		map_gdt(v);
		flush_tlb_local();
	}
	for (unsigned int i = 0; i < nr; i++)
		put_desc_page(v->arch.gdt_frames[i]);
}

/* v is current or loaded nowhere. 0, or -EINVAL with the old table kept. */
int pv_set_gdt(struct vcpu *v, const unsigned long *frames, unsigned int entries)
{
	unsigned int i, nr = DIV_ROUND_UP(entries, ENTRIES_PER_PAGE);

	if (entries > FIRST_RESERVED_GDT_ENTRY)
		return -EINVAL;
	for (i = 0; i < nr; i++)
		if (!mfn_valid(_mfn(frames[i])) ||
		    !get_page_and_type(mfn_to_page(_mfn(frames[i])), v->domain, PGT_seg_desc_page))
			goto put_new;
	pv_destroy_gdt(v);
	for (i = 0; i < nr; i++)
		v->arch.gdt_frames[i] = _mfn(frames[i]);
	v->arch.nr_gdt_frames = nr;
	v->arch.gdt_ents = entries;
	if (loaded_here(v)) {
		map_gdt(v);
		flush_tlb_local();
	}
	return 0;
put_new:
	while (i--)
		put_desc_page(_mfn(frames[i]));
	return -EINVAL;
}

DEFINE_HYPERCALL(set_gdt)
{
	unsigned long frames[GDT_PAGES];
	unsigned int entries = (unsigned int)a2, nr = DIV_ROUND_UP(entries, ENTRIES_PER_PAGE);

	if (entries > FIRST_RESERVED_GDT_ENTRY)
		return -EINVAL;
	if (raw_copy_from_guest(frames, (void *)a1, nr * sizeof(*frames)))
		return -EFAULT;
	return pv_set_gdt(current, frames, entries);
}

/* a1: machine address of the entry; a2: the descriptor. */
DEFINE_HYPERCALL(update_descriptor)
{
	struct domain *d = current->domain;
	struct page_info *pg;
	unsigned long type;
	uint64_t desc = a2;
	long rc = -EINVAL;

	if ((a1 & 7) || !pv_fix_descriptor(&desc))
		return -EINVAL;
	pg = get_page_from_gfn(d, _gfn(a1 >> PAGE_SHIFT));
	if (!pg)
		return -EINVAL;
	type = (read_once(pg->type_info) & PGT_type_mask) == PGT_seg_desc_page ?
		PGT_seg_desc_page : PGT_writable_page;
	if (page_get_owner(pg) == d && !get_page_type(pg, type)) {
		uint64_t *entry = (uint64_t *)page_to_virt(pg) + (a1 & ~PAGE_MASK) / 8;

		write_once(*entry, desc);
		log_dirty_page(pg);
		put_page_type(pg);
		rc = 0;
	}
	put_page(pg);
	return rc;
}

/* ---- LDT ---- */

void pv_destroy_ldt(struct vcpu *v)
{
	uint16_t mapped = v->arch.ldt_mapped;

	if (likely(!mapped))
		return;
	v->arch.ldt_mapped = 0;
	if (loaded_here(v)) {
		map_ldt(v);
		for (unsigned int i = 0; i < LDT_PAGES; i++)
			invlpg(window_va(CPU_WINDOW_LDT_PAGE + i));
	}
	for (unsigned int i = 0; i < LDT_PAGES; i++)
		if (mapped & (1u << i))
			put_desc_page(v->arch.ldt_frames[i]);
}

int pv_set_ldt(struct vcpu *v, unsigned long base, unsigned int ents)
{
	if ((base & ~PAGE_MASK) || ents > LDT_PAGES * ENTRIES_PER_PAGE ||
	    (ents && !guest_range_okay((void *)base, ents, 8)))
		return -EINVAL;
	if (v->arch.ldt_ents == ents && v->arch.ldt_base == base)
		return 0;
	pv_destroy_ldt(v);
	v->arch.ldt_base = base;
	v->arch.ldt_ents = ents;
	if (loaded_here(v))
		map_ldt(v);
	return 0;
}

bool pv_map_ldt_page(struct vcpu *v, unsigned long off)
{
	unsigned int i = (unsigned int)(off >> PAGE_SHIFT);
	struct page_info *pg;
	pte_t entry;
	mfn_t table;

	if (off / 8 >= v->arch.ldt_ents || (v->arch.ldt_mapped & (1u << i)))
		return false;
	/* The kernel's tables say where the LDT is. */
	if (!guest_walk_l1e(v, v->arch.ldt_base + i * PAGE_SIZE, &entry, &table) ||
	    !pte_present(entry) || !mfn_valid(pte_mfn(entry)))
		return false;
	pg = mfn_to_page(pte_mfn(entry));
	if (!get_page_and_type(pg, v->domain, PGT_seg_desc_page))
		return false;
	v->arch.ldt_frames[i] = pte_mfn(entry);
	v->arch.ldt_mapped |= (uint16_t)(1u << i);
	map_ldt(v);
	return true;
}
