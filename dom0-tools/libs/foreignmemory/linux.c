/* SPDX-License-Identifier: MIT */
/*
 * Other domains' memory under Linux: an empty mapping of /dev/xen/privcmd, which an ioctl fills
 * with frames (<xen/sys/privcmd.h>).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <tools/foreignmemory.h>
#include <xen/sys/privcmd.h>

#define PAGE 4096UL
/* Error slots on the stack: enough for the small maps that are most of them. */
#define FEW 64

struct foreignmemory {
	int fd;
};

int foreignmemory_open(struct foreignmemory **out)
{
	struct foreignmemory *fm = malloc(sizeof(*fm));

	if (!fm)
		return -ENOMEM;
	fm->fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (fm->fd < 0) {
		int rc = -errno;

		free(fm);
		return rc;
	}
	*out = fm;
	return 0;
}

void foreignmemory_close(struct foreignmemory *fm)
{
	if (!fm)
		return;
	close(fm->fd);
	free(fm);
}

static int first_error(const int *errors, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (errors[i])
			return errors[i];
	return 0;
}

int foreignmemory_map(struct foreignmemory *fm, domid_t domid, int prot, size_t count,
		      const xen_pfn_t *frames, int *errors, void **address)
{
	int few[FEW], *slots = errors;
	privcmd_mmapbatch_v2_t batch;
	void *area;
	int rc = 0;

	if (!count || count > UINT32_MAX)
		return -EINVAL;
	if (!slots)
		slots = count <= FEW ? few : malloc(count * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	area = mmap(NULL, count * PAGE, prot, MAP_SHARED, fm->fd, 0);
	if (area == MAP_FAILED) {
		rc = -errno;
		goto free_slots;
	}
	batch = (privcmd_mmapbatch_v2_t){ .num = count, .dom = domid, .addr = (unsigned long)area,
					  .arr = frames, .err = slots };
	/* -ENOENT is about single frames (paged out) and told in their slots too. */
	if (ioctl(fm->fd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) < 0 && errno != ENOENT)
		rc = -errno;
	else if (!errors)
		rc = first_error(slots, count);
	if (rc)
		munmap(area, count * PAGE);
	else
		*address = area;
free_slots:
	if (slots != few && slots != errors)
		free(slots);
	return rc;
}

int foreignmemory_unmap(struct foreignmemory *fm, void *address, size_t count)
{
	(void)fm;
	return munmap(address, count * PAGE) ? -errno : 0;
}

int foreignmemory_map_resource(struct foreignmemory *fm, domid_t domid, unsigned int type,
			       unsigned int id, unsigned long first, unsigned long count, int prot,
			       void **address)
{
	privcmd_mmap_resource_t resource;
	void *area;
	int rc;

	if (!count || first > UINT32_MAX)
		return -EINVAL;
	area = mmap(NULL, count * PAGE, prot, MAP_SHARED, fm->fd, 0);
	if (area == MAP_FAILED)
		return -errno;
	resource = (privcmd_mmap_resource_t){ .dom = domid, .type = type, .id = id, .idx = first,
					      .num = count, .addr = (unsigned long)area };
	if (ioctl(fm->fd, IOCTL_PRIVCMD_MMAP_RESOURCE, &resource) < 0) {
		rc = errno == ENOTTY || errno == ENOSYS ? -EOPNOTSUPP : -errno;
		munmap(area, count * PAGE);
		return rc;
	}
	*address = area;
	return 0;
}
