/* SPDX-License-Identifier: MIT */
/*
 * What the two ends of a migration say to each other beside the stream. The words and their order
 * are those of xl 4.17 (tools/xl/xl.h, xl_migrate.c), so that either end may be xl:
 *
 *	receiver			sender
 *	BANNER
 *					xl's file header, stream
 *	ANSWER_* (only if asked for by MOVE_FLAG_ANSWER, which xl ignores)
 *	READY
 *					GO
 *	REPORT, one byte (0: it runs)
 *	GO, if that byte was not 0: the domain is the sender's again
 */
#ifndef MOVE_PROTOCOL_H
#define MOVE_PROTOCOL_H

/* Lengths without and with the NUL at the end, as xl sends them. */
#define BANNER	     "xl migration receiver ready, send binary domain data.\n"
#define BANNER_BYTES (sizeof(BANNER) - 1)
#define READY	     "domain received, ready to unpause"
#define GO	     "domain is yours, you are cleared to unpause"
#define REPORT	     "my copy unpause results are as follows"

/* Our own, all of one length; REFUSED is followed by lines of reasons until the end. */
#define ANSWER_AGREED  "kl: agreed \n"
#define ANSWER_REFUSED "kl: refused\n"
#define ANSWER_PRESENT "kl: present\n"
#define ANSWER_ABSENT  "kl: absent \n"
#define ANSWER_BYTES   12U
#define ANSWER_LETTER  'k' /* READY begins otherwise */

/* xl's optional flags in the file header. */
#define MOVE_FLAG_ANSWER 0x10000U /* say whether the domain may come, before it is built */
#define MOVE_FLAG_CHECK	 0x20000U /* nothing else is wanted */
#define MOVE_FLAG_QUERY	 0x40000U /* does this domain run there? */

#define PEER_MS_DEFAULT 120000U
#define ANSWER_MS 3000U /* then the receiver is deemed to be xl */
#define SUFFIX_INCOMING "--incoming"
#define SUFFIX_AWAY "--migratedaway"

#endif
