/* SPDX-License-Identifier: MIT */
/*
 * The fake medium: bytes in memory, completions by a timer of the backend's domain, locks that a dead
 * instance holds a little longer, and named memory for records.
 */
#include <stdio.h>
#include <stdlib.h>
#include "medium.h"

#define LOCK_TRIES	2	/* opens that a dead instance's lock refuses */

struct disk {
	struct disk *next;
	char path[64];
	unsigned char *data;
	uint64_t bytes, room;	/* now, and what there is memory for */
	uint64_t before;	/* bytes in front of these, which nobody may touch */
	uint32_t sector;
	unsigned int failures, flushes;
	int error, refused;
	uint64_t locked_by;	/* fence number of a dead instance */
	unsigned int locked;	/* opens to refuse yet */
	unsigned int writers, opens;
	unsigned int lingers;	/* questions that a closed medium is still at work for */
};

struct medium {
	struct medium *next;
	struct medium_host *host;
	struct disk *disk;
	struct medium_spec spec;
	bool touched;
};

struct pending {
	struct pending *next;
	struct medium *medium;
	struct medium_io *io;
};

struct record_memory {
	struct record_memory *next;
	char name[64];
	void *memory;
	size_t bytes;
};

struct medium_host {
	struct pv_domain *owner;
	struct disk *disks;
	struct medium *media;
	struct pending *pending;
	struct record_memory *records;
	struct pv_timer timer;
	unsigned long fail_at;
};

/* The world, for chance: pv_now() moves with each step and the order of things with the seed. */
static uint32_t chance(struct medium_host *h, uint32_t below)
{
	return world_random(world_of(h->owner), below);
}

struct medium_host *fake_host_new(struct pv_domain *owner)
{
	struct medium_host *h = calloc(1, sizeof(*h));

	h->owner = owner;
	return h;
}

static struct disk *find_disk(struct medium_host *h, const char *path)
{
	struct disk *d = h->disks;

	while (d && strcmp(d->path, path))
		d = d->next;
	return d;
}

unsigned char *fake_disk(struct medium_host *h, const char *path, uint64_t bytes, uint32_t sector)
{
	struct disk *d = calloc(1, sizeof(*d));

	snprintf(d->path, sizeof(d->path), "%s", path);
	d->bytes = d->room = bytes;
	d->sector = sector;
	d->data = calloc(1, bytes);
	d->next = h->disks;
	h->disks = d;
	return d->data;
}

void fake_disk_resize(struct medium_host *h, const char *path, uint64_t bytes)
{
	find_disk(h, path)->bytes = bytes;
}

void fake_disk_move(struct medium_host *h, const char *path, uint64_t before)
{
	find_disk(h, path)->before = before;
}

void fake_disk_fail(struct medium_host *h, const char *path, unsigned int count, int error)
{
	find_disk(h, path)->failures = count;
	find_disk(h, path)->error = error;
}

void fake_disk_refuse(struct medium_host *h, const char *path, int error)
{
	find_disk(h, path)->refused = error;
}

unsigned int fake_disk_opens(struct medium_host *h, const char *path)
{
	return find_disk(h, path)->opens;
}

unsigned int fake_disk_flushes(struct medium_host *h, const char *path)
{
	return find_disk(h, path)->flushes;
}

void fake_host_fail(struct medium_host *h, unsigned long nth)
{
	h->fail_at = nth;
}

static bool fails(struct medium_host *h)
{
	return h->fail_at && !--h->fail_at;
}

/* --- Operations --- */

static void move(struct disk *d, struct medium_io *io)
{
	uint64_t at = io->offset - d->before;

	for (unsigned int i = 0; i < io->nr_pieces; i++) {
		if (io->op == MEDIUM_READ)
			memcpy(io->pieces[i].base, d->data + at, io->pieces[i].bytes);
		else
			memcpy(d->data + at, io->pieces[i].base, io->pieces[i].bytes);
		at += io->pieces[i].bytes;
	}
	if (at != io->offset - d->before + io->bytes)
		abort();		/* the core gave pieces that do not make up the whole */
}

static void perform(struct disk *d, struct medium_io *io)
{
	io->result = 0;
	if (d->failures) {
		d->failures--;
		io->result = d->error;
	} else if (io->op == MEDIUM_FLUSH) {
		d->flushes++;
	} else if (io->offset < d->before || io->offset - d->before > d->bytes ||
		   io->bytes > d->bytes - (io->offset - d->before)) {
		io->result = -XEN_EIO;
	} else if (io->op == MEDIUM_DISCARD) {
		memset(d->data + io->offset - d->before, 0, io->bytes);
	} else {
		move(d, io);
	}
}

/* Completes some of what is under way, in any order. */
static void complete(void *arg)
{
	struct medium_host *h = arg;
	struct pending **p = &h->pending, *done;

	while ((done = *p)) {
		if (chance(h, 3) == 0) {
			p = &done->next;
			continue;
		}
		*p = done->next;
		perform(done->medium->disk, done->io);
		done->medium->touched = true;
		done->io->done(done->io);
		free(done);
	}
	if (h->pending)
		pv_timer_set(h->owner, &h->timer, pv_now(h->owner) + 1 + chance(h, 5000));
	for (struct medium *m = h->media, *next; m; m = next) {
		next = m->next;
		if (m->touched) {
			m->touched = false;
			m->spec.batch_done(m->spec.arg);
		}
	}
}

void medium_submit(struct medium *m, struct medium_io *io)
{
	struct pending *p = calloc(1, sizeof(*p)), **link = &m->host->pending;

	p->medium = m;
	p->io = io;
	for (unsigned int skip = chance(m->host, 4); *link && skip; skip--)
		link = &(*link)->next;
	p->next = *link;
	*link = p;
}

void *medium_memory_alloc(struct medium *m, size_t bytes)
{
	return pv_pages_alloc(m->host->owner, bytes / PV_PAGE_SIZE);
}

void medium_memory_free(struct medium *m, void *memory, size_t bytes)
{
	pv_pages_free(m->host->owner, memory, bytes / PV_PAGE_SIZE);
}

void medium_kick(struct medium *m)
{
	struct medium_host *h = m->host;

	h->timer.fn = complete;
	h->timer.arg = h;
	if (h->pending && !h->timer.when)
		pv_timer_set(h->owner, &h->timer, pv_now(h->owner) + 1 + chance(h, 5000));
}

void medium_resize(struct medium *m, uint64_t bytes)
{
	if (bytes <= m->disk->room)
		m->disk->bytes = bytes;
	m->spec.changed(m->spec.arg);
}

void medium_refresh(struct medium *m, struct medium_info *info)
{
	info->bytes = m->disk->before + m->disk->bytes;
}

int medium_open(struct medium **medium, struct medium_host *h, const struct medium_spec *spec,
		struct medium_info *info)
{
	struct disk *d = find_disk(h, spec->path);
	struct medium *m;

	if (fails(h))
		return -XEN_ENOMEM;
	if (!d)
		return -XEN_ENOENT;
	if (d->refused)
		return d->refused;
	if (d->locked && d->locked_by == spec->fence) {
		d->locked--;
		return -XEN_EAGAIN;
	}
	if (spec->mode == MEDIUM_EXCLUSIVE && d->writers)
		return -XEN_EBUSY;
	d->writers += spec->mode == MEDIUM_EXCLUSIVE;
	d->opens++;
	m = calloc(1, sizeof(*m));
	m->host = h;
	m->disk = d;
	m->spec = *spec;
	m->next = h->media;
	h->media = m;
	*info = (struct medium_info){
		.bytes = d->before + d->bytes, .sector = d->sector, .discard_granularity = 4096,
		.read_only = spec->mode == MEDIUM_READ_ONLY,
	};
	*medium = m;
	return 0;
}

void medium_close(struct medium *m)
{
	struct medium **link = &m->host->media;

	for (struct pending *p = m->host->pending; p; p = p->next)
		if (p->medium == m)
			abort();	/* closed under its own operations */
	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	m->disk->writers -= m->spec.mode == MEDIUM_EXCLUSIVE;
	m->disk->opens--;
	m->disk->lingers = chance(m->host, 3);
	free(m);
}

bool medium_lingers(struct medium_host *h, uint64_t fence)
{
	(void)fence;
	for (struct disk *d = h->disks; d; d = d->next)
		if (d->lingers && d->lingers--)
			return true;
	return false;
}

void medium_forget(struct medium_host *h, uint64_t fence)
{
	(void)h, (void)fence;
}

void medium_patience(struct medium *m, uint32_t seconds)
{
	(void)m, (void)seconds;
}

void medium_expire(struct medium *m)
{
	(void)m;
}

/* --- Records --- */

void *blkback_record_map(struct medium_host *h, const char *name, size_t bytes)
{
	struct record_memory *r = h->records;

	if (fails(h))
		return NULL;
	while (r && strcmp(r->name, name))
		r = r->next;
	if (!r) {
		r = calloc(1, sizeof(*r));
		snprintf(r->name, sizeof(r->name), "%s", name);
		r->next = h->records;
		h->records = r;
	}
	if (r->bytes < bytes) {
		r->memory = realloc(r->memory, bytes);
		memset((char *)r->memory + r->bytes, 0, bytes - r->bytes);
		r->bytes = bytes;
	}
	return r->memory;
}

void blkback_record_unmap(struct medium_host *h, void *record, size_t bytes)
{
	(void)h, (void)record, (void)bytes;
}

void blkback_record_remove(struct medium_host *h, const char *name)
{
	struct record_memory **link = &h->records, *r;

	while (*link && strcmp((*link)->name, name))
		link = &(*link)->next;
	r = *link;
	if (!r)
		return;
	*link = r->next;
	free(r->memory);
	free(r);
}

unsigned int fake_host_records(const struct medium_host *h)
{
	unsigned int n = 0;

	for (struct record_memory *r = h->records; r; r = r->next)
		n++;
	return n;
}

/* --- Ends --- */

void fake_host_killed(struct medium_host *h)
{
	struct pending *p;
	struct medium *m;

	while ((p = h->pending)) {
		h->pending = p->next;
		if (p->io->op != MEDIUM_READ && chance(h, 2))
			perform(p->medium->disk, p->io);
		free(p);
	}
	while ((m = h->media)) {
		h->media = m->next;
		m->disk->locked_by = m->spec.fence;
		m->disk->locked = LOCK_TRIES;
		m->disk->writers -= m->spec.mode == MEDIUM_EXCLUSIVE;
		m->disk->opens--;
		free(m);
	}
	memset(&h->timer, 0, sizeof(h->timer));
}

unsigned int fake_host_free(struct medium_host *h)
{
	unsigned int left = 0;
	struct disk *d;

	for (struct pending *p = h->pending; p; p = p->next)
		left++;
	for (struct medium *m = h->media; m; m = m->next)
		left++;
	left += fake_host_records(h);
	if (left)
		printf("fake medium: %u operations, media or records left\n", left);
	if (h->timer.when)
		pv_timer_set(h->owner, &h->timer, 0);
	fake_host_killed(h);
	while ((d = h->disks)) {
		h->disks = d->next;
		free(d->data);
		free(d);
	}
	while (h->records)
		blkback_record_remove(h, h->records->name);
	free(h);
	return left;
}
