/* SPDX-License-Identifier: MIT */
/*
 * Logs with rotation, and recovery of the one write that a kill may have interrupted.
 *
 * The record in shared memory is a redo log: it holds the bytes themselves, so that completing the
 * log needs no ring and no domain, and doing it twice changes nothing. Order of a chunk:
 * rotate, record, arm, log, ring's index, disarm. Before "arm" nothing has happened; after it the
 * log is completed from the record; and the ring's index tells by itself whether it was moved.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tools/kill_point.h>
#include "port.h"
#include "spool.h"

#define MAGIC 0x6b636f6eu

static int open_file(struct spool *spool)
{
	uint64_t size = 0, identity = 0;
	int fd = port_file_open(spool->path, &size, &identity);

	if (fd < 0)
		return fd;
	port_close(spool->fd);
	spool->fd = fd;
	spool->size = size;
	spool->identity = identity;
	return 0;
}

struct spool *spool_get(struct spool **all, const char *path)
{
	struct spool *spool;
	int error;

	for (spool = *all; spool; spool = spool->next) {
		if (strcmp(spool->path, path) == 0) {
			spool->users++;
			return spool;
		}
	}
	spool = calloc(1, sizeof(*spool));
	if (!spool || strlen(path) >= sizeof(spool->path)) {
		free(spool);
		return NULL;
	}
	strcpy(spool->path, path);
	spool->fd = -1;
	error = open_file(spool);
	if (error != 0) {
		port_note("cannot open %s: %s", path, strerror(-error));
		free(spool);
		return NULL;
	}
	spool->users = 1;
	spool->next = *all;
	*all = spool;
	return spool;
}

void spool_put(struct spool **all, struct spool *spool)
{
	if (!spool || --spool->users > 0)
		return;
	while (*all != spool)
		all = &(*all)->next;
	*all = spool->next;
	port_close(spool->fd);
	free(spool);
}

void spool_reopen(struct spool *all)
{
	for (; all; all = all->next) {
		uint64_t end = spool_end(all), identity = all->identity;

		if (open_file(all) == 0 && all->identity != identity)
			all->base = end;	/* a fresh file: viewers go on there */
	}
}

/*
 * PATH becomes PATH.1, PATH.1 becomes PATH.2 and so on, the oldest first, so that a kill in between
 * only leaves a gap in the numbers, which the next rotation fills.
 */
static void rotate(struct spool *spool, const struct spool_limits *limits)
{
	char from[SPOOL_PATH + 12], to[SPOOL_PATH + 12];
	unsigned int free_number = 1;
	uint64_t end = spool_end(spool), identity = spool->identity;

	while (free_number < limits->files) {
		snprintf(to, sizeof(to), "%s.%u", spool->path, free_number);
		if (!port_file_exists(to))
			break;
		free_number++;
	}
	if (limits->files == 0)
		port_file_cut(spool->fd, 0);
	for (unsigned int n = limits->files > 0 ? free_number : 0; n > 0; n--) {
		snprintf(to, sizeof(to), "%s.%u", spool->path, n);
		snprintf(from, sizeof(from), n == 1 ? "%s" : "%s.%u", spool->path, n - 1);
		port_file_rename(from, to);
		kill_point();
	}
	if (open_file(spool) == 0)
		spool->base = end - spool->size;
	/* It could not be moved away: better without what it has than without bound. */
	if (limits->files > 0 && spool->identity == identity && spool->size > 0 &&
	    port_file_cut(spool->fd, 0) == 0) {
		port_note("cannot keep an old %s: it begins anew", spool->path);
		spool->base = end;
		spool->size = 0;
	}
}

static bool must_rotate(const struct spool *spool, const struct spool_limits *limits,
			uint32_t length)
{
	return limits->bytes > 0 && spool->size > 0 && spool->size + length > limits->bytes;
}

/* Says in the log what it missed; not for recovery's eyes: nothing of it is in flight. */
static void tell_loss(struct spool *spool)
{
	char line[96];
	int length = snprintf(line, sizeof(line), "\r\n[consoled: %llu bytes not logged]\r\n",
			      (unsigned long long)spool->lost);

	if (port_file_write(spool->fd, line, (size_t)length, spool->size) == 0) {
		spool->size += (uint64_t)length;
		spool->lost = 0;
	}
}

static int write_file(struct spool *spool, const void *bytes, uint32_t length)
{
	int error = port_file_write(spool->fd, bytes, length, spool->size);

	if (error == 0) {
		spool->size += length;
		return 0;
	}
	port_file_cut(spool->fd, spool->size);	/* no half of it */
	if (spool->lost == 0)
		port_note("cannot write %s: %s", spool->path, strerror(-error));
	spool->lost += length;
	return error;
}

int spool_append(struct spool *spool, const struct spool_limits *limits, const void *bytes,
		 uint32_t length)
{
	if (must_rotate(spool, limits, length))
		rotate(spool, limits);
	if (spool->lost > 0)
		tell_loss(spool);
	return write_file(spool, bytes, length);
}

int spool_append_inflight(struct spool *spool, const struct spool_limits *limits,
			  struct inflight *record, const char *bytes, uint32_t length,
			  domid_t domid, const uint8_t *handle, uint32_t cons)
{
	int error;

	if (must_rotate(spool, limits, length))
		rotate(spool, limits);
	if (spool->lost > 0)
		tell_loss(spool);
	kill_point();
	record->domid = domid;
	record->cons = cons;
	record->length = length;
	record->offset = spool->size;
	record->identity = spool->identity;
	memcpy(record->handle, handle, sizeof(record->handle));
	memcpy(record->path, spool->path, sizeof(record->path));
	memcpy(record->bytes, bytes, length);
	kill_point();
	/* Everything above before this, for who looks after our death. */
	__atomic_store_n(&record->armed, 1, __ATOMIC_SEQ_CST);
	kill_point();
	error = write_file(spool, bytes, length);
	kill_point();
	return error;
}

void spool_landed(struct inflight *record)
{
	__atomic_store_n(&record->armed, 0, __ATOMIC_SEQ_CST);
	kill_point();
}

bool spool_recover(struct inflight *record)
{
	uint64_t size = 0, identity = 0;
	int fd;

	if (record->magic != MAGIC) {
		memset(record, 0, sizeof(*record));
		record->magic = MAGIC;
		return false;
	}
	if (!record->armed)
		return false;
	record->path[sizeof(record->path) - 1] = 0;
	if (record->length > sizeof(record->bytes)) {
		spool_landed(record);
		return false;
	}
	fd = port_file_open(record->path, &size, &identity);
	if (fd < 0) {
		port_note("cannot open %s: %s", record->path, strerror(-fd));
		return true;
	}
	/* Another file there now: somebody moved the log away meanwhile, with what it had. */
	if (identity != record->identity || size < record->offset) {
		record->offset = size;
		kill_point();
		record->identity = identity;
		kill_point();
	}
	if (port_file_write(fd, record->bytes, record->length, record->offset) == 0)
		port_file_cut(fd, record->offset + record->length);
	kill_point();
	port_close(fd);
	return true;
}

uint64_t spool_end(const struct spool *spool)
{
	return spool->base + spool->size;
}

long spool_read(const struct spool *spool, uint64_t *position, char *bytes, uint32_t room)
{
	if (*position < spool->base)
		*position = spool->base;
	if (*position >= spool_end(spool))
		return 0;
	if (room > spool_end(spool) - *position)
		room = (uint32_t)(spool_end(spool) - *position);
	return port_file_read(spool->fd, bytes, room, *position - spool->base);
}
