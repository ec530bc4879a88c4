/* SPDX-License-Identifier: MIT */
/*
 * One end of a device against a peer that fails it over and over: dom0's log stays small.
 *
 * LINK: tests/fake/world.c tests/fake/world_grant.c tests/fake/world_store.c pvlib/store.c pvlib/xenbus.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <pv/xenbus.h>
#include "world.h"

static void ignore(struct pv_xenbus *bus, enum xenbus_state state)
{
	(void)bus, (void)state;
}

static void failures_are_told_sparely(void **state)
{
	struct world *world = world_new(1);
	struct pv_domain *dom0 = world_domain(world, 0);
	struct pv_xenbus bus;

	(void)state;
	world_domain(world, 1);
	world_device(world, 0, "qblk", 1, "vbd", 51712);
	assert_int_equal(pv_xenbus_open(&bus, dom0, "/local/domain/0/backend/qblk/1/51712", PV_BACKEND,
					ignore), 0);
	for (int i = 0; i < 10000; i++) {
		pv_xenbus_fail(&bus, "attempt %d", i);
		pv_xenbus_fail(&bus, "attempt %d again", i);
		/* The guest starts anew. */
		bus.failed = false;
	}
	assert_in_range(world_log_count(world), 16, 40);
	pv_xenbus_close(&bus);
	world_drop(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_are_told_sparely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
