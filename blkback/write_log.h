/* SPDX-License-Identifier: MIT */
/*
 * Writes that a server of an image has answered and may still forget: a format with metadata (qcow2) keeps these in
 * the server's memory until a flush, so a server that is killed loses what it said was written.
 *
 * The log is a ring of bytes in memory that outlives this process too. Writes are added when they are answered, dropped
 * when a flush that was sent later is answered, and written again, in order, after a server's death.
 *
 * One that cannot be written again is lost, and the log remembers until whoever wrote it has been told.
 */
#ifndef BLKBACK_WRITE_LOG_H
#define BLKBACK_WRITE_LOG_H

#include "medium.h"

#define WRITE_LOG_BYTES		(4U << 20)

/* The memory's layout. Positions only grow; modulo the ring's size they are places in it. */
struct write_log_memory {
	uint64_t magic;		/* one of two: a write has been lost, or none */
	uint64_t head, tail;	/* behind the newest, at the oldest entry */
	char ring[];
};

struct write_log {
	struct write_log_memory *memory;	/* NULL: nothing is logged */
	uint32_t room;				/* bytes of the ring */
};

/* One of it, where it lies. */
struct write_log_entry {
	uint64_t offset;
	uint32_t bytes;
	uint32_t kind;
	char data[];
};

/* @bytes of memory, zeroed or as an earlier instance left them; @keep: what they hold is still of use. */
void write_log_open(struct write_log *log, void *memory, size_t bytes, bool keep);

/* Adds what @pieces hold. False: there is no room, and nothing has changed. */
bool write_log_add(struct write_log *log, uint64_t offset, const struct medium_piece *pieces,
		   unsigned int nr_pieces);

/* Everything added so far, for write_log_drop(). */
static inline uint64_t write_log_mark(const struct write_log *log)
{
	return log->memory ? log->memory->head : 0;
}

/* What was added before @mark is on the medium. */
void write_log_drop(struct write_log *log, uint64_t mark);

/* Bytes in use. */
static inline uint64_t write_log_used(const struct write_log *log)
{
	return log->memory ? log->memory->head - log->memory->tail : 0;
}

/* The entry at *place (first: the tail), which moves on; NULL: there is none. */
struct write_log_entry *write_log_next(struct write_log *log, uint64_t *place);

/* The entry cannot be written again. */
void write_log_give_up(struct write_log *log, struct write_log_entry *entry);

/* Has a write been lost since its writer was last told? */
bool write_log_has_lost(const struct write_log *log);
void write_log_told(struct write_log *log);

#endif
