/* SPDX-License-Identifier: MIT */
/*
 * The shadow of a vcpu: a TLB in memory. Page faults fill it from the guest's
 * tables, each flush of this CPU's TLB empties it, and nobody else looks at it;
 * so it may hold what a TLB may hold, and the rules that keep stale
 * translations harmless are those for the TLB. docs/log-dirty.md argues that.
 *
 * Interrupts are off from the walk of the guest's tables until the entry is
 * made: a flush that somebody waits for cannot fall in between.
 */
#include "private.h"

#include <core/xmalloc.h>
#include <x86/context.h>
#include <x86/entry.h>
#include <x86/shadow.h>

#define PF_PRESENT	0x01u
#define PF_WRITE	0x02u
#define PF_USER		0x04u
#define PF_RESERVED	0x08u
#define PF_FETCH	0x10u

#define NEIGHBOURS	16U	/* leaves looked at by a fault: an aligned group */
#define WALK_TRIES	16U	/* against a guest that changes the entry under us */
#define MAX_SLOTS	1024U	/* of both roots */

struct shadow {
	pte_t *root[2];		/* by TF_kernel_mode: user, kernel */
	unsigned int nr_tables;
	unsigned int used;	/* tables[0 .. used) are part of the trees */
	unsigned int nr_slots;
	uint16_t slot[MAX_SLOTS];	/* root entries in use: root << 9 | index */
	unsigned long spurious;	/* address of a fault that we could not explain, + 1 */
	pte_t *tables[];
};

/* A walk of the guest's tables. */
struct walk {
	const pte_t *leaves;	/* the leaf table */
	pte_t *p;		/* its entry for the address */
	pte_t leaf;		/* ... as it was read, or made */
	uint64_t rw, nx;	/* what the levels above allow and forbid */
};

/* ---- birth and end ---- */

void shadow_destroy(struct vcpu *v)
{
	struct shadow *s = v->arch.shadow_mem;

	v->arch.shadow_mem = NULL;
	if (!s)
		return;
	for (unsigned int i = 0; i < 2; i++)
		if (s->root[i])
			free_xenheap_page(s->root[i]);
	for (unsigned int i = 0; i < s->nr_tables; i++)
		if (s->tables[i])
			free_xenheap_page(s->tables[i]);
	xfree(s);
}

int shadow_create(struct vcpu *v, unsigned int tables)
{
	struct shadow *s = xzalloc_bytes(sizeof(*s) + tables * sizeof(s->tables[0]),
					 __alignof__(*s));
	bool ok = s;

	if (!s)
		return -ENOMEM;
	v->arch.shadow_mem = s;
	s->nr_tables = tables;
	for (unsigned int i = 0; i < 2 && ok; i++) {
		s->root[i] = alloc_xenheap_page();
		ok = s->root[i];
		if (ok)
			init_guest_l4_slots(s->root[i]);
	}
	for (unsigned int i = 0; i < tables && ok; i++) {
		s->tables[i] = alloc_xenheap_pages(0, 0);
		ok = s->tables[i];
	}
	if (!ok)
		shadow_destroy(v);
	return ok ? 0 : -ENOMEM;
}

void shadow_use(struct vcpu *v, bool on)
{
	v->arch.shadow = on ? v->arch.shadow_mem : NULL;
	shadow_set_roots(v);
}

void shadow_set_roots(struct vcpu *v)
{
	const struct shadow *s = v->arch.shadow;

	for (unsigned int i = 0; s && i < 2; i++)
		v->arch.load_cr3[i] = mfn_to_paddr(virt_to_mfn(s->root[i]));
	if (s)
		return;
	set_load_cr3(v, 0, v->arch.guest_table_user);
	set_load_cr3(v, TF_kernel_mode, v->arch.guest_table);
}

/* ---- emptying ---- */

static void empty(struct shadow *s)
{
	for (unsigned int i = 0; i < s->nr_slots; i++)
		write_once(s->root[s->slot[i] >> 9][s->slot[i] & 511].pte, 0);
	s->nr_slots = 0;
	s->used = 0;
}

/* Interrupts are off. */
void shadow_flush_here(void)
{
	struct vcpu *v = loaded_vcpu_here();

	if (v && v->arch.shadow)
		empty(v->arch.shadow);
}

/* The shadow's leaf for va below root r, NULL if the tables do not go so far. */
static pte_t *find_leaf(const struct shadow *s, unsigned int r, unsigned long va)
{
	pte_t e = s->root[r][l4_index(va)];

	if (pte_present(e))
		e = ((pte_t *)mfn_to_virt(pte_mfn(e)))[l3_index(va)];
	if (pte_present(e))
		e = ((pte_t *)mfn_to_virt(pte_mfn(e)))[l2_index(va)];
	return pte_present(e) ? (pte_t *)mfn_to_virt(pte_mfn(e)) + l1_index(va) : NULL;
}

void shadow_flush_one_here(unsigned long va)
{
	unsigned long flags = local_irq_save();
	struct vcpu *v = loaded_vcpu_here();

	if (v && v->arch.shadow && guest_va_ok(va)) {
		for (unsigned int r = 0; r < 2; r++) {
			pte_t *p = find_leaf(v->arch.shadow, r, va);

			if (p)
				write_once(p->pte, 0);
		}
	}
	local_irq_restore(flags);
}

/* ---- filling ---- */

/* The table below *e, made if there is none. NULL: the pool is used up. */
static pte_t *next_table(struct shadow *s, pte_t *e)
{
	pte_t *t;

	if (pte_present(*e))
		return mfn_to_virt(pte_mfn(*e));
	if (s->used == s->nr_tables)
		return NULL;
	t = s->tables[s->used++];
	clear_page(t);
	write_once(e->pte, pte_make(virt_to_mfn(t), PTE_PRESENT | PTE_RW | PTE_USER |
				    PTE_ACCESSED).pte);
	return t;
}

static pte_t *make_leaf(struct shadow *s, unsigned int r, unsigned long va)
{
	pte_t *e = &s->root[r][l4_index(va)], *t;

	if (!pte_present(*e)) {
		/* A slot that is emptied is used again only after all are: the list has room. */
		if (s->used == s->nr_tables)
			return NULL;
		s->slot[s->nr_slots++] = (uint16_t)(r << 9 | l4_index(va));
	}
	t = next_table(s, e);
	if (t)
		t = next_table(s, t + l3_index(va));
	if (t)
		t = next_table(s, t + l2_index(va));
	return t ? t + l1_index(va) : NULL;
}

/* May this vcpu's stores to the frame go unseen: they are in the log, or never are? */
static bool may_write(const struct domain *d, mfn_t mfn)
{
	if (!mfn_valid(mfn) || page_get_owner(mfn_to_page(mfn)) != d)
		return true;
	return log_dirty_is_marked(d, get_gpfn_from_mfn(mfn));
}

/* What the CPU shall see for a leaf of the guest's that was accessed. */
static pte_t shadow_leaf(const struct domain *d, const struct walk *w, pte_t e)
{
	uint64_t f = (e.pte & (PTE_ADDR_MASK | PTE_CACHE_ATTRS)) | PTE_PRESENT | PTE_USER |
		     PTE_ACCESSED | ((e.pte | w->nx) & PTE_NX);

	if ((e.pte & PTE_RW) && w->rw && (e.pte & PTE_DIRTY) && may_write(d, pte_mfn(e)))
		f |= PTE_RW | PTE_DIRTY;
	return (pte_t){ f };
}

/* Follows the guest's tables. False: va is not mapped. */
static bool walk_guest(const struct vcpu *v, unsigned long va, struct walk *w)
{
	mfn_t t = v->arch.flags & TF_kernel_mode ? v->arch.guest_table :
						   v->arch.guest_table_user;
	const unsigned int index[] = { l4_index(va), l3_index(va), l2_index(va) };

	if (no_table(t))
		return false;
	w->rw = PTE_RW;
	w->nx = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(index); i++) {
		const pte_t e = { read_once(((const pte_t *)mfn_to_virt(t))[index[i]].pte) };

		/* Larger pages are never part of a guest's tables. */
		if (!pte_present(e) || (i && (e.pte & PTE_PSE)))
			return false;
		w->rw &= e.pte;
		w->nx |= e.pte & PTE_NX;
		t = pte_mfn(e);
	}
	w->leaves = mfn_to_virt(t);
	w->p = (pte_t *)mfn_to_virt(t) + l1_index(va);
	w->leaf.pte = read_once(w->p->pte);
	return pte_present(w->leaf);
}

/*
 * The guest's leaf gets accessed and dirty, as from the CPU's own walk. False: it
 * changed under us. The table's page was written, then.
 */
static bool set_accessed(struct walk *w, bool write)
{
	const uint64_t want = PTE_ACCESSED | (write ? PTE_DIRTY : 0);
	const pte_t new = { w->leaf.pte | want };

	if (new.pte == w->leaf.pte)
		return true;
	if (atomic_cmpxchg(&w->p->pte, w->leaf.pte, new.pte) != w->leaf.pte)
		return false;
	w->leaf = new;
	log_dirty_page(virt_to_page((void *)((unsigned long)w->p & PAGE_MASK)));
	return true;
}

/* Leaves beside the one that faulted, if the guest has accessed them before: no side effects. */
static void fill_neighbours(const struct domain *d, const struct walk *w, pte_t *leaf,
			    unsigned int index)
{
	const unsigned int first = index & ~(NEIGHBOURS - 1);

	for (unsigned int i = first; i < first + NEIGHBOURS; i++) {
		const pte_t e = { read_once(w->leaves[i].pte) };
		pte_t *to = leaf - index + i;

		if (i != index && (e.pte & (PTE_PRESENT | PTE_ACCESSED)) ==
		    (PTE_PRESENT | PTE_ACCESSED) && !pte_present(*to))
			write_once(to->pte, shadow_leaf(d, w, e).pte);
	}
}

/* Enters the leaf. False: it was there, and allowed what faulted. */
static bool enter_leaf(struct vcpu *v, unsigned long va, const struct walk *w)
{
	struct shadow *s = v->arch.shadow;
	const unsigned int r = v->arch.flags & TF_kernel_mode;
	const pte_t new = shadow_leaf(v->domain, w, w->leaf);
	pte_t *p = make_leaf(s, r, va), old;

	if (unlikely(!p)) {
		empty(s);
		flush_tlb_local();	/* before a table is used again elsewhere */
		p = make_leaf(s, r, va);
		BUG_ON(!p);
	}
	old = *p;
	if (pte_present(old))
		flush_tlb_one_local(va);	/* and what either root has for it */
	write_once(p->pte, new.pte);
	if (!pte_present(old))
		fill_neighbours(v->domain, w, p, l1_index(va));
	return (old.pte ^ new.pte) & ~PTE_ACCESSED;
}

/*
 * A store to the page behind w->leaf is about to be made; or, if it is a leaf
 * table that may not be written, emulated.
 */
static void log_write(struct domain *d, const struct walk *w, bool allowed)
{
	const mfn_t mfn = pte_mfn(w->leaf);
	const struct page_info *pg = mfn_valid(mfn) ? mfn_to_page(mfn) : NULL;

	if (!pg || page_get_owner(pg) != d)
		return;
	if (allowed || (read_once(pg->type_info) & PGT_type_mask) == PGT_l1_page_table)
		log_dirty_mark_pfn(d, get_gpfn_from_mfn(mfn));
}

/* As shadow_fault(), interrupts off. */
static bool fill(struct vcpu *v, unsigned long va, unsigned int *ec)
{
	struct shadow *s = v->arch.shadow;
	const bool write = *ec & PF_WRITE;
	struct walk w;

	for (unsigned int tries = 0; tries < WALK_TRIES; tries++) {
		if (!walk_guest(v, va, &w)) {
			*ec &= ~PF_PRESENT;
			return false;
		}
		if (write)
			log_write(v->domain, &w, w.rw & w.leaf.pte);
		if ((write && !(w.rw & w.leaf.pte)) ||
		    ((*ec & PF_FETCH) && ((w.nx | w.leaf.pte) & PTE_NX))) {
			*ec |= PF_PRESENT;
			return false;
		}
		if (!set_accessed(&w, write))
			continue;
		if (write)
			log_dirty_count_fault(v->domain);
		if (likely(enter_leaf(v, va, &w))) {
			s->spurious = 0;
			return true;
		}
		/* The CPU had an older entry, which its fault has dropped: once, that is. */
		if ((*ec & PF_USER) || s->spurious != va + 1) {
			s->spurious = va + 1;
			return true;
		}
		return false;
	}
	return true;		/* the instruction is tried again, and so are we */
}

bool shadow_fault(struct vcpu *v, unsigned long va, unsigned int *ec)
{
	unsigned long flags;
	bool done;

	if (!guest_va_ok(va) || (*ec & PF_RESERVED))
		return false;
	flags = local_irq_save();
	done = fill(v, va, ec);
	local_irq_restore(flags);
	return done;
}
