/* SPDX-License-Identifier: MIT */
/*
 * The memory that outlives the store daemon: files on a tmpfs, mapped, so that every byte written
 * is kept when the process is killed at any instant (not when the machine is: /run goes with it).
 *
 * state: a struct shared with what changes without a record (who received and sent how much: struct
 *	slot per connection) and the buffers of input not yet served.
 * journal.0, journal.1: records, appended; one file is current, the other is written by compaction.
 *	One 64-bit store (shared.pos) commits a record, takes it back, or switches files.
 *
 * Use: rec_begin(), rec_item()... , rec_commit(). A record holds items (enum item_type); what each
 * means is in restore.c. Positions in streams are absolute, so that doing a record's effects twice
 * is harmless.
 */
#ifndef XENSTORED_JOURNAL_H
#define XENSTORED_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <tools/kill_point.h>
#include <xen/io/xs_wire.h>

enum item_type {
	ITEM_META = 1,		/* counters */
	ITEM_DOMAIN,
	ITEM_DOMAIN_GONE,
	ITEM_NODE,		/* made: path, permissions, value, generation */
	ITEM_VALUE,
	ITEM_PERMS,
	ITEM_REMOVE,
	ITEM_SPECIAL,		/* permissions of @introduceDomain, @releaseDomain */
	ITEM_OPEN,		/* a connection */
	ITEM_CLOSE,
	ITEM_RESET,
	ITEM_IGNORE,
	ITEM_FORGET,		/* watches and transactions of a connection */
	ITEM_WATCH,
	ITEM_UNWATCH,
	ITEM_TX_START,
	ITEM_TX_ENTRY,
	ITEM_TX_END,
	ITEM_OUT,		/* a message to a client */
	ITEM_QUOTA,
	ITEM_TYPES
};

struct rec {
	uint32_t length;	/* of the record, header included */
	uint32_t slot, epoch;	/* whose request it served; slot 0: nobody's */
	uint32_t reserved;
	uint64_t in_done;	/* its input up to here is served */
};

struct item {
	uint32_t type;
	uint32_t length;	/* of the payload that follows, which is padded to 8 */
};

struct item_out {
	uint32_t slot, epoch;
	uint64_t offset;	/* in the client's stream of output */
	/* the message follows */
};

struct item_domain {
	uint16_t domid, target;
	uint8_t introduced, shutdown;
	uint16_t reserved;
	uint32_t instance, target_instance;
	uint32_t remote_port;
	uint32_t reserved2;
	uint64_t frame;
};

struct item_tx_entry {
	uint32_t slot, id;
	uint16_t flags;
	uint8_t deps, moved;
	uint16_t path, value;		/* lengths */
	uint16_t perms, old_perms;	/* counts */
	/* both permissions, path and value follow */
};

struct item_special {
	uint32_t which, perms;
};

struct item_watch {
	uint32_t slot;
	int32_t depth;
	uint32_t base, reserved;
	/* path and token follow, each with its NUL */
};

struct item_conn {
	uint32_t slot, epoch;
	uint16_t kind, domid;
	uint8_t ignored, reserved[3];
	int32_t fd;
	uint32_t next_tx;
	uint64_t cookie;
};

/* One connection's share: slot 0 is nobody. */
struct slot {
	uint64_t in_done;	/* bytes of input whose requests are served */
	uint64_t delivered;	/* bytes of output handed over */
	uint32_t epoch;
	uint32_t buf;		/* number of its input buffer, 0: none */
	uint32_t in_base;	/* ring index of the streams' first bytes */
	uint32_t out_base;
	uint32_t reserved[8];
};

#define NOT_DONE 0xffffffffu	/* in msg_len while a system call has not ended */
#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)
#define BUF_ROOM (2 * MESSAGE_MAX)
#define SEND_PIECES 8

/*
 * Input that is taken but not served: bytes @base up to @base + @used of the stream. recvmmsg()
 * notes the count itself, here: a killed process leaves either no byte taken or the count.
 */
struct inbuf {
	uint64_t base;
	uint32_t used;
	uint32_t armed, armed_used;
	uint32_t reserved;
	struct iovec iov;
	struct mmsghdr mm;
	char data[BUF_ROOM];
};

struct shared {
	uint64_t magic;
	uint64_t pos;		/* committed bytes << 1 | which file */
	uint32_t closing_fd;	/* + 1: being closed; not to be taken for a new client */
	uint32_t crashes;	/* on the request that follows, in a row */
	uint32_t serving_slot, serving_epoch;
	uint64_t serving_done;
	struct {
		uint32_t slot, epoch, armed, reserved;
		uint64_t base;	/* delivered before */
		struct mmsghdr mm;
		struct iovec iov[SEND_PIECES];
	} send;
	/* Whose record found no room: to be refused by the next process. Slot 0: none. */
	uint32_t refuse_slot, refuse_epoch;
	uint64_t refuse_done;
};

#define SLOT_COUNT 16384

struct journal {
	int dir, state_fd, fd[2];
	struct shared *shared;
	struct slot *slots;
	char *bufs;
	uint32_t *free_bufs;	/* a stack */
	uint32_t *buf_owner;	/* by number: the slot, 0: free */
	unsigned int free_count, bufs_made;
	size_t slots_reserved;
	char *log;
	size_t room;		/* mapped bytes of the current file */
	unsigned int which;
	size_t tail;		/* committed */
	size_t rec, end;	/* the open record, and where it ends so far */
	bool open, pure;	/* pure: nothing but messages and served input */
	size_t snapshot;	/* bytes of the last compaction's result */
	size_t later;		/* compaction found no room: not before the log has this length */
	char *old_log;		/* while compacting */
	size_t old_room;
};

/* @dir is made if need be. 1: it has an earlier process's state; 0: fresh; -EBUSY; -errno. */
int journal_open(struct journal *j, const char *dir);
void journal_close(struct journal *j);

/* Whether the log has room for @bytes more, which are taken from /run now if they can be had. */
bool journal_ahead(struct journal *j, size_t bytes);
void rec_begin(struct journal *j, uint32_t slot, uint32_t epoch, uint64_t in_done);
/* Room for a payload of @length bytes; valid until the next call here. */
void *rec_item(struct journal *j, enum item_type type, size_t length);
/* false: the record was empty and is dropped. */
bool rec_commit(struct journal *j);
/* The request is not served (yet): what the record holds so far is kept, but as nobody's. */
void rec_abandon(struct journal *j);
/* Takes the last record back: everything in it is in the slots by now. */
void rec_rewind(struct journal *j);

/* Whether it is worth it to write all state anew; @idle: there is nothing else to do. */
bool journal_wants_compaction(const struct journal *j, bool idle);
/*
 * Between these two, one record is written: all state. False: there is no room for it now; the log
 * goes on.
 */
bool journal_compact_begin(struct journal *j);
void journal_compact_end(struct journal *j);

/* Before a slot is used for the first time in this process. False: no room. */
bool journal_slot_reserve(struct journal *j, uint32_t slot);
struct inbuf *journal_buf(struct journal *j, uint32_t number);
/* An empty buffer for @slot, starting at its in_done. NULL: no room. */
struct inbuf *journal_buf_get(struct journal *j, struct slot *slot);
void journal_buf_put(struct journal *j, struct slot *slot);
/* After a restart: the slot's buffer holds input; and: all such were named, the others are free. */
void journal_buf_keep(struct journal *j, struct slot *slot);
void journal_buf_kept(struct journal *j);

/*
 * Store @value where a killed process's successor looks: after all that was stored before, and
 * before all that is stored later. A process sees its own stores in order, so the compiler alone is
 * held back; for a ring's other end, x86 keeps stores in order, and the release does elsewhere.
 */
#define publish(where, value) do { \
	__asm__ volatile("" ::: "memory"); \
	__atomic_store_n(&(where), value, __ATOMIC_RELEASE); \
	__asm__ volatile("" ::: "memory"); \
} while (0)

#endif
