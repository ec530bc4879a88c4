/* SPDX-License-Identifier: MIT */
/* Domids in use a moment ago: what is put down is found, for a minute; rubbish does no harm. */
/* LINK: dom0-tools/libs/light/history.c dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../dom0-tools/libs/light/domain.h"

static char folder[] = "/tmp/history-XXXXXX";
static struct light light = { .run_dir = folder };
static int locks;

int light_lock_path(struct light *l, const char *path, unsigned int ms)
{
	assert_ptr_equal(l, &light);
	assert_non_null(strstr(path, "/domid-history.lock"));
	assert_true(ms > 0);
	locks++;
	return 77;
}

void light_unlock_domain(struct light *l, uint32_t domid, int lock)
{
	(void)l, (void)domid;
	assert_int_equal(lock, 77);
	locks--;
}

static void test_kept(void **state)
{
	(void)state;
	assert_false(history_has(&light, 1));
	assert_int_equal(history_add(&light, 1), 0);
	assert_int_equal(history_add(&light, 700), 0);
	assert_int_equal(locks, 0);
	assert_true(history_has(&light, 1));
	assert_true(history_has(&light, 700));
	assert_false(history_has(&light, 70));
}

static void test_old_and_rubbish(void **state)
{
	unsigned long long now = tools_now_ms() / 1000;
	char path[64], text[256], *after;
	size_t length;

	(void)state;
	snprintf(path, sizeof(path), "%s/domid-history", folder);
	snprintf(text, sizeof(text), "%llu 9\nx y\n\n%llu 10\n%llu 11\n12", now - 62, now - 30,
		 now + 99);
	assert_int_equal(tools_write_file(path, text, strlen(text), 0600), 0);
	assert_false(history_has(&light, 9));
	assert_true(history_has(&light, 10));
	assert_false(history_has(&light, 11));	/* another boot's clock */
	assert_false(history_has(&light, 12));
	assert_int_equal(history_add(&light, 13), 0);
	assert_int_equal(tools_read_file(path, 4096, &after, &length), 0);
	assert_null(strstr(after, " 9\n"));
	assert_non_null(strstr(after, " 10\n"));
	assert_non_null(strstr(after, " 13\n"));
	free(after);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kept),
					    cmocka_unit_test(test_old_and_rubbish) };
	int failed;

	if (!mkdtemp(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
