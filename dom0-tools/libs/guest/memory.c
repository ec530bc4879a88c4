/* SPDX-License-Identifier: MIT */
/*
 * A new guest's memory: populated in the largest blocks there are, and mapped once, in one piece,
 * as far as the builder has to write it. Whatever a page held before may still be there: what the
 * guest must find empty is cleared by who fills the page.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "private.h"

/* 2 MiB: larger blocks are scarce and save little. */
#define LARGEST_ORDER	9
/* Extents per call: bounds the list on the stack. */
#define EXTENTS		512UL
/* Pages cleared per call: the list fits into ctl's argument area. */
#define CLEARS		256U

/* At most @count blocks of 2^@order pages from pfn @first on. Pages populated. */
static uint64_t populate_blocks(struct guest_memory *memory, xen_pfn_t first, uint64_t count,
				unsigned int order)
{
	xen_pfn_t extents[EXTENTS];
	uint64_t done = 0;

	while (done < count) {
		unsigned long batch = count - done < EXTENTS ? count - done : EXTENTS;
		xen_pfn_t *out = &memory->p2m[first + (done << order)];
		long got;

		for (unsigned long i = 0; i < batch; i++)
			extents[i] = first + ((done + i) << order);
		got = ctl_populate_physmap(memory->ctl, memory->domid, order, 0, batch, extents);
		if (got < 0)
			break;
		for (long i = 0; i < got; i++)
			for (unsigned long page = 0; page < 1UL << order; page++)
				*out++ = extents[i] + page;
		done += got;
		if ((unsigned long)got < batch)
			break;
	}
	return done << order;
}

int guest_memory_populate(struct guest_memory *memory, struct tools_error *error)
{
	uint64_t total = memory->layout->nr_pages, done = 0;

	memory->p2m = malloc(total * sizeof(*memory->p2m));
	if (!memory->p2m)
		return tools_fail(error, -ENOMEM, "no-memory",
				  "too little memory in this domain for a frame list of %llu KiB",
				  (unsigned long long)(total * sizeof(*memory->p2m)) >> 10);
	/* Down through the orders: for the odd rest, and where memory is in pieces. */
	for (int order = LARGEST_ORDER; order >= 0 && done < total; order--)
		done += populate_blocks(memory, done, (total - done) >> order, order);
	if (done == total)
		return 0;
	return tools_fail(error, -ENOMEM, "no-memory",
			  "the hypervisor has no more memory: domain %u got %llu of %llu MiB",
			  memory->domid, (unsigned long long)done >> 8,
			  (unsigned long long)total >> 8);
}

int guest_memory_clear(struct guest_memory *memory, struct tools_error *error)
{
	const struct guest_range *range = &memory->layout->cleared;
	struct mmuext_op ops[CLEARS];

	for (xen_pfn_t pfn = range->first; pfn < range->end;) {
		unsigned int count = 0;
		int rc;

		for (; count < CLEARS && pfn < range->end; count++, pfn++)
			ops[count] = (struct mmuext_op){
				.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = memory->p2m[pfn],
			};
		rc = ctl_mmuext(memory->ctl, memory->domid, ops, count);
		if (rc)
			return tools_fail(error, rc, "refused",
					  "the hypervisor cannot clear memory of domain %u: %s",
					  memory->domid, strerror(-rc));
	}
	return 0;
}

int guest_memory_map(struct guest_memory *memory, xen_pfn_t shared_info, struct tools_error *error)
{
	const struct guest_layout *layout = memory->layout;
	size_t count = 1, at = 0;
	xen_pfn_t *frames;
	void *view;
	int rc;

	for (unsigned int i = 0; i < 3; i++)
		count += layout->written[i].end - layout->written[i].first;
	frames = malloc(count * sizeof(*frames));
	if (!frames)
		return tools_fail(error, -ENOMEM, "no-memory", "too little memory in this domain");
	for (unsigned int i = 0; i < 3; i++) {
		const struct guest_range *range = &layout->written[i];

		memcpy(frames + at, memory->p2m + range->first,
		       (range->end - range->first) * sizeof(*frames));
		at += range->end - range->first;
	}
	frames[at] = shared_info;
	rc = foreignmemory_map(memory->fm, memory->domid, PROT_READ | PROT_WRITE, count, frames,
			       NULL, &view);
	free(frames);
	if (rc)
		return tools_fail(error, rc, "map-failed",
				  "%zu pages of domain %u cannot be mapped: %s", count,
				  memory->domid, strerror(-rc));
	memory->view = view;
	memory->view_pages = count;
	return 0;
}

void *guest_memory_page(const struct guest_memory *memory, xen_pfn_t pfn)
{
	const struct guest_range *range = memory->layout->written;
	uint8_t *at = memory->view;

	/* The last range takes the rest: callers ask only for what is written. */
	for (unsigned int i = 0; i < 2 && pfn >= range->end; i++, range++)
		at += (range->end - range->first) * PAGE_BYTES;
	return at + (pfn - range->first) * PAGE_BYTES;
}

void *guest_memory_shared_info(const struct guest_memory *memory)
{
	return memory->view + (memory->view_pages - 1) * PAGE_BYTES;
}

void guest_memory_unmap(struct guest_memory *memory)
{
	if (memory->view)
		foreignmemory_unmap(memory->fm, memory->view, memory->view_pages);
	memory->view = NULL;
}

void guest_memory_free(struct guest_memory *memory)
{
	guest_memory_unmap(memory);
	free(memory->p2m);
	memory->p2m = NULL;
}
