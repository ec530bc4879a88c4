/* SPDX-License-Identifier: MIT */
/*
 * Foreign memory of the fake hypervisor: its machine memory is a file, of which pages are mapped.
 * The contract is tests/tools/fake_hypervisor.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tools/foreignmemory.h>
#include <fake_hypervisor.h>

#define PAGE 4096UL

/* A mapping: which frames it holds. */
struct area {
	struct area *next;
	void *address;
	size_t count;
	xen_pfn_t frames[];
};

struct foreignmemory {
	struct area *areas;
};

int foreignmemory_open(struct foreignmemory **out)
{
	*out = calloc(1, sizeof(**out));
	assert(*out);
	fake_hv_count_handle(1);
	return 0;
}

/* As with the device: mappings outlive the handle. Here that is a mistake of the caller's. */
void foreignmemory_close(struct foreignmemory *fm)
{
	if (!fm)
		return;
	assert(!fm->areas);
	free(fm);
	fake_hv_count_handle(-1);
}

int foreignmemory_map(struct foreignmemory *fm, domid_t domid, int prot, size_t count,
		      const xen_pfn_t *frames, int *errors, void **address)
{
	int failed = fake_hv_step();
	struct area *area;

	if (failed)
		return failed;
	area = calloc(1, sizeof(*area) + count * sizeof(area->frames[0]));
	assert(area);
	area->count = count;
	area->address = mmap(NULL, count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(area->address != MAP_FAILED);
	area->next = fm->areas;
	fm->areas = area;
	for (size_t i = 0; i < count; i++) {
		int rc = fake_hv_get_frame(domid, frames[i]);
		uint64_t offset;
		int fd = fake_hv_memory_fd(&offset, frames[i]);

		if (errors)
			errors[i] = rc;
		if (rc) {
			failed = rc;
			continue;
		}
		area->frames[i] = frames[i];
		assert(mmap((char *)area->address + i * PAGE, PAGE, prot, MAP_SHARED | MAP_FIXED,
			    fd, (off_t)offset) != MAP_FAILED);
	}
	if (failed && !errors) {
		foreignmemory_unmap(fm, area->address, count);
		return failed;
	}
	*address = area->address;
	return 0;
}

int foreignmemory_unmap(struct foreignmemory *fm, void *address, size_t count)
{
	for (struct area **link = &fm->areas; *link; link = &(*link)->next) {
		struct area *area = *link;

		if (area->address != address)
			continue;
		assert(area->count == count);
		*link = area->next;
		munmap(address, count * PAGE);
		for (size_t i = 0; i < count; i++)
			if (area->frames[i])
				fake_hv_put_frame(area->frames[i]);
		free(area);
		return 0;
	}
	return -EINVAL;
}

int foreignmemory_map_resource(struct foreignmemory *fm, domid_t domid, unsigned int type,
			       unsigned int id, unsigned long first, unsigned long count, int prot,
			       void **address)
{
	xen_pfn_t frame;
	int rc;

	(void)id;
	if (count != 1)
		return -EINVAL;
	frame = fake_hv_resource(domid, type, first, &rc);
	return rc ? rc : foreignmemory_map(fm, domid, prot, 1, &frame, NULL, address);
}
