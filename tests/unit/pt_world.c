/* SPDX-License-Identifier: MIT */
#include "pt_world.h"

#include <core/hypercall.h>
#include <x86/pv.h>
#include <x86/rangeset.h>

struct domain *pt_dom, *pt_other, *pt_tools;
unsigned int pt_injected, pt_continuations;
pte_t idle_l4[PT_ENTRIES];

/* ---- fakes ---- */

void init_guest_l4_slots(pte_t *l4)
{
	for (unsigned int i = HYP_FIRST_SLOT; i <= HYP_LAST_SLOT; i++)
		l4[i].pte = 0xabc000 | PTE_PRESENT | i << 24;
}
bool pv_fix_descriptor(uint64_t *desc) { return *desc != 0xbad; }
void pv_destroy_ldt(struct vcpu *v __maybe_unused) { }
int pv_set_ldt(struct vcpu *v, unsigned long base, unsigned int ents)
{
	v->arch.ldt_base = base;
	v->arch.ldt_ents = ents;
	return 0;
}
bool guest_kernel_mode(const struct vcpu *v, const struct cpu_user_regs *regs __maybe_unused)
{
	return v->arch.flags & TF_kernel_mode;
}
void pv_inject_hw_exception(unsigned int vector __maybe_unused, int error_code __maybe_unused)
{
	pt_injected++;
}
mfn_t idle_l4_mfn(void)
{
	return _mfn(0);
}
void write_ptbase(struct vcpu *v)
{
	v->arch.load_cr3[TF_kernel_mode] = mfn_to_paddr(v->arch.guest_table);
	flush_tlb_local();
}

/* ---- the world ---- */

int pt_setup(void **state)
{
	unit_setup(state);
	pt_tools = host_domain_create(0, 1, true);
	pt_dom = host_domain_create(1, 2, false);
	pt_other = host_domain_create(2, 1, false);
	dom_io = host_domain_create(DOMID_IO, 0, false);
	dom_xen = host_domain_create(DOMID_XEN, 0, false);
	dom_io->is_system = dom_xen->is_system = true;
	mmio_ro_ranges = NULL;
	pt_tools->arch.iomem_caps = rangeset_new();
	rangeset_add(pt_tools->arch.iomem_caps, 0, 0xffffff);
	host_switch_to(0, pt_dom->vcpu[0]);
	pt_injected = 0;
	return 0;
}

int pt_teardown(void **state)
{
	rangeset_destroy(pt_tools->arch.iomem_caps);
	rangeset_destroy(mmio_ro_ranges);
	return unit_teardown(state);
}

struct page_info *pt_page(struct domain *d)
{
	struct page_info *pg = alloc_domheap_page(d, 0);

	BUG_ON(!pg);
	memset(page_to_virt(pg), 0, PAGE_SIZE);
	return pg;
}

pte_t *pt_entries(struct page_info *pg) { return page_to_virt(pg); }
unsigned long pt_mfn(struct page_info *pg) { return mfn_x(page_to_mfn(pg)); }
uint64_t pt_value(struct page_info *target, uint64_t flags)
{
	return pte_make(page_to_mfn(target), flags).pte;
}
void pt_fill(struct page_info *table, unsigned int i, struct page_info *target, uint64_t flags)
{
	pt_entries(table)[i].pte = pt_value(target, flags);
}
uint64_t pt_maddr(struct page_info *table, unsigned int i)
{
	return mfn_to_paddr(page_to_mfn(table)) + i * 8;
}

unsigned long pt_count(struct page_info *pg) { return pg->count_info & PGC_count_mask; }
unsigned long pt_type_count(struct page_info *pg) { return pg->type_info & PGT_count_mask; }
unsigned long pt_type(struct page_info *pg)
{
	return pt_type_count(pg) ? pg->type_info & PGT_type_mask : 0;
}

static struct page_info *tree_page(struct pt_tree *t)
{
	struct page_info *pg = pt_page(pt_dom);

	BUG_ON(t->nr_pages == ARRAY_SIZE(t->pages));
	t->pages[t->nr_pages++] = pg;
	return pg;
}

void pt_tree(struct pt_tree *t, unsigned int nr_l2, unsigned int nr_l1, unsigned int nr_leaf)
{
	*t = (struct pt_tree){ 0 };
	t->data = pt_page(pt_dom);
	t->l4 = tree_page(t);
	t->l3 = tree_page(t);
	pt_fill(t->l4, 300, t->l3, TABLE);
	for (unsigned int i = 0; i < nr_l2; i++) {
		struct page_info *l2 = tree_page(t);

		pt_fill(t->l3, i * (PT_ENTRIES / nr_l2), l2, TABLE);
		for (unsigned int k = 0; k < nr_l1; k++) {
			struct page_info *l1 = tree_page(t);

			pt_fill(l2, k * (PT_ENTRIES / nr_l1), l1, TABLE);
			for (unsigned int j = 0; j < nr_leaf; j++)
				pt_fill(l1, j * (PT_ENTRIES / nr_leaf), t->data, LEAF_RW);
		}
	}
}

void pt_assert_released(const struct pt_tree *t)
{
	assert_int_equal(pt_count(t->data), 1);
	assert_int_equal(pt_type_count(t->data), 0);
	for (unsigned int i = 0; i < t->nr_pages; i++) {
		struct page_info *pg = t->pages[i];

		assert_int_equal(pt_count(pg), 1);
		assert_int_equal(pg->type_info &
					 (PGT_count_mask | PGT_partial | PGT_pinned | PGT_locked),
				 0);
		if (is_table_type(pg->type_info))
			assert_int_equal(pg->type_info & PGT_validated, 0);
	}
}

/* ---- hypercalls ---- */

static long call4(long (*fn)(unsigned long, unsigned long, unsigned long, unsigned long,
			     unsigned long),
		  unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4)
{
	long rc = fn(a1, a2, a3, a4, 0);

	for (pt_continuations = 0; rc == -ERESTART; pt_continuations++) {
		const unsigned long *a = host_rec.cont_args;

		BUG_ON(pt_continuations > 100000);
		rc = fn(a[0], a[1], a[2], a[3], 0);
	}
	return rc;
}

long pt_mmu_update(const struct mmu_update *req, unsigned int nr, unsigned int *done,
		   unsigned int domid)
{
	struct mmu_update *g = host_guest_alloc(nr * sizeof(*req) + 8);
	unsigned int *gdone = host_guest_alloc(sizeof(*gdone));
	long rc;

	memcpy(g, req, nr * sizeof(*req));
	rc = call4(do_mmu_update, (unsigned long)g, nr, (unsigned long)gdone, domid);
	if (done)
		*done = *gdone;
	host_guest_free(g);
	host_guest_free(gdone);
	return rc;
}

long pt_update_one(uint64_t ptr, uint64_t val)
{
	const struct mmu_update req = { ptr, val };

	return pt_mmu_update(&req, 1, NULL, DOMID_SELF);
}

long pt_mmuext(unsigned int cmd, unsigned long mfn, unsigned int domid)
{
	struct mmuext_op *op = host_guest_alloc(sizeof(*op));
	long rc;

	op->cmd = cmd;
	op->arg1.mfn = mfn;
	rc = call4(do_mmuext_op, (unsigned long)op, 1, 0, domid);
	host_guest_free(op);
	return rc;
}
