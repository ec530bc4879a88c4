/* SPDX-License-Identifier: MIT */
/*
 * Persistent grants: pages of the guest kept mapped because its frontend promised to use the same ones
 * again, found by reference in a hash table. Above the limit those not used lately are unmapped, by a
 * clock's hand.
 */
#include "private.h"

#define LIMIT_PER_SLOT	BLKIF_MAX_SEGMENTS_PER_REQUEST
#define LIMIT_MAX	1056U	/* mapped pages for each queue */
#define TABLE_PAGES	12	/* 2,048 slots of 24 bytes */

int persist_init(struct queue *q)
{
	struct persist *p = &q->persist;

	p->slots = pv_pages_alloc(q->device->domain, TABLE_PAGES);
	if (!p->slots)
		return -XEN_ENOMEM;
	p->room = TABLE_PAGES * PV_PAGE_SIZE / sizeof(*p->slots) / 1024 * 1024;
	p->count = 0;
	p->hand = 0;
	p->limit = q->ring.size * LIMIT_PER_SLOT;
	if (p->limit > LIMIT_MAX)
		p->limit = LIMIT_MAX;
	return 0;
}

static unsigned int home(const struct persist *p, grant_ref_t ref)
{
	return (ref * 2654435761U) >> 16 & (p->room - 1);
}

/* The reference's slot, or the empty one where it belongs. */
static struct persist_slot *find(struct persist *p, grant_ref_t ref)
{
	unsigned int i = home(p, ref);

	while (p->slots[i].address && p->slots[i].ref != ref)
		i = (i + 1) & (p->room - 1);
	return &p->slots[i];
}

/* Unmaps the page in slot @i, and moves up those behind it that would not be found any more. */
static void drop(struct queue *q, unsigned int i)
{
	struct persist *p = &q->persist;
	unsigned int mask = p->room - 1, next = i;

	pv_grant_unmap(q->device->domain, p->slots[i].address, 1);
	p->slots[i].address = NULL;
	p->count--;
	for (;;) {
		next = (next + 1) & mask;
		if (!p->slots[next].address)
			return;
		if (((next - home(p, p->slots[next].ref)) & mask) < ((next - i) & mask))
			continue;
		p->slots[i] = p->slots[next];
		p->slots[next].address = NULL;
		i = next;
	}
}

/* Makes room for one; false: all are in use. */
static bool evict(struct queue *q)
{
	struct persist *p = &q->persist;

	for (unsigned int turns = 2 * p->room; turns; turns--) {
		struct persist_slot *s = &p->slots[p->hand];

		if (s->address && !s->users && !s->recent) {
			drop(q, p->hand);
			return true;
		}
		s->recent = false;
		p->hand = (p->hand + 1) & (p->room - 1);
	}
	return false;
}

char *persist_get(struct queue *q, grant_ref_t ref)
{
	struct persist *p = &q->persist;
	struct persist_slot *s = find(p, ref);
	void *address;

	if (!s->address) {
		if (p->count >= p->limit && !evict(q))
			return NULL;
		if (pv_grant_map(q->device->domain, q->device->bus.peer, &ref, 1, true, &address))
			return NULL;
		s = find(p, ref);	/* eviction may have moved things */
		s->ref = ref;
		s->address = address;
		s->users = 0;
		p->count++;
	}
	s->users++;
	s->recent = true;
	return s->address;
}

void persist_put(struct queue *q, grant_ref_t ref)
{
	find(&q->persist, ref)->users--;
}

void persist_drop_all(struct queue *q)
{
	struct persist *p = &q->persist;

	if (!p->slots)
		return;
	for (unsigned int i = 0; i < p->room; i++)
		if (p->slots[i].address)
			pv_grant_unmap(q->device->domain, p->slots[i].address, 1);
	pv_pages_free(q->device->domain, p->slots, TABLE_PAGES);
	p->slots = NULL;
}
