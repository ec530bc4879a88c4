/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, version 1: our own table's entries, and wrappers for mapping and copying others'.
 *
 * grant_init() once; references 0..7 are reserved by convention, grant_alloc() gives those above.
 * Mapping a grant of our own works too, by grant_self_domid() (DOMID_SELF is refused).
 */
#ifndef GUEST_GRANT_H
#define GUEST_GRANT_H

#include <guest/hypercall.h>

#define GRANT_MAX_FRAMES	4
#define GRANT_PER_FRAME		(PAGE_SIZE / sizeof(struct grant_entry_v1))

extern struct grant_entry_v1 *grant_table;

/* Set up and map nr_frames of the table (<= GRANT_MAX_FRAMES). 0 or the (negative) error. */
long grant_init(unsigned int nr_frames);

/* Lets go of the table's frames before a suspend; grant_init() maps this domain's, or the next one's. */
void grant_unmap_table(void);

/* An unused reference; panics when all are taken. */
grant_ref_t grant_alloc(void);
void grant_free(grant_ref_t ref);

/* Let dom access the frame. */
void grant_access(grant_ref_t ref, domid_t dom, unsigned long mfn, bool readonly);

/* Revoke; false (and unchanged) while it is in use. */
bool grant_end(grant_ref_t ref);

/* Is the entry being read or written through a mapping? */
bool grant_in_use(grant_ref_t ref);

/* Map one grant at host_addr (meaning by flags). Returns op.status or the hypercall's error. */
long grant_map(domid_t dom, grant_ref_t ref, unsigned int flags, uint64_t host_addr,
	       grant_handle_t *handle);
long grant_unmap(grant_handle_t handle, uint64_t host_addr);

/* Our own domain number. */
domid_t grant_self_domid(void);

#endif
