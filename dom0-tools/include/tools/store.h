/* SPDX-License-Identifier: MIT */
/*
 * A client of xenstore (docs/misc/xenstore.txt of Xen is the protocol; <xen/io/xs_wire.h>).
 *
 * Connects to the socket of xenstored, else to the kernel's ring (/dev/xen/xenbus): either serves
 * programs the same. One handle serves one thread. Every wait is bounded by the handle's deadline.
 * Values are bytes with a length; what is returned is also NUL-terminated for convenience.
 */
#ifndef TOOLS_STORE_H
#define TOOLS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

struct store;
typedef uint32_t store_tx;	/* 0: outside a transaction */

/* $XENSTORED_PATH, /run/xenstored/socket, /dev/xen/xenbus, in order. -ENOENT, -ECONNREFUSED. */
int store_open(struct store **out);
void store_close(struct store *store);

/*
 * No call waits longer than @ms for its answer: -ETIMEDOUT (the handle stays usable; whether the
 * request took effect is unknown). 0: for ever. Initially 30 seconds. Signals do not end a wait.
 * Once the connection is gone (-EPIPE, -ECONNRESET, -EPROTO) every call fails: open a new handle.
 */
void store_set_deadline(struct store *store, unsigned int ms);

/*
 * The value at @path in @value (free()) and its length in @length (may be NULL).
 * -ENOENT: no such node; else what xenstored answered: -EACCES, -EINVAL, -E2BIG, -ENOSPC.
 */
int store_read(struct store *store, store_tx tx, const char *path, char **value, size_t *length);
int store_write(struct store *store, store_tx tx, const char *path, const void *value,
		size_t length);
int store_mkdir(struct store *store, store_tx tx, const char *path);
int store_rm(struct store *store, store_tx tx, const char *path);

/* Children's names, an array in one allocation (free()) and their count as the result. */
int store_list(struct store *store, store_tx tx, const char *path, char ***names);

struct store_perm {
	char access;		/* 'n', 'r', 'w', 'b' (<xen/io/xs_wire.h>'s textual form) */
	domid_t domid;
};
/* First the owner and what all others may. store_get_perms: count, *perms to free(). */
int store_get_perms(struct store *store, store_tx tx, const char *path, struct store_perm **perms);
int store_set_perms(struct store *store, store_tx tx, const char *path,
		    const struct store_perm *perms, unsigned int count);

/* Printing and parsing forms of the above. */
int store_printf(struct store *store, store_tx tx, const char *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int store_read_ulong(struct store *store, store_tx tx, const char *path, unsigned long *value);

/*
 * Many requests for few round trips: all are sent before the first answer is waited for.
 * @type is XS_READ, XS_DIRECTORY, XS_GET_PERMS, XS_WRITE, XS_MKDIR, XS_RM, XS_SET_PERMS, XS_WATCH
 * ...: whatever the protocol has, @path going first (with its NUL; NULL: nothing), then @value as
 * it is.
 */
struct store_request {
	uint32_t type;
	const char *path;
	const void *value;	/* XS_WRITE: the bytes; XS_SET_PERMS: "n0\0r5\0" */
	size_t length;
	int result;		/* out: 0 or -errno */
	char *reply; /* out: NUL-terminated, free(); NULL unless the type answers with data */
	size_t reply_length;
};
/*
 * 0, or the first failing request's -errno (the others are sent and answered nevertheless), or the
 * connection's, with each unanswered request's @result being the same.
 */
int store_pipeline(struct store *store, store_tx tx, struct store_request *requests,
		   unsigned int count);

int store_begin(struct store *store, store_tx *tx);
/* -EAGAIN: something it read has changed; do it all again. */
int store_commit(struct store *store, store_tx tx);
int store_abort(struct store *store, store_tx tx);

/* A watch fires once at registration, then for its node and all below. */
int store_watch(struct store *store, const char *path, const char *token);
int store_unwatch(struct store *store, const char *path, const char *token);
/* All watches of this handle go. */
int store_reset_watches(struct store *store);
/*
 * A descriptor that is readable when an event is there, also one that came with an answer: poll,
 * then store_event() until -EAGAIN. The same at each call; -errno.
 */
int store_fd(struct store *store);
/* The next watch event; *path and *token point into *buffer (free()). -EAGAIN: none yet. */
int store_event(struct store *store, char **buffer, char **path, char **token);
/* As store_event(), waiting up to @ms. -ETIMEDOUT. */
int store_wait_event(struct store *store, unsigned int ms, char **buffer, char **path,
		     char **token);

int store_introduce(struct store *store, domid_t domid, xen_pfn_t frame, evtchn_port_t port);
int store_release(struct store *store, domid_t domid);
/* The domain goes on after a suspend that was cancelled: @releaseDomain may fire for it again. */
int store_resume(struct store *store, domid_t domid);
int store_is_introduced(struct store *store, domid_t domid);	/* 1, 0, -errno */
/* XS_CONTROL: "NAME\0ARG\0..." out, text answer in *answer (free()). */
int store_control(struct store *store, const void *command, size_t length, char **answer);

#endif
