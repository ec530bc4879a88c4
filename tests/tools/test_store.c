/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client: its requests against the fake store, with watches, transactions and faults.
 */
/* LINK: dom0-tools/libs/store/core.c dom0-tools/libs/store/fake.c dom0-tools/libs/util/core.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fake_store.h>

static int setup(void **state)
{
	struct store *store;

	fake_store_reset();
	assert_int_equal(store_open(&store), 0);
	*state = store;
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	assert_int_equal(fake_store_handles(), 0);
	assert_int_equal(fake_store_transactions(), 0);
	fake_store_reset();
	return 0;
}

static void test_values(void **state)
{
	struct store *store = *state;
	unsigned long number = 0;
	size_t length;
	char *value;

	assert_int_equal(store_write(store, 0, "/a/b", "x\0y", 3), 0);
	assert_int_equal(store_read(store, 0, "/a/b", &value, &length), 0);
	assert_int_equal(length, 3);
	assert_memory_equal(value, "x\0y\0", 4);
	free(value);
	assert_int_equal(store_read(store, 0, "/a/c", &value, NULL), -ENOENT);
	assert_int_equal(store_read(store, 0, "/a//c", &value, NULL), -EINVAL);
	assert_int_equal(store_printf(store, 0, "n", "%d", 42), 0);
	assert_string_equal(fake_store_get("/local/domain/0/n"), "42");
	assert_int_equal(store_read_ulong(store, 0, "n", &number), 0);
	assert_int_equal(number, 42);
	for (unsigned int i = 0; i < 4; i++) {
		static const char *const bad[] = { "", "-1", "4 ", "99999999999999999999" };

		fake_store_set("/local/domain/0/n", bad[i]);
		assert_int_equal(store_read_ulong(store, 0, "n", &number), -EINVAL);
	}
	assert_int_equal(store_rm(store, 0, "/a"), 0);
	assert_null(fake_store_get("/a/b"));
	assert_int_equal(store_rm(store, 0, "/a"), 0);
	assert_int_equal(store_rm(store, 0, "/p/q/r"), -ENOENT);
}

static void test_lists(void **state)
{
	struct store *store = *state;
	char **names;

	assert_int_equal(store_mkdir(store, 0, "/d"), 0);
	assert_int_equal(store_list(store, 0, "/d", &names), 0);
	free(names);
	assert_int_equal(store_mkdir(store, 0, "/d/one"), 0);
	assert_int_equal(store_mkdir(store, 0, "/d/two"), 0);
	assert_int_equal(store_list(store, 0, "/d", &names), 2);
	assert_string_equal(names[0], "one");
	assert_string_equal(names[1], "two");
	assert_null(names[2]);
	free(names);
	assert_int_equal(store_list(store, 0, "/none", &names), -ENOENT);
}

static void test_perms(void **state)
{
	struct store_perm set[] = { { 'n', 3 }, { 'r', 0 } }, *got;
	struct store *store = *state;

	assert_int_equal(store_mkdir(store, 0, "/d"), 0);
	assert_int_equal(store_set_perms(store, 0, "/d", set, 2), 0);
	assert_string_equal(fake_store_perms("/d"), "n3 r0");
	assert_int_equal(store_get_perms(store, 0, "/d", &got), 2);
	assert_int_equal(got[0].domid, 3);
	assert_int_equal(got[1].access, 'r');
	free(got);
}

static void test_transactions(void **state)
{
	struct store *store = *state;
	store_tx tx;

	assert_int_equal(store_begin(store, &tx), 0);
	assert_int_equal(store_write(store, tx, "/t", "1", 1), 0);
	assert_null(fake_store_get("/t"));
	assert_int_equal(store_commit(store, tx), 0);
	assert_string_equal(fake_store_get("/t"), "1");

	assert_int_equal(store_begin(store, &tx), 0);
	assert_int_equal(store_write(store, tx, "/t", "2", 1), 0);
	fake_store_set("/other", "x");
	assert_int_equal(store_commit(store, tx), -EAGAIN);
	assert_string_equal(fake_store_get("/t"), "1");

	assert_int_equal(store_begin(store, &tx), 0);
	assert_int_equal(store_abort(store, tx), 0);
	assert_int_equal(store_write(store, tx, "/t", "2", 1), -ENOENT);
}

static void expect_event(struct store *store, const char *want_path, const char *want_token)
{
	char *buffer, *path, *token;

	assert_int_equal(store_event(store, &buffer, &path, &token), 0);
	assert_string_equal(path, want_path);
	assert_string_equal(token, want_token);
	free(buffer);
}

static void test_watches(void **state)
{
	struct store *store = *state;
	char *buffer, *path, *token;

	assert_int_equal(store_watch(store, "/w", "tok"), 0);
	expect_event(store, "/w", "tok");
	assert_int_equal(store_watch(store, "/w", "tok"), -EEXIST);
	fake_store_set("/w/below", "1");
	expect_event(store, "/w/below", "tok");
	fake_store_set("/wide", "1");
	assert_int_equal(store_event(store, &buffer, &path, &token), -EAGAIN);
	assert_int_equal(store_wait_event(store, 5, &buffer, &path, &token), -ETIMEDOUT);
	assert_int_equal(store_unwatch(store, "/w", "tok"), 0);
	assert_int_equal(store_unwatch(store, "/w", "tok"), -ENOENT);
	assert_int_equal(store_watch(store, "@introduceDomain", "i"), 0);
	expect_event(store, "@introduceDomain", "i");
	assert_int_equal(store_introduce(store, 7, 0x1234, 3), 0);
	expect_event(store, "@introduceDomain", "i");
	assert_int_equal(store_is_introduced(store, 7), 1);
	assert_int_equal(store_release(store, 7), 0);
	assert_int_equal(store_is_introduced(store, 7), 0);
	assert_int_equal(store_reset_watches(store), 0);
	assert_int_equal(fake_store_watches(), 0);
}

static void test_pipeline(void **state)
{
	struct store_request requests[] = {
		{ .type = XS_WRITE, .path = "/p/a", .value = "1", .length = 1 },
		{ .type = XS_READ, .path = "/p/none" },
		{ .type = XS_READ, .path = "/p/a" },
		{ .type = XS_DIRECTORY, .path = "/p" },
	};
	static char huge[XENSTORE_PAYLOAD_MAX];
	struct store *store = *state;

	assert_int_equal(store_pipeline(store, 0, requests, 4), -ENOENT);
	assert_int_equal(requests[0].result, 0);
	assert_null(requests[0].reply);
	assert_int_equal(requests[1].result, -ENOENT);
	assert_string_equal(requests[2].reply, "1");
	assert_memory_equal(requests[3].reply, "a", 2);
	free(requests[2].reply);
	free(requests[3].reply);
	assert_int_equal(store_write(store, 0, "/p/a", huge, sizeof(huge)), -E2BIG);
}

static void test_faults(void **state)
{
	struct store *store = *state;
	store_tx tx;

	fake_store_fail(2, -ENOSPC);
	assert_int_equal(store_write(store, 0, "/f", "1", 1), 0);
	assert_int_equal(store_write(store, 0, "/f", "2", 1), -ENOSPC);
	assert_int_equal(store_write(store, 0, "/f", "3", 1), 0);
	fake_store_conflict(1);
	assert_int_equal(store_begin(store, &tx), 0);
	assert_int_equal(store_commit(store, tx), -EAGAIN);
	assert_int_equal(store_begin(store, &tx), 0);
	assert_int_equal(store_commit(store, tx), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(values), CASE(lists), CASE(perms), CASE(transactions), CASE(watches),
		CASE(pipeline), CASE(faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
