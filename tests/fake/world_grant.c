/* SPDX-License-Identifier: MIT */
/*
 * Memory and grants of the fake world. All pages lie in one memory file, so that a granted page can be
 * mapped at another address, and an access after unmapping faults as it would on Xen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "private.h"

/* First of @count adjacent pages of the file; single ones are used again, so long tests stay small. */
static unsigned int take_pages(struct world *w, unsigned int count)
{
	unsigned int first = w->free_single;

	if (count == 1 && first) {
		w->free_single = w->pages[first].next_free;
		return first;
	}
	if (!w->nr_pages)
		w->nr_pages = 1;	/* 0 ends the list of free ones */
	while (w->nr_pages + count > w->page_room) {
		w->page_room = w->page_room ? w->page_room * 2 : 256;
		w->pages = realloc(w->pages, w->page_room * sizeof(*w->pages));
	}
	first = w->nr_pages;
	w->nr_pages += count;
	return first;
}

static void *map_pages(struct world *w, unsigned int first, unsigned int count, void *where,
		       int prot)
{
	void *p = mmap(where, (size_t)count * PV_PAGE_SIZE, prot,
		       MAP_SHARED | (where ? MAP_FIXED : 0), w->memory,
		       (off_t)first * PV_PAGE_SIZE);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void *pv_pages_alloc(struct pv_domain *d, unsigned int count)
{
	struct world *w = d->world;
	struct region *r;

	if (world_fails(d) || !count)
		return NULL;
	r = calloc(1, sizeof(*r));
	r->first = take_pages(w, count);
	r->count = count;
	r->address = map_pages(w, r->first, count, NULL, PROT_READ | PROT_WRITE);
	if (count == 1)			/* more are always fresh, and untouched ones cost nothing */
		memset(r->address, 0, PV_PAGE_SIZE);
	r->next = d->regions;
	d->regions = r;
	for (unsigned int i = 0; i < count; i++)
		w->pages[r->first + i] = (struct page){
			.owner = d, .address = r->address + i * PV_PAGE_SIZE,
		};
	return r->address;
}

static bool is_shared(const struct pv_domain *d, const struct region *r)
{
	for (unsigned int i = FIRST_GRANT; i < d->grant_top; i++)
		if (d->grants[i].used && d->grants[i].page - r->first < r->count)
			return true;
	return false;
}

static void free_region(struct pv_domain *d, struct region **link)
{
	struct world *w = d->world;
	struct region *r = *link;

	munmap(r->address, (size_t)r->count * PV_PAGE_SIZE);
	for (unsigned int i = 0; i < r->count; i++) {
		w->pages[r->first + i] = (struct page){ .next_free = w->free_single };
		w->free_single = r->first + i;
	}
	*link = r->next;
	free(r);
}

void pv_pages_free(struct pv_domain *d, void *pages, unsigned int count)
{
	struct region **r = &d->regions;

	while (*r && (*r)->address != pages)
		r = &(*r)->next;
	if (!*r || (*r)->count != count || is_shared(d, *r))
		abort();		/* not allocated so, or still offered to others */
	free_region(d, r);
}

void grant_drop_pages(struct pv_domain *d, bool all)
{
	struct region **r = &d->regions;

	while (*r) {
		if (all || !is_shared(d, *r))
			free_region(d, r);
		else
			r = &(*r)->next;
	}
}

static unsigned int page_of(const struct pv_domain *d, const char *address)
{
	for (const struct region *r = d->regions; r; r = r->next)
		if (address >= r->address && address < r->address + (size_t)r->count * PV_PAGE_SIZE)
			return r->first + (address - r->address) / PV_PAGE_SIZE;
	abort();			/* shares what it does not have */
}

int pv_grant_share(struct pv_domain *d, domid_t to, void *page, bool writable, grant_ref_t *ref)
{
	unsigned int i = FIRST_GRANT;

	if (world_fails(d))
		return -XEN_ENOSPC;
	while (i < d->grant_top && d->grants[i].used)
		i++;
	if (i == MAX_GRANTS)
		return -XEN_ENOSPC;
	if (i == d->grant_top)
		d->grant_top++;
	d->grants[i] = (struct grant){
		.used = true, .writable = writable, .to = to, .page = page_of(d, page),
	};
	d->grants_used++;
	*ref = i;
	return 0;
}

int pv_grant_unshare(struct pv_domain *d, grant_ref_t ref)
{
	if (ref >= d->grant_top || !d->grants[ref].used)
		abort();		/* ours to know */
	if (d->grants[ref].pins)
		return -XEN_EBUSY;
	d->grants[ref].used = false;
	d->grants_used--;
	return 0;
}

/* The grant @ref of @from if @d may use it so; else the reason in *status. */
static struct grant *look_up(struct pv_domain *d, domid_t from, grant_ref_t ref, bool writable,
			     int16_t *status)
{
	struct pv_domain *owner = world_find(d->world, from);
	struct grant *g;

	*status = GNTST_bad_domain;
	if (!owner)
		return NULL;
	*status = GNTST_bad_gntref;
	if (ref >= owner->grant_top)
		return NULL;
	g = &owner->grants[ref];
	if (!g->used || g->to != d->domid || (writable && !g->writable))
		return NULL;
	*status = GNTST_okay;
	return g;
}

int pv_grant_map(struct pv_domain *d, domid_t from, const grant_ref_t *refs, unsigned int count,
		 bool writable, void **address)
{
	struct grant *g;
	struct map *m;
	int16_t status;

	if (world_fails(d))
		return -XEN_ENOMEM;
	for (unsigned int i = 0; i < count; i++)
		if (!look_up(d, from, refs[i], writable, &status))
			return -XEN_EINVAL;
	m = calloc(1, sizeof(*m) + count * sizeof(*refs));
	m->count = count;
	m->from = from;
	m->address = mmap(NULL, (size_t)count * PV_PAGE_SIZE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (unsigned int i = 0; i < count; i++) {
		g = look_up(d, from, refs[i], writable, &status);
		g->pins++;
		m->refs[i] = refs[i];
		map_pages(d->world, g->page, 1, m->address + i * PV_PAGE_SIZE,
			  PROT_READ | (writable ? PROT_WRITE : 0));
	}
	m->next = d->maps;
	d->maps = m;
	*address = m->address;
	return 0;
}

static void drop_map(struct pv_domain *d, struct map **link)
{
	struct map *m = *link;
	struct pv_domain *owner = world_find(d->world, m->from);

	munmap(m->address, (size_t)m->count * PV_PAGE_SIZE);
	for (unsigned int i = 0; owner && i < m->count; i++)
		owner->grants[m->refs[i]].pins--;
	*link = m->next;
	free(m);
}

int pv_grant_unmap(struct pv_domain *d, void *address, unsigned int count)
{
	struct map **m = &d->maps;

	while (*m && (*m)->address != address)
		m = &(*m)->next;
	if (!*m || (*m)->count != count)
		abort();		/* ours to know */
	drop_map(d, m);
	return 0;
}

void grant_drop_maps(struct pv_domain *d)
{
	while (d->maps)
		drop_map(d, &d->maps);
}

static void copy_one(struct pv_domain *d, struct pv_copy *c)
{
	struct grant *g = look_up(d, c->domid, c->ref, c->to_grant, &c->status);
	char *page;

	if (!g)
		return;
	if (c->offset + c->bytes > PV_PAGE_SIZE) {
		c->status = GNTST_bad_copy_arg;
		return;
	}
	page = d->world->pages[g->page].address + c->offset;
	if (c->to_grant)
		memcpy(page, c->local, c->bytes);
	else
		memcpy(c->local, page, c->bytes);
}

int pv_grant_copy(struct pv_domain *d, struct pv_copy *pieces, unsigned int count)
{
	bool fails = world_fails(d);

	if (fails && world_random(d->world, 2))
		return -XEN_ENOMEM;
	for (unsigned int i = 0; i < count; i++)
		copy_one(d, &pieces[i]);
	if (fails && count)
		pieces[world_random(d->world, count)].status = GNTST_general_error;
	return 0;
}
