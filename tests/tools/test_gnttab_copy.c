/* SPDX-License-Identifier: MIT */
/*
 * Copies that go straight to the hypervisor, against one played here: pieces are cut at our pages' borders, each
 * status finds its piece, large batches take several calls, and where the way is barred the kernel is asked.
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

static uint8_t ours[PAGES * PAGE] __attribute__((aligned(4096)));
static uint8_t theirs[256][PAGE];	/* by reference */
static unsigned int shares, calls, opened;
static bool refused;			/* references to one's own pages are no good here */
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

static uint8_t *side(const struct gnttab_copy_ptr *ptr, unsigned int bytes)
{
	assert_true(ptr->offset + bytes <= PAGE);
	if (ptr->domid == DOMID_SELF) {
		assert_in_range(ptr->u.ref, FIRST_REF, FIRST_REF + PAGES - 1);
		return ours + (ptr->u.ref - FIRST_REF) * PAGE + ptr->offset;
	}
	assert_int_equal(ptr->domid, 9);
	return ptr->u.ref == BAD_REF ? NULL : theirs[ptr->u.ref] + ptr->offset;
}

int call_hypercall(struct call *call, unsigned int op, unsigned long a1, unsigned long a2,
		   unsigned long a3, unsigned long a4, unsigned long a5)
{
	struct gnttab_copy *copy = (struct gnttab_copy *)a2;

	(void)call, (void)a4, (void)a5;
	assert_int_equal(op, __HYPERVISOR_grant_table_op);
	assert_int_equal(a1, GNTTABOP_copy);
	assert_in_range(a3, 1, 512);
	calls++;
	for (unsigned long i = 0; i < a3; i++, copy++) {
		uint8_t *from = side(&copy->source, copy->len), *to = side(&copy->dest, copy->len);

		assert_int_equal(copy->flags, GNTCOPY_source_gref | GNTCOPY_dest_gref);
		copy->status = refused ? GNTST_permission_denied : GNTST_okay;
		if (!from || !to)
			copy->status = GNTST_bad_gntref;
		else
			memmove(to, from, copy->len);
	}
	return 0;
}

static uint8_t *start(struct gnttab *g)
{
	void *address;

	*g = (struct gnttab){ .gntdev = -1, .gntalloc = -1 };
	calls = 0;
	assert_int_equal(gnttab_staging(g, 3, PAGES, &address), 0);
	return address;
}

static void finish(struct gnttab *g)
{
	gnttab_copy_close(g);
	assert_int_equal(shares, 0);
	assert_int_equal(opened, 0);
}

static void pieces(void **state)
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

	(void)state;
	for (unsigned int r = 0; r < 256; r++)
		for (unsigned int i = 0; i < PAGE; i++)
			theirs[r][i] = r * 31 + i * 7 + (i >> 8);
	list[0].local = memory + 2 * PAGE - 1000;
	list[1].local = memory + 3 * PAGE;
	list[2].local = memory + 4 * PAGE + 1;
	list[3].local = memory + 6 * PAGE - 1;
	list[4].local = memory + 7 * PAGE;
	assert_int_equal(gnttab_copy(&g, list, 5), 0);
	assert_int_equal(calls, 2);	/* the first tried the way out */
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
	finish(&g);
}

static void many(void **state)
{
	static struct gnttab_copy_piece list[2000];
	struct gnttab g;
	uint8_t *memory = start(&g);

	(void)state;
	for (unsigned int i = 0; i < 2000; i++)
		list[i] = (struct gnttab_copy_piece){
			.to_grant = i & 1, .domid = 9, .ref = i % 64, .offset = i % 4000, .bytes = 64,
			.local = memory + (size_t)i * 80, .status = GNTST_general_error,
		};
	list[1234].ref = BAD_REF;
	assert_int_equal(gnttab_copy(&g, list, 2000), 0);
	assert_in_range(calls, 5, 6);
	for (unsigned int i = 0; i < 2000; i++)
		assert_int_equal(list[i].status, i == 1234 ? GNTST_bad_gntref : GNTST_okay);
	finish(&g);
}

/* Other memory, or memory that only begins in the staging area, is the kernel's task, which is not there. */
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
	assert_int_equal(calls, 1);
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
	assert_int_equal(calls, 1);
	finish(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(many),
		cmocka_unit_test(elsewhere),
		cmocka_unit_test(barred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
