/* SPDX-License-Identifier: MIT */
/*
 * Copies that go straight to the hypervisor, against one played here: pieces are cut at our pages' borders, each
 * status finds its piece, large batches take several calls, our own pages are named by frame where that means
 * anything and by reference elsewhere, and where the way is barred the kernel is asked.
 *
 * LINK: dom0-tools/libs/gnttab/copy.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <tools/call.h>
#include "../../dom0-tools/libs/gnttab/private.h"

#define PAGES		40
#define FIRST_REF	500	/* of our pages */
#define BAD_REF		77	/* the peer has not granted this one */
#define FIRST_FRAME	9000	/* our pages' */

static uint8_t ours[PAGES * PAGE] __attribute__((aligned(4096)));
static uint8_t theirs[256][PAGE];	/* by reference */
static unsigned int shares, calls, opened;
static bool refused;			/* references to one's own pages are no good here */
static bool translated;			/* frame numbers of a domain are not the machine's */
static unsigned int by_frame, by_ref, mapped;
static unsigned int map_budget = -1;	/* pages that may be mapped for a device */
static struct gnttab_copy ops[512];

int call_open(struct call **out)
{
	opened++;
	*out = (struct call *)&opened;
	return 0;
}

void call_close(struct call *call)
{
	if (call)
		opened--;
}

void *call_alloc(struct call *call, size_t bytes)
{
	(void)call;
	assert_true(bytes <= sizeof(ops));
	return ops;
}

void call_free(struct call *call, void *buffer, size_t bytes)
{
	(void)call, (void)bytes;
	assert_ptr_equal(buffer, ops);
}

int gnttab_share(struct gnttab *gnttab, domid_t domid, unsigned int count, bool writable,
		 grant_ref_t *refs, void **address)
{
	(void)gnttab;
	assert_int_equal(domid, 3);
	assert_true(writable && count <= PAGES);
	for (unsigned int i = 0; i < count; i++)
		refs[i] = FIRST_REF + i;
	*address = ours;
	shares++;
	return 0;
}

int gnttab_unshare(struct gnttab *gnttab, void *address, unsigned int count)
{
	(void)gnttab, (void)count;
	assert_ptr_equal(address, ours);
	shares--;
	return 0;
}

static uint8_t *side(const struct gnttab_copy_ptr *ptr, unsigned int bytes, bool is_ref)
{
	unsigned int page;

	assert_true(ptr->offset + bytes <= PAGE);
	if (ptr->domid == DOMID_SELF && !is_ref) {
		by_frame++;
		/* Elsewhere the number means some other page of the domain. */
		page = (ptr->u.gmfn - FIRST_FRAME + translated) % PAGES;
		return ours + page * PAGE + ptr->offset;
	}
	assert_true(is_ref);
	if (ptr->domid == DOMID_SELF) {
		by_ref++;
		assert_in_range(ptr->u.ref, FIRST_REF, FIRST_REF + PAGES - 1);
		return ours + (ptr->u.ref - FIRST_REF) * PAGE + ptr->offset;
	}
	assert_int_equal(ptr->domid, 9);
	return ptr->u.ref == BAD_REF ? NULL : theirs[ptr->u.ref] + ptr->offset;
}

static void play_copy(struct gnttab_copy *copy)
{
	uint8_t *from = side(&copy->source, copy->len, copy->flags & GNTCOPY_source_gref);
	uint8_t *to = side(&copy->dest, copy->len, copy->flags & GNTCOPY_dest_gref);

	copy->status = refused ? GNTST_permission_denied : GNTST_okay;
	if (!from || !to)
		copy->status = GNTST_bad_gntref;
	else
		memmove(to, from, copy->len);
}

static void play_map(struct gnttab_map_grant_ref *map)
{
	assert_int_equal(map->flags, GNTMAP_device_map | GNTMAP_readonly);
	assert_int_equal(map->dom, 3);
	if (!map_budget) {
		map->status = GNTST_no_space;
		return;
	}
	map_budget--;
	map->status = GNTST_okay;
	map->handle = map->ref + 7;
	map->dev_bus_addr = (FIRST_FRAME + map->ref - FIRST_REF) * PAGE;
	mapped++;
}

static void play_unmap(struct gnttab_unmap_grant_ref *unmap)
{
	assert_int_equal(unmap->dev_bus_addr / PAGE - FIRST_FRAME, unmap->handle - 7 - FIRST_REF);
	assert_int_equal(unmap->host_addr, 0);
	mapped--;
}

int call_hypercall(struct call *call, unsigned int op, unsigned long a1, unsigned long a2,
		   unsigned long a3, unsigned long a4, unsigned long a5)
{
	(void)call, (void)a4, (void)a5;
	assert_int_equal(op, __HYPERVISOR_grant_table_op);
	assert_in_range(a3, 1, 512);
	calls++;
	for (unsigned long i = 0; i < a3; i++) {
		switch (a1) {
		case GNTTABOP_copy:
			play_copy((struct gnttab_copy *)a2 + i);
			break;
		case GNTTABOP_map_grant_ref:
			play_map((struct gnttab_map_grant_ref *)a2 + i);
			break;
		case GNTTABOP_unmap_grant_ref:
			play_unmap((struct gnttab_unmap_grant_ref *)a2 + i);
			break;
		default:
			fail();
		}
	}
	return 0;
}

static uint8_t *start(struct gnttab *g)
{
	void *address;

	memset(ours, 0, sizeof(ours));
	*g = (struct gnttab){ .gntdev = -1, .gntalloc = -1 };
	assert_int_equal(gnttab_staging(g, 3, PAGES, &address), 0);
	calls = by_frame = by_ref = 0;
	return address;
}

static void finish(struct gnttab *g)
{
	gnttab_copy_close(g);
	assert_int_equal(shares, 0);
	assert_int_equal(opened, 0);
	assert_int_equal(mapped, 0);
}

static void copy_pieces(bool frames)
{
	struct gnttab_copy_piece list[] = {
		{ false, 9, 1, 100, 3000, NULL, 0 },		/* crosses a page of ours */
		{ false, 9, BAD_REF, 0, 10, NULL, 0 },
		{ false, 9, 2, 0, 4096, NULL, 0 },
		{ false, 9, 3, 4095, 1, NULL, 0 },
		{ false, 9, 4, 0, 0, NULL, 0 },
	};
	struct gnttab g;
	uint8_t *memory = start(&g);

	for (unsigned int i = 0; i < PAGES * PAGE; i++)
		assert_int_equal(memory[i], 0);		/* as promised, whatever was tried before */
	for (unsigned int r = 0; r < 256; r++)
		for (unsigned int i = 0; i < PAGE; i++)
			theirs[r][i] = r * 31 + i * 7 + (i >> 8);
	list[0].local = memory + 2 * PAGE - 1000;
	list[1].local = memory + 3 * PAGE;
	list[2].local = memory + 4 * PAGE + 1;
	list[3].local = memory + 6 * PAGE - 1;
	list[4].local = memory + 7 * PAGE;
	assert_int_equal(gnttab_copy(&g, list, 5), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(list[0].status, GNTST_okay);
	assert_int_equal(list[1].status, GNTST_bad_gntref);
	assert_int_equal(list[2].status, GNTST_okay);
	assert_int_equal(list[3].status, GNTST_okay);
	assert_int_equal(list[4].status, GNTST_okay);
	assert_memory_equal(list[0].local, theirs[1] + 100, 3000);
	assert_memory_equal(list[2].local, theirs[2], 4096);
	assert_int_equal(*(uint8_t *)list[3].local, theirs[3][4095]);
	/* And back, elsewhere. */
	list[0].to_grant = true;
	list[0].ref = 200;
	list[0].offset = 7;
	assert_int_equal(gnttab_copy(&g, list, 1), 0);
	assert_memory_equal(theirs[200] + 7, theirs[1] + 100, 3000);
	assert_int_equal(by_frame != 0, frames);
	assert_int_equal(by_ref != 0, !frames);
	finish(&g);
}

static void pieces(void **state)
{
	(void)state;
	copy_pieces(true);
}

/* A domain whose frame numbers are its own affair, and one that runs out of mappings on the way. */
static void no_frames(void **state)
{
	(void)state;
	translated = true;
	copy_pieces(false);
	translated = false;
	map_budget = PAGES / 2;
	copy_pieces(false);
	map_budget = 0;
	copy_pieces(false);
	map_budget = -1;
}

static void many(void **state)
{
	static struct gnttab_copy_piece list[2000];
	struct gnttab g;
	uint8_t *memory = start(&g);

	(void)state;
	for (unsigned int i = 0; i < 2000; i++)
		list[i] = (struct gnttab_copy_piece){
			.to_grant = i & 1, .domid = 9, .ref = i % 64, .offset = i % 4000,
			.bytes = 64,
			.local = memory + (size_t)i * 80, .status = GNTST_general_error,
		};
	list[1234].ref = BAD_REF;
	assert_int_equal(gnttab_copy(&g, list, 2000), 0);
	assert_in_range(calls, 4, 5);
	for (unsigned int i = 0; i < 2000; i++)
		assert_int_equal(list[i].status, i == 1234 ? GNTST_bad_gntref : GNTST_okay);
	finish(&g);
}

/* Memory that is not all in the staging area is the kernel's task, which is not there. */
static void elsewhere(void **state)
{
	static uint8_t other[64];
	struct gnttab_copy_piece piece = { false, 9, 1, 0, 64, other, 0 };
	struct gnttab g;
	uint8_t *memory = start(&g);

	(void)state;
	assert_int_equal(gnttab_copy(&g, &piece, 1), -EBADF);
	piece.local = memory + PAGES * PAGE - 63;
	assert_int_equal(gnttab_copy(&g, &piece, 1), -EBADF);
	assert_int_equal(gnttab_staging_free(&g, other), -ENOENT);
	assert_int_equal(gnttab_staging_free(&g, memory), 0);
	piece.local = memory;
	assert_int_equal(gnttab_copy(&g, &piece, 1), -EBADF);
	assert_int_equal(calls, 0);
	finish(&g);
}

static void barred(void **state)
{
	struct gnttab_copy_piece piece = { false, 9, 1, 0, 64, NULL, 0 };
	struct gnttab g;
	uint8_t *memory;

	(void)state;
	refused = true;
	memory = start(&g);
	refused = false;
	assert_ptr_not_equal(memory, ours);
	memset(memory, 1, PAGES * PAGE);
	piece.local = memory;
	assert_int_equal(gnttab_copy(&g, &piece, 1), -EBADF);
	assert_int_equal(calls, 0);
	finish(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(no_frames),
		cmocka_unit_test(many),
		cmocka_unit_test(elsewhere),
		cmocka_unit_test(barred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
