/* SPDX-License-Identifier: MIT */
/*
 * The FIFO port ABI: one 32-bit event word per port, in pages that the guest
 * gives (the event array), and per vcpu a control block with the heads of 16
 * queues, one a priority. A pending, unmasked port is linked to the tail of the
 * queue of its priority on the vcpu that it notifies; the guest unlinks from
 * the head. Sources: <xen/event_channel.h>, the FIFO ABI design document.
 *
 * The queues of a vcpu have one lock. A port that is still linked where it was
 * bound before (other vcpu, other priority) stays there until the guest takes
 * it off, so linking may have to look at two vcpus' queues.
 * The words are shared with a guest that may write anything at any time: links
 * read from them are never followed, and every retry is bounded.
 */
#include "event_private.h"
#include <core/log_dirty.h>
#include <core/mm.h>
#include <core/xmalloc.h>
#include <arch/map.h>

struct evtchn_fifo_vcpu {
	spinlock_t lock;		/* queues, and last_* of channels linked to them */
	struct evtchn_fifo_control_block *control;	/* (e) set once; the guest's page */
	uint32_t tail[EVTCHN_FIFO_MAX_QUEUES];	/* last port linked, 0 = none */
};

#define WORDS_PER_PAGE	((unsigned int)(PAGE_SIZE / sizeof(event_word_t)))
#define MAX_ARRAY_PAGES	(MAX_EVTCHNS_FIFO / WORDS_PER_PAGE)

struct evtchn_fifo_domain {
	unsigned int nr_words;		/* (e) to grow: ports that have an event word */
	event_word_t *page[MAX_ARRAY_PAGES];
};

#define FIFO_PENDING	(1U << EVTCHN_FIFO_PENDING)
#define FIFO_MASKED	(1U << EVTCHN_FIFO_MASKED)
#define FIFO_LINKED	(1U << EVTCHN_FIFO_LINKED)
#define FIFO_BUSY	(1U << EVTCHN_FIFO_BUSY)
#define FIFO_LINK_MASK	((uint32_t)EVTCHN_FIFO_LINK_MASK)

/* Words are 4-byte aligned: the long-wide bitops would straddle cache lines. */
static bool word_test(const event_word_t *w, uint32_t bit)
{
	return read_once(*w) & bit;
}

static bool word_test_and_set(event_word_t *w, uint32_t bit)
{
	return __atomic_fetch_or(w, bit, __ATOMIC_SEQ_CST) & bit;
}

static void word_clear(event_word_t *w, uint32_t bit)
{
	atomic_and(w, ~bit);
}

static event_word_t *word_from_port(const struct domain *d, unsigned int port)
{
	struct evtchn_fifo_domain *fifo = d->evtchn_fifo;

	if (unlikely(port >= atomic_load(&fifo->nr_words)))
		return NULL;
	return fifo->page[port / WORDS_PER_PAGE] + port % WORDS_PER_PAGE;
}

/*
 * Stores port in the link of the last event of a queue. False if that event is
 * not linked any more, so that the queue is empty. The guest may only unmask,
 * mask, clear pending or unlink meanwhile; while BUSY is set it may not unmask,
 * so a guest that keeps to the rules is met within four tries.
 */
static bool link_after(struct domain *d, event_word_t *last, uint32_t port)
{
	for (unsigned int tries = 0; tries < 5; tries++) {
		uint32_t w = read_once(*last);

		if (!(w & FIFO_LINKED)) {
			if (tries)
				word_clear(last, FIFO_BUSY);
			return false;
		}
		if (atomic_cmpxchg(last, w, (w & ~(FIFO_BUSY | FIFO_LINK_MASK)) | port) == w)
			return true;
		if (!tries)
			atomic_or(last, FIFO_BUSY);
	}
	word_clear(last, FIFO_BUSY);
	printk(XENLOG_G_WARNING "%pd: event port %u not linked\n", d, port);
	return true;
}

/* Locks the queues of v and of the vcpu that the port was last linked on. NULL: lost the race. */
static struct vcpu *lock_queues(struct vcpu *v, const struct evtchn *chn, unsigned long *flags)
{
	struct domain *d = v->domain;

	for (unsigned int tries = 0; tries < 3; tries++) {
		unsigned int id = read_once(chn->last_vcpu_id);
		struct vcpu *old = d->vcpu[id];
		struct vcpu *first = old->vcpu_id < v->vcpu_id ? old : v;

		spin_lock_irqsave(&first->evtchn_fifo->lock, *flags);
		if (old != v)
			spin_lock_nested(&(first == v ? old : v)->evtchn_fifo->lock);
		if (likely(chn->last_vcpu_id == id))
			return old;
		if (old != v)
			spin_unlock(&(first == v ? old : v)->evtchn_fifo->lock);
		spin_unlock_irqrestore(&first->evtchn_fifo->lock, *flags);
	}
	return NULL;
}

static void unlock_queues(struct vcpu *v, struct vcpu *old, unsigned long flags)
{
	if (old != v)
		spin_unlock(&old->evtchn_fifo->lock);
	spin_unlock_irqrestore(&v->evtchn_fifo->lock, flags);
}

/* Appends the port to its queue on v. True if the queue was empty: the guest must be told. */
static bool enqueue(struct vcpu *v, struct vcpu *old, struct evtchn *chn, uint8_t priority)
{
	struct domain *d = v->domain;
	struct evtchn_fifo_vcpu *fv = v->evtchn_fifo;
	uint32_t *old_tail = &old->evtchn_fifo->tail[chn->last_priority];
	bool appended = false;

	/* It was off its old queue: as that one's tail it must not be linked to any more. */
	if (*old_tail == chn->port)
		*old_tail = 0;
	chn->last_vcpu_id = (uint16_t)v->vcpu_id;
	chn->last_priority = priority;

	if (fv->tail[priority])
		appended = link_after(d, word_from_port(d, fv->tail[priority]), chn->port);
	if (!appended)
		write_once(fv->control->head[priority], chn->port);
	fv->tail[priority] = chn->port;
	return !appended;
}

bool evtchn_fifo_set_pending(struct vcpu *v, struct evtchn *chn)
{
	struct domain *d = v->domain;
	event_word_t *word = word_from_port(d, chn->port);
	uint8_t priority = read_once(chn->priority);
	bool was_pending, masked, first = false;
	unsigned long flags;
	struct vcpu *old;

	if (unlikely(!word)) {
		chn->pending = true;	/* raised when its page comes */
		return false;
	}
	if (unlikely(!v->evtchn_fifo))
		return false;
	old = lock_queues(v, chn, &flags);
	if (unlikely(!old)) {
		printk(XENLOG_G_WARNING "%pd: event on port %u lost\n", d, chn->port);
		return false;
	}
	if (unlikely(!v->evtchn_fifo->control)) {
		/* The guest must not unmask before it has given one: drop the event. */
		unlock_queues(v, old, flags);
		printk(XENLOG_G_WARNING "%pv has no FIFO control block\n", v);
		return false;
	}

	was_pending = word_test_and_set(word, FIFO_PENDING);
	masked = word_test(word, FIFO_MASKED);
	if (!masked && !word_test_and_set(word, FIFO_LINKED))
		first = enqueue(v, old, chn, priority);
	unlock_queues(v, old, flags);

	if (first && !(__atomic_fetch_or(&v->evtchn_fifo->control->ready, 1U << priority,
					 __ATOMIC_SEQ_CST) & (1U << priority)))
		vcpu_mark_events_pending(v);
	if (!was_pending)
		evtchn_check_pollers(d, chn->port);
	return was_pending || masked;
}

void evtchn_fifo_clear_pending(struct domain *d, struct evtchn *chn)
{
	event_word_t *word = word_from_port(d, chn->port);

	chn->pending = false;
	if (word)	/* it may stay linked: the guest skips it */
		word_clear(word, FIFO_PENDING);
}

void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn)
{
	event_word_t *word = word_from_port(d, chn->port);

	if (!word)
		return;
	word_clear(word, FIFO_MASKED);
	if (word_test(word, FIFO_PENDING))
		evtchn_fifo_set_pending(d->vcpu[chn->notify_vcpu_id], chn);
}

bool evtchn_fifo_is_pending(const struct domain *d, const struct evtchn *chn)
{
	const event_word_t *word = word_from_port(d, chn->port);

	return word && word_test(word, FIFO_PENDING);
}

bool evtchn_fifo_is_masked(const struct domain *d, const struct evtchn *chn)
{
	const event_word_t *word = word_from_port(d, chn->port);

	return !word || word_test(word, FIFO_MASKED);
}

bool evtchn_fifo_is_busy(const struct domain *d, const struct evtchn *chn)
{
	const event_word_t *word = word_from_port(d, chn->port);

	return word && word_test(word, FIFO_LINKED);
}

/* ---- the guest's pages ---- */

/* A page of d, referenced and of writable type. 0 or -EINVAL. */
static int map_guest_page(struct domain *d, uint64_t gfn, void **va)
{
	struct page_info *pg = get_page_from_gfn(d, _gfn(gfn));

	if (!pg)
		return -EINVAL;
	if (get_page_type(pg, PGT_writable_page)) {
		put_page(pg);
		return -EINVAL;
	}
	*va = page_to_virt(pg);
	return 0;
}

static void unmap_guest_page(void *va)
{
	if (va)
		put_page_and_type(virt_to_page((void *)((unsigned long)va & PAGE_MASK)));
}

static int map_control_block(struct vcpu *v, uint64_t gfn, uint32_t offset)
{
	void *va;
	int rc;

	if (!v->evtchn_fifo || v->evtchn_fifo->control)
		return -EINVAL;
	rc = map_guest_page(v->domain, gfn, &va);
	if (rc)
		return rc;
	atomic_store(&v->evtchn_fifo->control,
		     (struct evtchn_fifo_control_block *)((char *)va + offset));
	return 0;
}

/* Ports bound until now: default priority, and what is pending in the bitmap comes along. */
static void take_over_ports(struct domain *d)
{
	for (unsigned int port = 1; port < min(d->valid_evtchns, MAX_EVTCHNS_2L); port++) {
		struct evtchn *chn = evtchn_from_port(d, port);

		chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
		if (test_bit(port, d->shared_info->evtchn_pending))
			chn->pending = true;
	}
}

/* The event_lock is held. */
static int switch_to_fifo(struct domain *d, struct vcpu *v, uint64_t gfn, uint32_t offset)
{
	struct evtchn_fifo_domain *fifo = xzalloc(struct evtchn_fifo_domain);
	struct vcpu *w;
	int rc = -ENOMEM;

	if (!fifo)
		return -ENOMEM;
	for_each_vcpu(d, w) {
		w->evtchn_fifo = xzalloc(struct evtchn_fifo_vcpu);
		if (!w->evtchn_fifo)
			goto free_vcpus;
		spin_lock_init(&w->evtchn_fifo->lock, LOCK_EVENT_FIFO);
	}
	rc = map_control_block(v, gfn, offset);
	if (rc)
		goto free_vcpus;
	atomic_store(&d->evtchn_fifo, fifo);
	take_over_ports(d);
	return 0;

free_vcpus:
	for_each_vcpu(d, w) {
		xfree(w->evtchn_fifo);
		w->evtchn_fifo = NULL;
	}
	xfree(fifo);
	return rc;
}

int evtchn_fifo_init_control(struct evtchn_init_control *op)
{
	struct domain *d = current->domain;
	struct vcpu *v = domain_vcpu(d, op->vcpu);
	int rc;

	op->link_bits = EVTCHN_FIFO_LINK_BITS;
	if (!v)
		return -ENOENT;
	if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || (op->offset & 7))
		return -EINVAL;

	spin_lock(&d->event_lock);
	if (!d->evtchn_fifo)
		rc = switch_to_fifo(d, v, op->control_gfn, op->offset);
	else
		rc = map_control_block(v, op->control_gfn, op->offset);
	spin_unlock(&d->event_lock);
	return rc;
}

/* Events that came before their word existed. */
static void raise_saved(struct domain *d, unsigned int from, unsigned int to)
{
	unsigned long flags;

	for (unsigned int port = from; port < min(to, d->valid_evtchns); port++) {
		struct evtchn *chn = evtchn_from_port(d, port);

		if (!read_once(chn->pending))
			continue;
		spin_lock_irqsave(&chn->lock, flags);
		chn->pending = false;
		if (evtchn_usable(chn))
			evtchn_fifo_set_pending(d->vcpu[chn->notify_vcpu_id], chn);
		spin_unlock_irqrestore(&chn->lock, flags);
	}
}

int evtchn_fifo_expand_array(const struct evtchn_expand_array *op)
{
	struct domain *d = current->domain;
	struct evtchn_fifo_domain *fifo;
	unsigned int from;
	void *va;
	int rc;

	spin_lock(&d->event_lock);
	fifo = d->evtchn_fifo;
	rc = -EOPNOTSUPP;
	if (!fifo)
		goto out;
	from = fifo->nr_words;
	rc = -ENOSPC;
	if (from >= MAX_EVTCHNS_FIFO)
		goto out;
	rc = map_guest_page(d, op->array_gfn, &va);
	if (rc)
		goto out;
	fifo->page[from / WORDS_PER_PAGE] = va;
	atomic_store(&fifo->nr_words, from + WORDS_PER_PAGE);
	raise_saved(d, from, from + WORDS_PER_PAGE);
out:
	spin_unlock(&d->event_lock);
	return rc;
}

static void mark_page(const void *va)
{
	if (va)
		log_dirty_page(virt_to_page((void *)((unsigned long)va & PAGE_MASK)));
}

void evtchn_mark_pages(struct domain *d)
{
	const struct evtchn_fifo_domain *fifo;
	struct vcpu *v;

	spin_lock(&d->event_lock);
	fifo = d->evtchn_fifo;
	for_each_vcpu(d, v)
		if (fifo && v->evtchn_fifo)
			mark_page(v->evtchn_fifo->control);
	for (unsigned int i = 0; fifo && i < fifo->nr_words / WORDS_PER_PAGE; i++)
		mark_page(fifo->page[i]);
	spin_unlock(&d->event_lock);
}

void evtchn_fifo_destroy(struct domain *d)
{
	struct evtchn_fifo_domain *fifo = d->evtchn_fifo;
	struct vcpu *v;

	if (!fifo)
		return;
	atomic_store(&d->evtchn_fifo, (struct evtchn_fifo_domain *)NULL);
	for_each_vcpu(d, v) {
		if (v->evtchn_fifo)
			unmap_guest_page(v->evtchn_fifo->control);
		xfree(v->evtchn_fifo);
		v->evtchn_fifo = NULL;
	}
	for (unsigned int i = 0; i < fifo->nr_words / WORDS_PER_PAGE; i++)
		unmap_guest_page(fifo->page[i]);
	xfree(fifo);
}
