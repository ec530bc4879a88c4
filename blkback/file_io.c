/* SPDX-License-Identifier: MIT */
/*
 * Disks on files and block devices: past the page cache where the kernel can do that, through it for
 * what does not suit the medium's alignment (512-byte requests on 4 KiB sectors); locks; records.
 *
 * Two locks with two meanings. The sharing lock (flock) keeps other users of the image out, as the
 * mode says. The fence (an open-file-description lock of a byte that belongs to the device) keeps our
 * own next instance waiting: the kernel releases it with the last reference to the open file, so
 * after a killed process's last operation. Its byte lies far behind the image's end. A
 * read-only disk needs no fence: what is still under way goes to the dead process's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>
#include "file_io.h"
#include "image.h"

#define FENCE_BASE	(1ULL << 62)
#define BUSY_TRIES	50		/* milliseconds for a lock that is just being released */
#define DISCARD_FILE	4096
#define REGISTERED	(512U << 10)	/* bytes of a medium's memory, which then stay in memory */
#define NOT_TRIED	(-1000000)
#define FORGET_TIMES	3
#define FORGET_NS	2000000000ULL	/* until the second time; each pause is eight times the one before */

struct medium {
	struct medium *next;
	struct medium_host *host;
	int direct;			/* past the page cache; -1: cannot */
	int cached;
	uint32_t alignment;		/* that direct operations need */
	struct image *image;		/* served to us by another program; NULL: the files are the medium */
	bool is_block;
	bool touched;
	char *memory;			/* medium_memory_alloc()'s; its beginning is registered */
	size_t memory_bytes;
	int slot;			/* where, when the first operation asked for it; negative: not */
	struct pv_timer forget_timer;
	unsigned int forgotten;		/* how often */
	void (*batch_done)(void *arg);
	void *arg;
};

struct medium_host {
	struct pv_domain *domain;
	struct pv_round round;
	struct uring *uring;
	struct workers *workers;	/* if there are any, they get all */
	struct medium *media;
	struct file_op *free;
	struct image_server *images;
	struct forgetting *forgettings;
	const char *records;
	char image_directory[256];
};

_Static_assert(sizeof(struct medium_piece) == sizeof(struct iovec) &&
	       offsetof(struct medium_piece, bytes) == offsetof(struct iovec, iov_len),
	       "pieces are handed to the kernel as they are");

/* --- Operations --- */

static bool is_aligned(const struct medium *m, const struct medium_io *io)
{
	uint64_t all = io->offset | io->bytes;

	for (unsigned int i = 0; i < io->nr_pieces; i++)
		all |= (uintptr_t)io->pieces[i].base | io->pieces[i].bytes;
	return !(all & (m->alignment - 1));
}

/* Where the operation's memory is registered, or -1. */
static int registered_slot(struct medium *m, const struct medium_io *io)
{
	const char *base = io->nr_pieces == 1 ? io->pieces[0].base : NULL;

	if (!m->host->uring || m->host->workers || !m->memory || base < m->memory ||
	    base + io->bytes > m->memory + m->memory_bytes || base + io->bytes < base)
		return -1;
	if (m->slot == NOT_TRIED)
		m->slot = uring_register(m->host->uring, m->memory, m->memory_bytes);
	return m->slot < 0 ? -1 : m->slot;
}

static void submit(struct file_op *op)
{
	struct medium *m = op->medium;

	if (m->image) {
		image_submit(m->image, op);
		return;
	}
	op->fd = m->cached;
	if (m->direct >= 0 && op->io->op <= MEDIUM_WRITE && is_aligned(m, op->io))
		op->fd = m->direct;
	op->slot = op->io->op <= MEDIUM_WRITE ? registered_slot(m, op->io) : -1;
	if (m->host->workers)
		workers_submit(m->host->workers, op);
	else
		uring_submit(m->host->uring, op);
}

void file_ops_move(struct medium_host *h, struct file_op *ops)
{
	struct file_op *next;

	if (!h->workers && workers_open(&h->workers, h->domain, h)) {
		pv_log(h->domain, "no threads either");	/* the next instance takes over */
		abort();
	}
	for (; ops; ops = next) {
		next = ops->next;
		workers_submit(h->workers, ops);
	}
}

void medium_submit(struct medium *m, struct medium_io *io)
{
	struct medium_host *h = m->host;
	struct file_op *op = h->free;

	if (op)
		h->free = op->next;
	else
		op = malloc(sizeof(*op));
	if (!op) {
		pv_log(h->domain, "out of memory");	/* a few bytes: nothing would work any more */
		abort();
	}
	op->medium = m;
	op->io = io;
	submit(op);
}

void medium_kick(struct medium *m)
{
	if (m->image)
		image_kick(m->image);
	else if (m->host->uring)
		uring_kick(m->host->uring);
}

/* --- The page cache --- */

/* An operation of ours, which no medium waits for: the file is opened once more, so that no lock does either. */
struct forgetting {
	struct forgetting *next;
	struct file_op op;	/* op.fd: -1 while there is nothing to do */
	struct medium_io io;
};

static void forgot(struct file_op *op)
{
	close(op->fd);
	op->fd = -1;
}

/* One that has done its work, or a new one; NULL: not now. */
static struct forgetting *forgetting_new(struct medium_host *h)
{
	struct forgetting *f = h->forgettings;

	while (f && f->op.fd >= 0)
		f = f->next;
	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (f) {
		f->io.op = MEDIUM_FORGET;
		f->op = (struct file_op){ .io = &f->io, .fd = -1, .slot = -1 };
		f->next = h->forgettings;
		h->forgettings = f;
	}
	return f;
}

/*
 * Whoever made the image left it in the page cache, mostly; then the kernel refuses direct writes without waiting,
 * each goes to a worker thread of io_uring and drops pages there, for 1.7 times the price. So these are dropped
 * beforehand, and again when those are written back that were dirty.
 */
static void forget_pages(void *arg)
{
	struct medium *m = arg;
	struct forgetting *f = forgetting_new(m->host);
	char path[32];

	m->forget_timer.fn = forget_pages;
	m->forget_timer.arg = m;
	if (m->forgotten < FORGET_TIMES)
		pv_timer_set(m->host->domain, &m->forget_timer,
			     pv_now(m->host->domain) + (FORGET_NS << 3 * m->forgotten++));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m->cached);
	if (!f || (f->op.fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	if (m->host->workers)
		workers_submit(m->host->workers, &f->op);
	else
		uring_submit(m->host->uring, &f->op);
	medium_kick(m);
}

/* --- The end of operations --- */

/* Moves the operation past the @bytes that are done. */
static void advance(struct medium_io *io, size_t bytes)
{
	io->offset += bytes;
	io->bytes -= bytes;
	while (bytes >= io->pieces->bytes) {
		bytes -= io->pieces->bytes;
		io->pieces++;
		io->nr_pieces--;
	}
	io->pieces->base = (char *)io->pieces->base + bytes;
	io->pieces->bytes -= bytes;
}

void file_op_done(struct file_op *op)
{
	struct medium_io *io = op->io;
	bool moves = io->op <= MEDIUM_WRITE;

	if (!op->medium) {
		forgot(op);
		return;
	}
	if (op->result == -EAGAIN || op->result == -EINTR) {
		submit(op);
		return;
	}
	if (moves && op->result > 0 && (uint64_t)op->result < io->bytes) {
		advance(io, op->result);
		submit(op);
		return;
	}
	io->result = op->result < 0 ? op->result : moves && !op->result ? -EIO : 0;
	op->medium->touched = true;
	op->next = op->medium->host->free;
	op->medium->host->free = op;
	io->done(io);
}

void file_ops_done(struct medium_host *h)
{
	for (struct medium *m = h->media, *next; m; m = next) {
		next = m->next;
		if (m->touched) {
			m->touched = false;
			m->batch_done(m->arg);
		}
	}
}

void *medium_memory_alloc(struct medium *m, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	m->memory = memory;
	m->memory_bytes = bytes < REGISTERED ? bytes : REGISTERED;
	m->slot = NOT_TRIED;
	return memory;
}

void medium_memory_free(struct medium *m, void *memory, size_t bytes)
{
	if (m->slot >= 0)
		uring_unregister(m->host->uring, m->slot);
	m->memory = NULL;
	munmap(memory, bytes);
}

/* --- Opening --- */

/* -EAGAIN: an earlier instance's file is still open. */
static int fence(int fd, uint64_t number, unsigned int which)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET,
		.l_start = FENCE_BASE + 2 * number + which, .l_len = 1,
	};

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static int share(int fd, enum medium_mode mode)
{
	int how = mode == MEDIUM_EXCLUSIVE ? LOCK_EX : LOCK_SH;

	if (mode == MEDIUM_SHARED_WRITE)
		return 0;
	for (int i = 0; flock(fd, how | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (i == BUSY_TRIES)
			return -EBUSY;
		usleep(1000);
	}
	return 0;
}

/* A block device that is mounted or otherwise claimed is not to be written. */
static int open_claiming(const char *path, int flags)
{
	int fd;

	for (int i = 0;; i++) {
		fd = open(path, flags | O_EXCL);
		if (fd >= 0)
			return fd;
		if (errno != EBUSY || i == BUSY_TRIES)
			return -errno;
		usleep(1000);
	}
}

static uint32_t sysfs_number(dev_t device, const char *name, uint32_t fallback)
{
	char path[96];
	unsigned int value;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/%s", major(device), minor(device),
		 name);
	f = fopen(path, "re");
	if (!f)
		return fallback;
	if (fscanf(f, "%u", &value) == 1)
		fallback = value;
	fclose(f);
	return fallback;
}

static int measure(struct medium *m, struct medium_info *info)
{
	struct stat s;
	unsigned long long bytes;
	int sector = 512;

	if (fstat(m->cached, &s))
		return -errno;
	m->is_block = S_ISBLK(s.st_mode);
	if (!m->is_block && !S_ISREG(s.st_mode))
		return -EINVAL;
	bytes = s.st_size;
	info->discard_granularity = DISCARD_FILE;
	info->discard_alignment = 0;
	if (m->is_block) {
		if (ioctl(m->cached, BLKGETSIZE64, &bytes) || ioctl(m->cached, BLKSSZGET, &sector))
			return -errno;
		info->discard_granularity = sysfs_number(s.st_rdev, "discard_granularity", 0);
		if (!sysfs_number(s.st_rdev, "discard_max_bytes", 0))
			info->discard_granularity = 0;
	}
	if (sector != 512 && sector != 4096)
		return -EINVAL;
	info->sector = sector;
	info->bytes = bytes & ~(uint64_t)(sector - 1);
	m->alignment = m->is_block ? sector : 4096;
	return 0;
}

static int open_files(struct medium *m, const struct medium_spec *spec, struct medium_info *info)
{
	bool writes = spec->mode != MEDIUM_READ_ONLY;
	int flags = (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC, rc;

	m->cached = open(spec->path, flags);
	if (m->cached < 0)
		return -errno;
	rc = measure(m, info);
	if (!rc && writes)
		rc = fence(m->cached, spec->fence, 0);
	if (!rc)
		rc = share(m->cached, spec->mode);
	if (rc)
		return rc;
	if (m->is_block && spec->mode == MEDIUM_EXCLUSIVE)
		m->direct = open_claiming(spec->path, flags | O_DIRECT);
	else
		m->direct = open(spec->path, flags | O_DIRECT);
	if (m->direct == -EBUSY)
		return -EBUSY;
	if (m->direct < 0)
		return 0;		/* a file system that has no such thing: through the cache */
	return writes ? fence(m->direct, spec->fence, 1) : 0;
}

static void close_files(struct medium *m)
{
	if (m->direct >= 0)
		close(m->direct);
	if (m->cached >= 0)
		close(m->cached);
}

/* The file itself is opened for the sharing lock only; what keeps our next instance waiting is in image.c. */
static int open_image(struct medium *m, const struct medium_spec *spec, struct medium_info *info)
{
	int rc;

	m->cached = open(spec->path, O_RDONLY | O_CLOEXEC);
	if (m->cached < 0)
		return -errno;
	rc = share(m->cached, spec->mode);
	return rc ? rc : image_open(m->host->images, spec, &m->image, info);
}

int medium_open(struct medium **medium, struct medium_host *h, const struct medium_spec *spec,
		struct medium_info *info)
{
	struct medium *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return -ENOMEM;
	m->direct = m->cached = -1;
	m->host = h;
	m->batch_done = spec->batch_done;
	m->arg = spec->arg;
	memset(info, 0, sizeof(*info));
	info->read_only = spec->mode == MEDIUM_READ_ONLY;
	if (strcmp(spec->format, "raw"))
		rc = open_image(m, spec, info);
	else
		rc = open_files(m, spec, info);
	if (rc) {
		close_files(m);
		free(m);
		return rc;
	}
	m->next = h->media;
	h->media = m;
	if (m->direct >= 0 && !info->read_only)
		forget_pages(m);
	*medium = m;
	return 0;
}

void medium_close(struct medium *m)
{
	struct medium **link = &m->host->media;

	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	pv_timer_set(m->host->domain, &m->forget_timer, 0);
	close_files(m);
	if (m->image)
		image_close(m->image);
	free(m);
}

bool medium_lingers(struct medium_host *h, uint64_t fence_number)
{
	return image_lingers(h->images, fence_number);
}

void medium_forget(struct medium_host *h, uint64_t fence_number)
{
	image_forget(h->images, fence_number);
}

void medium_patience(struct medium *m, uint32_t seconds)
{
	if (m->image)
		image_patience(m->image, seconds);
}

void medium_expire(struct medium *m)
{
	if (m->image)
		image_expire(m->image);
}

void medium_resize(struct medium *m, uint64_t bytes)
{
	if (m->image)
		image_resize(m->image, bytes);
}

void medium_refresh(struct medium *m, struct medium_info *info)
{
	struct medium_info now = *info;

	if (m->image)
		info->bytes = image_bytes(m->image);
	else if (!measure(m, &now))
		info->bytes = now.bytes;
}

/* --- Records --- */

void *blkback_record_map(struct medium_host *h, const char *name, size_t bytes)
{
	char path[256];
	void *p = MAP_FAILED;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", h->records, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	if (!pv_file_reserve(fd, bytes))
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

void blkback_record_unmap(struct medium_host *h, void *record, size_t bytes)
{
	(void)h;
	munmap(record, bytes);
}

void blkback_record_remove(struct medium_host *h, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", h->records, name);
	unlink(path);
}

/* --- The process --- */

/* A medium in memory, or in the page cache, has done its work when it was given to the kernel. */
static void round_end(void *arg)
{
	struct medium_host *h = arg;

	if (h->uring)
		uring_reap(h->uring);
}

int file_io_open(struct medium_host **host, struct pv_domain *domain, const char *records)
{
	struct medium_host *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return -ENOMEM;
	h->domain = domain;
	h->records = records;
	snprintf(h->image_directory, sizeof(h->image_directory), "%s/../images", records);
	rc = image_server_open(&h->images, domain, h, h->image_directory);
	if (rc)
		goto free_host;
	rc = uring_open(&h->uring, domain, h);
	if (rc)
		rc = workers_open(&h->workers, domain, h);
	if (rc)
		goto close_images;
	h->round = (struct pv_round){ .fn = round_end, .arg = h };
	pv_round_add(domain, &h->round);
	*host = h;
	return 0;

close_images:
	image_server_close(h->images);
free_host:
	free(h);
	return rc;
}

int file_io_use_threads(struct medium_host *h)
{
	if (h->workers)
		return 0;
	uring_close(h->uring);
	h->uring = NULL;
	return workers_open(&h->workers, h->domain, h);
}

void file_io_close(struct medium_host *h)
{
	struct forgetting *f;
	struct file_op *op;

	uring_close(h->uring);
	workers_close(h->workers);
	image_server_close(h->images);
	while ((op = h->free)) {
		h->free = op->next;
		free(op);
	}
	while ((f = h->forgettings)) {
		h->forgettings = f->next;
		if (f->op.fd >= 0)
			close(f->op.fd);
		free(f);
	}
	free(h);
}
