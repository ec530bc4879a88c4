/* SPDX-License-Identifier: MIT */
/*
 * The store daemon with /run entirely full: what it has is kept and read, what would add to it is refused by
 * name, and all goes on as soon as there is room.
 * LINK: dom0-tools/xenstored/table.c dom0-tools/xenstored/journal.c dom0-tools/xenstored/perms.c dom0-tools/xenstored/tree.c dom0-tools/xenstored/watch.c dom0-tools/xenstored/domain.c dom0-tools/xenstored/transaction.c dom0-tools/xenstored/view.c dom0-tools/xenstored/output.c dom0-tools/xenstored/connection.c dom0-tools/xenstored/request.c dom0-tools/xenstored/control.c dom0-tools/xenstored/restore.c dom0-tools/xenstored/room.c dom0-tools/xenstored/core.c tests/tools/xenstored_world.c
 * LIBS: -Wl,--wrap=fallocate
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "xenstored_scene.h"

#define ASK(type, tx, text) ask_as(tool, type, tx, text, sizeof(text))

/* No room in /run for more than the files have. */
static bool full;
static struct { ino_t file; off_t from, to; } had[1024];	/* what was given before */
static unsigned int n_had;

int __real_fallocate(int fd, int mode, off_t offset, off_t length);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t length);

int __wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
	struct stat st;
	unsigned int i;

	assert_int_equal(fstat(fd, &st), 0);
	for (i = 0; i < n_had; i++)
		if (had[i].file == st.st_ino && had[i].from <= offset &&
		    had[i].to >= offset + length)
			break;
	/* The state file has its size at once, but not all memory behind it; the others grow. */
	if (full && i == n_had && (offset + length > st.st_size || st.st_size > 64 << 20)) {
		errno = ENOSPC;
		return -1;
	}
	if (i == n_had && i < sizeof(had) / sizeof(had[0])) {
		had[n_had].file = st.st_ino;
		had[n_had].from = offset;
		had[n_had++].to = offset + length;
	}
	return __real_fallocate(fd, mode, offset, length);
}

static int fill(void **state)
{
	full = false;
	n_had = 0;
	return set_up(state);
}

static int empty(void **state)
{
	full = false;
	return tear_down(state);
}

/* /big with 1,000 bytes, again and again; the last answer. */
static const char *write_big(unsigned int times)
{
	char text[1024] = "/big\0";
	const char *answer = "OK";

	memset(text + 5, 'x', sizeof(text) - 5);
	while (times-- && !strcmp(answer, "OK"))
		answer = ask_as(tool, XS_WRITE, 0, text, sizeof(text));
	return answer;
}

/* A restart without room goes on with the journal as it is, and compacts it once there is some. */
static void test_restart(void **state)
{
	size_t tail;

	(void)state;
	assert_string_equal(write_big(40), "OK");
	tail = p->x.journal.tail;
	assert_true(tail > 40000 && tail < 60000);
	full = true;
	restart();
	assert_int_equal(p->x.journal.tail, tail);
	assert_string_equal(ASK(XS_WRITE, 0, "/small\0v"), "OK");
	restart();
	assert_string_equal(ASK(XS_READ, 0, "/small"), "v");
	assert_true(p->x.journal.tail > tail);
	full = false;
	restart();
	assert_true(p->x.journal.tail < tail / 2);
	assert_string_equal(ASK(XS_READ, 0, "/small"), "v");
	assert_int_equal(strlen(ASK(XS_READ, 0, "/big")), 1019);
}

/* Refused is what adds; removing makes no room in the journal, but is served from the reserve. */
static void test_refusals(void **state)
{
	char tx[16];
	uint32_t id;
	int other;

	(void)state;
	assert_string_equal(ASK(XS_MKDIR, 0, "/a/b"), "OK");
	strcpy(tx, ASK(XS_TRANSACTION_START, 0, ""));
	id = atoi(tx);
	assert_string_equal(ASK(XS_WRITE, id, "/a/in\0v"), "OK");
	full = true;
	assert_string_equal(write_big(1000), "ENOSPC");
	assert_non_null(strstr(w->log, "requests that add to the store are refused (ENOSPC)"));
	assert_non_null(strstr(w->log, w->dir));
	assert_int_equal(w->log_lines, 1);
	assert_non_null(strstr(ASK(XS_CONTROL, 0, "stats"), "refusing_for_room 1\n"));
	assert_string_equal(ASK(XS_MKDIR, 0, "/c"), "ENOSPC");
	assert_string_equal(ASK(XS_SET_PERMS, 0, "/a\0n1"), "ENOSPC");
	assert_string_equal(ASK(XS_WATCH, 0, "/a\0token"), "ENOSPC");
	w->domain[1].state = DOMAIN_EXISTS;
	assert_string_equal(ASK(XS_INTRODUCE, 0, "1\0001000\0003"), "ENOSPC");
	assert_string_equal(ASK(XS_TRANSACTION_END, id, "T"), "ENOSPC");
	assert_string_equal(ASK(XS_TRANSACTION_END, id, "T"), "ENOENT");
	assert_string_equal(ASK(XS_READ, 0, "/a/in"), "ENOENT");
	assert_int_equal(strlen(ASK(XS_READ, 0, "/big")), 1019);
	other = world_connect(w);
	assert_string_equal(ask_as(other, XS_DIRECTORY, 0, "/a", 3), "b");
	strcpy(tx, ASK(XS_TRANSACTION_START, 0, ""));
	assert_string_equal(ASK(XS_RM, atoi(tx), "/a"), "OK");
	assert_string_equal(ASK(XS_TRANSACTION_END, atoi(tx), "T"), "OK");
	assert_string_equal(ASK(XS_READ, 0, "/a"), "ENOENT");
	restart();
	assert_string_equal(ASK(XS_MKDIR, 0, "/c"), "ENOSPC");
	full = false;
	assert_string_equal(ASK(XS_MKDIR, 0, "/c"), "OK");
	assert_non_null(strstr(w->log, "there is room"));
	assert_non_null(strstr(ASK(XS_CONTROL, 0, "stats"), "refusing_for_room 0\n"));
	restart();
	assert_string_equal(ASK(XS_READ, 0, "/c"), "");
	assert_int_equal(strlen(ASK(XS_READ, 0, "/big")), 1019);
}

/* Until the reserve is used up as well: then reading goes on, for as long as it takes. */
static void test_nothing_left(void **state)
{
	const char *answer = "OK";
	unsigned int removed = 0;
	char path[32];

	(void)state;
	for (unsigned int i = 0; i < 3000; i++)
		assert_string_equal(ask_as(tool, XS_MKDIR, 0, path, sprintf(path, "/n/%u", i) + 1),
				    "OK");
	full = true;
	assert_string_equal(write_big(1000), "ENOSPC");
	while (!strcmp(answer, "OK")) {
		assert_in_range(removed, 0, 2999);
		answer = ask_as(tool, XS_RM, 0, path, sprintf(path, "/n/%u", removed++) + 1);
	}
	assert_string_equal(answer, "ENOSPC");
	assert_in_range(removed, 100, 2999);
	assert_non_null(strstr(w->log, "only reading is served"));
	for (unsigned int i = 0; i < 10000; i++)
		assert_int_equal(strlen(ASK(XS_READ, 0, "/big")), 1019);
	assert_string_equal(ASK(XS_TRANSACTION_START, 0, ""), "ENOSPC");
	assert_string_equal(ASK(XS_CONTROL, 0, "help"), body);
	assert_int_equal(got.type, XS_CONTROL);
	restart();
	assert_int_equal(strlen(ASK(XS_READ, 0, "/big")), 1019);
	full = false;
	assert_string_equal(ask_as(tool, XS_RM, 0, path, strlen(path) + 1), "OK");
	assert_string_equal(write_big(10), "OK");
}

/* The reserve is there also if /run gets full right after a compaction, or a start. */
static void test_reserve_is_kept(void **state)
{
	char path[32];

	(void)state;
	assert_string_equal(write_big(300), "OK");
	xsd_idle(&p->x);
	assert_true(p->x.journal.tail < 10000);
	full = true;
	for (unsigned int i = 0; i < 2; i++) {
		assert_string_equal(ask_as(tool, XS_RM, 0, path,
					   sprintf(path, "/nothing%u", i) + 1), "OK");
		assert_string_equal(write_big(1000), "ENOSPC");
		assert_null(strstr(w->log, "only reading"));
		restart();
	}
}

/* Serves in a process of its own; its exit status. */
static int run_apart(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		world_run(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A record beyond the reserve: nothing of the request is done, and it is not tried for ever. */
static void test_huge_record(void **state)
{
	char text[3000] = "/w\0", value[] = "/w\0changed";

	(void)state;
	assert_string_equal(ASK(XS_WRITE, 0, "/w\0before"), "OK");
	memset(text + 3, 't', sizeof(text) - 4);
	for (unsigned int i = 0; i < 200; i++) {
		text[3] = 'a' + i % 26;
		text[4] = 'a' + i / 26;
		assert_string_equal(ask_as(tool, XS_WATCH, 0, text, sizeof(text)), "OK");
		while (world_receive(w, tool, &got, body))
			;
	}
	full = true;
	world_send(w, tool, XS_WRITE, 0, value, sizeof(value) - 1);
	assert_int_equal(run_apart(), 3);
	restart();
	assert_true(world_receive(w, tool, &got, body));
	assert_string_equal(body, "ENOSPC");
	assert_non_null(strstr(w->log, "is refused: /run has no room for its record"));
	assert_string_equal(ASK(XS_READ, 0, "/w"), "before");
	full = false;
	world_send(w, tool, XS_WRITE, 0, value, sizeof(value) - 1);
	/* Its answer comes behind the events, of which the socket holds a few at a time. */
	for (got.type = XS_WATCH_EVENT; got.type == XS_WATCH_EVENT; ) {
		world_run(p);
		assert_true(world_receive(w, tool, &got, body));
	}
	assert_string_equal(body, "OK");
	assert_string_equal(ASK(XS_READ, 0, "/w"), "changed");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fill, empty)
	const struct CMUnitTest tests[] = {
		TEST(test_restart),	    TEST(test_refusals),    TEST(test_nothing_left),
		TEST(test_reserve_is_kept), TEST(test_huge_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
