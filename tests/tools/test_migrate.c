/* SPDX-License-Identifier: MIT */
/*
 * The end of a migration that has the domain, against receivers that go away, refuse, lie or are xl,
 * at every step: the domain is never lost and never left running twice, and nothing else is left.
 */
/* LINK: dom0-tools/libs/move/apart.c dom0-tools/libs/move/channel.c dom0-tools/libs/move/frames.c dom0-tools/libs/move/pages.c */
/* LINK: dom0-tools/libs/move/restore.c dom0-tools/libs/move/restore_pages.c */
/* LINK: dom0-tools/libs/move/restore_state.c dom0-tools/libs/move/save.c */
/* LINK: dom0-tools/libs/move/save_state.c dom0-tools/libs/move/source.c */
/* LINK: dom0-tools/libs/move/suspend.c dom0-tools/libs/move/send.c dom0-tools/libs/move/receive.c */
/* LINK: dom0-tools/libs/move/preflight.c dom0-tools/libs/move/brake.c dom0-tools/libs/move/features.c dom0-tools/libs/move/lock.c dom0-tools/libs/stream/rules.c */
/* LINK: dom0-tools/libs/stream/reader.c dom0-tools/libs/stream/framing.c */
/* LINK: dom0-tools/libs/stream/writer.c dom0-tools/libs/stream/tables.c */
/* LINK: dom0-tools/libs/stream/context.c dom0-tools/libs/ctl/policy.c */
/* LINK: dom0-tools/libs/light/attach.c dom0-tools/libs/light/backing.c dom0-tools/libs/light/batch.c */
/* LINK: dom0-tools/libs/light/bootloader.c dom0-tools/libs/light/create.c dom0-tools/libs/light/create_nodes.c */
/* LINK: dom0-tools/libs/light/destroy.c dom0-tools/libs/light/device.c dom0-tools/libs/light/device_list.c */
/* LINK: dom0-tools/libs/light/device_wait.c dom0-tools/libs/light/history.c dom0-tools/libs/light/holders.c dom0-tools/libs/light/limits.c dom0-tools/libs/light/marker.c */
/* LINK: dom0-tools/libs/light/memory.c dom0-tools/libs/light/open.c dom0-tools/libs/light/prepare.c dom0-tools/libs/light/reconnect.c */
/* LINK: dom0-tools/libs/light/script.c dom0-tools/libs/light/shutdown.c dom0-tools/libs/light/userdata.c */
/* LINK: dom0-tools/libs/light/wait.c dom0-tools/libs/light/cfg.c dom0-tools/libs/light/config.c */
/* LINK: dom0-tools/libs/light/config_json.c dom0-tools/libs/light/defaults.c dom0-tools/libs/light/disk_spec.c */
/* LINK: dom0-tools/libs/light/keys.c dom0-tools/libs/light/nic_spec.c dom0-tools/libs/light/parse.c */
/* LINK: dom0-tools/libs/light/values.c dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c */
/* LINK: dom0-tools/libs/json/write.c dom0-tools/libs/json/parse.c dom0-tools/libs/json/tree.c */
/* LINK: dom0-tools/libs/store/core.c dom0-tools/libs/store/fake.c dom0-tools/libs/ctl/core.c */
/* LINK: dom0-tools/libs/ctl/domain.c dom0-tools/libs/ctl/memory.c dom0-tools/libs/ctl/host.c */
/* LINK: dom0-tools/libs/ctl/vcpu.c dom0-tools/libs/call/fake.c dom0-tools/libs/call/fake_ops.c */
/* LINK: dom0-tools/libs/foreignmemory/fake.c dom0-tools/libs/guest/build.c dom0-tools/libs/guest/elf.c */
/* LINK: dom0-tools/libs/guest/layout.c dom0-tools/libs/guest/memory.c dom0-tools/libs/guest/tables.c */
/* LINK: dom0-tools/libs/guest/image.c dom0-tools/libs/guest/unpack.c */
/* LIBS: -llzma -lzstd -lz -llz4 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <cmocka.h>
#include <migrate_world.h>

static int cancel_pipe[2];

static int send_to(enum step step, struct move_send *send)
{
	struct move_link link;
	pid_t child = spawn(&link, receiver_process, step);
	int rc;

	*send = (struct move_send){ .light = light, .domid = guest->id, .name = "g",
				    .config = config_json, .link = &link, .live = true,
				    .peer_ms = 20000, .reconnect = reconnect };
	memset(&error, 0, sizeof(error));
	rc = move_send(send, &error);
	close(link.in);
	waitpid(child, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	strbuf_free(&send->problems);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	return rc;
}

static void runs_here(void)
{
	assert_non_null(fake_hv_domain(1));
	assert_false(guest->shut_down);
	assert_int_equal(guest->pause_count, 0);
	assert_false(guest->log_dirty);
	assert_string_equal(fake_store_get("/local/domain/1/name"), "g");
	assert_false(held);
	assert_false(held_early);
}

/* Before it gives leave, whatever the receiver does, the domain runs here. */
static void test_sender_keeps_it(void **state)
{
	struct move_send send;

	(void)state;
	later = -1;
	for (enum step step = NO_BANNER; step < READY_ONLY; step++) {
		assert_true(send_to(step, &send) < 0);
		assert_true(error.text[0]);
		assert_int_equal(send.where, MOVE_HERE);
		if (send.save.suspended)
			fake_guest_resumed(guest);
		runs_here();
		if (step == REFUSES || step == REFUSES_LATE) {
			assert_string_equal(error.code, "refused");
			assert_non_null(strstr(error.text, step == REFUSES ? "no disk" : "none"));
		}
		assert_true(step != REFUSES || !send.save.suspended);
	}
}

static void silent(int fd, int what)
{
	char byte;

	(void)what;
	while (in(fd, &byte, 1))
		;
}

/* Takes all of the question: what it leaves unread would be a reset, which overtakes its answer. */
static void says_no(int fd, int what)
{
	char buffer[100];

	out(fd, BANNER, BANNER_BYTES);
	in(fd, buffer, sizeof(buffer));
	out(fd, ANSWER_REFUSED "- device: no disk\n", ANSWER_BYTES + 18);
	shutdown(fd, SHUT_WR);
	silent(fd, what);
}

static int check_with(void (*play)(int fd, int what), int step, bool cancel)
{
	struct move_send send = { .light = light, .domid = 1, .name = "g", .config = config_json,
				  .check = true, .peer_ms = play == silent ? 200 : 20000 };
	struct move_link link;
	pid_t child = spawn(&link, play, step);
	int ends[2], rc;

	assert_int_equal(pipe(ends), 0);
	if (cancel) {
		assert_int_equal(write(ends[1], "", 1), 1);
		light->cancel_fd = ends[0];
	}
	send.link = &link;
	memset(&error, 0, sizeof(error));
	rc = move_send(&send, &error);
	light->cancel_fd = -1;
	close(link.in);
	close(ends[0]);
	close(ends[1]);
	waitpid(child, NULL, 0);
	assert_int_equal(send.where, MOVE_HERE);
	strbuf_free(&send.problems);
	runs_here();
	return rc;
}

/* Asked whether it could go: whatever the receiver does, there is an answer that says what. */
static void test_check(void **state)
{
	(void)state;
	for (enum step step = NO_BANNER; step < REFUSES; step++) {
		assert_true(check_with(receiver_process, step, false) < 0);
		if (!error.code || !error.text[0])
			fail_msg("step %d: nothing said", step);
	}
	assert_int_equal(check_with(says_no, 0, false), -EPERM);
	assert_string_equal(error.code, "refused");
	assert_int_equal(check_with(silent, 0, false), -ETIMEDOUT);
	assert_non_null(strstr(error.text, "banner"));
	assert_int_equal(check_with(silent, 0, true), -ECANCELED);
	assert_string_equal(error.code, "canceled");
}

/* Afterwards the receiver decides; a failure that it tells of brings the domain back. */
static void test_sender_is_told(void **state)
{
	struct move_send send;

	(void)state;
	later = -1;
	assert_true(send_to(FAILS, &send) < 0);
	assert_int_equal(send.where, MOVE_HERE);
	fake_guest_resumed(guest);
	runs_here();
	assert_int_equal(send_to(STARTS, &send), 0);
	assert_int_equal(send.where, MOVE_THERE);
	assert_true(send.peer_is_ours);
	assert_true(held);
	assert_false(held_early);
	assert_int_equal(holds, 2);
	assert_null(fake_hv_domain(1));
	assert_null(fake_store_get("/local/domain/1/name"));
}

/* Disks that cannot be let go of: it runs on here. */
static void test_sender_holds_disks(void **state)
{
	struct move_send send;

	(void)state;
	for (int way = 0; way < 2; way++) {
		backend_holds = way ? NULL : "failed";
		light->device_wait_ms = 300;
		assert_int_equal(send_to(STARTS, &send), way ? -ETIMEDOUT : -EIO);
		assert_string_equal(error.code, "device");
		assert_int_equal(send.where, MOVE_HERE);
		fake_guest_resumed(guest);
		runs_here();
	}
	backend_holds = "1";
	assert_int_equal(send_to(STARTS, &send), 0);
	assert_true(held);
}

static void test_sender_to_xl(void **state)
{
	struct move_send send;

	(void)state;
	assert_int_equal(send_to(STARTS_AS_XL, &send), 0);
	assert_false(send.peer_is_ours);
	assert_null(fake_hv_domain(1));
}

/* The link breaks between leave and report: the sender asks, and only then acts. */
static void test_sender_asks_again(void **state)
{
	static const enum step steps[] = { READY_ONLY, GO_TAKEN, REPORTS_HALF, FAILS_HALF };
	struct move_send send;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		later = 0;
		assert_true(send_to(steps[i], &send) < 0);
		assert_int_equal(send.where, MOVE_HERE);
		fake_guest_resumed(guest);
		runs_here();
	}
	later = 1;
	assert_int_equal(send_to(GO_TAKEN, &send), 0);
	assert_int_equal(send.where, MOVE_THERE);
	assert_null(fake_hv_domain(1));
}

/* Nobody answers: it stays suspended, under the other name, and can be resumed by hand. */
/* Takes leave, and the user at the sender gives up the moment before the link breaks. */
static void taken_and_given_up(int fd, int what)
{
	play_receiver(fd, (enum step)what);
	out(cancel_pipe[1], "", 1);
}

/* From leave on nobody's ^C counts: neither for the report nor for the question after it. */
static void test_given_up_too_late(void **state)
{
	struct move_send send = { .light = light, .domid = 1, .name = "g", .config = config_json,
				  .live = true, .peer_ms = 20000, .reconnect = reconnect };
	struct move_link link;
	pid_t child;

	(void)state;
	later = 1;
	assert_int_equal(pipe(cancel_pipe), 0);
	child = spawn(&link, taken_and_given_up, GO_TAKEN);
	send.link = &link;
	light->cancel_fd = cancel_pipe[0];
	assert_int_equal(move_send(&send, &error), 0);
	assert_int_equal(send.where, MOVE_THERE);
	assert_int_equal(light->cancel_fd, cancel_pipe[0]);
	assert_null(fake_hv_domain(1));
	light->cancel_fd = -1;
	close(link.in);
	waitpid(child, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	close(cancel_pipe[0]);
	close(cancel_pipe[1]);
}

static void test_sender_does_not_know(void **state)
{
	struct move_send send;

	(void)state;
	later = -1;
	assert_true(send_to(GO_TAKEN, &send) < 0);
	assert_int_equal(send.where, MOVE_UNKNOWN);
	assert_string_equal(error.code, "unknown");
	assert_true(move_is_suspended(ctl, 1));
	assert_string_equal(fake_store_get("/local/domain/1/name"), "g--migratedaway");
	assert_int_equal(move_resume(light, 1, &error), 0);
}

/* One at a time: who comes second is told who is at it; the first can be told to give up. */
static void test_one_at_a_time(void **state)
{
	struct move_lock lock;
	struct move_send send;
	char byte;
	int ready[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(move_cancel(light, 1, 1000, &error), -ESRCH);
	assert_int_equal(pipe(ready), 0);
	guest->cap = 70;
	child = fork();
	if (!child) {
		signal(SIGINT, SIG_DFL);
		if (move_lock_take(light, 1, &lock, &error) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(send_to(STARTS, &send), -EBUSY);
	assert_string_equal(error.code, "busy");
	runs_here();
	assert_int_equal(move_gc(light), 0);
	assert_int_equal(move_cancel(light, 1, 20000, &error), 0);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	/* It died at work: what it left in the guest is put right. */
	fake_hv_domain(1)->log_dirty = true;
	fake_hv_domain(1)->cap = 6;
	fake_store_set("/local/domain/1/control/shutdown", "suspend");
	assert_int_equal(move_gc(light), 1);
	runs_here();
	assert_int_equal(fake_hv_domain(1)->cap, 70);
	assert_string_equal(fake_store_get("/local/domain/1/control/shutdown"), "");
	snprintf(path, sizeof(path), "%s/kl/moving-1", run_dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(move_gc(light), 0);
	assert_int_equal(send_to(STARTS, &send), 0);
	assert_int_equal(access(path, F_OK), -1);
	close(ready[0]);
	close(ready[1]);
}

/* Who only looks ("kl gc"), or died just now, holds the file for a moment: no reason to refuse. */
static void test_lock_looked_at(void **state)
{
	static const char *const says[] = { "", "0 ",
					    "999999999 12345678-1234-1234-1234-123456789abc\n" };
	struct move_lock lock;
	int ready[2], fd;
	pid_t child;
	char byte;

	(void)state;
	snprintf(path, sizeof(path), "%s/kl", run_dir);
	mkdir(path, 0700);
	assert_int_equal(pipe(ready), 0);
	for (unsigned int i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		write_file("run/kl/moving-1", says[i]);
		child = fork();
		if (!child) {
			fd = open(path, O_RDWR);
			if (flock(fd, LOCK_EX | LOCK_NB) || write(ready[1], "", 1) != 1)
				_exit(1);
			usleep(200000);
			unlink(path);
			_exit(0);
		}
		assert_int_equal(read(ready[0], &byte, 1), 1);
		if (move_lock_take(light, 1, &lock, &error))
			fail_msg("%u: %s", i, error.text);
		move_lock_drop(&lock);
		waitpid(child, NULL, 0);
	}
	close(ready[0]);
	close(ready[1]);
}

/* A guest that does not suspend: nothing has happened to it. */
static void test_guest_ignores(void **state)
{
	struct move_send send;

	(void)state;
	obeys = false;
	assert_int_equal(send_to(STARTS, &send), -ETIMEDOUT);
	assert_string_equal(error.code, "guest-timeout");
	assert_int_equal(send.where, MOVE_HERE);
	runs_here();
}

/* The sender's own store dies at whichever request: it can say where the domain is. */
static void test_senders_store_dies(void **state)
{
	struct move_send send;
	unsigned int nth = 0, stuck = 0;

	(void)state;
	later = -1;
	do {
		fake_store_die(++nth);
		assert_int_not_equal(send_to(STARTS, &send), 0);
		fake_store_die(0);
		assert_true(error.text[0]);
		assert_int_equal(send.where, !fake_hv_domain(1) ? MOVE_THERE :
					     guest->shut_down	? MOVE_STUCK :
							       MOVE_HERE);
		stuck += send.where == MOVE_STUCK;
		/* What is not to be written then is put right by whoever comes next. */
		fake_store_set("/local/domain/1/name", "g");
		store_close(store);
		assert_int_equal(store_open(&store), 0);
		light->store = store;
		/* Whether its disks could be taken back was not known: "kl resume" does both. */
		if (send.where == MOVE_STUCK) {
			assert_int_equal(light_hold_disks(light, 1, false, &error), 0);
			assert_int_equal(move_resume(light, 1, &error), 0);
		}
		if (send.where != MOVE_THERE && send.save.suspended)
			fake_guest_resumed(guest);
		assert_true(send.where == MOVE_THERE || !held);
	} while (send.where != MOVE_THERE);
	assert_in_range(nth, 10, 100);
	assert_in_range(stuck, 1, nth);
	guest = NULL;
}

static int cancel_at(void *cookie, const struct move_progress *now)
{
	if (now->phase == *(enum move_phase *)cookie && write(cancel_pipe[1], "", 1) != 1)
		return -EIO;
	return 0;
}

static void test_cancel(void **state)
{
	struct move_send send;
	struct move_link link;
	char byte;

	(void)state;
	assert_int_equal(pipe2(cancel_pipe, O_NONBLOCK), 0);
	for (enum move_phase phase = MOVE_MEMORY; phase <= MOVE_DONE; phase++) {
		pid_t child = spawn(&link, receiver_process, STARTS);

		light->cancel_fd = cancel_pipe[0];
		send = (struct move_send){ .light = light, .domid = 1, .name = "g", .link = &link,
					   .config = config_json, .live = true,
					   .progress = cancel_at, .cookie = &phase };
		assert_int_equal(move_send(&send, &error), -ECANCELED);
		assert_string_equal(error.code, "canceled");
		assert_int_equal(send.where, MOVE_HERE);
		if (send.save.suspended)
			fake_guest_resumed(guest);
		runs_here();
		light->cancel_fd = -1;
		while (read(cancel_pipe[0], &byte, 1) == 1)
			;
		close(link.in);
		waitpid(child, NULL, 0);
	}
	close(cancel_pipe[0]);
	close(cancel_pipe[1]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(sender_keeps_it), CASE(sender_is_told), CASE(check), CASE(sender_holds_disks),
		CASE(sender_to_xl), CASE(sender_asks_again), CASE(given_up_too_late),
		CASE(sender_does_not_know),
		CASE(guest_ignores), CASE(one_at_a_time), CASE(lock_looked_at),
		CASE(senders_store_dies), CASE(cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
