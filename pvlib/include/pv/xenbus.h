/* SPDX-License-Identifier: MIT */
/*
 * One end of a device on xenbus: its directory, the peer's, both states (<xen/io/xenbus.h>), and the
 * watch on the peer's state.
 *
 * A driver embeds struct pv_xenbus, calls pv_xenbus_open(), and is called back for every change of the
 * peer's state (also once at the start, and with XenbusStateUnknown when the peer's directory is
 * gone). What it does in which state is the driver's; the diagrams are in <xen/io/blkif.h> and netif.h.
 */
#ifndef PV_XENBUS_H
#define PV_XENBUS_H

#include <pv/store.h>
#include <xen/io/xenbus.h>

struct pv_xenbus {
	struct pv_domain *domain;
	char path[PV_PATH_MAX];		/* our directory */
	char peer_path[PV_PATH_MAX];	/* the other end's */
	domid_t peer;
	enum xenbus_state state;	/* as last written by us, or found at open */
	enum xenbus_state peer_state;	/* as last seen */
	bool failed;			/* pv_xenbus_fail() was called */
	unsigned int failures;		/* how often, the drivers' new attempts counted */
	void (*changed)(struct pv_xenbus *bus, enum xenbus_state peer_state);
	struct pv_watch watch;
	struct pv_timer retry;		/* of reading the peer's state */
};

/* Which end we are: it names the keys that lead to the other ("backend", "backend-id"; "frontend", ...). */
enum pv_xenbus_end { PV_FRONTEND, PV_BACKEND };

/*
 * Reads our directory @path and starts watching the peer's state. -XEN_ENOENT: no such device;
 * -XEN_EINVAL: its keys make no sense. Nothing to close then.
 */
int pv_xenbus_open(struct pv_xenbus *bus, struct pv_domain *domain, const char *path,
		   enum pv_xenbus_end end,
		   void (*changed)(struct pv_xenbus *bus, enum xenbus_state peer_state));

/* Stops watching. Writes nothing: a backend that ends must leave its state alone. */
void pv_xenbus_close(struct pv_xenbus *bus);

/* Writes our state unless it is that already; never re-creates a directory that was removed. */
int pv_xenbus_switch(struct pv_xenbus *bus, enum xenbus_state state);

/*
 * The device cannot go on: logs one line ("domain D device PATH: text"), leaves the text under the key
 * "error", and goes to Closing. Only the first call counts, until the driver clears `failed` for a new
 * attempt; a peer that fails again and again does not fill the log: after SAY_ALL times it is told of at
 * every doubling. Returns -XEN_EINVAL.
 */
int pv_xenbus_fail(struct pv_xenbus *bus, const char *format, ...) PV_PRINTF(2, 3);

/*
 * A number among the peer's keys, @fallback if there is none. A value that is no number or out of
 * range fails the device, naming key and value: -XEN_EINVAL.
 */
int pv_xenbus_peer_number(struct pv_xenbus *bus, const char *key, uint64_t low, uint64_t high,
			  uint64_t fallback, uint64_t *value);

/* The same for a key that must be there. */
int pv_xenbus_peer_required(struct pv_xenbus *bus, const char *key, uint64_t low, uint64_t high,
			    uint64_t *value);

#endif
