/* SPDX-License-Identifier: MIT */
/*
 * The two ends of a migration, each against another end that goes away, refuses, lies or is xl, at
 * every step: a domain is never lost and never left running twice, and nothing else is left.
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
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <tools/kill_point.h>
#include <tools/light.h>
#include <tools/move.h>
#include "../../dom0-tools/libs/move/private.h"
#include "../../dom0-tools/libs/move/protocol.h"
#include <fake_guest.h>
#include <light_scene.h>
#include <migrate_peers.h>

#define MIB 12U

static char lib_dir[80], run_dir[80], script_dir[80], config_text[512];
static struct light *light;
static struct ctl *ctl;
static struct store *store;
static struct foreignmemory *fm;
static struct tools_error error;
static struct fake_domain *guest;
static char *config_json;
static bool obeys;
static int cancel_pipe[2];
static bool held, held_early; /* its disk is let go of; while the guest still ran */
static unsigned int holds;

#define HOLD "/local/domain/0/backend/qblk/1/51712/hold"

/* ---- the world: backends answer, the guest suspends when it is asked ---- */

static void on_write(void *arg, const char *node, const char *value)
{
	bool asked = obeys && guest && value && !strcmp(value, "suspend") &&
		     !strcmp(node, "/local/domain/1/control/shutdown");

	backends(arg, node, value);
	if (guest && value && !strcmp(node, HOLD)) {
		held = !strcmp(value, "1");
		holds += held;
		held_early |= held && !guest->shut_down;
	}
	if (asked) {
		fake_store_set("/local/domain/1/control/shutdown", "");
		fake_guest_suspend(guest);
		fake_store_fire("@releaseDomain");
	}
}

static void make_guest(void)
{
	const struct light_parse how = { .source = "t.cfg" };
	struct light_config config;
	struct light_create request = { .config = &config };

	light_config_init(&config);
	assert_int_equal(light_config_parse(&config, config_text, strlen(config_text), NULL, 0, &how,
					    &error),
			 0);
	if (light_create(light, &request, &error))
		fail_msg("%s", error.text);
	light_config_free(&config);
	guest = fake_hv_domain((domid_t)request.domid);
	assert_int_equal(fake_guest_live(ctl, guest), 0);
	light_config_init(&config);
	assert_int_equal(light_domain_config(light, guest->id, &config, &error), 0);
	config_json = light_config_to_json(&config, -1);
	light_config_free(&config);
}

static int setup(void **state)
{
	static uint8_t kernel[KERNEL_FILE_BYTES];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	fake_hv_reset(16384, 2);
	fake_store_reset();
	fake_store_on_write(on_write, NULL);
	memset(&error, 0, sizeof(error));
	obeys = true;
	held = held_early = false;
	holds = 0;
	backend_holds = "1";
	strcpy(folder, "/tmp/test-migrate-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(lib_dir, sizeof(lib_dir), "%s/lib", folder);
	snprintf(run_dir, sizeof(run_dir), "%s/run", folder);
	snprintf(script_dir, sizeof(script_dir), "%s/scripts", folder);
	mkdir(lib_dir, 0700);
	mkdir(run_dir, 0700);
	mkdir(script_dir, 0700);
	write_file("scripts/vif-bridge", "#!/bin/sh\nexit 0\n");
	make_kernel(kernel, &fake_guest_wish);
	snprintf(path, sizeof(path), "%s/kernel", folder);
	assert_int_equal(tools_write_file(path, kernel, sizeof(kernel), 0600), 0);
	snprintf(config_text, sizeof(config_text),
		 "name='g'\nmemory=%u\nvcpus=2\nkernel='%s'\n"
		 "uuid='12345678-1234-1234-1234-123456789abc'\n"
		 "vif=['mac=00:16:3e:01:02:03,bridge=lo,backendtype=vif']\n"
		 "disk=['format=qcow2,vdev=xvda,access=rw,target=%s/disk']\n",
		 MIB, path, folder);
	write_file("disk", "");
	assert_int_equal(ctl_open(&ctl), 0);
	assert_int_equal(foreignmemory_open(&fm), 0);
	assert_int_equal(store_open(&store), 0);
	assert_int_equal(light_open_with(&light, ctl, store, fm), 0);
	light->lib_dir = lib_dir;
	light->run_dir = run_dir;
	light->script_dir = script_dir;
	snprintf(path, sizeof(path), "%s/lock", folder);
	free(light->defaults.lockfile);
	light->defaults.lockfile = strdup(path);
	fake_store_set("/local/domain/0/name", "Domain-0");
	fake_store_set("/tool/xenstored/domid", "0");
	make_guest();
	return 0;
}

static int teardown(void **state)
{
	char command[80];

	(void)state;
	free(config_json);
	config_json = NULL;
	guest = NULL;
	light_close(light);
	foreignmemory_close(fm);
	store_close(store);
	ctl_close(ctl);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	fake_hv_reset(0, 0);
	fake_store_reset();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

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

static int check_with(void (*play)(int fd, int what), int step, bool cancel)
{
	struct move_send send = { .light = light, .domid = 1, .name = "g", .config = config_json,
				  .check = true, .peer_ms = 200 };
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
	for (enum step step = NO_BANNER; step <= REFUSES; step++) {
		assert_true(check_with(receiver_process, step, false) < 0);
		if (!error.code || !error.text[0])
			fail_msg("step %d: nothing said", step);
	}
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
	static const char *const says[] = { "", "0 ", "999999999 12345678-1234-1234-1234-123456789abc\n" };
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

/* The sender's own store dies at whichever request: it knows where the domain is, and can say it. */
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

/* ---- the receiving end ---- */

static uint8_t *image;
static size_t image_length;
static uint32_t image_flags;

static int keep(void *cookie, const struct iovec *parts, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		strbuf_add(cookie, parts[i].iov_base, parts[i].iov_len);
	return 0;
}

static int suspend_now(void *cookie, struct tools_error *why)
{
	(void)cookie;
	(void)why;
	fake_guest_suspend(guest);
	return 0;
}

/* The guest's stream, as a sender would send it; the guest itself is gone. */
static void record_image(void)
{
	struct strbuf stream = { 0 };
	struct move_save save = { .ctl = ctl, .fm = fm, .domid = 1, .format = STREAM_XL,
				  .config = config_json, .file_flags = image_flags, .put = keep,
				  .cookie = &stream, .suspend = suspend_now };

	assert_int_equal(move_save(&save, &error), 0);
	image_length = stream.length;
	image = (uint8_t *)strbuf_take(&stream);
	assert_int_equal(light_destroy(light, 1, NULL, &error), 0);
	guest = NULL;
}

enum sender_step { AWAY_AT_ONCE, AWAY_IN_CONFIG, AWAY_IN_STREAM, AWAY_BEFORE_GO, WRONG_GO, GIVES_LEAVE,
		   AWAY_AFTER_GO, SENDER_STEPS };

static void sender_process(int fd, int step)
{
	char buffer[256];
	size_t length = step == AWAY_IN_CONFIG ? 200 :
			step == AWAY_IN_STREAM ? image_length / 2 :
						 image_length;

	if (!in(fd, buffer, BANNER_BYTES) || step == AWAY_AT_ONCE)
		return;
	for (size_t at = 0; at < length;) {
		ssize_t n = write(fd, image + at, length - at);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
	if (image_flags & MOVE_FLAG_ANSWER && step > AWAY_IN_CONFIG)
		in(fd, buffer, ANSWER_BYTES);
	if (step < AWAY_BEFORE_GO || !in(fd, buffer, sizeof(READY)) || step == AWAY_BEFORE_GO ||
	    memcmp(buffer, READY, sizeof(READY)))
		return;
	if (step == WRONG_GO)
		out(fd, "domain is not yours, you are not cleared to unpause anything", 60);
	else
		out(fd, GO, sizeof(GO));
	if (step != AWAY_AFTER_GO)
		_exit(!in(fd, buffer, sizeof(REPORT) + 1) ? MOVE_UNKNOWN :
		      buffer[sizeof(REPORT)]		  ? MOVE_HERE :
							    MOVE_THERE);
}

static int told; /* its exit status: where the domain is, if it was told */

static int receive_from(int step, struct move_receive *receive)
{
	struct move_link link;
	pid_t child = spawn(&link, sender_process, step);
	int rc;

	*receive = (struct move_receive){ .light = light, .link = &link, .peer_ms = 20000 };
	memset(&error, 0, sizeof(error));
	rc = move_receive(receive, &error);
	close(link.in);
	waitpid(child, &told, 0);
	light->cancel_fd = -1;
	assert_int_equal(fake_hv_mapped_pages(), 0);
	return rc;
}

static void test_receiver(void **state)
{
	struct move_receive receive;
	unsigned int nodes;

	(void)state;
	image_flags = MOVE_FLAG_ANSWER;
	record_image();
	fake_store_set("/local/domain/0/backend/console", "");
	nodes = fake_store_nodes();
	for (int step = AWAY_AT_ONCE; step < GIVES_LEAVE; step++) {
		assert_true(receive_from(step, &receive) < 0);
		assert_true(error.text[0]);
		assert_false(receive.started);
		assert_int_equal(fake_hv_domains(), 0);
		assert_int_equal(fake_store_nodes(), nodes);
		assert_int_equal(fake_store_watches(), 0);
	}
	for (int step = GIVES_LEAVE; step < SENDER_STEPS; step++) {
		const struct fake_domain *domain;

		receive_from(step, &receive);
		assert_true(receive.started);
		domain = fake_hv_domain((domid_t)receive.domid);
		assert_int_equal(domain->pause_count, 0);
		assert_int_equal(fake_hv_domains(), 1);
		assert_int_equal(light_name_to_domid(light, "g"), receive.domid);
		assert_int_equal(light_destroy(light, receive.domid, NULL, &error), 0);
	}
	free(image);
}

/* What became of it could not be told later, as no note can be left: then it does not start here. */
static void test_no_note(void **state)
{
	struct move_receive receive;

	(void)state;
	image_flags = MOVE_FLAG_ANSWER;
	record_image();
	snprintf(path, sizeof(path), "%s/kl", run_dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/kl/moved-12345678-1234-1234-1234-123456789abc", run_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(receive_from(GIVES_LEAVE, &receive) < 0);
	assert_non_null(strstr(error.text, path));
	assert_false(receive.started);
	assert_int_equal(WEXITSTATUS(told), MOVE_HERE);
	assert_int_equal(fake_hv_domains(), 0);
	free(image);
}

/*
 * The target's store dies at whichever request: what the sender is told is so, and once the store is
 * back nothing else is left.
 */
static void test_store_dies(void **state)
{
	struct move_receive receive;
	unsigned int nodes, before, nth = 0, started = 0;

	(void)state;
	image_flags = MOVE_FLAG_ANSWER;
	record_image();
	fake_store_set("/local/domain/0/backend/console", "");
	nodes = fake_store_nodes();
	do {
		before = fake_store_requests();
		fake_store_die(++nth);
		receive_from(GIVES_LEAVE, &receive);
		fake_store_die(0);
		light_gc(light, NULL);
		assert_int_equal(WEXITSTATUS(told), receive.started ? MOVE_THERE : MOVE_HERE);
		assert_int_equal(fake_hv_domains(), receive.started);
		if (receive.started) {
			started++;
			assert_int_equal(light_name_to_domid(light, "g"), receive.domid);
			assert_int_equal(light_destroy(light, receive.domid, NULL, &error), 0);
		}
		assert_int_equal(fake_store_nodes(), nodes);
		assert_int_equal(fake_store_watches(), 0);
	} while (fake_store_requests() - before >= nth);
	assert_in_range(nth, 100, 1000);
	assert_true(started > 0 && started < nth / 2);
	free(image);
}

/* A sender whose link broke asks; its exit status is the answer: 0, 1 or 2: none came. */
static void asker(int fd, int what)
{
	struct stream_options options = { .file_flags = MOVE_FLAG_QUERY };
	struct strbuf stream = { 0 };
	struct stream_writer *writer;
	char buffer[64];

	(void)what;
	if (stream_writer_open(STREAM_XL, &options, keep, &stream, &writer) ||
	    stream_write_start(writer, config_json, 4, 17, NULL) || !in(fd, buffer, BANNER_BYTES))
		_exit(3);
	out(fd, stream.text, stream.length);
	if (!in(fd, buffer, ANSWER_BYTES))
		_exit(2);
	_exit(memcmp(buffer, ANSWER_PRESENT, ANSWER_BYTES) ? 0 : 1);
}

static int ask(void)
{
	struct move_receive receive;
	struct move_link link;
	pid_t child = spawn(&link, asker, 0);
	int status;

	receive = (struct move_receive){ .light = light, .link = &link, .peer_ms = 20000 };
	move_receive(&receive, &error);
	assert_true(receive.only_asked);
	close(link.in);
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

/* The target's answers: what it has, what it had leave to start, what it never got. */
static void test_query(void **state)
{
	char note[256];

	(void)state;
	assert_int_equal(ask(), 1);
	fake_hv_shutdown(1, SHUTDOWN_crash);
	assert_int_equal(ask(), 1);
	assert_int_equal(light_destroy(light, 1, NULL, &error), 0);
	guest = NULL;
	assert_int_equal(ask(), 0);
	snprintf(note, sizeof(note), "run/kl/moved-12345678-1234-1234-1234-123456789abc");
	write_file(note, "leave\n");
	assert_int_equal(ask(), 2);
	write_file(note, "started\n");
	assert_int_equal(ask(), 1);
}

/* The receiver has leave, and is about to start it: what it does not start is destroyed, so it is waited for. */
static void test_query_too_early(void **state)
{
	static const char note[] = "run/kl/moved-12345678-1234-1234-1234-123456789abc";
	uint64_t begun = tools_now_ms();
	pid_t receiver;

	(void)state;
	snprintf(path, sizeof(path), "%s/kl", run_dir);
	mkdir(path, 0700);
	write_file(note, "leave\n");
	assert_int_equal(ctl_pausedomain(ctl, 1), 0);
	receiver = fork();
	if (!receiver) {
		usleep(300000);
		write_file(note, "started\n");
		_exit(0);
	}
	assert_int_equal(ask(), 1);
	assert_true(tools_now_ms() - begun >= 300);
	waitpid(receiver, NULL, 0);
	/* One that died in between, and had started it. */
	write_file(note, "leave\n");
	assert_int_equal(ctl_unpausedomain(ctl, 1), 0);
	assert_int_equal(ask(), 1);
}

static void test_preflight(void **state)
{
	struct strbuf problems = { 0 };
	struct light_config config;

	(void)state;
	light_config_init(&config);
	assert_int_equal(light_config_from_json(&config, config_json, strlen(config_json), &error), 0);
	/* Its own old self is no obstacle. */
	assert_int_equal(move_preflight(light, &config, config_json, strlen(config_json), &problems), 0);
	config.uuid[0]++;
	config.target_memkb = 1 << 30;
	light->defaults.autoballoon = 0;
	free(config.nics[0].bridge);
	config.nics[0].bridge = strdup("nope0");
	free(config.disks[0].pdev_path);
	config.disks[0].pdev_path = strdup("/no/such/disk");
	assert_int_equal(move_preflight(light, &config, config_json, strlen(config_json), &problems), 4);
	assert_non_null(strstr(problems.text, "name-taken"));
	assert_non_null(strstr(problems.text, "no-memory"));
	assert_non_null(strstr(problems.text, "/no/such/disk"));
	assert_non_null(strstr(problems.text, "nope0"));
	strbuf_free(&problems);
	light_config_free(&config);
}

/* The question takes along what CPU the guest has seen; the target names what it has not. */
static void test_features(void **state)
{
	static const char more[] = "{\"kl_cpu_features\": \"1.0.c=0 7.0.b=1ff zzz\"}";
	struct strbuf problems = { 0 };
	char *with = features_into(ctl, 1, config_json);

	(void)state;
	assert_non_null(strstr(with, " 7.0.b=f "));
	assert_non_null(strstr(with, "12345678-1234-1234-1234-123456789abc"));
	assert_int_equal(features_missing(ctl, with, strlen(with), &problems), 0);
	assert_int_equal(features_missing(ctl, config_json, strlen(config_json), &problems), 0);
	assert_int_equal(features_missing(ctl, more, strlen(more), &problems), 1);
	assert_string_equal(problems.text, "- cpu: CPUID leaf 0x7.0, ebx: the guest has seen 0x100, which "
					   "is not to be had here\n");
	strbuf_free(&problems);
	free(with);
	/* A hypervisor that does not tell keeps nobody from going. */
	for (unsigned int n = 1; n <= 2; n++) {
		fake_hv_fail(n, -EPERM);
		free(features_into(ctl, 1, config_json));
		fake_hv_fail(n, -EPERM);
		assert_int_equal(features_missing(ctl, more, strlen(more), &problems), 0);
	}
	fake_hv_fail(0, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(sender_keeps_it), CASE(sender_is_told), CASE(check), CASE(sender_holds_disks), CASE(sender_to_xl),
		CASE(sender_asks_again), CASE(sender_does_not_know), CASE(guest_ignores),
		CASE(one_at_a_time), CASE(lock_looked_at), CASE(senders_store_dies),
		CASE(cancel), CASE(receiver), CASE(store_dies), CASE(no_note), CASE(query), CASE(query_too_early), CASE(preflight),
		CASE(features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
