/* SPDX-License-Identifier: MIT */
/*
 * The journal's files: mapping, growing, records and the switch from one file to the next.
 *
 * A record that finds no room in /run ends the process: a request is either recorded or was not
 * served. room.c keeps that from happening but to records far larger than usual; the request is
 * then refused by the next process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "journal.h"
#include "table.h"

#define MAGIC 0x3130646572747358ull	/* changes with the layout of anything kept */
#define GROW (64 * 1024ul)
#define SLACK (192 * 1024ul)		/* garbage that is not worth a compaction */

#define SLOTS_AT 4096ul
#define BUFS_AT (SLOTS_AT + SLOT_COUNT * sizeof(struct slot))
#define BUF_STRIDE ((sizeof(struct inbuf) + 63) & ~63ul)
#define STATE_SIZE (BUFS_AT + SLOT_COUNT * BUF_STRIDE)

_Static_assert(sizeof(struct slot) == 64, "one cache line each");
_Static_assert(sizeof(struct shared) <= SLOTS_AT, "head fits");
_Static_assert(sizeof(struct rec) % 8 == 0 && sizeof(struct item) % 8 == 0, "alignment");

static void die(const char *what)
{
	fprintf(stderr, "xenstored: %s: %s\n", what, strerror(errno));
	_exit(3);
}

/* Memory of a tmpfs file is taken here and not at first touch, which would be a SIGBUS. */
static int reserve(int fd, size_t from, size_t bytes)
{
	if (fallocate(fd, 0, from, bytes) == 0)
		return 0;
	if (errno == EOPNOTSUPP && posix_fallocate(fd, from, bytes) == 0)
		return 0;
	return -errno;
}

/* False: there is no room for it. */
static bool try_map_log(struct journal *j, size_t need)
{
	size_t room = (need + GROW - 1) / GROW * GROW, ample;
	int fd = j->fd[j->which];

	if (room <= j->room)
		return true;
	ample = (j->room + j->room / 2) / GROW * GROW;
	if (ample > room && reserve(fd, j->room, ample - j->room) == 0)
		room = ample;
	else if (reserve(fd, j->room, room - j->room) < 0)
		return false;
	if (j->room)
		j->log = mremap(j->log, j->room, room, MREMAP_MAYMOVE);
	else
		j->log = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (j->log == MAP_FAILED)
		die("mapping the journal");
	j->room = room;
	return true;
}

static void map_log(struct journal *j, size_t need)
{
	struct shared *s = j->shared;
	const struct rec *rec;

	if (try_map_log(j, need))
		return;
	if (j->open && j->rec + sizeof(*rec) <= j->room) {
		rec = (const struct rec *)(j->log + j->rec);
		s->refuse_epoch = rec->epoch;
		s->refuse_done = rec->in_done;
		publish(s->refuse_slot, rec->slot);
	}
	errno = ENOSPC;
	die("no room for the journal");
}

bool journal_ahead(struct journal *j, size_t bytes)
{
	return j->room - j->tail >= bytes || try_map_log(j, j->tail + bytes);
}

static int open_state(struct journal *j)
{
	struct stat st;
	bool fresh;
	char *map;

	j->state_fd = openat(j->dir, "state", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (j->state_fd < 0)
		return -errno;
	if (flock(j->state_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(j->state_fd, &st) < 0)
		return -errno;
	fresh = st.st_size != (off_t)STATE_SIZE;
	if (ftruncate(j->state_fd, STATE_SIZE) < 0 || reserve(j->state_fd, 0, SLOTS_AT) < 0)
		return -errno;
	map = mmap(NULL, STATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, j->state_fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	j->shared = (struct shared *)map;
	j->slots = (struct slot *)(map + SLOTS_AT);
	j->bufs = map + BUFS_AT;
	return !fresh && j->shared->magic == MAGIC;
}

int journal_open(struct journal *j, const char *dir)
{
	int had;

	memset(j, 0, sizeof(*j));
	j->state_fd = j->fd[0] = j->fd[1] = -1;
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	j->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir < 0)
		return -errno;
	had = open_state(j);
	if (had < 0)
		return had;
	j->fd[0] = openat(j->dir, "journal.0", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	j->fd[1] = openat(j->dir, "journal.1", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (j->fd[0] < 0 || j->fd[1] < 0)
		return -errno;
	if (!had) {
		if (ftruncate(j->state_fd, 0) < 0 || ftruncate(j->state_fd, STATE_SIZE) < 0 ||
		    reserve(j->state_fd, 0, SLOTS_AT) < 0)
			return -errno;
		publish(j->shared->magic, MAGIC);
	}
	j->which = j->shared->pos & 1;
	j->tail = j->shared->pos >> 1;
	if (ftruncate(j->fd[!j->which], 0) < 0)
		return -errno;
	map_log(j, j->tail + 1);	/* no more than is there: there may be no room to grow */
	j->free_bufs = xalloc(SLOT_COUNT * sizeof(*j->free_bufs));
	j->buf_owner = xalloc((SLOT_COUNT + 1) * sizeof(*j->buf_owner));
	return had;
}

void journal_close(struct journal *j)
{
	if (j->log)
		munmap(j->log, j->room);
	if (j->shared)
		munmap(j->shared, STATE_SIZE);
	free(j->free_bufs);
	free(j->buf_owner);
	for (int i = 0; i < 2; i++)
		if (j->fd[i] >= 0)
			close(j->fd[i]);
	if (j->state_fd >= 0)
		close(j->state_fd);
	if (j->dir >= 0)
		close(j->dir);
	memset(j, 0, sizeof(*j));
}

void rec_begin(struct journal *j, uint32_t slot, uint32_t epoch, uint64_t in_done)
{
	struct rec *rec;

	j->open = true;
	j->pure = true;
	j->rec = j->tail;
	j->end = j->rec + sizeof(*rec);
	map_log(j, j->end);
	rec = (struct rec *)(j->log + j->rec);
	rec->slot = slot;
	rec->epoch = epoch;
	rec->reserved = 0;
	rec->in_done = in_done;
}

void *rec_item(struct journal *j, enum item_type type, size_t length)
{
	size_t at = j->end;
	struct item *item;

	if (type != ITEM_OUT)
		j->pure = false;
	j->end += sizeof(*item) + ((length + 7) & ~7ul);
	if (j->end > j->room)
		map_log(j, j->end);
	item = (struct item *)(j->log + at);
	item->type = type;
	item->length = length;
	return item + 1;
}

bool rec_commit(struct journal *j)
{
	struct rec *rec = (struct rec *)(j->log + j->rec);

	j->open = false;
	if (j->end == j->rec + sizeof(*rec) && !rec->slot)
		return false;
	rec->length = j->end - j->rec;
	kill_point();
	publish(j->shared->pos, (uint64_t)j->end << 1 | j->which);
	j->tail = j->end;
	kill_point();
	return true;
}

void rec_abandon(struct journal *j)
{
	struct rec *rec = (struct rec *)(j->log + j->rec);

	rec->slot = rec->epoch = 0;
	rec->in_done = 0;
	rec_commit(j);
}

void rec_rewind(struct journal *j)
{
	kill_point();
	publish(j->shared->pos, (uint64_t)j->rec << 1 | j->which);
	j->tail = j->rec;
}

bool journal_wants_compaction(const struct journal *j, bool idle)
{
	if (j->tail < j->later)
		return false;
	if (idle)
		return j->tail > j->snapshot + j->snapshot / 2 + GROW / 2;
	return j->tail > 3 * j->snapshot + SLACK;
}

bool journal_compact_begin(struct journal *j)
{
	/*
	 * About what the snapshot will need, no more than what led to the state; if it grows
	 * further, so does this.
	 */
	size_t guess = j->snapshot + j->snapshot / 2 + GROW, room;
	int fd = j->fd[!j->which];

	room = j->snapshot && guess < j->tail ? guess : j->tail;
	room = (room + GROW - 1) / GROW * GROW;
	if (ftruncate(fd, 0) < 0)
		die("truncating a journal");
	if (reserve(fd, 0, room) < 0) {
		if (ftruncate(fd, 0) < 0)
			die("truncating a journal");
		j->later = j->tail + GROW;
		return false;
	}
	j->later = 0;
	j->old_log = j->log;
	j->old_room = j->room;
	j->which = !j->which;
	j->log = NULL;
	j->room = 0;
	j->tail = 0;
	rec_begin(j, 0, 0, 0);
	return true;
}

void journal_compact_end(struct journal *j)
{
	struct rec *rec = (struct rec *)(j->log + j->rec);

	rec->length = j->end - j->rec;
	j->open = false;
	kill_point();
	publish(j->shared->pos, (uint64_t)j->end << 1 | j->which);
	kill_point();
	j->tail = j->snapshot = j->end;
	munmap(j->old_log, j->old_room);
	j->old_log = NULL;
	/* The old one goes, and what the new one did not need. */
	if (ftruncate(j->fd[!j->which], 0) < 0 || ftruncate(j->fd[j->which], j->room) < 0)
		die("truncating a journal");
}

bool journal_slot_reserve(struct journal *j, uint32_t slot)
{
	size_t bytes = (slot + 1) * sizeof(struct slot);

	if (bytes <= j->slots_reserved)
		return true;
	bytes = (bytes + 4095) & ~4095ul;
	if (reserve(j->state_fd, SLOTS_AT + j->slots_reserved, bytes - j->slots_reserved) < 0)
		return false;
	j->slots_reserved = bytes;
	return true;
}

struct inbuf *journal_buf(struct journal *j, uint32_t number)
{
	return (struct inbuf *)(j->bufs + (number - 1) * BUF_STRIDE);
}

struct inbuf *journal_buf_get(struct journal *j, struct slot *slot)
{
	uint32_t number;
	struct inbuf *b;

	if (j->free_count) {
		number = j->free_bufs[--j->free_count];
	} else {
		number = j->bufs_made + 1;	/* there are as many as slots */
		if (reserve(j->state_fd, BUFS_AT + (number - 1) * BUF_STRIDE, BUF_STRIDE) < 0)
			return NULL;
		j->bufs_made = number;
	}
	b = journal_buf(j, number);
	b->used = 0;
	b->armed = 0;
	b->base = slot->in_done;
	j->buf_owner[number] = slot - j->slots;
	publish(slot->buf, number);
	return b;
}

void journal_buf_put(struct journal *j, struct slot *slot)
{
	/* A slot whose last user an earlier process closed names a buffer that is not its own. */
	if (j->buf_owner[slot->buf] == slot - j->slots) {
		j->buf_owner[slot->buf] = 0;
		j->free_bufs[j->free_count++] = slot->buf;
	}
	publish(slot->buf, 0);
}

void journal_buf_keep(struct journal *j, struct slot *slot)
{
	j->buf_owner[slot->buf] = slot - j->slots;
	if (slot->buf > j->bufs_made)
		j->bufs_made = slot->buf;
}

void journal_buf_kept(struct journal *j)
{
	for (uint32_t i = j->bufs_made; i > 0; i--)
		if (!j->buf_owner[i])
			j->free_bufs[j->free_count++] = i;
}
