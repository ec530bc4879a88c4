/* SPDX-License-Identifier: MIT */
/*
 * Grants: other domains' pages mapped or copied here (/dev/xen/gntdev), own pages offered to others
 * (/dev/xen/gntalloc).
 */
#ifndef TOOLS_GNTTAB_H
#define TOOLS_GNTTAB_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/grant_table.h>

struct gnttab;

int gnttab_open(struct gnttab **out);
void gnttab_close(struct gnttab *gnttab);

/*
 * Maps @count pages contiguously, page i being grant refs[i] of domids[i]. All or nothing.
 * -EINVAL: a reference is not granted to us (which one is not known); -ENOMEM.
 * Unmap with the same @count. The mapping lives until then or until the process is gone.
 */
int gnttab_map(struct gnttab *gnttab, unsigned int count, const domid_t *domids,
	       const grant_ref_t *refs, bool writable, void **address);
int gnttab_unmap(struct gnttab *gnttab, void *address, unsigned int count);

/*
 * As gnttab_map() for one page; when the mapping goes, for whatever reason, byte @clear_offset of
 * the page is set to 0 (-1: none) and event @notify_port (of our own; -1: none) is sent.
 */
int gnttab_map_notify(struct gnttab *gnttab, domid_t domid, grant_ref_t ref, bool writable,
		      int clear_offset, int notify_port, void **address);

/* One piece of a batched copy, within one page at each end. */
struct gnttab_copy_piece {
	bool to_grant;		/* from local to the grant; else from the grant to local */
	domid_t domid;
	grant_ref_t ref;
	uint16_t offset;	/* in the granted page */
	uint16_t bytes;
	void *local;		/* need not be aligned */
	int16_t status;		/* out: GNTST_okay or another GNTST_ */
};

/* Runs all pieces; 0 although some failed: look at each status. -errno: the whole call failed. */
int gnttab_copy(struct gnttab *gnttab, struct gnttab_copy_piece *pieces, unsigned int count);

/*
 * @count zeroed pages for which gnttab_copy() is fast: it reaches them without having to find and
 * pin them first. @self is this domain's id. Plain memory where the system has no more of the other
 * kind; everything works the same then, only slower. -ENOMEM.
 */
int gnttab_staging(struct gnttab *gnttab, domid_t self, unsigned int count, void **address);
/* -ENOENT: @address is not from gnttab_staging(). */
int gnttab_staging_free(struct gnttab *gnttab, void *address);

/* Fresh pages of our own, contiguous here, granted to @domid: refs[] out. */
int gnttab_share(struct gnttab *gnttab, domid_t domid, unsigned int count, bool writable,
		 grant_ref_t *refs, void **address);
int gnttab_unshare(struct gnttab *gnttab, void *address, unsigned int count);

#endif
