/* SPDX-License-Identifier: MIT */
/*
 * The ring of logged writes. An entry lies in one piece; what is left before the end of the ring is filled by one that
 * says to skip it. The head moves last, so a process that is killed in between leaves the log as it was.
 */
#include <string.h>
#include "write_log.h"

#define LOG_MAGIC	0x676f6c6574697277ULL
#define LOST_MAGIC	0x74736f6c65746977ULL
#define ALIGNMENT	sizeof(struct write_log_entry)

enum kind { KIND_DATA = 1, KIND_SKIP = 2 };

static bool is_sound(const struct write_log *log)
{
	const struct write_log_memory *m = log->memory;

	return (m->magic == LOG_MAGIC || m->magic == LOST_MAGIC) && m->head - m->tail <= log->room &&
	       !((m->head | m->tail) & (ALIGNMENT - 1));
}

void write_log_open(struct write_log *log, void *memory, size_t bytes, bool keep)
{
	struct write_log_memory *m = memory;

	log->memory = m;
	log->room = (bytes - sizeof(*m)) & ~(ALIGNMENT - 1);
	if (keep && is_sound(log))
		return;
	m->magic = keep && m->magic ? LOST_MAGIC : LOG_MAGIC;
	m->head = m->tail = 0;
}

static struct write_log_entry *entry_at(const struct write_log *log, uint64_t place)
{
	return (void *)(log->memory->ring + place % log->room);
}

static uint64_t size_of(uint64_t bytes)
{
	return (sizeof(struct write_log_entry) + bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static void advance_head(struct write_log *log, uint64_t by)
{
	__atomic_store_n(&log->memory->head, log->memory->head + by, __ATOMIC_RELEASE);
}

bool write_log_add(struct write_log *log, uint64_t offset, const struct medium_piece *pieces,
		   unsigned int nr_pieces)
{
	struct write_log_memory *m = log->memory;
	uint64_t bytes = 0, needed, to_end;
	struct write_log_entry *e;
	char *at;

	for (unsigned int i = 0; i < nr_pieces; i++)
		bytes += pieces[i].bytes;
	needed = size_of(bytes);
	to_end = log->room - m->head % log->room;
	if (needed > log->room - (m->head - m->tail) ||
	    (needed > to_end && needed + to_end > log->room - (m->head - m->tail)))
		return false;
	if (needed > to_end) {
		e = entry_at(log, m->head);
		e->kind = KIND_SKIP;
		e->bytes = to_end - sizeof(*e);
		advance_head(log, to_end);
	}
	e = entry_at(log, m->head);
	e->offset = offset;
	e->bytes = bytes;
	e->kind = KIND_DATA;
	at = e->data;
	for (unsigned int i = 0; i < nr_pieces; i++) {
		memcpy(at, pieces[i].base, pieces[i].bytes);
		at += pieces[i].bytes;
	}
	advance_head(log, needed);
	return true;
}

void write_log_drop(struct write_log *log, uint64_t mark)
{
	if (log->memory && mark > log->memory->tail)
		log->memory->tail = mark;
}

static bool fits(const struct write_log *log, uint64_t place)
{
	uint64_t bytes = size_of(entry_at(log, place)->bytes);

	return bytes <= log->memory->head - place && bytes <= log->room - place % log->room;
}

struct write_log_entry *write_log_next(struct write_log *log, uint64_t *place)
{
	struct write_log_memory *m = log->memory;

	if (!m)
		return NULL;
	if (*place < m->tail)
		*place = m->tail;
	while (*place < m->head) {
		struct write_log_entry *e = entry_at(log, *place);

		if (!fits(log, *place)) {	/* memory that somebody has written over */
			m->magic = LOST_MAGIC;
			return NULL;
		}
		*place += size_of(e->bytes);
		if (e->kind == KIND_DATA)
			return e;
	}
	return NULL;
}

/* In this order: killed in between, the next instance tries it once more. */
void write_log_give_up(struct write_log *log, struct write_log_entry *entry)
{
	__atomic_store_n(&log->memory->magic, LOST_MAGIC, __ATOMIC_RELEASE);
	__atomic_store_n(&entry->kind, KIND_SKIP, __ATOMIC_RELEASE);
}

bool write_log_has_lost(const struct write_log *log)
{
	return log->memory && log->memory->magic == LOST_MAGIC;
}

void write_log_told(struct write_log *log)
{
	log->memory->magic = LOG_MAGIC;
}
