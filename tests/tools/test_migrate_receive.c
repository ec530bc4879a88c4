/* SPDX-License-Identifier: MIT */
/*
 * The end of a migration that gets the domain, against senders that go away, lie or are xl, at every
 * step, and those who ask later: it runs here or is gone, and that is what they are told.
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
#include "../../dom0-tools/libs/move/private.h"

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

enum sender_step { AWAY_AT_ONCE, AWAY_IN_CONFIG, AWAY_IN_STREAM, AWAY_BEFORE_GO, WRONG_GO,
		   GIVES_LEAVE,
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

/* No note can be left, so what became of it could not be told later: it does not start here. */
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
 * The target's store dies at whichever request: what the sender is told is so, and once the store
 * is back nothing else is left.
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

/* The receiver has leave and is about to start it, which may fail: it is waited for. */
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
	assert_int_equal(light_config_from_json(&config, config_json, strlen(config_json), &error),
			 0);
	/* Its own old self is no obstacle. */
	assert_int_equal(move_preflight(light, &config, config_json, strlen(config_json),
					&problems), 0);
	config.uuid[0]++;
	config.target_memkb = 1 << 30;
	light->defaults.autoballoon = 0;
	free(config.nics[0].bridge);
	config.nics[0].bridge = strdup("nope0");
	free(config.disks[0].pdev_path);
	config.disks[0].pdev_path = strdup("/no/such/disk");
	assert_int_equal(move_preflight(light, &config, config_json, strlen(config_json),
					&problems), 4);
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
	assert_string_equal(problems.text,
			    "- cpu: CPUID leaf 0x7.0, ebx: the guest has seen 0x100, which "
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
		CASE(receiver), CASE(store_dies), CASE(no_note), CASE(query), CASE(query_too_early),
		CASE(preflight), CASE(features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
