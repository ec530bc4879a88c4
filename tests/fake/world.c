/* SPDX-License-Identifier: MIT */
/*
 * The fake world: domains, events, timers, the order of deliveries, and the counting of all resources.
 * Memory and grants are in world_grant.c, the store in world_store.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "private.h"

#define STEP_NS		1000	/* what one delivery takes */

struct world *world_new(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	w->random = seed * 0x9e3779b97f4a7c15 + 0x1234567;
	w->memory = memfd_create("fake-memory", MFD_CLOEXEC);
	w->now = 1000000000;
	w->next_id = 1;
	if (w->memory < 0 || ftruncate(w->memory, 1L << 40))
		abort();
	return w;
}

struct pv_domain *world_find(struct world *world, domid_t domid)
{
	struct pv_domain *d = world->domains;

	while (d && d->domid != domid)
		d = d->next;
	return d;
}

struct pv_domain *world_domain(struct world *world, domid_t domid)
{
	struct pv_domain *d = world_find(world, domid);

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	d->world = world;
	d->domid = domid;
	d->grant_top = FIRST_GRANT;
	d->events_end = &d->events;
	d->next = world->domains;
	world->domains = d;
	return d;
}

struct world *world_of(const struct pv_domain *domain)
{
	return domain->world;
}

void world_counts(const struct pv_domain *d, struct world_count *c)
{
	memset(c, 0, sizeof(*c));
	for (const struct region *r = d->regions; r; r = r->next)
		c->pages += r->count;
	c->grants = d->grants_used;
	for (const struct map *m = d->maps; m; m = m->next)
		c->maps += m->count;
	for (unsigned int i = 1; i < MAX_PORTS; i++)
		c->ports += d->ports[i].state != PORT_FREE;
	for (const struct pv_watch *p = d->watches; p; p = p->next)
		c->watches++;
	for (const struct pv_timer *t = d->timers; t; t = t->next)
		c->timers++;
	for (const struct transaction *t = d->transactions; t; t = t->next)
		c->transactions++;
}

static unsigned int complain(const struct pv_domain *d, const char *what, unsigned int count)
{
	if (count)
		printf("fake world: domain %u still has %u %s\n", d->domid, count, what);
	return count;
}

unsigned int world_end(struct world *world)
{
	unsigned int left = 0;
	struct pv_domain *d;
	struct world_count c;

	for (d = world->domains; d; d = d->next) {
		world_counts(d, &c);
		left += complain(d, "pages", c.pages) + complain(d, "grants", c.grants) +
			complain(d, "mapped pages", c.maps) + complain(d, "ports", c.ports) +
			complain(d, "watches", c.watches) + complain(d, "timers", c.timers) +
			complain(d, "transactions", c.transactions);
	}
	world_drop(world);
	return left;
}

void world_drop(struct world *world)
{
	struct pv_domain *d;

	for (d = world->domains; d; d = d->next)
		world_kill(d);
	while ((d = world->domains)) {
		grant_drop_pages(d, true);
		world->domains = d->next;
		free(d);
	}
	store_free(world);
	close(world->memory);
	free(world->pages);
	free(world);
}

/* --- Chance --- */

uint32_t world_random(struct world *w, uint32_t below)
{
	w->random ^= w->random << 13;	/* xorshift64 */
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 16) % below;
}

bool world_fails(struct pv_domain *d)
{
	d->calls++;
	return d->fail_at && !--d->fail_at;
}

void world_fail_call(struct pv_domain *domain, unsigned long nth)
{
	domain->fail_at = nth;
}

unsigned long world_calls(const struct pv_domain *domain)
{
	return domain->calls;
}

/* --- Events --- */

static struct port *find_port(struct pv_domain *d, evtchn_port_t port)
{
	if (!d || port == 0 || port >= MAX_PORTS || d->ports[port].state == PORT_FREE)
		return NULL;
	return &d->ports[port];
}

int pv_event_open(struct pv_domain *d, domid_t remote, evtchn_port_t remote_port, pv_event_fn fn,
		  void *arg)
{
	struct pv_domain *other = world_find(d->world, remote);
	struct port *peer = find_port(other, remote_port);
	evtchn_port_t port = 1;

	if (world_fails(d))
		return -XEN_ENOSPC;
	while (port < MAX_PORTS && d->ports[port].state != PORT_FREE)
		port++;
	if (port == MAX_PORTS)
		return -XEN_ENOSPC;
	if (remote_port && (!peer || peer->state != PORT_UNBOUND || peer->remote != d->domid))
		return -XEN_EINVAL;
	d->ports[port] = (struct port){
		.state = remote_port ? PORT_BOUND : PORT_UNBOUND,
		.pending = remote_port,
		.remote = remote,
		.remote_port = remote_port,
		.fn = fn,
		.arg = arg,
	};
	if (port >= d->ports_end)
		d->ports_end = port + 1;
	if (peer) {
		peer->state = PORT_BOUND;
		peer->remote_port = port;
	}
	return port;
}

void pv_event_notify(struct pv_domain *d, evtchn_port_t port)
{
	struct port *p = find_port(d, port);

	if (!p)
		abort();		/* ours to know */
	if (p->state == PORT_BOUND)
		world_find(d->world, p->remote)->ports[p->remote_port].pending = true;
}

void pv_event_close(struct pv_domain *d, evtchn_port_t port)
{
	struct port *p = find_port(d, port), *peer;

	if (!p)
		abort();
	if (p->state == PORT_BOUND) {
		peer = &world_find(d->world, p->remote)->ports[p->remote_port];
		peer->state = PORT_UNBOUND;
		peer->remote = d->domid;
	}
	*p = (struct port){ .state = PORT_FREE };
}

static void deliver_event(struct pv_domain *d, evtchn_port_t port)
{
	struct port *p = &d->ports[port];
	pv_event_fn fn = p->fn;
	bool again;

	p->pending = false;
	p->busy = true;
	again = fn(p->arg, port);
	p->busy = false;
	if (again && p->state != PORT_FREE && p->fn == fn)
		p->pending = true;
}

/* --- Time --- */

uint64_t pv_now(struct pv_domain *domain)
{
	return domain->world->now;
}

void pv_timer_set(struct pv_domain *d, struct pv_timer *timer, uint64_t when)
{
	struct pv_timer **p = &d->timers;

	while (*p && *p != timer)
		p = &(*p)->next;
	if (*p)
		*p = timer->next;
	timer->when = when;
	if (when) {
		timer->next = d->timers;
		d->timers = timer;
	}
}

static struct pv_timer *first_timer(struct world *w, struct pv_domain **whose)
{
	struct pv_timer *first = NULL;

	for (struct pv_domain *d = w->domains; d; d = d->next)
		for (struct pv_timer *t = d->timers; t; t = t->next)
			if (!first || t->when < first->when) {
				first = t;
				*whose = d;
			}
	return first;
}

static void deliver_timer(struct pv_domain *d, struct pv_timer *timer)
{
	if (timer->when > d->world->now)
		d->world->now = timer->when;
	pv_timer_set(d, timer, 0);
	timer->fn(timer->arg);
}

/* --- Delivery --- */

/* One thing that could be delivered: a domain's port, or (port 0) its oldest watch event. */
struct choice {
	struct pv_domain *domain;
	evtchn_port_t port;
};

/* Of all that is pending one by chance (each as likely as the others); false: nothing is. */
static bool choose(struct world *w, struct choice *chosen)
{
	unsigned int n = 0;

	for (struct pv_domain *d = w->domains; d; d = d->next) {
		if (d->events && world_random(w, ++n) == 0)
			*chosen = (struct choice){ d, 0 };
		for (evtchn_port_t p = 1; p < d->ports_end; p++)
			if (d->ports[p].pending && !d->ports[p].busy && d->ports[p].fn &&
			    world_random(w, ++n) == 0)
				*chosen = (struct choice){ d, p };
	}
	return n;
}

static bool step(struct world *w, bool timers)
{
	struct pv_domain *whose = NULL;
	struct pv_timer *timer = first_timer(w, &whose);
	struct choice c = { NULL, 0 };

	w->now += STEP_NS;
	if (timer && timer->when <= w->now)
		deliver_timer(whose, timer);
	else if (choose(w, &c) && c.port)
		deliver_event(c.domain, c.port);
	else if (c.domain)
		store_deliver(c.domain);
	else if (timer && timers)
		deliver_timer(whose, timer);
	else
		return false;
	return true;
}

bool world_step(struct world *world)
{
	return step(world, true);
}

bool world_run(struct world *world, bool (*done)(void *arg), void *arg, unsigned long steps)
{
	while (!done(arg)) {
		if (!steps-- || !world_step(world))
			return false;
	}
	return true;
}

void world_settle(struct world *world)
{
	while (step(world, false))
		;
}

void world_kill(struct pv_domain *d)
{
	for (evtchn_port_t p = 1; p < MAX_PORTS; p++)
		if (d->ports[p].state != PORT_FREE)
			pv_event_close(d, p);
	grant_drop_maps(d);
	store_drop(d);
	d->timers = NULL;
	grant_drop_pages(d, false);
}

/* --- Log --- */

void pv_log(struct pv_domain *domain, const char *format, ...)
{
	struct world *w = domain->world;
	va_list args;

	va_start(args, format);
	vsnprintf(w->last_log, sizeof(w->last_log), format, args);
	va_end(args);
	w->logs++;
	if (w->show)
		printf("# domain %u: %s\n", domain->domid, w->last_log);
}

unsigned int world_log_count(const struct world *world)
{
	return world->logs;
}

const char *world_log_last(const struct world *world)
{
	return world->last_log;
}

void world_log_show(struct world *world, bool show)
{
	world->show = show;
}
