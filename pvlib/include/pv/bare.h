/* SPDX-License-Identifier: MIT */
/*
 * The port in a guest without an operating system (port/bare.c), on guest/'s library.
 *
 *	struct pv_domain *domain = pv_bare_open(pages);
 *	... blkfront_open(), netfront ...
 *	pv_bare_run(domain, done, arg);
 *
 * One vcpu only: handlers run from pv_bare_run(), never in an upcall.
 */
#ifndef PV_BARE_H
#define PV_BARE_H

#include <pv/port.h>

/*
 * Sets up grants, events, the store's ring and an arena of @pages for pv_pages_alloc(). Once. NULL: the
 * domain has no store, or lacks the memory.
 */
struct pv_domain *pv_bare_open(unsigned int pages);

/* Runs handlers, sleeping between events, until done(arg). */
void pv_bare_run(struct pv_domain *domain, bool (*done)(void *arg), void *arg);

/*
 * Stands still for a save or migration, as control/shutdown = "suspend" asks. Not from a handler. True: the domain is a new
 * one; every device is to be resumed (blkfront_resume(), netfront_resume()) before the loop goes on.
 * False: the move was called off, nothing has changed.
 */
bool pv_bare_suspend(struct pv_domain *domain);

#endif
