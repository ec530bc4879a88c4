/* SPDX-License-Identifier: MIT */
/*
 * Images through qemu-nbd, with a script in its place and a sysfs of our own: which device an image gets,
 * how the server is called, what becomes of one that fails, of a restarted daemon, of many images.
 *
 * LINK: blkback/image.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../blkback/image.h"

#define TRIES	2000

static char folder[64], images[80], sysfs[80], device[32];

/*
 * The server: writes down how it was called, fails as often as the file "failures" is long, else
 * "serves" as long as its device's folder has the pid.
 */
static const char script[] =
	"#!/bin/sh\n"
	"top=${0%/*}\n"
	"echo \"$*\" >>$top/calls\n"
	"if [ -s $top/failures ]; then tail -c +2 $top/failures >$top/f; mv $top/f $top/failures; exit 1; fi\n"
	"for a; do case $a in --connect=*) n=${a##*/} ;; esac; done\n"
	"echo $$ >$top/sys/block/$n/pid\n"
	"while [ -e $top/sys/block/$n/pid ]; do sleep 0.05; done\n";

static void put(const char *name, const char *text, unsigned int mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool called_with(const char *text)
{
	static char calls[4096];
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/calls", folder);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, calls, sizeof(calls) - 1);
	calls[n < 0 ? 0 : n] = 0;
	close(fd);
	return strstr(calls, text);
}

static int set_up(void **state)
{
	char path[256];

	(void)state;
	strcpy(folder, "/tmp/test_image.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(images, sizeof(images), "%s/images", folder);
	snprintf(sysfs, sizeof(sysfs), "%s/sys", folder);
	snprintf(path, sizeof(path), "mkdir -p %s/block/nbd0 %s/block/nbd1", sysfs, sysfs);
	assert_int_equal(system(path), 0);
	put("qemu-nbd", script, 0700);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", folder);
	return setenv("PATH", path, 1);
}

static int tear_down(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -f %s/block/*/pid; sleep 0.2; rm -rf %s", sysfs, folder);
	return system(command) < 0;
}

static struct image_server *open_server(void)
{
	struct image_server *s;

	assert_int_equal(image_server_open(&s, images), 0);
	image_server_set_sysfs(s, sysfs);
	return s;
}

/* Asks until it is served or refused. */
static int get(struct image_server *s, uint32_t fence, const char *path, bool read_only)
{
	int rc = -EAGAIN;

	for (int i = 0; i < TRIES && rc == -EAGAIN; i++) {
		rc = image_open(s, fence, path, "qcow2", read_only, device, sizeof(device));
		usleep(1000);
	}
	return rc;
}

/* What the kernel does when the connection ends. */
static void end_server(unsigned int n)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/block/nbd%u/pid", sysfs, n);
	unlink(path);
}

static void devices(void **state)
{
	struct image_server *s = open_server();

	(void)state;
	assert_int_equal(get(s, 1, "/a.qcow2", false), 0);
	assert_string_equal(device, "/dev/nbd0");
	assert_true(called_with("--connect=/dev/nbd0 --format=qcow2 --cache=none --discard=unmap -- /a.qcow2"));
	assert_int_equal(get(s, 2, "-b.qcow2", true), 0);
	assert_string_equal(device, "/dev/nbd1");
	assert_true(called_with("--read-only -- -b.qcow2"));
	assert_int_equal(get(s, 3, "/c", false), -ENODEV);
	/* A number that is free again is given again. */
	image_close(s, 1);
	end_server(0);
	assert_int_equal(get(s, 3, "/c", false), 0);
	assert_string_equal(device, "/dev/nbd0");
	image_server_close(s);
}

/* The daemon's next instance finds what serves, and what was only begun. */
static void restart(void **state)
{
	struct image_server *s = open_server();

	(void)state;
	assert_int_equal(get(s, 1, "/a", false), 0);
	image_server_close(s);
	s = open_server();
	assert_int_equal(image_open(s, 1, "/a", "qcow2", false, device, sizeof(device)), 0);
	assert_string_equal(device, "/dev/nbd0");
	/* Its server died with the image open: another one is started on the same device. */
	end_server(0);
	assert_int_equal(get(s, 1, "/a", false), 0);
	assert_string_equal(device, "/dev/nbd0");
	assert_int_equal(image_open(s, 2, "/b", "qcow2", false, device, sizeof(device)), -EAGAIN);
	image_server_close(s);
	s = open_server();
	assert_int_equal(get(s, 2, "/b", false), 0);
	assert_string_equal(device, "/dev/nbd1");
	image_server_close(s);
}

/* A server that fails is tried once through the page cache; then the image is refused, its device free. */
static void failures(void **state)
{
	struct image_server *s = open_server();

	(void)state;
	put("failures", "x", 0600);
	assert_int_equal(get(s, 1, "/a", false), 0);
	assert_true(called_with("--cache=writeback"));
	put("failures", "xx", 0600);
	assert_int_equal(get(s, 2, "/b", false), -EIO);
	assert_int_equal(get(s, 2, "/b", false), 0);
	assert_string_equal(device, "/dev/nbd1");
	image_server_close(s);
}

/* The daemon was killed between taking a device and writing down for what: the next one has it again. */
static void killed_while_taking(void **state)
{
	struct image_server *s = open_server();

	(void)state;
	assert_int_equal(get(s, 1, "/a", false), 0);
	image_server_close(s);
	put("images/nbd1", "", 0600);
	put("images/2", "", 0600);
	s = open_server();
	assert_int_equal(get(s, 2, "/b", false), 0);
	assert_string_equal(device, "/dev/nbd1");
	assert_int_equal(get(s, 1, "/a", false), 0);
	assert_string_equal(device, "/dev/nbd0");
	image_server_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(devices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(killed_while_taking, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
