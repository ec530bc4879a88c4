/* SPDX-License-Identifier: MIT */
/*
 * The store's helpers against the fake world's store: directories that are too long for one answer.
 *
 * LINK: tests/fake/world.c tests/fake/world_grant.c tests/fake/world_store.c pvlib/store.c pvlib/xenbus.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pv/store.h>
#include <world.h>

#define ROOM	65536

/* @count names of different lengths: all are found, each once, whatever the number of parts. */
static void check_list(unsigned int count)
{
	struct world *w = world_new(count);
	struct pv_domain *d = world_domain(w, 0);
	char *names = malloc(ROOM), *name = names, path[64], *seen = calloc(1, count + 1);
	int n;

	for (unsigned int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/backend/%u/state", i * 7 % count);
		world_store_write(w, path, "1");
	}
	world_store_write(w, "/backend", "");
	n = pv_store_list(d, 0, "/backend", names, ROOM);
	assert_int_equal(n, count);
	for (int i = 0; i < n; i++, name += strlen(name) + 1) {
		assert_false(seen[atoi(name)]);
		seen[atoi(name)] = 1;
	}
	if (count > 1000)
		assert_int_equal(pv_store_list(d, 0, "/backend", names, 4096), -XEN_E2BIG);
	assert_int_equal(pv_store_list(d, 0, "/nothing", names, ROOM), -XEN_ENOENT);
	free(seen);
	free(names);
	assert_int_equal(world_end(w), 0);
}

static void long_directories(void **state)
{
	(void)state;
	check_list(1);
	check_list(11);
	check_list(1061);
	check_list(1063);
	check_list(3001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
