/* SPDX-License-Identifier: MIT */
/*
 * When /run is full: the store goes on with what it has.
 *
 * Each request finds a reserve ahead of it in the journal, which is there before the request is
 * looked at. Once the reserve cannot be had any more, whatever adds to the store is refused with
 * ENOSPC; what reads or removes is served from the reserve, and clients and domains may go. When
 * that is used as well only reads are served: they leave nothing in the journal. All goes on by
 * itself as soon as there is room.
 */
#include "port.h"
#include "xsd.h"

#define RESERVE (64 * 1024ul)	/* before each request: far more than usual ones need */
#define LAST (16 * 1024ul)	/* of it, for what cannot be refused: clients that go */

enum room room_left(struct xsd *x)
{
	enum room now = ROOM_TIGHT;

	if (journal_ahead(&x->journal, RESERVE))
		now = ROOM_AMPLE;
	else if (!journal_ahead(&x->journal, LAST))
		now = ROOM_NONE;
	if (now == x->room)
		return now;
	if (now == ROOM_AMPLE)
		xsd_log(x, "there is room in %s again: all requests are served", x->dir);
	else if (now == ROOM_NONE)
		xsd_log(x, "no room in %s, and the reserve is used: only reading is served",
			x->dir);
	else if (x->room == ROOM_AMPLE)
		xsd_log(x,
			"no room in %s: requests that add to the store are refused (ENOSPC) until there is",
			x->dir);
	x->room = now;
	return now;
}

void room_wait(struct xsd *x)
{
	if (!x->unstall_at)
		x->unstall_at = port_now_ms(x->port) + ROOM_RETRY_MS;
}
