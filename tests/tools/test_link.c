/* SPDX-License-Identifier: MIT */
/*
 * What a migration goes over: a command's pipes, TCP, and TLS by an external program as the manual
 * shows it, with both ends sure of each other.
 */
/* LINK: dom0-tools/libs/move/link.c dom0-tools/libs/move/channel.c dom0-tools/libs/util/core.c */
/* LINK: dom0-tools/libs/util/file.c */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <tools/move.h>

#define BULK (1U << 20)

static struct tools_error error;
static char port[8], folder[] = "/tmp/test-link-XXXXXX";

/* The other end is a mirror: what goes out comes back. */
static int mirrored(struct move_link *link)
{
	static char out[65536], back[65536];
	struct move_channel to, from;
	int rc = 0;

	move_channel_init(&to, link->out, -1);
	move_channel_init(&from, link->in, -1);
	to.stall_ms = from.stall_ms = 20000;
	for (uint32_t at = 0; at < BULK && !rc; at += sizeof(out)) {
		memset(out, (int)(at >> 16) + 1, sizeof(out));
		/* In halves, so that no pipe has to hold it all. */
		rc = move_channel_write(&to, out, sizeof(out) / 2);
		rc = rc ? rc : move_channel_read(&from, back, sizeof(back) / 2);
		rc = rc ? rc : move_channel_write(&to, out + sizeof(out) / 2, sizeof(out) / 2);
		rc = rc ? rc : move_channel_read(&from, back + sizeof(back) / 2, sizeof(back) / 2);
		if (!rc)
			assert_memory_equal(out, back, sizeof(out));
	}
	return rc;
}

static int through(const char *command)
{
	struct move_link link;
	int rc;

	memset(&error, 0, sizeof(error));
	rc = move_link_command(&link, command, &error);
	if (rc)
		return rc;
	rc = mirrored(&link);
	move_link_close(&link);
	assert_int_equal(link.child, 0);
	return rc;
}

static void test_command(void **state)
{
	char undone[40];

	(void)state;
	assert_int_equal(through("exec cat"), 0);
	assert_true(through("exit 3") < 0);
	assert_true(through("/no/such/program") < 0);
	/* One that does not end by itself is ended. */
	assert_true(through("exec sleep 100 <&- >&-") < 0);
	/* One that has something to undo then is left the time for it. */
	assert_true(through("trap 'sleep 3; touch /tmp/undone.$PPID; exit' TERM; exec <&- >&-; "
			    "while :; do sleep 0.05; done") < 0);
	snprintf(undone, sizeof(undone), "/tmp/undone.%d", (int)getpid());
	assert_int_equal(unlink(undone), 0);
}

static void test_tcp(void **state)
{
	struct move_link link;
	pid_t child = fork();
	char bytes[4096];
	int rc = -1, status;
	ssize_t n;

	(void)state;
	if (!child) {
		if (move_link_listen(&link, "127.0.0.1", port, -1, &error))
			_exit(1);
		fcntl(link.in, F_SETFL, 0);
		while ((n = read(link.in, bytes, sizeof(bytes))) > 0)
			if (write(link.out, bytes, (size_t)n) != n)
				_exit(2);
		_exit(0);
	}
	for (int i = 0; rc && i < 200; i++) {
		usleep(20000);
		rc = move_link_connect(&link, "127.0.0.1", port, -1, &error);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(mirrored(&link), 0);
	move_link_close(&link);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_true(move_link_connect(&link, "127.0.0.1", port, -1, &error) < 0);
	assert_string_equal(error.code, "peer");
	assert_true(move_link_connect(&link, "no.such.host.invalid", port, -1, &error) < 0);
}

/* Nobody connects, and the user has had enough. */
static void test_cancel(void **state)
{
	struct move_link link;
	int cancel[2];

	(void)state;
	assert_int_equal(pipe(cancel), 0);
	assert_int_equal(write(cancel[1], "", 1), 1);
	assert_int_equal(move_link_listen(&link, "127.0.0.1", port, cancel[0], &error), -ECANCELED);
	close(cancel[0]);
	close(cancel[1]);
}

/* A key and its certificate as @name.pem. */
static void make_key(const char *name)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=%s -keyout k -out c "
		 "2>/dev/null && cat k c >%s.pem && mv c %s.crt", folder, name, name, name);
	assert_int_equal(system(command), 0);
}

static pid_t tls_mirror(const char *cert, const char *trust)
{
	char from[128], words[384];
	pid_t child = fork();

	if (child)
		return child;
	snprintf(from, sizeof(from), "OPENSSL-LISTEN:%s,bind=127.0.0.1,reuseaddr,fork", port);
	snprintf(words, sizeof(words), "%s,cert=%s/%s.pem,cafile=%s/%s.crt", from, folder, cert,
		 folder, trust);
	if (!freopen("/dev/null", "w", stderr))
		_exit(126);
	execlp("socat", "socat", words, "EXEC:cat", (char *)NULL);
	_exit(127);
}

static int tls(int tries, const char *cert, const char *trust, const char *name)
{
	char command[512];
	int rc = -1;

	snprintf(command, sizeof(command),
		 "exec socat - OPENSSL:127.0.0.1:%s,cert=%s/%s.pem,cafile=%s/%s.crt,commonname=%s "
		 "2>/dev/null", port, folder, cert, folder, trust, name);
	/* The listener may not be up yet. */
	while (rc && tries--) {
		rc = through(command);
		usleep(rc && tries ? 300000 : 0);
	}
	return rc;
}

static void test_tls(void **state)
{
	char command[64];
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(folder));
	make_key("here");
	make_key("there");
	make_key("thief");
	child = tls_mirror("there", "here");
	usleep(300000);
	assert_int_equal(tls(10, "here", "there", "there"), 0);
	/* Somebody else's key, at either end. */
	assert_true(tls(1, "thief", "there", "there") < 0);
	assert_true(tls(1, "here", "thief", "there") < 0);
	assert_true(tls(1, "here", "there", "elsewhere") < 0);
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command), cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_cancel), cmocka_unit_test(test_tls),
	};

	signal(SIGPIPE, SIG_IGN);
	snprintf(port, sizeof(port), "%d", 20000 + (int)getpid() % 30000);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
