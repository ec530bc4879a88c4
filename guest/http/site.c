/* SPDX-License-Identifier: MIT */
/*
 * The site: a tar archive (POSIX ustar, regular files) that lies on the disk as it is. Its headers are
 * read once, at the start; contents when they are asked for.
 */
#include <guest/console.h>
#include <guest/string.h>
#include <pv/blkfront.h>
#include "http.h"

#define FILES_MAX	256
#define BLOCK		512U
#define CHUNK_PAGES	(SITE_CHUNK / PV_PAGE_SIZE + 1)

struct site_read {
	struct blkfront_io io;
	struct pv_domain *domain;
	uint8_t *pages;
	void (*done)(void *arg, const void *data, long bytes);
	void *arg;
	uint32_t skip, bytes;	/* what was asked for, in what is read */
	bool busy, dying;
};

struct header {
	char name[100];
	char mode[24];
	char size[12];
	char rest[20];
	char type;
	char link[100];
	char magic[6];
};

static struct blkfront *disk;
static struct blkfront_info info;
static struct site_file files[FILES_MAX];
static int nr_files;
static void (*tell)(int files);
static struct site_read *index_read;
static uint64_t index_at;

/* --- Reading --- */

static void io_done(struct blkfront_io *io)
{
	struct site_read *r = PV_CONTAINER(io, struct site_read, io);

	r->busy = false;
	if (r->dying)
		site_read_free(r);
	else
		r->done(r->arg, r->pages + r->skip, io->result ? io->result : (long)r->bytes);
}

struct site_read *site_read_new(struct pv_domain *domain,
				void (*done)(void *arg, const void *data, long bytes), void *arg)
{
	uint8_t *pages = pv_pages_alloc(domain, CHUNK_PAGES + 1);
	struct site_read *r = (void *)pages;	/* its own page comes first */

	if (!pages)
		return NULL;
	r->domain = domain;
	r->pages = pages + PV_PAGE_SIZE;
	r->done = done;
	r->arg = arg;
	return r;
}

void site_read_free(struct site_read *r)
{
	r->dying = true;
	if (!r->busy && !r->io.stuck)
		pv_pages_free(r->domain, r, CHUNK_PAGES + 1);
}

/* Any bytes of the disk: whole sectors around them are read. */
static int read_disk(struct site_read *r, uint64_t at, uint32_t bytes)
{
	uint64_t first = at / info.sector * info.sector;
	uint64_t end = (at + bytes + info.sector - 1) / info.sector * info.sector;
	int rc;

	r->skip = at - first;
	r->bytes = bytes;
	r->io.op = BLKFRONT_READ;
	r->io.offset = first;
	r->io.bytes = end - first;
	r->io.data = r->pages;
	r->io.done = io_done;
	rc = blkfront_submit(disk, &r->io);
	if (rc)
		return rc;
	r->busy = true;
	blkfront_kick(disk);
	return 0;
}

int site_read(struct site_read *r, const struct site_file *file, uint64_t at)
{
	uint64_t bytes = file->bytes - at;

	if (r->busy || at >= file->bytes)
		return -XEN_EINVAL;
	if (bytes > SITE_CHUNK)
		bytes = SITE_CHUNK;
	if (bytes > info.max_bytes - info.sector)
		bytes = info.max_bytes - info.sector;
	return read_disk(r, file->offset + at, bytes);
}

/* --- The index --- */

/* The size field: octal digits. False: something else. */
static bool octal(const char *p, size_t room, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < room && p[i] && p[i] != ' '; i++) {
		if (p[i] < '0' || p[i] > '7')
			return false;
		*value = *value * 8 + (p[i] - '0');
	}
	return true;
}

static void index_ends(int result)
{
	site_read_free(index_read);
	index_read = NULL;
	tell(result);
}

static void add_file(const struct header *h, uint64_t bytes)
{
	const char *name = h->name;
	struct site_file *f = &files[nr_files];

	if (name[0] == '.' && name[1] == '/')
		name += 2;
	if ((h->type != '0' && h->type != 0) || nr_files == FILES_MAX)
		return;
	memcpy(f->name, name, sizeof(h->name) - (name - h->name));
	f->name[sizeof(f->name) - 1] = 0;
	f->offset = index_at + BLOCK;
	f->bytes = bytes;
	nr_files++;
}

static void index_read_done(void *arg, const void *data, long got)
{
	const struct header *h = data;
	uint64_t bytes;

	(void)arg;
	if (got < 0) {
		index_ends(got);
		return;
	}
	/* The archive ends with a block of zeros; anything else that is no header ends it too. */
	if (memcmp(h->magic, "ustar", 5) || !octal(h->size, sizeof(h->size), &bytes) ||
	    bytes > info.bytes - index_at - BLOCK) {
		index_ends(nr_files);
		return;
	}
	add_file(h, bytes);
	index_at += BLOCK + (bytes + BLOCK - 1) / BLOCK * BLOCK;
	if (index_at + BLOCK > info.bytes || read_disk(index_read, index_at, BLOCK))
		index_ends(nr_files);
}

static struct pv_domain *home;

static void ready(void *arg, bool usable)
{
	(void)arg;
	if (!usable || index_read || nr_files)
		return;
	if (!blkfront_info(disk, &info))
		return;
	index_read = site_read_new(home, index_read_done, NULL);
	if (!index_read)
		tell(-XEN_ENOMEM);
	else if (read_disk(index_read, 0, BLOCK))
		index_ends(-XEN_EIO);
}

int site_open(struct pv_domain *domain, const char *path, void (*on_ready)(int files))
{
	struct blkfront_options options = { .max_queues = 1 };

	home = domain;
	tell = on_ready;
	return blkfront_open(&disk, domain, path, &options, ready, NULL);
}

void site_resume(void)
{
	blkfront_resume(disk);
}

const struct site_file *site_find(const char *name, size_t length)
{
	for (int i = 0; i < nr_files; i++) {
		if (strlen(files[i].name) == length && !memcmp(files[i].name, name, length))
			return &files[i];
	}
	return NULL;
}
