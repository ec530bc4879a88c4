/* SPDX-License-Identifier: MIT */
/*
 * Grant copies under Linux, by one of two ways.
 *
 * gntdev's ioctl takes any memory here, but has to find and pin the page behind each piece, which
 * under a paravirtualized kernel costs more than the copy. Staging memory (gnttab_staging()) is
 * granted to this very domain when it is made, so that the hypervisor finds its pages by reference:
 * pieces go to GNTTABOP_copy as they are, through privcmd. The pages belong to gntalloc, which
 * neither moves them nor gives them away before this process is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "private.h"
#include <tools/call.h>
#include <xen/sys/gntdev.h>

/* Pieces of a copy handed to the kernel at once. */
#define COPY_BATCH	64U
/* Operations handed to the hypervisor at once. */
#define OPS		512U
#define OPS_BYTES	(OPS * sizeof(struct gnttab_copy))

/* gntalloc's own limit is meant for a few rings; nothing of ours needs more than this. */
#define LIMIT_FILE	"/sys/module/xen_gntalloc/parameters/limit"
#define LIMIT		"24000"

/* Pages asked for at once: what a process killed in between leaves pinned for ever. */
#define FRAMES_BATCH	16U

/* Memory made by gnttab_staging(). */
struct staging {
	struct staging *next;
	char *address;
	size_t bytes;
	bool shared;		/* refs are valid; else it is plain memory */
	/*
	 * How the hypervisor is told its pages, and by what flags: their frames, or, where it does
	 * not know those as ours, references.
	 */
	xen_pfn_t *names;
	uint16_t to_flags, from_flags;
	grant_ref_t refs[];
};

/* ---- staging memory ---- */

/* Lets gntalloc give out more than a few rings' worth. */
static int raise_limit(void)
{
	int fd = open(LIMIT_FILE, O_WRONLY | O_CLOEXEC);
	ssize_t done;

	if (fd < 0)
		return -errno;
	done = write(fd, LIMIT, strlen(LIMIT));
	close(fd);
	return done < 0 ? -EIO : 0;
}

/* Does the hypervisor copy between references to one's own pages? Tried on the first page. */
static bool copies_own(struct gnttab *gnttab, grant_ref_t ref)
{
	struct gnttab_copy_ptr page = { .u.ref = ref, .domid = DOMID_SELF };

	*gnttab->ops = (struct gnttab_copy){
		.source = page, .dest = page, .len = 1, .status = GNTST_general_error,
		.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
	};
	return !call_hypercall(gnttab->call, __HYPERVISOR_grant_table_op, GNTTABOP_copy,
			       (unsigned long)gnttab->ops, 1, 0, 0) &&
	       gnttab->ops->status == GNTST_okay;
}

static int grant_op(struct gnttab *gnttab, unsigned int op, unsigned int count)
{
	return call_hypercall(gnttab->call, __HYPERVISOR_grant_table_op, op,
			      (unsigned long)gnttab->ops, count, 0, 0);
}

/* Asks for the frames of @count pages: mapped for a device that there is not, they are told. */
static bool ask_frames(struct gnttab *gnttab, domid_t self, const grant_ref_t *refs,
		       xen_pfn_t *frames, unsigned int count)
{
	struct gnttab_map_grant_ref *map = (void *)gnttab->ops;
	struct gnttab_unmap_grant_ref *unmap = (void *)gnttab->ops;
	grant_handle_t handles[FRAMES_BATCH];
	unsigned int mapped = 0;

	for (unsigned int i = 0; i < count; i++)
		map[i] = (struct gnttab_map_grant_ref){
			.flags = GNTMAP_device_map | GNTMAP_readonly, .ref = refs[i], .dom = self,
			.status = GNTST_general_error,
		};
	if (grant_op(gnttab, GNTTABOP_map_grant_ref, count))
		return false;
	for (unsigned int i = 0; i < count; i++) {
		if (map[i].status != GNTST_okay)
			continue;
		handles[mapped] = map[i].handle;
		frames[mapped++] = map[i].dev_bus_addr / PAGE;
	}
	for (unsigned int i = 0; i < mapped; i++)
		unmap[i] = (struct gnttab_unmap_grant_ref){
			.dev_bus_addr = frames[i] * PAGE, .handle = handles[i],
		};
	return (!mapped || !grant_op(gnttab, GNTTABOP_unmap_grant_ref, mapped)) && mapped == count;
}

/* Does a copy from @frame read this page? Not where frames are not what a domain's numbers mean. */
static bool is_frame(struct gnttab *gnttab, const struct staging *staging, unsigned int page)
{
	volatile uint64_t *from = (void *)(staging->address + page * PAGE), *to = from + 1;

	*from = (uintptr_t)from ^ 0x6b72797074f66e6fULL;
	*to = 0;
	*gnttab->ops = (struct gnttab_copy){
		.source = { .u.gmfn = staging->names[page], .domid = DOMID_SELF },
		.dest = { .u.ref = staging->refs[page], .domid = DOMID_SELF,
			  .offset = sizeof(*to) },
		.len = sizeof(*to), .flags = GNTCOPY_dest_gref, .status = GNTST_general_error,
	};
	return !grant_op(gnttab, GNTTABOP_copy, 1) && gnttab->ops->status == GNTST_okay &&
	       *to == *from;
}

/*
 * Decides how its pages are named: by frame if this is a domain that may, as the hypervisor reaches
 * them in fewer steps than by reference.
 */
static void choose_names(struct gnttab *gnttab, domid_t self, struct staging *staging,
			 unsigned int count)
{
	bool found = true;

	for (unsigned int at = 0; at < count && found; at += FRAMES_BATCH)
		found = ask_frames(gnttab, self, staging->refs + at, staging->names + at,
				   count - at < FRAMES_BATCH ? count - at : FRAMES_BATCH);
	for (unsigned int page = 0; page < count && found; page++)
		found = is_frame(gnttab, staging, page);
	memset(staging->address, 0, staging->bytes);
	staging->to_flags = GNTCOPY_dest_gref;
	staging->from_flags = GNTCOPY_source_gref;
	if (found)
		return;
	staging->to_flags = staging->from_flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
	for (unsigned int page = 0; page < count; page++)
		/* they share their place in the operation */
		staging->names[page] = staging->refs[page];
}

static int share_with_self(struct gnttab *gnttab, domid_t self, struct staging *staging,
			   unsigned int count)
{
	void *address;
	int rc;

	if (!gnttab->ops) {
		rc = gnttab->call ? 0 : call_open(&gnttab->call);
		if (rc)
			return rc;
		gnttab->ops = call_alloc(gnttab->call, OPS_BYTES);
		if (!gnttab->ops)
			return -ENOMEM;
	}
	rc = gnttab_share(gnttab, self, count, true, staging->refs, &address);
	if (rc == -ENOSPC && !raise_limit())
		rc = gnttab_share(gnttab, self, count, true, staging->refs, &address);
	if (rc)
		return rc;
	staging->names = calloc(count, sizeof(*staging->names));
	if (!staging->names || !copies_own(gnttab, staging->refs[0])) {
		gnttab_unshare(gnttab, address, count);
		return -EOPNOTSUPP;
	}
	staging->address = address;
	staging->shared = true;
	choose_names(gnttab, self, staging, count);
	return 0;
}

int gnttab_staging(struct gnttab *gnttab, domid_t self, unsigned int count, void **address)
{
	struct staging *staging = calloc(1, sizeof(*staging) + count * sizeof(grant_ref_t));

	if (!staging)
		return -ENOMEM;
	staging->bytes = count * PAGE;
	if (share_with_self(gnttab, self, staging, count)) {
		staging->address = mmap(NULL, staging->bytes, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (staging->address == MAP_FAILED) {
			free(staging->names);
			free(staging);
			return -ENOMEM;
		}
	}
	staging->next = gnttab->staging;
	gnttab->staging = staging;
	*address = staging->address;
	return 0;
}

int gnttab_staging_free(struct gnttab *gnttab, void *address)
{
	struct staging **link = &gnttab->staging, *staging;

	while (*link && (*link)->address != address)
		link = &(*link)->next;
	staging = *link;
	if (!staging)
		return -ENOENT;
	*link = staging->next;
	if (staging->shared)
		gnttab_unshare(gnttab, address, staging->bytes / PAGE);
	else
		munmap(address, staging->bytes);
	free(staging->names);
	free(staging);
	return 0;
}

/* The staging memory that holds all of @bytes at @local; put first, to be asked for again. */
static struct staging *find_staging(struct gnttab *gnttab, const char *local, size_t bytes)
{
	for (struct staging **link = &gnttab->staging; *link; link = &(*link)->next) {
		struct staging *staging = *link;
		size_t at = (size_t)(local - staging->address);

		if (local < staging->address || at >= staging->bytes)
			continue;
		if (!staging->shared || bytes > staging->bytes - at)
			return NULL;
		*link = staging->next;
		staging->next = gnttab->staging;
		gnttab->staging = staging;
		return staging;
	}
	return NULL;
}

void gnttab_copy_close(struct gnttab *gnttab)
{
	while (gnttab->staging)
		gnttab_staging_free(gnttab, gnttab->staging->address);
	if (gnttab->ops)
		call_free(gnttab->call, gnttab->ops, OPS_BYTES);
	call_close(gnttab->call);
}

/* ---- straight to the hypervisor ---- */

/* One operation: @bytes of a piece from @done on, at @at of the staging memory. */
static inline void put_op(struct gnttab_copy *op, const struct gnttab_copy_piece *piece,
			  const struct staging *staging, size_t at, uint32_t done, uint32_t bytes)
{
	const struct gnttab_copy_ptr here = {
		.u.gmfn = staging->names[at / PAGE], .domid = DOMID_SELF, .offset = at % PAGE,
	}, there = {
		.u.gmfn = piece->ref, .domid = piece->domid, .offset = piece->offset + done,
	};

	if (piece->to_grant) {
		op->source = here;
		op->dest = there;
		op->flags = staging->to_flags;
	} else {
		op->source = there;
		op->dest = here;
		op->flags = staging->from_flags;
	}
	op->len = bytes;
	op->status = GNTST_general_error;
}

/*
 * Lists pieces, as if all will succeed, as long as each lies in one page of the same staging
 * memory: one operation for each. Their number. (Nearly all are like that, and this is where a
 * backend spends its time: what does not change is kept out of the loop by a copy.)
 */
static unsigned int list_simple(const struct staging *in, struct gnttab_copy_piece *pieces,
				unsigned int count, struct gnttab_copy *op)
{
	const struct staging staging = {
		.address = in->address, .bytes = in->bytes, .names = in->names,
		.to_flags = in->to_flags, .from_flags = in->from_flags,
	};
	struct gnttab_copy_piece *piece = pieces, *end = pieces + count;

	for (; piece < end; piece++, op++) {
		size_t at = (size_t)((char *)piece->local - staging.address);

		if (at >= staging.bytes || at % PAGE + piece->bytes > PAGE)
			break;
		put_op(op, piece, &staging, at, 0, piece->bytes);
		piece->status = GNTST_okay;
	}
	return (unsigned int)(piece - pieces);
}

/*
 * Lists the operations of a piece, one for each page here that it touches; as if all will succeed.
 * Their number; 0: not in staging memory.
 */
static unsigned int list_ops(struct gnttab *gnttab, struct gnttab_copy_piece *piece,
			     struct gnttab_copy *op)
{
	const struct staging *staging = find_staging(gnttab, piece->local, piece->bytes);
	uint32_t done = 0, part;
	unsigned int n = 0;
	size_t at;

	if (!staging)
		return 0;
	at = (size_t)((char *)piece->local - staging->address);
	piece->status = GNTST_okay;
	do {
		part = PAGE - at % PAGE;
		if (part > piece->bytes - done)
			part = piece->bytes - done;
		put_op(&op[n++], piece, staging, at, done, part);
		at += part;
		done += part;
	} while (done < piece->bytes);
	return n;
}

static bool any_failed(const struct gnttab_copy *op, unsigned int count)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < count; i++)
		bad |= (uint16_t)op[i].status;
	return bad != GNTST_okay;
}

/* A piece's status: of its operations the first that is no success. */
static const struct gnttab_copy *take_status(struct gnttab_copy_piece *piece,
					     const struct gnttab_copy *op)
{
	uint32_t left = piece->bytes - op->len;

	for (piece->status = op->status; left; left -= op->len) {
		op++;
		if (piece->status == GNTST_okay)
			piece->status = op->status;
	}
	return op + 1;
}

/* Copies what one hypercall takes. How many; 0: the first is not in staging memory; -errno. */
static int copy_direct(struct gnttab *gnttab, struct gnttab_copy_piece *pieces, unsigned int count)
{
	const struct gnttab_copy *op = gnttab->ops;
	unsigned int n = 0, used = 0, added;
	bool failed;
	int rc;

	while (n < count && used + 1 + UINT16_MAX / PAGE < OPS) {
		added = gnttab->staging->shared ?
			list_simple(gnttab->staging, pieces + n,
				    count - n < OPS - used ? count - n : OPS - used,
				    gnttab->ops + used) : 0;
		n += added;
		if (!added) {
			added = list_ops(gnttab, &pieces[n], gnttab->ops + used);
			if (!added)
				break;
			n++;
		}
		used += added;
	}
	if (!n)
		return 0;
	rc = call_hypercall(gnttab->call, __HYPERVISOR_grant_table_op, GNTTABOP_copy,
			    (unsigned long)gnttab->ops, used, 0, 0);
	if (rc < 0)
		return rc;
	failed = any_failed(op, used);
	for (unsigned int i = 0; i < n && failed; i++)
		op = take_status(&pieces[i], op);
	return (int)n;
}

/* ---- by the kernel's help ---- */

static int copy_batch(struct gnttab *gnttab, struct gnttab_copy_piece *pieces, unsigned int count)
{
	struct ioctl_gntdev_grant_copy_segment segments[COPY_BATCH];
	struct ioctl_gntdev_grant_copy copy = { count, segments };

	for (unsigned int i = 0; i < count; i++) {
		struct ioctl_gntdev_grant_copy_segment *segment = &segments[i];
		const struct gnttab_copy_piece *piece = &pieces[i];

		segment->len = piece->bytes;
		segment->status = GNTST_general_error;
		if (piece->to_grant) {
			segment->flags = GNTCOPY_dest_gref;
			segment->source.virt = piece->local;
			segment->dest.foreign.ref = piece->ref;
			segment->dest.foreign.offset = piece->offset;
			segment->dest.foreign.domid = piece->domid;
		} else {
			segment->flags = GNTCOPY_source_gref;
			segment->source.foreign.ref = piece->ref;
			segment->source.foreign.offset = piece->offset;
			segment->source.foreign.domid = piece->domid;
			segment->dest.virt = piece->local;
		}
	}
	if (ioctl(gnttab->gntdev, IOCTL_GNTDEV_GRANT_COPY, &copy))
		return -errno;
	for (unsigned int i = 0; i < count; i++)
		pieces[i].status = segments[i].status;
	return 0;
}

int gnttab_copy(struct gnttab *gnttab, struct gnttab_copy_piece *pieces, unsigned int count)
{
	while (count) {
		unsigned int batch = count < COPY_BATCH ? count : COPY_BATCH;
		int rc = gnttab->staging ? copy_direct(gnttab, pieces, count) : 0;

		if (rc > 0)
			batch = (unsigned int)rc;
		else if (!rc)
			rc = copy_batch(gnttab, pieces, batch);
		if (rc < 0)
			return rc;
		pieces += batch;
		count -= batch;
	}
	return 0;
}
