/* SPDX-License-Identifier: MIT */
/*
 * xenstored's keeper with workers that die at once: who waits for the daemon to serve learns of the
 * worker that does, or that there will be none.
 */
/* LINK: dom0-tools/xenstored/keeper.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../dom0-tools/xenstored/linux.h"

static int *lives;	/* of workers, shared with them */
static int crashes;	/* before one serves */
static unsigned int pause_us;	/* before each */

int worker_run(const struct options *options, bool crashed, bool adopted, int ready_fd)
{
	int life = ++*lives;

	(void)options;
	if (crashed != (life > 1) || adopted != (life > 1))
		return EXIT_FATAL;
	if (life <= crashes) {
		usleep(pause_us);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
		signal(SIGBUS, SIG_DFL);	/* not the sanitizer's */
		raise(SIGBUS);
	}
	return write(ready_fd, "x", 1) == 1 ? EXIT_STOP : EXIT_FATAL;
}

/* What the one who waits reads: 1: it serves, 0: it never will. */
static int wait_ready(void)
{
	struct options options = { .run_dir = "/nonexistent" };
	int ends[2], status, n;
	char byte;
	pid_t pid;

	*lives = 0;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		close(ends[0]);
		_exit(keeper_run(&options, false, ends[1]));
	}
	close(ends[1]);
	alarm(60);
	n = read(ends[0], &byte, 1);
	close(ends[0]);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	alarm(0);
	return n;
}

static void test_ready(void **state)
{
	(void)state;
	lives = mmap(NULL, sizeof(*lives), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	assert_ptr_not_equal(lives, MAP_FAILED);
	for (crashes = 0; crashes < 3; crashes++) {
		assert_int_equal(wait_ready(), 1);
		assert_int_equal(*lives, crashes + 1);
	}
	crashes = 1000000;
	assert_int_equal(wait_ready(), 0);
	/* Slower than what is too fast to go on with at once. */
	pause_us = 150000;
	assert_int_equal(wait_ready(), 0);
	assert_in_range(*lives, 10, 12);
	munmap(lives, sizeof(*lives));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ready) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
