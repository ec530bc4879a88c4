/* SPDX-License-Identifier: MIT */
/*
 * What linux.c (mapping, granting) and copy.c (copying) share.
 */
#ifndef GNTTAB_PRIVATE_H
#define GNTTAB_PRIVATE_H

#include <tools/gnttab.h>

#define PAGE 4096UL

/* Pages offered to others: the kernel wants their index back to take them away. */
struct share {
	struct share *next;
	void *address;
	uint64_t index;
	unsigned int count;
};

struct staging;
struct call;

struct gnttab {
	int gntdev;
	int gntalloc;			/* -1 until first used */
	struct share *shares;
	struct staging *staging;
	struct call *call;		/* NULL until first used */
	struct gnttab_copy *ops;	/* where the hypervisor finds a batch of copies */
};

/* Gives back what copying holds. */
void gnttab_copy_close(struct gnttab *gnttab);

#endif
