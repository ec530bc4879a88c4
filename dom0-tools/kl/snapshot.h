/* SPDX-License-Identifier: MIT */
/*
 * All domains at one moment, as the listing verbs need them: one hypercall for what the hypervisor
 * knows and one batch of store requests for the names, however many domains there are.
 */
#ifndef KL_SNAPSHOT_H
#define KL_SNAPSHOT_H

#include "kl.h"

struct kl_snapshot {
	unsigned int count;
	struct xen_domctl_getdomaininfo *info;	/* ascending ids */
	char **names;				/* NULL: the domain has none */
	char **causes;				/* of domains that ended: why, or NULL */
};

/* All domains, without names. KL_OK, or KL_FAILED and the user was told. */
int kl_snapshot(struct kl *kl, struct kl_snapshot *snap);
/* Only those of @names (ids or names); -> exit status. A missing one fails as xl does. */
int kl_snapshot_of(struct kl *kl, char **names, unsigned int count, struct kl_snapshot *snap);
/*
 * Adds the names: best effort, a store that does not answer leaves them NULL and is reported once.
 */
int kl_snapshot_names(struct kl *kl, struct kl_snapshot *snap);
void kl_snapshot_free(struct kl_snapshot *snap);

/* The name to show: never NULL. */
const char *kl_shown_name(const struct kl_snapshot *snap, unsigned int i);

/*
 * Reads @count store paths in one batch; values[i] (free()) NULL where there is none. 0, or -errno
 * of the connection (then all are NULL).
 */
int kl_read_many(struct kl *kl, unsigned int count, char *const *paths, char **values);

/* KiB of a number of pages. */
#define PAGES_TO_KIB(pages) ((uint64_t)(pages) << 2)
/* "xxxxxxxx-xxxx-..." of a UUID; @text of 37 bytes. */
void kl_uuid_text(const uint8_t uuid[16], char *text);
/* Prints a CPU or node map as "0-2,5", "all" or "none" of @bits, into @text. */
void kl_bitmap_text(const uint8_t *map, unsigned int bits, char *text, size_t room);

#endif
