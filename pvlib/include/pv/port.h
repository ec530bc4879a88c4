/* SPDX-License-Identifier: MIT */
/*
 * The port: all that a frontend or backend asks of the world it runs in, in sixteen functions.
 *
 * port/bare.c implements them by hypercalls in a guest, port/linux.c by dom0's devices, and
 * tests/fake/world.c for several domains in one process; one is chosen at link time. The handle says
 * on whose behalf a call is made. A driver keeps no other tie to its environment.
 *
 * Everything runs in one thread per handle: handlers of events, watches and timers are called from the
 * environment's loop, never inside another handler and never inside a port function. A handler may call
 * everything here, also close or cancel what it was called for.
 *
 * Functions return 0 or a count, or a negative XEN_E* number; then nothing has changed.
 */
#ifndef PV_PORT_H
#define PV_PORT_H

#include <pv/types.h>
#include <xen/io/xs_wire.h>

struct pv_domain;

/* No store path that we use is longer, its NUL included. */
#define PV_PATH_MAX	192

/* --- Memory --- */

/* @count zeroed pages, adjacent, page-aligned; NULL: out of memory. */
void *pv_pages_alloc(struct pv_domain *domain, unsigned int count);

/* No page of it may still be shared. */
void pv_pages_free(struct pv_domain *domain, void *pages, unsigned int count);

/* --- Grants: what we offer --- */

/*
 * Lets domain @to access the one @page (from pv_pages_alloc). *ref out. -XEN_ENOSPC: no reference is
 * free; -XEN_EOPNOTSUPP: this environment runs backends only (port/linux.c).
 */
int pv_grant_share(struct pv_domain *domain, domid_t to, void *page, bool writable,
		   grant_ref_t *ref);

/* Takes the page back. -XEN_EBUSY: still mapped or being copied, and it stays shared. */
int pv_grant_unshare(struct pv_domain *domain, grant_ref_t ref);

/* --- Grants: what others offer us --- */

/* Maps @count pages of @from adjacently; all or nothing. -XEN_EINVAL: a reference is bad. */
int pv_grant_map(struct pv_domain *domain, domid_t from, const grant_ref_t *refs,
		 unsigned int count, bool writable, void **address);

/* @address and @count as mapped. */
int pv_grant_unmap(struct pv_domain *domain, void *address, unsigned int count);

/* One piece of a batched copy, inside one page at the grant's end and adjacent memory at ours. */
struct pv_copy {
	bool to_grant;		/* from local to the grant; else from the grant to local */
	domid_t domid;
	grant_ref_t ref;
	uint16_t offset;	/* in the granted page */
	uint16_t bytes;
	void *local;		/* need not be aligned, may cross pages */
	int16_t status;		/* out: GNTST_okay, or another GNTST_ of <xen/grant_table.h> */
};

/* Runs all pieces; 0 although some failed: look at each status. */
int pv_grant_copy(struct pv_domain *domain, struct pv_copy *pieces, unsigned int count);

/* --- Events --- */

/*
 * Called when the port was notified, once for many. The port is masked until it returns. True: there
 * is more to do than one turn's budget; the call is repeated, without a new event, after all others had
 * their turn.
 */
typedef bool (*pv_event_fn)(void *arg, evtchn_port_t port);

/*
 * A port to @remote: an unbound one that @remote may bind (@remote_port 0), or bound to its
 * @remote_port. The port (> 0). A bound one is notified once at the start, for what was missed.
 */
int pv_event_open(struct pv_domain *domain, domid_t remote, evtchn_port_t remote_port,
		  pv_event_fn fn, void *arg);

/* Never fails visibly: the other end may be gone. */
void pv_event_notify(struct pv_domain *domain, evtchn_port_t port);

/* The handler is not called any more. */
void pv_event_close(struct pv_domain *domain, evtchn_port_t port);

/* --- The store (helpers: pv/store.h) --- */

/*
 * One request of the store's protocol: @payload of @length bytes (strings with their NULs) in transaction @tx
 * (0: none); the answer, NUL-terminated, in @reply of @room bytes. The answer's length.
 * Types: READ, WRITE, MKDIR, RM, DIRECTORY, DIRECTORY_PART, TRANSACTION_START, TRANSACTION_END, SET_PERMS.
 * -XEN_ENOENT, -XEN_EACCES, -XEN_EAGAIN (transaction lost), -XEN_E2BIG (the answer exceeds @room),
 * -XEN_EIO (no store).
 */
int pv_store_request(struct pv_domain *domain, enum xsd_sockmsg_type type, uint32_t tx,
		     const void *payload, size_t length, char *reply, size_t room);

/* Called with the path that changed (at or below the watched one); once after registration. */
typedef void (*pv_watch_fn)(void *arg, const char *path);

/* In the caller's memory from pv_store_watch() to pv_store_unwatch(); fields are the port's. */
struct pv_watch {
	struct pv_watch *next;
	pv_watch_fn fn;
	void *arg;
	uint32_t id;
	char path[PV_PATH_MAX];
};

int pv_store_watch(struct pv_domain *domain, struct pv_watch *watch, const char *path,
		   pv_watch_fn fn, void *arg);
void pv_store_unwatch(struct pv_domain *domain, struct pv_watch *watch);

/* --- Time, and saying so --- */

/* Nanoseconds, monotonic. */
uint64_t pv_now(struct pv_domain *domain);

/* In the caller's memory, zeroed before the first use; next and when are the port's. */
struct pv_timer {
	struct pv_timer *next;
	uint64_t when;		/* 0: not set */
	void (*fn)(void *arg);
	void *arg;
};

/* Calls timer->fn once at @when (pv_now()'s scale) or soon after; replaces its earlier time; 0 cancels. */
void pv_timer_set(struct pv_domain *domain, struct pv_timer *timer, uint64_t when);

/* One line (without its newline) for the operator. */
void pv_log(struct pv_domain *domain, const char *format, ...) PV_PRINTF(2, 3);

#endif
