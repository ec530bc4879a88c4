/* SPDX-License-Identifier: MIT */
/*
 * Moving: the guest lets go of what is not its memory, stands still, and wakes up in this domain or in
 * another one. Memory, page tables, vcpus and their registers come along; devices, event channels,
 * grants, timers and registered areas are the caller's to set up anew.
 *
 *	suspend_init();			once: the toolstack can save the guest from then on
 *	if (suspend() == SUSPEND_MOVED)	all other vcpus where they touch no shared_info
 *		... new store ring, ports, grants ...
 */
#ifndef GUEST_SUSPEND_H
#define GUEST_SUSPEND_H

#include <guest/types.h>

enum suspend_end {
	SUSPEND_MOVED,		/* another domain: start_info names its ring pages and ports */
	SUSPEND_CANCELLED,	/* the same domain: all that was open is open still */
};

/* Publishes the table of frames (p2m) in shared_info. */
void suspend_init(void);

/* On vcpu 0, the console's text taken. shared_info and console are mapped again when it returns. */
enum suspend_end suspend(void);

#endif
