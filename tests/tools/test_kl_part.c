/* SPDX-License-Identifier: MIT */
/*
 * Files that verbs write before they get their name: one writer, and what the dead left is replaced.
 */
/* LINK: dom0-tools/kl/part.c */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../dom0-tools/kl/kl.h"

static char folder[] = "/tmp/test-kl-part-XXXXXX";

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void test_one_writer(void **state)
{
	int fd;

	(void)state;
	fd = kl_open_part("one.part");
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "first", 5), 5);
	assert_int_equal(kl_open_part("one.part"), -EBUSY);
	assert_int_equal(size_of("one.part"), 5);
	close(fd);
	fd = kl_open_part("one.part");
	assert_true(fd >= 0);
	assert_int_equal(size_of("one.part"), 0);
	close(fd);
	assert_int_equal(unlink("one.part"), 0);
}

/* What it finds is replaced, not written through: a reader of the old file, or a link, stays whole. */
static void test_leftovers(void **state)
{
	int fd, old;

	(void)state;
	old = open("target", O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(old, "kept", 4), 4);
	assert_int_equal(symlink("target", "two.part"), 0);
	fd = kl_open_part("two.part");
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "something else", 14), 14);
	assert_int_equal(size_of("target"), 4);
	close(fd);
	close(old);
	assert_int_equal(unlink("two.part"), 0);
	assert_int_equal(unlink("target"), 0);
	assert_int_equal(kl_open_part("nowhere/two.part"), -ENOENT);
}

/* Of several at once, each that got it is alone: what it wrote is there when it closes. */
static void test_race(void **state)
{
	int status, got;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		if (!fork()) {
			for (unsigned int n = 0; n < 2000; n++) {
				struct stat mine, named;

				got = kl_open_part("race.part");
				if (got == -EBUSY)
					continue;
				if (got < 0 || fstat(got, &mine) || stat("race.part", &named) ||
				    mine.st_ino != named.st_ino)
					_exit(1);
				close(got);
			}
			_exit(0);
		}
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(unlink("race.part"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_writer),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_race),
	};
	int failed;

	if (!mkdtemp(folder) || chdir(folder))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(folder) || failed;
}
