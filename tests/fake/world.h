/* SPDX-License-Identifier: MIT */
/*
 * The fake world: several domains in one process, behind <pv/port.h>, for tests of drivers.
 *
 * A real frontend in one domain meets a real backend in another. Grants, event channels and the
 * store behave as on Xen (mapped pages stay in use, closing one end unbinds the other, copies check
 * bounds and permissions), deliveries happen in an order drawn from the seed, the n-th port call can be
 * made to fail, and everything is counted: world_end() complains about whatever was not given back.
 *
 *	struct world *w = world_new(seed);
 *	struct pv_domain *dom0 = world_domain(w, 0), *guest = world_domain(w, 1);
 *	... open a backend on dom0 and a frontend on guest ...
 *	world_run(w, until, arg, 100000);
 *	assert_int_equal(world_end(w), 0);
 */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include <pv/port.h>

struct world;

struct world *world_new(uint64_t seed);

/* Frees the world; the number of resources that some domain still held (each is printed). */
unsigned int world_end(struct world *world);

/* The same without counting: for tests in which something is rightly lost. */
void world_drop(struct world *world);

/* The domain with this number, created at first use. */
struct pv_domain *world_domain(struct world *world, domid_t domid);

struct world *world_of(const struct pv_domain *domain);

/* Delivers one pending thing (event, watch or, when nothing else is, the next timer). False: none. */
bool world_step(struct world *world);

/* Steps until done(arg), at most @steps times. False: it never was, or nothing was left to deliver. */
bool world_run(struct world *world, bool (*done)(void *arg), void *arg, unsigned long steps);

/* Steps until nothing is pending; timers do not count. */
void world_settle(struct world *world);

/* A number below @below (> 0) from the world's seeded generator. */
uint32_t world_random(struct world *world, uint32_t below);

/*
 * From now on the @nth call (1: the next) of a port function that can fail, by this domain, fails. 0: none.
 * world_calls(): how many there have been, to know how far to count.
 */
void world_fail_call(struct pv_domain *domain, unsigned long nth);
unsigned long world_calls(const struct pv_domain *domain);

/*
 * The domain's process dies: maps and ports go as the kernel would do it, watches and timers with them.
 * Its pages, grants and the store stay. For crash-only backends (and guests that vanish).
 */
void world_kill(struct pv_domain *domain);

struct world_count {
	unsigned int pages, grants, maps, ports, watches, timers, transactions;
};
void world_counts(const struct pv_domain *domain, struct world_count *count);

/* The store without a port: what a toolstack would do. write: NULL removes; read: NULL if absent. */
void world_store_write(struct world *world, const char *path, const char *value);
const char *world_store_read(struct world *world, const char *path);

/* The device pair "type/devid" of guest @front on @back: both directories, states Initialising. */
void world_device(struct world *world, domid_t back, const char *back_type, domid_t front,
		  const char *type, unsigned int devid);

/* Log lines since the start, and the last one (empty string if none). Printed too when @show. */
unsigned int world_log_count(const struct world *world);
const char *world_log_last(const struct world *world);
void world_log_show(struct world *world, bool show);

#endif
