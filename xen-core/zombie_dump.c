/* SPDX-License-Identifier: MIT */
/*
 * Debug key 'Z': who keeps the memory of dying domains, by grants and by mappings without a grant. Tools
 * read it from the message ring, so each line tells all:
 *	dying d5: 3 pages
 *	dying d5: 2 grants mapped by d0, first reference 8
 *	dying d5: 1 mappings by d0
 * No lock is held for longer than one entry: what changes meanwhile may be counted wrongly.
 */
#include <core/console.h>
#include <core/keyhandler.h>
#include <core/lib.h>
#include <arch/domain.h>
#include <arch/spinlock.h>
#include "grant_private.h"

#define MAX_HOLDERS 32U

struct holders {
	struct holder {
		const struct domain *of, *by;
		unsigned int grants, first;
		unsigned long entries;		/* of page tables */
		unsigned long granted;		/* of those, by grants */
	} list[MAX_HOLDERS];
	unsigned int count;
};

/* NULL: there are too many of them. */
static struct holder *holder_of(struct holders *h, const struct domain *of, const struct domain *by)
{
	for (unsigned int i = 0; i < h->count; i++)
		if (h->list[i].of == of && h->list[i].by == by)
			return &h->list[i];
	if (h->count == MAX_HOLDERS)
		return NULL;
	h->list[h->count] = (struct holder){ .of = of, .by = by };
	return &h->list[h->count++];
}

static void count_entry(const struct domain *by, const struct domain *dying, void *data)
{
	struct holder *one = holder_of(data, dying, by);

	if (one)
		one->entries++;
}

static const struct domain *domain_listed(domid_t id)
{
	const struct domain *d;

	for_each_domain(d)
		if (d->domain_id == id)
			return d;
	return NULL;
}

static void count_grants(const struct domain *d, struct holders *h)
{
	const struct grant_table *gt = d->grant_table;

	for (grant_ref_t ref = 0; gt && ref < gt_entries(gt); ref++) {
		struct active_entry *act = gt_active(gt, ref);
		const struct domain *by;
		struct holder *one;
		uint32_t pin;
		domid_t id;

		spin_lock(&act->lock);
		pin = act->pin;
		id = act->domid;
		spin_unlock(&act->lock);
		by = pin ? domain_listed(id) : NULL;
		one = by ? holder_of(h, d, by) : NULL;
		if (!one)
			continue;
		if (!one->grants++)
			one->first = ref;
		one->granted += (pin / PIN_HOST_W & 0xff) + (pin / PIN_HOST_R & 0xff);
	}
}

static void say_holder(const struct holder *one)
{
	if (one->grants)
		printk("dying %pd: %u grants mapped by %pd, first reference %u\n", one->of, one->grants,
		       one->by, one->first);
	if (one->entries > one->granted)
		printk("dying %pd: %lu mappings by %pd\n", one->of, one->entries - one->granted,
		       one->by);
}

void zombies_dump(unsigned char key __maybe_unused)
{
	struct holders h = { .count = 0 };
	const struct domain *d;
	bool any = false;

	printk("'Z' pressed -> what holds dying domains\n");
	for_each_domain(d) {
		if (d->is_dying == DOMDYING_alive)
			continue;
		printk("dying %pd: %lu pages\n", d, d->tot_pages + d->xenheap_pages);
		count_grants(d, &h);
		any = true;
	}
	if (any)
		arch_each_mapping(count_entry, &h);
	for (unsigned int i = 0; i < h.count; i++)
		say_holder(&h.list[i]);
}
