/* SPDX-License-Identifier: MIT */
/* Grant tables, version 1: one domain lends frames to another. Prefix gnttab_. */
#ifndef CORE_GRANT_TABLE_H
#define CORE_GRANT_TABLE_H

#include <core/domain.h>
#include <xen/grant_table.h>

int grant_table_init(struct domain *d, unsigned int max_grant_frames,
		     unsigned int max_maptrack_frames);
/* Drops every mapping that the dying domain holds: -ERESTART when preempted, 0 done. */
int gnttab_release_mappings(struct domain *d);
void grant_table_destroy(struct domain *d);
/*
 * The machine frame of grant frame idx, growing the table: for acquire_resource
 * and add_to_physmap.
 */
int gnttab_get_shared_frame(struct domain *d, unsigned long idx, mfn_t *mfn);
unsigned int gnttab_resource_max_frames(const struct domain *d);
/* Fills mfns for XENMEM_resource_grant_table. 0, -EINVAL, -ENOMEM. */
int gnttab_acquire_resource(struct domain *d, unsigned int id, unsigned int frame,
			    unsigned int nr, mfn_t *mfns);
/* Marks the pages of d that somebody may write by a grant just now (core/log_dirty.h). */
void gnttab_mark_writable(struct domain *d);
void gnttab_keyhandler_init(void);

#endif
