/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts of domains. A pirq is the number that a domain knows an
 * interrupt by; mapping gives it an irq (a GSI or an MSI), binding connects it
 * to an event channel and opens the source.
 *
 * A level-triggered irq stays masked from its arrival until every guest that
 * shares it has said EOI. A guest learns which pirqs need that from a page of
 * bits (pirq_eoi_gmfn), so that edge ones cost it no hypercall.
 *
 * Locks: mapping is serialised by pcidevs_lock and, as bind and unbind are,
 * by the domain's event_lock (key e). The table itself, once made, lives until
 * nobody can look at it any more (core/quiesce.h), so interrupts and
 * PHYSDEVOP_eoi read it without a lock.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/lib.h>
#include <core/quiesce.h>
#include <core/xmalloc.h>
#include <arch/irq.h>
#include <arch/map.h>
#include <x86/irq.h>
#include <x86/msi.h>
#include <x86/pci.h>
#include <x86/pirq.h>
#include <x86/platform.h>
#include <x86/rangeset.h>

/* d->arch.pirq points at map[]. */
struct pirq_table {
	struct quiesce_head quiesce;
	unsigned int nr;
	struct pirq_map *map[];
};

unsigned int domain_nr_pirqs(const struct domain *d)
{
	return d->is_hardware ? nr_irqs : nr_gsis + 32;
}

static struct pirq_map *get_pirq(const struct domain *d, unsigned int pirq)
{
	struct pirq_map **table = read_once(d->arch.pirq);

	return table && pirq < d->arch.nr_pirqs ? read_once(table[pirq]) : NULL;
}

/*
 * As get_pirq, but makes it; event_lock held (or the domain not yet running).
 * NULL without memory.
 */
static struct pirq_map *make_pirq(struct domain *d, unsigned int pirq)
{
	struct pirq_table *t;
	unsigned int nr = domain_nr_pirqs(d);

	if (d->is_dying != DOMDYING_alive || pirq >= nr)
		return NULL;
	if (!d->arch.pirq) {
		t = xzalloc_bytes(sizeof(*t) + nr * sizeof(t->map[0]), __alignof__(*t));
		if (!t)
			return NULL;
		t->nr = d->arch.nr_pirqs = nr;
		atomic_store(&d->arch.pirq, t->map);
	}
	if (!d->arch.pirq[pirq])
		atomic_store(&d->arch.pirq[pirq], xzalloc(struct pirq_map));
	return d->arch.pirq[pirq];
}

int domain_pirq_to_irq(const struct domain *d, unsigned int pirq)
{
	struct pirq_map *m = get_pirq(d, pirq);
	int irq = m ? read_once(m->irq) : 0;

	return irq > 0 ? irq : 0;
}

/* The other direction, rare. */
static int irq_to_pirq(const struct domain *d, int irq)
{
	for (unsigned int i = 0; d->arch.pirq && i < d->arch.nr_pirqs; i++)
		if (d->arch.pirq[i] && d->arch.pirq[i]->irq == irq)
			return (int)i;
	return -1;
}

static bool irq_permitted(const struct domain *d, unsigned int irq)
{
	return d->is_hardware ||
	       (d->arch.irq_caps && rangeset_contains(d->arch.irq_caps, irq, irq));
}

int pirq_set_permission(struct domain *d, unsigned int pirq, bool allow)
{
	const struct domain *caller = current->domain;
	int irq = domain_pirq_to_irq(caller, pirq);

	if (!irq && caller->is_hardware && gsi_valid(pirq))
		irq = (int)pirq;
	if (irq <= 0)
		return -EINVAL;
	if (!irq_permitted(caller, (unsigned int)irq))
		return -EPERM;
	if (!d->arch.irq_caps)
		return -ENOMEM;
	return allow ? rangeset_add(d->arch.irq_caps, (unsigned int)irq, (unsigned int)irq) :
		       rangeset_remove(d->arch.irq_caps, (unsigned int)irq, (unsigned int)irq);
}

/* ---- the EOI page ---- */

static void set_needs_eoi(struct domain *d, unsigned int pirq, bool needed)
{
	unsigned long *map = read_once(d->arch.pirq_eoi_map);

	if (!map || pirq >= PAGE_SIZE * 8)
		return;
	if (needed)
		set_bit(pirq, map);
	else
		clear_bit(pirq, map);
}

int pirq_set_eoi_page(struct domain *d, unsigned long gmfn, bool auto_unmask)
{
	struct page_info *pg = get_page_from_gfn(d, _gfn(gmfn));
	struct pirq_map *m;
	int rc = 0;

	if (!pg)
		return -EINVAL;
	if (get_page_type(pg, PGT_writable_page)) {
		put_page(pg);
		return -EINVAL;
	}
	spin_lock(&d->event_lock);
	if (d->arch.pirq_eoi_map) {
		rc = -EBUSY;
	} else {
		d->arch.pirq_eoi_map_mfn = page_to_mfn(pg);
		write_once(d->arch.pirq_eoi_map, page_to_virt(pg));
		d->arch.auto_unmask = auto_unmask;
		for (unsigned int i = 0; i < d->arch.nr_pirqs; i++) {
			m = get_pirq(d, i);
			if (m && m->bound)
				set_needs_eoi(d, i,
					      irq_to_desc((unsigned int)m->irq)->type == IRQ_LEVEL);
		}
	}
	spin_unlock(&d->event_lock);
	if (rc)
		put_page_and_type(pg);
	return rc;
}

/* ---- arch/irq.h: event channels ask ---- */

int pirq_check(struct domain *d, unsigned int pirq)
{
	int irq;

	if (pirq >= domain_nr_pirqs(d))
		return -EINVAL;
	irq = domain_pirq_to_irq(d, pirq);
	return irq_permitted(d, (unsigned int)irq) ? 0 : -EPERM;
}

unsigned int pirq_evtchn(const struct domain *d, unsigned int pirq)
{
	struct pirq_map *m = get_pirq(d, pirq);

	return m ? read_once(m->evtchn) : 0;
}

void pirq_set_evtchn(struct domain *d, unsigned int pirq, unsigned int port)
{
	struct pirq_map *m = port ? make_pirq(d, pirq) : get_pirq(d, pirq);

	if (m)
		write_once(m->evtchn, port);
}

/*
 * Adds a guest to desc, opening the source for the first one. desc->lock held.
 * 0, -EBUSY, -ENOSPC.
 */
static int add_guest(struct irq_desc *desc, struct vcpu *v, unsigned int pirq, bool will_share)
{
	int rc;

	if (desc->fn)
		return -EBUSY;
	if (!desc->nr_guests) {
		rc = irq_setup_source(desc, v->processor);
		if (rc)
			return rc;
		desc->shareable = will_share;
		desc->in_flight = 0;
	} else if (!will_share || !desc->shareable || desc->nr_guests >= IRQ_MAX_GUESTS) {
		return -EBUSY;
	}
	desc->guest[desc->nr_guests++] = (struct irq_guest){ .d = v->domain, .pirq = pirq };
	desc->bound = true;
	if (desc->nr_guests == 1) {
		if (desc->type == IRQ_MSI)
			msi_startup(desc->msi);
		irq_unmask(desc);
	}
	return 0;
}

/* dom0 may bind the ISA interrupts without mapping them first. event_lock held. */
static struct pirq_map *pirq_to_bind(struct domain *d, unsigned int pirq)
{
	struct pirq_map *m;

	if (!d->is_hardware || !pirq || pirq >= 16 || !gsi_valid(pirq))
		return get_pirq(d, pirq);
	m = make_pirq(d, pirq);
	if (m && !m->irq)
		m->irq = (int)pirq;
	return m;
}

int pirq_guest_bind(struct vcpu *v, unsigned int pirq, bool will_share)
{
	struct pirq_map *m = pirq_to_bind(v->domain, pirq);
	struct irq_desc *desc;
	unsigned long flags;
	int rc;

	if (!m || m->irq <= 0)
		return -EINVAL;
	desc = irq_to_desc((unsigned int)m->irq);
	if (desc->irq < nr_gsis && !gsi_valid(desc->irq))
		return -EINVAL;
	spin_lock_irqsave(&desc->lock, flags);
	rc = desc->irq >= nr_gsis && !desc->msi ? -EINVAL : add_guest(desc, v, pirq, will_share);
	if (!rc) {
		m->masked = false;
		m->bound = true;
		set_needs_eoi(v->domain, pirq, desc->type == IRQ_LEVEL);
	}
	spin_unlock_irqrestore(&desc->lock, flags);
	if (rc)
		gprintk(XENLOG_INFO, "cannot bind pirq %u (irq %d): error %d\n", pirq, m->irq, rc);
	return rc;
}

/* One guest less that owes an EOI. desc->lock held. */
static void guest_done(struct irq_desc *desc, struct pirq_map *m)
{
	if (!m->masked)
		return;
	m->masked = false;
	if (desc->in_flight && --desc->in_flight == 0 && desc->nr_guests)
		irq_unmask(desc);
}

void pirq_guest_unbind(struct domain *d, unsigned int pirq)
{
	struct pirq_map *m = get_pirq(d, pirq);
	struct irq_desc *desc;
	unsigned long flags;
	unsigned int i = 0;

	if (!m || !m->bound)
		return;
	desc = irq_to_desc((unsigned int)m->irq);
	spin_lock_irqsave(&desc->lock, flags);
	while (i < desc->nr_guests && desc->guest[i].d != d)
		i++;
	BUG_ON(i == desc->nr_guests);
	desc->nr_guests--;
	for (; i < desc->nr_guests; i++)
		desc->guest[i] = desc->guest[i + 1];
	if (!desc->nr_guests) {
		irq_mask(desc);
		desc->bound = false;
	}
	guest_done(desc, m);
	m->bound = false;
	spin_unlock_irqrestore(&desc->lock, flags);
}

void pirq_guest_eoi(struct domain *d, unsigned int pirq)
{
	struct pirq_map *m = get_pirq(d, pirq);
	struct irq_desc *desc;
	unsigned long flags;
	int irq;

	if (!m || !read_once(m->masked))
		return;
	irq = read_once(m->irq);
	if (irq <= 0)
		return;
	desc = irq_to_desc((unsigned int)irq);
	spin_lock_irqsave(&desc->lock, flags);
	guest_done(desc, m);
	spin_unlock_irqrestore(&desc->lock, flags);
}

void pirq_set_affinity(struct domain *d, unsigned int pirq, const struct vcpu *v)
{
	int irq = domain_pirq_to_irq(d, pirq);
	struct irq_desc *desc;
	unsigned long flags;

	if (!irq)
		return;
	desc = irq_to_desc((unsigned int)irq);
	if (read_once(desc->cpu) == v->processor)
		return;
	spin_lock_irqsave(&desc->lock, flags);
	if (desc->bound)
		irq_set_cpu(desc, v->processor);
	spin_unlock_irqrestore(&desc->lock, flags);
}

/*
 * The interrupt itself. The guests are copied, as events are sent without the
 * descriptor's lock; a domain cannot vanish before this CPU runs softirqs.
 */
void irq_to_guests(struct irq_desc *desc)
{
	struct irq_guest guest[IRQ_MAX_GUESTS];
	unsigned int nr = desc->nr_guests;
	struct pirq_map *m;

	for (unsigned int i = 0; i < nr; i++) {
		guest[i] = desc->guest[i];
		if (desc->type != IRQ_LEVEL)
			continue;
		m = get_pirq(guest[i].d, guest[i].pirq);
		if (m && !m->masked) {
			m->masked = true;
			desc->in_flight++;
		}
	}
	spin_unlock(&desc->lock);
	for (unsigned int i = 0; i < nr; i++)
		send_guest_pirq(guest[i].d, guest[i].pirq);
}

int pirq_eoi(struct domain *d, unsigned int pirq)
{
	struct pirq_map *m;

	if (pirq >= domain_nr_pirqs(d) || !(m = get_pirq(d, pirq)))
		return -EINVAL;
	if (d->arch.auto_unmask && m->evtchn)
		evtchn_unmask(m->evtchn);
	pirq_guest_eoi(d, pirq);
	return 0;
}

bool pirq_shared(const struct domain *d, unsigned int pirq)
{
	int irq = domain_pirq_to_irq(d, pirq);

	return irq && read_once(irq_to_desc((unsigned int)irq)->nr_guests) > 1;
}

/* ---- mapping ---- */

/* A number with nothing behind it, n consecutive ones not being needed. event_lock held. */
static int find_free(struct domain *d, bool gsi)
{
	unsigned int nr = domain_nr_pirqs(d);

	for (unsigned int i = 16; gsi && i < nr_gsis; i++)
		if (!get_pirq(d, i) || !get_pirq(d, i)->irq)
			return (int)i;
	for (unsigned int i = nr - 1; i >= nr_gsis; i--)
		if (!get_pirq(d, i) || !get_pirq(d, i)->irq)
			return (int)i;
	return -ENOSPC;
}

int pirq_get_free(struct domain *d, int type)
{
	struct pirq_map *m;
	int pirq;

	spin_lock(&d->event_lock);
	pirq = find_free(d, type == MAP_PIRQ_TYPE_GSI);
	if (pirq >= 0) {
		m = make_pirq(d, (unsigned int)pirq);
		if (m)
			m->irq = PIRQ_RESERVED;
		else
			pirq = -ENOMEM;
	}
	spin_unlock(&d->event_lock);
	return pirq;
}

/* Puts irq behind *pirq, choosing one if negative. event_lock held. */
static int map_irq(struct domain *d, int irq, bool gsi, int *pirq)
{
	int have = irq_to_pirq(d, irq), n = *pirq;
	struct pirq_map *m;
	int rc;

	if (n < 0)
		n = have >= 0 ? have : find_free(d, gsi);
	else if (have >= 0 && have != n)
		return -EEXIST;
	if (n < 0)
		return n;
	if ((unsigned int)n >= domain_nr_pirqs(d))
		return -EINVAL;
	m = make_pirq(d, (unsigned int)n);
	if (!m)
		return -ENOMEM;
	if (m->irq > 0 && m->irq != irq)
		/* A GSI mapped otherwise is left as it is, and no error. */
		return gsi ? 0 : -EEXIST;
	if (!irq_permitted(d, (unsigned int)irq)) {
		rc = rangeset_add(d->arch.irq_caps, (unsigned int)irq, (unsigned int)irq);
		if (rc)
			return rc;
	}
	m->irq = irq;
	*pirq = n;
	return 0;
}

int pirq_map_gsi(struct domain *d, int gsi, int *pirq)
{
	const struct domain *caller = current->domain;
	int irq, rc;

	if (gsi < 0 || (unsigned int)gsi >= nr_gsis)
		return -EINVAL;
	irq = domain_pirq_to_irq(caller, (unsigned int)gsi);
	if (!irq && caller->is_hardware)
		irq = gsi;
	if (irq <= 0)
		return -EINVAL;
	if (!irq_permitted(caller, (unsigned int)irq))
		return -EPERM;
	spin_lock(&pcidevs_lock);
	spin_lock(&d->event_lock);
	rc = map_irq(d, irq, true, pirq);
	spin_unlock(&d->event_lock);
	spin_unlock(&pcidevs_lock);
	return rc;
}

int pirq_map_msi(struct domain *d, const struct msi_request *req, int *pirq)
{
	int irq = irq_alloc(), rc;

	if (irq < 0)
		return irq;
	spin_lock(&pcidevs_lock);
	rc = msi_attach(req, (unsigned int)irq);
	if (rc)
		goto free;
	spin_lock(&d->event_lock);
	rc = map_irq(d, irq, false, pirq);
	spin_unlock(&d->event_lock);
	if (rc) {
		msi_detach((unsigned int)irq);
free:
		irq_free((unsigned int)irq);
	}
	spin_unlock(&pcidevs_lock);
	return rc;
}

/* pcidevs_lock and event_lock held. */
static int unmap_locked(struct domain *d, unsigned int pirq)
{
	struct pirq_map *m = get_pirq(d, pirq);
	unsigned int irq;

	if (!m || m->irq <= 0)
		return -EINVAL;
	irq = (unsigned int)m->irq;
	pirq_guest_unbind(d, pirq);
	if (irq >= nr_gsis) {
		msi_detach(irq);
		irq_free(irq);
	}
	if (d->arch.irq_caps && !d->is_hardware)
		rangeset_remove(d->arch.irq_caps, irq, irq);
	m->irq = 0;
	return 0;
}

int pirq_unmap(struct domain *d, int pirq)
{
	int rc;

	if (pirq < 0 || (unsigned int)pirq >= domain_nr_pirqs(d))
		return -EINVAL;
	spin_lock(&pcidevs_lock);
	spin_lock(&d->event_lock);
	rc = unmap_locked(d, (unsigned int)pirq);
	spin_unlock(&d->event_lock);
	spin_unlock(&pcidevs_lock);
	return rc;
}

/* ---- the end of a domain ---- */

static void free_table(struct quiesce_head *head)
{
	struct pirq_table *t = container_of(head, struct pirq_table, quiesce);

	for (unsigned int i = 0; i < t->nr; i++)
		xfree(t->map[i]);
	xfree(t);
}

void pirqs_release(struct domain *d)
{
	struct pirq_map **map;

	spin_lock(&pcidevs_lock);
	spin_lock(&d->event_lock);
	map = d->arch.pirq;
	for (unsigned int i = 0; map && i < d->arch.nr_pirqs; i++)
		unmap_locked(d, i);
	d->arch.pirq = NULL;
	if (d->arch.pirq_eoi_map) {
		put_page_and_type(mfn_to_page(d->arch.pirq_eoi_map_mfn));
		d->arch.pirq_eoi_map = NULL;
	}
	spin_unlock(&d->event_lock);
	spin_unlock(&pcidevs_lock);
	if (map)
		quiesce_call(&container_of(map, struct pirq_table, map)->quiesce, free_table);
}
