/* SPDX-License-Identifier: MIT */
/*
 * Grants under Linux: /dev/xen/gntdev maps and copies what others grant (<xen/sys/gntdev.h>),
 * /dev/xen/gntalloc grants pages of its own (<xen/sys/gntalloc.h>) and is opened when first needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "private.h"
#include <xen/sys/gntalloc.h>
#include <xen/sys/gntdev.h>

/* No sane ring or buffer needs more; keeps sizes far from overflow. */
#define MAX_PAGES 65536U

int gnttab_open(struct gnttab **out)
{
	struct gnttab *gnttab = calloc(1, sizeof(*gnttab));

	if (!gnttab)
		return -ENOMEM;
	gnttab->gntalloc = -1;
	gnttab->gntdev = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	if (gnttab->gntdev < 0) {
		int rc = -errno;

		free(gnttab);
		return rc;
	}
	*out = gnttab;
	return 0;
}

void gnttab_close(struct gnttab *gnttab)
{
	if (!gnttab)
		return;
	gnttab_copy_close(gnttab);
	while (gnttab->shares)
		gnttab_unshare(gnttab, gnttab->shares->address, gnttab->shares->count);
	if (gnttab->gntalloc >= 0)
		close(gnttab->gntalloc);
	close(gnttab->gntdev);
	free(gnttab);
}

/* ---- mapping ---- */

static void forget_map(struct gnttab *gnttab, uint64_t index, unsigned int count)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = { .index = index, .count = count };

	ioctl(gnttab->gntdev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
}

/* The announced map at *index; the hypervisor is asked only by mmap(). */
static int announce_map(struct gnttab *gnttab, unsigned int count, const domid_t *domids,
			const grant_ref_t *refs, uint64_t *index)
{
	struct ioctl_gntdev_map_grant_ref *map;
	int rc = 0;

	map = calloc(1, offsetof(struct ioctl_gntdev_map_grant_ref, refs) +
			count * sizeof(map->refs[0]));
	if (!map)
		return -ENOMEM;
	map->count = count;
	for (unsigned int i = 0; i < count; i++) {
		/* Through a pointer: the array is declared with one element and has count. */
		struct ioctl_gntdev_grant_ref *slot = map->refs;

		slot[i].domid = domids[i];
		slot[i].ref = refs[i];
	}
	if (ioctl(gnttab->gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, map))
		rc = -errno;
	*index = map->index;
	free(map);
	return rc;
}

static int enter_map(struct gnttab *gnttab, uint64_t index, unsigned int count, bool writable,
		     void **address)
{
	void *area = mmap(NULL, count * PAGE, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED,
			  gnttab->gntdev, index);
	int rc;

	if (area != MAP_FAILED) {
		*address = area;
		return 0;
	}
	rc = -errno;
	forget_map(gnttab, index, count);
	return rc;
}

int gnttab_map(struct gnttab *gnttab, unsigned int count, const domid_t *domids,
	       const grant_ref_t *refs, bool writable, void **address)
{
	uint64_t index;
	int rc;

	if (!count || count > MAX_PAGES)
		return -EINVAL;
	rc = announce_map(gnttab, count, domids, refs, &index);
	return rc ? rc : enter_map(gnttab, index, count, writable, address);
}

int gnttab_map_notify(struct gnttab *gnttab, domid_t domid, grant_ref_t ref, bool writable,
		      int clear_offset, int notify_port, void **address)
{
	struct ioctl_gntdev_unmap_notify notify = { 0 };
	uint64_t index;
	int rc;

	if (clear_offset >= (int)PAGE)
		return -EINVAL;
	rc = announce_map(gnttab, 1, &domid, &ref, &index);
	if (rc)
		return rc;
	notify.index = index;
	if (clear_offset >= 0) {
		notify.action |= UNMAP_NOTIFY_CLEAR_BYTE;
		notify.index += clear_offset;
	}
	if (notify_port >= 0) {
		notify.action |= UNMAP_NOTIFY_SEND_EVENT;
		notify.event_channel_port = notify_port;
	}
	rc = enter_map(gnttab, index, 1, writable, address);
	if (rc || !notify.action)
		return rc;
	if (ioctl(gnttab->gntdev, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify)) {
		rc = -errno;
		gnttab_unmap(gnttab, *address, 1);
	}
	return rc;
}

int gnttab_unmap(struct gnttab *gnttab, void *address, unsigned int count)
{
	struct ioctl_gntdev_get_offset_for_vaddr where = { .vaddr = (unsigned long)address };

	if (ioctl(gnttab->gntdev, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &where))
		return -errno;
	if (where.count != count)
		return -EINVAL;
	if (munmap(address, count * PAGE))
		return -errno;
	forget_map(gnttab, where.offset, count);
	return 0;
}

/* ---- granting ---- */

static void forget_share(struct gnttab *gnttab, uint64_t index, unsigned int count)
{
	struct ioctl_gntalloc_dealloc_gref dealloc = { .index = index, .count = count };

	ioctl(gnttab->gntalloc, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc);
}

int gnttab_share(struct gnttab *gnttab, domid_t domid, unsigned int count, bool writable,
		 grant_ref_t *refs, void **address)
{
	struct ioctl_gntalloc_alloc_gref *alloc = NULL;
	struct share *share;
	uint32_t *ids;
	void *area;
	int rc = -ENOMEM;

	if (!count || count > MAX_PAGES)
		return -EINVAL;
	if (gnttab->gntalloc < 0)
		gnttab->gntalloc = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	if (gnttab->gntalloc < 0)
		return -errno;
	share = malloc(sizeof(*share));
	alloc = calloc(1, sizeof(*alloc) + count * sizeof(alloc->gref_ids[0]));
	if (!share || !alloc)
		goto free_both;
	alloc->domid = domid;
	alloc->flags = writable ? GNTALLOC_FLAG_WRITABLE : 0;
	alloc->count = count;
	if (ioctl(gnttab->gntalloc, IOCTL_GNTALLOC_ALLOC_GREF, alloc)) {
		rc = -errno;
		goto free_both;
	}
	area = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gnttab->gntalloc,
		    alloc->index);
	if (area == MAP_FAILED) {
		rc = -errno;
		forget_share(gnttab, alloc->index, count);
		goto free_both;
	}
	ids = alloc->gref_ids;
	for (unsigned int i = 0; i < count; i++)
		refs[i] = ids[i];
	*share = (struct share){ gnttab->shares, area, alloc->index, count };
	gnttab->shares = share;
	*address = area;
	free(alloc);
	return 0;

free_both:
	free(alloc);
	free(share);
	return rc;
}

int gnttab_unshare(struct gnttab *gnttab, void *address, unsigned int count)
{
	for (struct share **link = &gnttab->shares; *link; link = &(*link)->next) {
		struct share *share = *link;

		if (share->address != address)
			continue;
		if (share->count != count)
			return -EINVAL;
		*link = share->next;
		munmap(address, count * PAGE);
		forget_share(gnttab, share->index, count);
		free(share);
		return 0;
	}
	return -ENOENT;
}
