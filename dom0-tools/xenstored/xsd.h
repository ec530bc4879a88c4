/* SPDX-License-Identifier: MIT */
/*
 * The store daemon's state and what its files offer each other.
 *
 * Bytes come in by connection.c, become requests in request.c, and end as changes of the tree
 * (tree.c), directly or through a transaction (transaction.c), as watch events (watch.c) and as
 * answers. All that a request changes and says is one record of the journal (journal.c): a process
 * killed at any instant leaves either the whole record or none, and restore.c makes the same state
 * of the records again. The operating system is behind port.h.
 */
#ifndef XENSTORED_XSD_H
#define XENSTORED_XSD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/io/xs_wire.h>
#include "journal.h"
#include "table.h"

struct port;
struct conn;
struct transaction;

/* --- Paths --- */

#define PATH_LEVELS (XENSTORE_ABS_PATH_MAX / 2 + 2)

/*
 * An absolute path taken apart: prefix @i (0 is "/") is the first end[i] bytes and has hash[i].
 * The text is the caller's and NUL-terminated.
 */
struct path {
	const char *text;
	unsigned int length;
	unsigned int levels;		/* of the path itself: 0 for "/" */
	uint32_t hash[PATH_LEVELS];
	uint16_t end[PATH_LEVELS];
};

/* --- Nodes --- */

#define PERM_READ	1
#define PERM_WRITE	2
#define PERM_OWNER	4

struct perm {
	uint16_t domid;
	uint8_t access;
	uint8_t reserved;
	uint32_t instance;	/* of that domain when the entry was made: ids are used again */
};

/* Sets of permissions are shared by all nodes that have the same. entry[0] is the owner's. */
struct perms {
	struct link link;
	uint32_t refs;
	uint32_t count;
	struct perm entry[];
};

#define VALUE_INLINE 8

struct node {
	struct link link;
	uint32_t children_bytes;	/* names with their NULs: the length of a listing */
	struct node *parent;
	struct list children;		/* in the order of their creation */
	struct list sibling;
	struct list owned;		/* of its owner's domain, unless that is dom0 */
	struct perms *perms;
	uint64_t gen;			/* when value, permissions or children last changed */
	union {
		char *heap;
		char bytes[VALUE_INLINE];
	} value;
	uint16_t length;
	uint16_t name_length;
	char name[];
};

static inline const char *node_value(const struct node *n)
{
	return n->length > VALUE_INLINE ? n->value.heap : n->value.bytes;
}

/* --- Domains --- */

enum quota_kind { QUOTA_NODES, QUOTA_WATCHES, QUOTA_TRANSACTIONS, QUOTA_OUTSTANDING, QUOTA_TX_NODES,
		  QUOTA_MEMORY, QUOTA_NODE_SIZE, QUOTA_PATH, QUOTA_PERMS, QUOTA_KINDS };

/* What the store knows of a domain: from its first mention in permissions, or its introduction. */
struct domain {
	struct link link;
	uint16_t domid;
	uint16_t target;		/* whose rights it has too, or DOMID_INVALID */
	bool introduced;
	bool shutdown;			/* said by @releaseDomain already */
	uint16_t warned, limited;	/* bits of quota kinds that were logged */
	uint32_t instance;
	uint32_t target_instance;
	uint32_t remote_port;
	uint64_t frame;
	unsigned int used[QUOTA_KINDS];	/* nodes, watches, transactions, outstanding, memory */
	struct list nodes;
	struct conn *conn;
	struct xenstore_domain_interface *ring;
	int port;			/* local end, or -1 */
	unsigned int lines;		/* logged about it since */
	uint64_t lines_since;		/* ... ms */
};

/* --- Watches --- */

/* All watches of one path. */
struct watch_group {
	struct link link;
	struct list watches;
	unsigned int length;
	char path[];
};

struct watch {
	struct list in_group;
	struct list in_conn;
	struct watch_group *group;
	struct conn *conn;
	int depth;		/* levels below, or -1: all */
	uint16_t base;		/* bytes of the path that a relative watch does not show */
	char token[];
};

/* --- Connections --- */

enum conn_kind { CONN_SOCKET, CONN_RING };

/* A message waiting until the client takes it. */
struct outmsg {
	struct link link;	/* of x->pending, if an event */
	struct list queue;
	struct conn *conn;
	bool event;
	uint32_t length, sent;
	char bytes[];
};

struct conn {
	enum conn_kind kind;
	uint32_t slot;			/* in the shared state file */
	uint32_t epoch;			/* tells this user of the slot from earlier ones */
	struct domain *domain;		/* whose rights it has: dom0's for sockets */
	int fd;				/* socket, or -1 */
	uint64_t cookie;		/* the socket's, unique in this boot */
	struct list watches;
	struct list transactions;
	struct list queue;		/* struct outmsg */
	struct list turn;		/* in x->ready, x->stalled or x->dead, or alone */
	uint64_t out_made;		/* bytes of output ever made */
	unsigned int queued, queued_bytes, queued_replies;
	unsigned int next_tx;
	unsigned int refused;		/* commits in a row that others made fail */
	uint64_t no_priority_until;
	bool ignored;			/* broke the protocol: not served until a reset */
	bool stalled;
	bool adopted;			/* its socket was found open after a restart */
	bool closing;
	unsigned int wants;		/* WANT_ bits of a socket */
	bool took, notified;		/* in this turn: input of the ring, the guest's event */
	unsigned int error;		/* why it is closing, for a ring's page */
};

/* --- Transactions --- */

/* What a transaction relies on at a path: a change of it by others dooms the transaction. */
#define DEP_VALUE	1
#define DEP_PERMS	2
#define DEP_EXIST	4	/* being there, or not */
#define DEP_CHILDREN	8
#define DEP_ALL		15

/* What it changed there. */
#define TX_VALUE	1	/* value is the transaction's own, or kept */
#define TX_PERMS	2
#define TX_CREATED	4	/* to be made at commit */
#define TX_REMOVED	8	/* what was there goes at commit */
#define TX_GONE		16	/* not there in its view */
#define TX_MODIFIED	32	/* in the list of changes */
#define TX_EXACT	64	/* its watch event is not for parents: removed with a parent */
#define TX_KEPT		128	/* doomed: goes on seeing what was there */
#define TX_QUIET	256	/* made for the sake of a child only: no watch event of its own */

struct entry {
	struct link link;
	struct transaction *tx;
	struct list all;
	struct list modified;
	struct list created;		/* children made by the transaction: their sibling lists */
	struct list sibling;
	struct perms *perms;		/* with TX_PERMS */
	struct perms *old_perms;	/* the committed node's when first seen, or NULL */
	char *value;
	uint16_t length;
	uint16_t flags;
	uint16_t path_length;
	uint8_t deps;
	char path[];
};

struct transaction {
	uint32_t id;
	struct conn *conn;
	struct list of_conn;
	struct list all;		/* struct entry */
	struct list modified;
	unsigned int entries;
	unsigned int nodes_made;
	bool doomed;
	bool by_others;		/* ... not by its own connection */
};

/* --- The daemon --- */

/* How much the journal may still grow (room.c). */
enum room {
	ROOM_AMPLE,
	ROOM_TIGHT,		/* nothing can be had of /run: what adds to the store is refused */
	ROOM_NONE,		/* the reserve is used as well: only reading goes on */
};
#define ROOM_RETRY_MS 500

struct xsd {
	struct port *port;
	struct journal journal;
	struct table nodes;
	struct node *root;
	struct table perms;
	struct table groups;
	struct table entries;
	struct table pending;
	struct table domains;
	struct domain *dom0;
	struct perms *special[2];	/* of @introduceDomain, @releaseDomain */
	struct conn **conns;		/* by slot */
	unsigned int conn_room;
	unsigned int conn_count;
	uint32_t conn_free;		/* lowest slot that may be free */
	struct list ready, stalled, dead;
	uint64_t gen;			/* of the last change */
	uint32_t next_epoch, next_instance;
	uint32_t seed;			/* of path hashes */
	unsigned int open_tx;
	struct transaction *priority;	/* others wait rather than doom it */
	uint64_t priority_until;
	uint64_t reconnect_at;		/* see domains_reconnect() */
	uint64_t check_at;		/* domains_check() is to be repeated */
	uint64_t unstall_at;		/* somebody waits for room */
	enum room room;			/* as room_left() last saw it */
	const char *dir;		/* of the journal, for messages */
	unsigned int quota[QUOTA_KINDS];
	bool tracing;
	bool live_update;		/* asked for: the process is to be replaced */
	char live_path[256];
	unsigned int compacted_nodes;	/* in the last snapshot */
	bool restoring;
	struct conn *serving;		/* whose request is at hand */
	struct conn *fresh;		/* opened or reset by the record at hand */
	uint64_t count_requests, count_events, count_eagain, count_stalls, count_dropped;
	struct path path;		/* scratch of the request at hand */
	struct path aux;		/* ... of what it does at other paths */
	char path_text[XENSTORE_ABS_PATH_MAX + 64];
	/* Of the node that is being removed: too large to allocate for each. */
	struct path gone;
	char gone_text[XENSTORE_ABS_PATH_MAX + 64];
};

/* A request being served. */
struct request {
	struct xsd *x;
	struct conn *conn;
	struct transaction *tx;
	struct xsd_sockmsg msg;
	const char *body;
	bool no_room;		/* for its record: to be refused */
};

/* Handlers' answer besides -errno: a transaction with priority is in the way, try again later. */
#define STALL (-1000)

/* core.c: the daemon as a whole */
void xsd_init(struct xsd *x, struct port *port, uint32_t seed);
void xsd_free(struct xsd *x);
void xsd_log(struct xsd *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * Opens the journal below @dir and takes up what is in it. @crashed: the last process ended by a
 * fault of its own. @keep_sockets: clients' sockets are still open. 1: state was taken up, 0: none,
 * -errno.
 */
int xsd_start(struct xsd *x, const char *dir, bool crashed, bool keep_sockets);
/* Serves what is ready, drops what died; true: there is more to do at once. */
bool xsd_step(struct xsd *x);
/* Nothing came for the time that xsd_timeout() said. */
void xsd_idle(struct xsd *x);
/* Milliseconds until xsd_step() or xsd_idle() is wanted though nothing comes; -1: none. */
int xsd_timeout(struct xsd *x);
/* Compares all redundant state; logs and counts what does not fit. */
unsigned int xsd_check(struct xsd *x);

/* room.c */
/* Looks, and logs if it has changed. */
enum room room_left(struct xsd *x);
/* Somebody who is stalled waits for room. */
void room_wait(struct xsd *x);

/* tree.c */
/* Takes @text apart into @p; false: not a valid absolute path within the limits. */
bool path_parse(struct xsd *x, const char *text, unsigned int length, struct path *p);
void path_hash(struct xsd *x, const char *text, unsigned int length, struct path *p);
struct node *node_find(struct xsd *x, const struct path *p, unsigned int level);
/* The nearest existing ancestor of @p above @level; *found its level. The root always exists. */
struct node *node_nearest(struct xsd *x, const struct path *p, unsigned int level,
			  unsigned int *found);
/* Writes the node's path (result: its length without NUL) to @text[XENSTORE_ABS_PATH_MAX + 64]. */
unsigned int node_path(const struct node *n, char *text);
/* The tree's next node, parents before their children; NULL after the last. */
struct node *node_after(const struct node *n);
/* Changes: each applies, is journalled and dooms the transactions that relied on what was. */
struct node *node_create(struct xsd *x, const struct path *p, unsigned int level,
			 struct perms *perms, const void *value, unsigned int length);
void node_set_value(struct xsd *x, const struct path *p, struct node *n, const void *value,
		    unsigned int length);
void node_set_perms(struct xsd *x, const struct path *p, struct node *n, struct perms *perms);
void node_remove(struct xsd *x, const struct path *p, struct node *n);
/* Frees all nodes without a word, at the end. */
void tree_free(struct xsd *x);

/* perms.c */
struct perms *perms_get(struct xsd *x, const struct perm *entries, unsigned int count);
struct perms *perms_ref(struct perms *p);
void perms_put(struct xsd *x, struct perms *p);
struct perms *perms_with_owner(struct xsd *x, struct perms *p, struct domain *owner);
unsigned int perms_for(const struct conn *conn, const struct perms *p);
/* From the wire form; -EINVAL, -ENOENT (the owner is no domain), -ENOSPC (more than @limit). */
int perms_parse(struct xsd *x, const char *strings, unsigned int length, unsigned int limit,
		struct perms **out);
/* To the wire form; the length. @text has room for 12 bytes an entry. */
unsigned int perms_print(const struct perms *p, char *text);

/* domain.c */
struct domain *domain_find(struct xsd *x, unsigned int domid);
/* A domain's record; made (and journalled) if it is unknown and exists. NULL: no such domain. */
struct domain *domain_get(struct xsd *x, unsigned int domid);
struct domain *domain_add(struct xsd *x, unsigned int domid, uint32_t instance);
void domain_journal(struct xsd *x, struct domain *d);
static inline bool privileged(const struct conn *c)
{
	return c->domain->domid == 0;
}
/* A log line about @d, as far as it has not caused too many: a guest could fill dom0's disk. */
void domain_log(struct xsd *x, struct domain *d, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Counts @more of a quota for @d, and logs where it comes near or to its limit. */
void quota_add(struct xsd *x, struct domain *d, enum quota_kind kind, int more);
/* Whether @more fits; if not, it is logged once. Always true for dom0. */
bool quota_fits(struct xsd *x, struct domain *d, enum quota_kind kind, unsigned int more);
/* Sets a limit and journals it, within the record at hand or as one of its own. */
void quota_set(struct xsd *x, enum quota_kind kind, unsigned int limit);
const char *quota_name(enum quota_kind kind);
const char *quota_text(enum quota_kind kind);
/* Connects @d's ring and fires @introduceDomain; -errno: nothing changed. */
int domain_introduce(struct xsd *x, unsigned int domid, uint64_t frame, uint32_t remote_port);
/* The domain is gone or let go: connection, its nodes, its record. Fires @releaseDomain. */
void domain_release(struct xsd *x, struct domain *d);
/* Looks which domains died or shut down; a record of its own. */
void domains_check(struct xsd *x);
/*
 * After restore.c: maps rings and binds ports anew. Once more at x->reconnect_at (0: all have
 * theirs), for those that could not be had: a dead instance may hold them still, or memory is
 * short.
 */
void domains_reconnect(struct xsd *x);
void domain_free(struct xsd *x, struct domain *d);

/* watch.c */
/* -EEXIST. */
int watch_add(struct xsd *x, struct conn *c, const char *path, const char *token, int depth,
	      unsigned int base);
/* -ENOENT. */
int watch_remove(struct xsd *x, struct conn *c, const char *path, const char *token);
void watches_drop(struct xsd *x, struct conn *c);
/*
 * Tells who watches @p's level @level of a change there: with @exact only watches of exactly this
 * path. @n the node if it exists, @old permissions it had before (or NULL): readers of either get
 * to know.
 */
void watch_fire(struct xsd *x, const struct path *p, unsigned int level, struct node *n, bool exact,
		const struct perms *old);
/* The same before the removal of @n: watches of each node below, then those of @p and above. */
void watch_fire_tree(struct xsd *x, const struct path *p, struct node *n);
/* @which 0: @introduceDomain, 1: @releaseDomain. */
void watch_fire_special(struct xsd *x, unsigned int which, unsigned int domid);
extern const char *const special_names[2];

/* transaction.c */
struct transaction *tx_find(struct conn *c, uint32_t id);
struct transaction *tx_start(struct xsd *x, struct conn *c, uint32_t id);
void tx_free(struct xsd *x, struct transaction *tx);
void txs_drop(struct xsd *x, struct conn *c);
/* Others' change of @kind (DEP_ bits) at a path: saves what doomed readers are still to see. */
void tx_conflict(struct xsd *x, const struct path *p, unsigned int level, struct node *n,
		 unsigned int kind);
/* Whether such a change by @by has to wait for the transaction with priority. */
bool tx_must_wait(struct xsd *x, const struct conn *by, const struct path *p, unsigned int level,
		  unsigned int kind);
/* The same for everything below and at @n. */
bool tx_must_wait_tree(struct xsd *x, const struct conn *by, struct node *n);
struct entry *tx_entry(struct xsd *x, struct transaction *tx, const char *path,
		       unsigned int length, uint32_t hash);
/* The entry for a path, made if need be, relying on @deps. @n: the committed node, or NULL. */
struct entry *tx_touch(struct xsd *x, struct transaction *tx, const char *path, unsigned int length,
		       uint32_t hash, struct node *n, unsigned int deps);
/* Whether @more entries are allowed. */
bool tx_room(struct xsd *x, struct transaction *tx, unsigned int more);
/* @moved: the entry's turn at commit is after all others from now on. */
void tx_journal(struct xsd *x, struct entry *e, bool moved);
void entry_set_value(struct xsd *x, struct entry *e, const void *value, unsigned int length);
void entry_set_perms(struct xsd *x, struct entry *e, struct perms *perms);
void entry_move(struct entry *e);
/* 0, -EAGAIN, -ENOSPC, STALL. Except for STALL the transaction is gone. */
int tx_commit(struct xsd *x, struct transaction *tx);
void tx_end_priority(struct xsd *x, bool timed_out);
/* Whether its commit would do more than remove. */
bool tx_grows(const struct transaction *tx);
/* Applies a journalled entry. */
void tx_restore(struct xsd *x, struct transaction *tx, const struct item_tx_entry *item);

/* view.c: nodes as a request sees them, in its transaction or outside */
struct view {
	bool exists;
	struct node *node;		/* the committed one, or NULL */
	struct entry *entry;		/* in a transaction */
	const char *value;
	unsigned int length;
	struct perms *perms;
	uint64_t gen;
};
/* 0, -ENOSPC (too many nodes in the transaction). */
int view_get(struct request *r, const struct path *p, unsigned int level, unsigned int deps,
	     struct view *v);
/* As view_get() with the rights that @access asks for: -ENOENT, -EACCES. */
int view_access(struct request *r, const struct path *p, unsigned int deps, unsigned int access,
		struct view *v);
/* Each child's name of what view_get() found with DEP_CHILDREN. */
void view_children(struct request *r, const struct path *p, const struct view *v,
		   void (*each)(void *data, const char *name, unsigned int length), void *data);
int view_write(struct request *r, const struct path *p, struct view *v, const void *value,
	       unsigned int length);
/* Makes the node that view_access() did not find, with missing parents. */
int view_create(struct request *r, const struct path *p, const void *value, unsigned int length);
int view_remove(struct request *r, const struct path *p, struct view *v);
int view_set_perms(struct request *r, const struct path *p, struct view *v, struct perms *perms);

/* request.c, control.c */
/* Serves one whole message as one record of the journal; false: it has to wait (STALL). */
bool request_serve(struct xsd *x, struct conn *c, const struct xsd_sockmsg *msg, const char *body,
		   uint64_t in_done);
void reply(struct request *r, const void *bytes, unsigned int length);
int request_control(struct request *r);

/* connection.c */
/* In memory only. NULL: no slot is free. */
struct conn *conn_make(struct xsd *x, enum conn_kind kind, uint32_t slot, uint32_t epoch);
/* Takes a client's socket: a record of its own. NULL: too many clients, or no room. */
struct conn *conn_open_socket(struct xsd *x, int fd, uint64_t cookie);
/* Whether another connection can be had. */
bool conn_has_room(struct xsd *x);
/* Within the record at hand, as the next three. conn_has_room() said yes. */
struct conn *conn_open_ring(struct xsd *x, struct domain *d);
void conn_close(struct xsd *x, struct conn *c);
/* A ring starts anew: no watches, transactions, bytes. */
void conn_reset(struct xsd *x, struct conn *c);
void conn_journal(struct xsd *x, const struct conn *c);
void conn_free(struct xsd *x, struct conn *c);
/* Forgets watches, transactions and output; the connection stays. */
void conn_clear(struct xsd *x, struct conn *c);
/* Closes at the next xsd_step() (a ring: is served no more, with @error in its page). */
void conn_kill(struct xsd *x, struct conn *c, unsigned int error);
/* Ends those that were killed. */
void conns_bury(struct xsd *x);
/* Input may be there, or room for output: serves some of it. */
void conn_work(struct xsd *x, struct conn *c);
void conn_ready(struct xsd *x, struct conn *c);
/* Those that wait get their turn again. */
void conns_unstall(struct xsd *x);
/* Commits the record at hand and hands over what it says; true: all of that is delivered. */
bool record_commit(struct xsd *x);
/* Starts the slot's counters for a new user. */
void slot_start(struct xsd *x, struct conn *c);
/* A ring's indexes are published again after a restart. */
void conn_republish(struct xsd *x, struct conn *c);
/* What the dead process sent or received last but could not note: before and after the replay. */
void conn_recover_sent(struct xsd *x);
void conn_recover_input(struct xsd *x);

/* output.c */
/* Makes a message for @c within the record at hand. */
void conn_out(struct xsd *x, struct conn *c, const struct xsd_sockmsg *msg, const void *a,
	      unsigned int a_length, const void *b, unsigned int b_length);
/* A watch event; dropped if the same is waiting already, or far too many are. */
void conn_event(struct xsd *x, struct conn *c, const char *path, unsigned int length,
		const char *token);
/* Hands over what the committed record says; true: all of it was taken. */
bool conn_deliver(struct xsd *x);
void conn_flush(struct xsd *x, struct conn *c);
/* Tells the port what to wait for. */
void conn_wants(struct xsd *x, struct conn *c);
/* Too much is waiting for the client to serve more of it. */
bool conn_backlogged(struct xsd *x, const struct conn *c);
/* Keeps a message, @sent bytes of it delivered, until the client takes it. */
void conn_queue(struct xsd *x, struct conn *c, const void *bytes, uint32_t length, uint32_t sent);
void conn_drop_queue(struct xsd *x, struct conn *c);

static inline struct slot *slot_of(struct xsd *x, const struct conn *c)
{
	return &x->journal.slots[c->slot];
}

/* restore.c */
/* Replays the journal into an empty @x; the number of records, or -EPROTO. */
int restore_replay(struct xsd *x);
/* Writes all state as one record (the start of a fresh journal file). */
void restore_snapshot(struct xsd *x);

#endif
