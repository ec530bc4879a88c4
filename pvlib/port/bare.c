/* SPDX-License-Identifier: MIT */
/*
 * The port by hypercalls, for the guests that are built on guest/.
 *
 * The upcall only notes which ports are pending and masks them; the loop calls their handlers and
 * unmasks. The store's ring is read in the loop too; a request waits for its answer by yielding, and
 * watch events that come meanwhile are kept for the loop.
 */
#include <guest/console.h>
#include <guest/event.h>
#include <guest/grant.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/suspend.h>
#include <guest/time.h>
#include <pv/bare.h>

#include <xen/io/xs_wire.h>

#define GRANT_FRAMES	GRANT_MAX_FRAMES
#define MAX_GRANTS	(GRANT_FRAMES * GRANT_PER_FRAME - 16)
#define MAX_PORTS	1024
#define MAX_EVENTS	64	/* of watches, kept for the loop */
#define COPY_BATCH	16

struct watch_event {
	uint32_t id;
	char path[PV_PATH_MAX];
};

struct pv_domain {
	char *arena;
	unsigned char *arena_used;	/* a byte for each page */
	unsigned int arena_pages;
	grant_ref_t free_refs[MAX_GRANTS];
	unsigned int nr_free_refs;
	struct {
		pv_event_fn fn;
		void *arg;
	} ports[MAX_PORTS];
	volatile uint64_t pending[MAX_PORTS / 64];
	struct xenstore_domain_interface *ring;
	uint32_t next_request;
	struct pv_watch *watches;
	uint32_t next_watch;
	struct watch_event events[MAX_EVENTS];
	unsigned int events_first, events_count;
	struct pv_timer *timers;
	char message[XENSTORE_PAYLOAD_MAX + 1];
};

static struct pv_domain the_domain;
static char store_page[PAGE_SIZE] __page_aligned;

/* --- Memory --- */

void *pv_pages_alloc(struct pv_domain *d, unsigned int count)
{
	unsigned int run = 0;

	for (unsigned int i = 0; i < d->arena_pages; i++) {
		run = d->arena_used[i] ? 0 : run + 1;
		if (run < count)
			continue;
		i = i + 1 - count;
		memset(d->arena_used + i, 1, count);
		return memset(d->arena + i * PAGE_SIZE, 0, count * PAGE_SIZE);
	}
	return NULL;
}

void pv_pages_free(struct pv_domain *d, void *pages, unsigned int count)
{
	memset(d->arena_used + ((char *)pages - d->arena) / PAGE_SIZE, 0, count);
}

/* Fresh pages of the guest's allocator are adjacent; nothing was freed yet when we are set up. */
static bool make_arena(struct pv_domain *d, unsigned int pages)
{
	unsigned int notes = (pages + PAGE_SIZE - 1) / PAGE_SIZE;

	if (page_available() < pages + notes + 64)
		return false;
	d->arena = page_alloc();
	for (unsigned int i = 1; i < pages; i++)
		if ((char *)page_alloc() != d->arena + i * PAGE_SIZE)
			return false;
	d->arena_used = page_alloc();
	for (unsigned int i = 1; i < notes; i++)
		page_alloc();
	d->arena_pages = pages;
	return true;
}

/* --- Grants --- */

int pv_grant_share(struct pv_domain *d, domid_t to, void *page, bool writable, grant_ref_t *ref)
{
	if (!d->nr_free_refs)
		return -XEN_ENOSPC;
	*ref = d->free_refs[--d->nr_free_refs];
	grant_access(*ref, to, virt_to_mfn(page), !writable);
	return 0;
}

int pv_grant_unshare(struct pv_domain *d, grant_ref_t ref)
{
	if (!grant_end(ref))
		return -XEN_EBUSY;
	d->free_refs[d->nr_free_refs++] = ref;
	return 0;
}

/* Backends in such guests would copy. */
int pv_grant_map(struct pv_domain *d __unused, domid_t from __unused,
		 const grant_ref_t *refs __unused, unsigned int count __unused,
		 bool writable __unused, void **address __unused)
{
	return -XEN_EOPNOTSUPP;
}

int pv_grant_unmap(struct pv_domain *d __unused, void *address __unused, unsigned int count __unused)
{
	return -XEN_EOPNOTSUPP;
}

static int copy_batch(struct pv_copy *pieces, unsigned int count)
{
	struct gnttab_copy ops[COPY_BATCH];
	long rc;

	for (unsigned int i = 0; i < count; i++) {
		const struct pv_copy *p = &pieces[i];
		struct gnttab_copy *op = &ops[i];

		if ((PTR(p->local) & ~PAGE_MASK) + p->bytes > PAGE_SIZE)
			return -XEN_EINVAL;	/* this port wants pieces within a page at both ends */
		memset(op, 0, sizeof(*op));
		op->len = p->bytes;
		op->flags = p->to_grant ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
		op->source.domid = p->to_grant ? DOMID_SELF : p->domid;
		op->dest.domid = p->to_grant ? p->domid : DOMID_SELF;
		op->source.offset = p->to_grant ? PTR(p->local) & ~PAGE_MASK : p->offset;
		op->dest.offset = p->to_grant ? p->offset : PTR(p->local) & ~PAGE_MASK;
		if (p->to_grant) {
			op->source.u.gmfn = virt_to_mfn(p->local);
			op->dest.u.ref = p->ref;
		} else {
			op->source.u.ref = p->ref;
			op->dest.u.gmfn = virt_to_mfn(p->local);
		}
	}
	rc = grant_op(GNTTABOP_copy, ops, count);
	for (unsigned int i = 0; i < count && !rc; i++)
		pieces[i].status = ops[i].status;
	return rc;
}

int pv_grant_copy(struct pv_domain *d __unused, struct pv_copy *pieces, unsigned int count)
{
	int rc = 0;

	while (count && !rc) {
		unsigned int n = count < COPY_BATCH ? count : COPY_BATCH;

		rc = copy_batch(pieces, n);
		pieces += n;
		count -= n;
	}
	return rc;
}

/* --- Events --- */

/* In the upcall: the loop does the rest. */
static void note(evtchn_port_t port)
{
	event_mask(port);
	__atomic_or_fetch(&the_domain.pending[port / 64], 1UL << (port % 64), __ATOMIC_SEQ_CST);
}

int pv_event_open(struct pv_domain *d, domid_t remote, evtchn_port_t remote_port, pv_event_fn fn,
		  void *arg)
{
	long port = remote_port ? event_bind_interdomain(remote, remote_port) :
				  event_alloc_unbound(DOMID_SELF, remote);

	if (port < 0)
		return port;
	if (port >= MAX_PORTS) {
		event_close(port);
		return -XEN_ENOSPC;
	}
	d->ports[port].fn = fn;
	d->ports[port].arg = arg;
	event_set_handler(port, note);
	return port;
}

void pv_event_notify(struct pv_domain *d __unused, evtchn_port_t port)
{
	event_send(port);
}

void pv_event_close(struct pv_domain *d, evtchn_port_t port)
{
	if (!d->ports[port].fn)
		return;		/* of a domain that we were: the number may be another's now */
	event_close(port);
	d->ports[port].fn = NULL;
	__atomic_and_fetch(&d->pending[port / 64], ~(1UL << (port % 64)), __ATOMIC_SEQ_CST);
}

/* A turn for each pending port; false: none was. */
static bool run_ports(struct pv_domain *d)
{
	bool any = false;

	for (unsigned int i = 0; i < MAX_PORTS / 64; i++) {
		uint64_t bits = __atomic_exchange_n(&d->pending[i], 0, __ATOMIC_SEQ_CST);

		for (; bits; bits &= bits - 1) {
			evtchn_port_t port = i * 64 + __builtin_ctzl(bits);

			any = true;
			if (d->ports[port].fn && d->ports[port].fn(d->ports[port].arg, port))
				note(port);
			else if (d->ports[port].fn)
				event_unmask(port);
		}
	}
	return any;
}

/* --- The store's ring --- */

static void ring_put(struct pv_domain *d, const void *bytes, size_t length)
{
	struct xenstore_domain_interface *r = d->ring;
	const char *from = bytes;

	while (length) {
		XENSTORE_RING_IDX prod = r->req_prod;

		if (prod - READ_ONCE(r->req_cons) >= XENSTORE_RING_SIZE) {
			event_send(start_info->store_evtchn);
			sched_op(SCHEDOP_yield, NULL);
			continue;
		}
		r->req[MASK_XENSTORE_IDX(prod)] = *from++;
		length--;
		barrier();		/* the byte before the index that covers it */
		WRITE_ONCE(r->req_prod, prod + 1);
	}
}

static void ring_get(struct pv_domain *d, void *bytes, size_t length)
{
	struct xenstore_domain_interface *r = d->ring;
	char *to = bytes;

	while (length) {
		XENSTORE_RING_IDX cons = r->rsp_cons;

		if (READ_ONCE(r->rsp_prod) == cons) {
			event_send(start_info->store_evtchn);
			sched_op(SCHEDOP_yield, NULL);
			continue;
		}
		barrier();
		*to++ = r->rsp[MASK_XENSTORE_IDX(cons)];
		length--;
		barrier();		/* the byte is out before its place is free */
		WRITE_ONCE(r->rsp_cons, cons + 1);
	}
}

static bool ring_has_message(const struct pv_domain *d)
{
	return READ_ONCE(d->ring->rsp_prod) != d->ring->rsp_cons;
}

/* Our relative paths come back as they were given; the token is the watch's number. */
static void keep_event(struct pv_domain *d, size_t length)
{
	const char *token = d->message + strlen(d->message) + 1;
	struct watch_event *e;
	uint32_t id = 0;

	if (token >= d->message + length || d->events_count == MAX_EVENTS)
		return;
	for (; *token >= '0' && *token <= '9'; token++)
		id = id * 10 + *token - '0';
	e = &d->events[(d->events_first + d->events_count++) % MAX_EVENTS];
	e->id = id;
	snprintf(e->path, sizeof(e->path), "%s", d->message);
}

/* Reads one message; watch events are kept. Its header. */
static struct xsd_sockmsg read_message(struct pv_domain *d)
{
	struct xsd_sockmsg m;

	ring_get(d, &m, sizeof(m));
	if (m.len > XENSTORE_PAYLOAD_MAX)
		panic("store: a message of %u bytes", m.len);
	ring_get(d, d->message, m.len);
	d->message[m.len] = 0;
	if (m.type == XS_WATCH_EVENT)
		keep_event(d, m.len);
	return m;
}

static int error_number(const char *name)
{
	static const struct xsd_error {
		const char *name;
		int number;
	} errors[] = {
		{ "EINVAL", XEN_EINVAL }, { "EACCES", XEN_EACCES }, { "EEXIST", XEN_EEXIST },
		{ "ENOENT", XEN_ENOENT }, { "ENOMEM", XEN_ENOMEM }, { "ENOSPC", XEN_ENOSPC },
		{ "EAGAIN", XEN_EAGAIN }, { "E2BIG", XEN_E2BIG }, { "EBUSY", XEN_EBUSY },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++)
		if (!strcmp(errors[i].name, name))
			return -errors[i].number;
	return -XEN_EIO;
}

int pv_store_request(struct pv_domain *d, enum xsd_sockmsg_type type, uint32_t tx,
		     const void *payload, size_t length, char *reply, size_t room)
{
	struct xsd_sockmsg m = {
		.type = type, .req_id = ++d->next_request, .tx_id = tx, .len = length,
	};

	if (length > XENSTORE_PAYLOAD_MAX)
		return -XEN_E2BIG;
	ring_put(d, &m, sizeof(m));
	ring_put(d, payload, length);
	event_send(start_info->store_evtchn);
	do
		m = read_message(d);
	while (m.type == XS_WATCH_EVENT || m.req_id != d->next_request);
	event_send(start_info->store_evtchn);	/* there is room again */
	if (m.type == XS_ERROR)
		return error_number(d->message);
	if (type == XS_WRITE || type == XS_RM || type == XS_MKDIR || type == XS_WATCH ||
	    type == XS_UNWATCH || type == XS_TRANSACTION_END || type == XS_SET_PERMS)
		return 0;		/* "OK" */
	if (m.len >= room)
		return -XEN_E2BIG;
	memcpy(reply, d->message, m.len + 1);
	return type == XS_TRANSACTION_START ? (int)strlen(reply) : (int)m.len;
}

static int watch_request(struct pv_domain *d, const struct pv_watch *w, enum xsd_sockmsg_type type)
{
	char payload[PV_PATH_MAX + 16];
	int n = snprintf(payload, sizeof(payload), "%s", w->path) + 1;

	n += snprintf(payload + n, sizeof(payload) - n, "%u", w->id) + 1;
	return pv_store_request(d, type, 0, payload, n, NULL, 0);
}

int pv_store_watch(struct pv_domain *d, struct pv_watch *watch, const char *path, pv_watch_fn fn,
		   void *arg)
{
	int rc;

	if (strlen(path) >= sizeof(watch->path))
		return -XEN_E2BIG;
	snprintf(watch->path, sizeof(watch->path), "%s", path);
	watch->fn = fn;
	watch->arg = arg;
	watch->id = ++d->next_watch;
	rc = watch_request(d, watch, XS_WATCH);
	if (rc)
		return rc;
	watch->next = d->watches;
	d->watches = watch;
	return 0;
}

void pv_store_unwatch(struct pv_domain *d, struct pv_watch *watch)
{
	struct pv_watch **p = &d->watches;

	while (*p != watch)
		p = &(*p)->next;
	*p = watch->next;
	watch_request(d, watch, XS_UNWATCH);
}

/* Delivers one kept watch event; false: there was none. */
static bool run_watches(struct pv_domain *d)
{
	struct watch_event e;
	struct pv_watch *w;

	if (!d->events_count && ring_has_message(d))
		read_message(d);
	if (!d->events_count)
		return false;
	e = d->events[d->events_first];
	d->events_first = (d->events_first + 1) % MAX_EVENTS;
	d->events_count--;
	for (w = d->watches; w && w->id != e.id; w = w->next)
		;
	if (w)
		w->fn(w->arg, e.path);
	return true;
}

/* --- Time and log --- */

uint64_t pv_now(struct pv_domain *d __unused)
{
	return time_now();
}

void pv_timer_set(struct pv_domain *d, struct pv_timer *timer, uint64_t when)
{
	struct pv_timer **p = &d->timers;

	while (*p && *p != timer)
		p = &(*p)->next;
	if (*p)
		*p = timer->next;
	timer->when = when;
	if (!when)
		return;
	for (p = &d->timers; *p && (*p)->when <= when; p = &(*p)->next)
		;
	timer->next = *p;
	*p = timer;
}

static bool run_timers(struct pv_domain *d)
{
	struct pv_timer *timer = d->timers;

	if (!timer || timer->when > time_now())
		return false;
	pv_timer_set(d, timer, 0);
	timer->fn(timer->arg);
	return true;
}

void pv_log(struct pv_domain *d __unused, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintk(format, args);
	va_end(args);
	printk("\n");
}

/* --- The loop --- */

static bool anything_pending(const struct pv_domain *d)
{
	for (unsigned int i = 0; i < MAX_PORTS / 64; i++)
		if (d->pending[i])
			return true;
	return d->events_count || ring_has_message(d);
}

/* Looks once more with upcalls off: blocking turns them on and ends at once if one is pending. */
static void sleep_until_event(struct pv_domain *d)
{
	event_disable();
	if (anything_pending(d)) {
		event_enable();
		return;
	}
	if (d->timers)
		time_set_singleshot(d->timers->when, 0);
	sched_op(SCHEDOP_block, NULL);
}

void pv_bare_run(struct pv_domain *d, bool (*done)(void *arg), void *arg)
{
	while (!done(arg)) {
		bool any = run_ports(d);

		any |= run_watches(d);
		any |= run_timers(d);
		if (!any)
			sleep_until_event(d);
	}
}

/* The store's and the timer's ports need no handler: that they end the sleep is enough. */
static void woken(evtchn_port_t port __unused)
{
}

/* All that belongs to the domain and not to its memory. 0, or a negative error. */
static long attach(struct pv_domain *d)
{
	long rc;

	rc = update_va_mapping(PTR(store_page), pte_make(start_info->store_mfn, PTE_KERNEL),
			       UVMF_INVLPG);
	d->ring = (void *)store_page;
	if (!rc)
		rc = grant_init(GRANT_FRAMES);
	if (rc)
		return rc;
	rc = event_bind_virq(VIRQ_TIMER, 0);
	if (rc < 0)
		return rc;
	event_set_handler(rc, woken);
	event_set_handler(start_info->store_evtchn, woken);
	return 0;
}

struct pv_domain *pv_bare_open(unsigned int pages)
{
	struct pv_domain *d = &the_domain;

	if (is_dom0() || !start_info->store_mfn || !make_arena(d, pages) || attach(d))
		return NULL;
	while (d->nr_free_refs < MAX_GRANTS)
		d->free_refs[d->nr_free_refs++] = grant_alloc();
	suspend_init();
	event_enable();
	return d;
}

/* --- Another domain --- */

bool pv_bare_suspend(struct pv_domain *d)
{
	bool moved;
	long rc;

	event_disable();
	grant_unmap_table();
	moved = suspend() == SUSPEND_MOVED;
	if (!moved) {
		rc = grant_init(GRANT_FRAMES);
	} else {
		memset(d->ports, 0, sizeof(d->ports));
		memset((void *)d->pending, 0, sizeof(d->pending));
		d->events_count = 0;
		rc = attach(d);
	}
	if (rc)
		panic("cannot go on after a suspend: %ld", rc);
	event_enable();
	/* Each fires once; one whose path is no more of ours belongs to a device that will be resumed. */
	for (const struct pv_watch *w = d->watches; w && moved; w = w->next)
		watch_request(d, w, XS_WATCH);
	return moved;
}
