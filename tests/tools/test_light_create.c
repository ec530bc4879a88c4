/* SPDX-License-Identifier: MIT */
/*
 * Domains made, changed and ended against the fake store and hypervisor: the nodes guests and
 * backends find, nothing left whichever call fails or wherever the creator is killed, waits that
 * end.
 */
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
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sanitizer/lsan_interface.h>
#include "../../dom0-tools/libs/light/domain.h"
#include <tools/kill_point.h>
#include <tools/light.h>
#include <fake_hypervisor.h>
#include <fake_store.h>
#include <guest_kernel.h>

#define FRONT	    "/local/domain/1/device/vif/0"
#define BACK	    "/local/domain/0/backend/vif/1/0"
#define DEVICE_NODE 256

static char folder[] = "/tmp/test-light-XXXXXX";
static char lib_dir[64], run_dir[64], script_dir[64], lock_path[64], script_log[80],
	config_text[512];
static struct light *light;
static struct ctl *ctl;
static struct store *store;
static struct foreignmemory *fm;
static struct tools_error error;
static uint32_t made;
static bool backend_answers, guest_lets_go;

/* --- killing --- */
static jmp_buf killed;
static unsigned int kill_at;

void kill_point(void)
{
	if (kill_at && !--kill_at)
		longjmp(killed, 1);
}

/* Backends: state 1 is answered by 2, 5 by 6 if nothing holds it. */
static void backends(void *arg, const char *path, const char *value)
{
	size_t n = strlen(path);
	char was = value ? *value : 0, node_path[DEVICE_NODE];

	(void)arg;
	if (!backend_answers || !value || n < 6 || strcmp(path + n - 6, "/state") ||
	    strncmp(path, "/local/domain/0/backend/", 24))
		return;
	snprintf(node_path, sizeof(node_path), "%s", path);
	if (was == '1')
		fake_store_set(node_path, "2");
	if (was == '5' && guest_lets_go)
		fake_store_set(node_path, "6");
}

static void write_file(const char *path, const void *bytes, size_t length, unsigned int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_true(write(fd, bytes, length) == (ssize_t)length);
	close(fd);
}

static unsigned int files_in(const char *dir)
{
	struct dirent *entry;
	unsigned int count = 0;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && entry->d_type != DT_DIR)
			count++;
	if (d)
		closedir(d);
	return count;
}

static unsigned int markers(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/kl", run_dir);
	return files_in(path);
}

static int setup(void **state)
{
	static const char script[] =
		"#!/bin/sh\necho \"$@ vif=$vif path=$XENBUS_PATH type=$XENBUS_TYPE\" >>\"${0%/*}/log\"\n";
	static const char bad[] = "#!/bin/sh\nexit 3\n";
	static uint8_t kernel[KERNEL_FILE_BYTES];
	char path[128];

	(void)state;
	fake_hv_reset(16384, 2);
	fake_store_reset();
	fake_store_on_write(backends, NULL);
	backend_answers = guest_lets_go = true;
	kill_at = 0;
	strcpy(folder, "/tmp/test-light-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(lib_dir, sizeof(lib_dir), "%s/lib", folder);
	snprintf(run_dir, sizeof(run_dir), "%s/run", folder);
	snprintf(script_dir, sizeof(script_dir), "%s/scripts", folder);
	snprintf(lock_path, sizeof(lock_path), "%s/lock", folder);
	snprintf(script_log, sizeof(script_log), "%s/log", script_dir);
	mkdir(lib_dir, 0700);
	mkdir(run_dir, 0700);
	mkdir(script_dir, 0700);
	snprintf(path, sizeof(path), "%s/vif-bridge", script_dir);
	write_file(path, script, strlen(script), 0700);
	snprintf(path, sizeof(path), "%s/vif-bad", script_dir);
	write_file(path, bad, strlen(bad), 0700);
	snprintf(path, sizeof(path), "%s/kernel", folder);
	make_kernel(kernel, &usual_kernel);
	write_file(path, kernel, sizeof(kernel), 0600);
	snprintf(config_text, sizeof(config_text),
		 "name='g'\nmemory=16\nvcpus=2\nkernel='%s'\nextra='a b'\n"
		 "uuid='12345678-1234-1234-1234-123456789abc'\nvif=['mac=00:16:3e:01:02:03,backendtype=kernel']\n",
		 path);
	assert_int_equal(ctl_open(&ctl), 0);
	assert_int_equal(foreignmemory_open(&fm), 0);
	assert_int_equal(store_open(&store), 0);
	assert_int_equal(light_open_with(&light, ctl, store, fm), 0);
	light->lib_dir = lib_dir;
	light->run_dir = run_dir;
	light->script_dir = script_dir;
	free(light->defaults.lockfile);
	light->defaults.lockfile = strdup(lock_path);
	fake_store_set("/local/domain/0/name", "Domain-0");
	fake_store_set("/tool/xenstored/domid", "0");
	return 0;
}

static int teardown(void **state)
{
	char command[80];

	(void)state;
	light_close(light);
	foreignmemory_close(fm);
	store_close(store);
	ctl_close(ctl);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	assert_int_equal(fake_hv_buffers(), 0);
	fake_hv_reset(0, 0);
	fake_store_reset();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

/* @more lines after the usual ones. */
static int create(const char *more)
{
	const struct light_parse how = { .source = "t.cfg" };
	struct light_config config;
	struct light_create request = { .config = &config };
	char text[1024];
	int rc;

	snprintf(text, sizeof(text), "%s%s", config_text, more ? more : "");
	memset(&error, 0, sizeof(error));
	light_config_init(&config);
	rc = light_config_parse(&config, text, strlen(text), NULL, 0, &how, &error);
	if (!rc)
		rc = light_create(light, &request, &error);
	made = request.domid;
	light_config_free(&config);
	return rc;
}

static void node(const char *path, const char *value, const char *perms)
{
	const char *found = fake_store_get(path);

	if (!found)
		fail_msg("no node %s", path);
	if (value)
		assert_string_equal(found, value);
	if (perms && strcmp(fake_store_perms(path), perms))
		fail_msg("%s: %s, wanted %s", path, fake_store_perms(path), perms);
}

static void nothing_left(unsigned int nodes)
{
	if (fake_store_nodes() != nodes)
		fake_store_dump(stdout);
	assert_int_equal(fake_store_nodes(), nodes);
	assert_int_equal(fake_store_watches(), 0);
	assert_int_equal(fake_store_transactions(), 0);
	assert_int_equal(fake_hv_domains(), 0);
	assert_int_equal(fake_hv_claimed(), 0);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	assert_in_range(fake_hv_buffers(), 0, 1); /* that of the open handle */
	assert_int_equal(files_in(lib_dir), 0);
	assert_int_equal(markers(), 0);
}

/* Directories that stay when their last child goes, as in any xenstore. */
static unsigned int baseline(void)
{
	fake_store_set("/vm", "");
	fake_store_set("/libxl", "");
	fake_store_set("/local/domain/0/backend", "");
	fake_store_set("/local/domain/0/backend/vif", "");
	fake_store_set("/local/domain/0/backend/vbd", "");
	fake_store_set("/local/domain/0/backend/qnic", "");
	fake_store_set("/local/domain/0/backend/qblk", "");
	fake_store_set("/local/domain/0/backend/console", "");
	fake_store_set("/tool/krypton", "");
	fake_store_set("/tool/krypton/dead", "");
	return fake_store_nodes();
}

static void test_nodes(void **state)
{
	struct fake_domain *domain;
	char *text;
	size_t length;

	(void)state;
	assert_int_equal(create(NULL), 0);
	assert_int_equal(made, 1);
	node("/local/domain/1", NULL, "n0 r1");
	node("/local/domain/1/name", "g", "n0 r1");
	node("/local/domain/1/vm", "/vm/12345678-1234-1234-1234-123456789abc", "n0 r1");
	node("/local/domain/1/domid", "1", "n0 r1");
	node("/local/domain/1/memory/target", "16384", "n0 r1");
	node("/local/domain/1/memory/static-max", "16384", "n0 r1");
	node("/local/domain/1/memory/videoram", "0", "n0 r1");
	node("/local/domain/1/cpu/0/availability", "online", "n0 r1");
	node("/local/domain/1/cpu/1/availability", "online", "n0 r1");
	node("/local/domain/1/device", "", "n0 r1");
	node("/local/domain/1/device/suspend", "", "n0 r1");
	node("/local/domain/1/device/suspend/event-channel", "", "n1");
	node("/local/domain/1/control", "", "n0 r1");
	node("/local/domain/1/control/shutdown", "", "n1");
	node("/local/domain/1/control/sysrq", "", "n1");
	node("/local/domain/1/control/platform-feature-xs_reset_watches", "1", "n0 r1");
	node("/local/domain/1/data", "", "n1");
	node("/local/domain/1/error", "", "n1");
	node("/local/domain/1/store/port", NULL, "n0 r1");
	node("/local/domain/1/console", "", "n0 r1");
	node("/local/domain/1/console/type", "xenconsoled", "n0 r1");
	node("/local/domain/1/console/backend-id", "0", "n1 r0");
	node("/local/domain/1/console/ring-ref", NULL, "n0 r1");
	node("/local/domain/0/backend/console/1/0", "", "n0 r1");
	node("/libxl/1", "", "n0");
	node("/libxl/1/type", "pv", "n0");
	node("/libxl/1/device/vif/0/backend", BACK, "n0");
	node("/libxl/1/kl/monitor", "1", "n0");
	node("/vm/12345678-1234-1234-1234-123456789abc", "", "n0 r1");
	node("/vm/12345678-1234-1234-1234-123456789abc/name", "g", "n0 r1");
	node("/vm/12345678-1234-1234-1234-123456789abc/image/cmdline", "a b", "n0 r1");
	node(FRONT, "", "n1 r0");
	node(FRONT "/backend", BACK, "n1 r0");
	node(FRONT "/mtu", "1492", "n0 r1");
	node(FRONT "/state", "1", "n1 r0");
	node(BACK, "", "n0 r1");
	node(BACK "/frontend", FRONT, "n0 r1");
	node(BACK "/bridge", "xenbr0", "n0 r1");
	node(BACK "/hotplug-status", "", "n0 r1");
	assert_true(fake_store_introduced(1));
	domain = fake_hv_domain(1);
	assert_int_equal(domain->pause_count, 0);
	assert_int_equal(domain->vcpus, 2);
	assert_int_equal(domain->pages, 4096);
	assert_int_equal(domain->max_pages, 4096 + 256);
	assert_int_equal(domain->claimed, 0);
	assert_int_equal(domain->config.max_evtchn_port, 1023);
	assert_int_equal(markers(), 0);
	assert_int_equal(light_userdata_read(light, 1, "libxl-json", &text, &length), 0);
	assert_non_null(strstr(text, "\"mac\": \"00:16:3e:01:02:03\""));
	assert_int_equal(length, strlen(text) + 1);
	free(text);
	assert_int_equal(tools_read_file(script_log, 1000, &text, NULL), 0);
	assert_string_equal(text, "online type_if=vif vif=vif1.0 path=backend/vif/1/0 type=vif\n");
	free(text);
}

static void test_destroy_leaves_nothing(void **state)
{
	struct light_destroy report;
	unsigned int nodes = baseline();
	char *text;

	(void)state;
	assert_int_equal(create(NULL), 0);
	assert_int_equal(light_destroy(light, 1, &report, &error), 0);
	assert_false(report.zombie);
	nothing_left(nodes);
	assert_int_equal(tools_read_file(script_log, 1000, &text, NULL), 0);
	assert_non_null(strstr(text, "offline type_if=vif vif=vif1.0"));
	free(text);
	assert_int_equal(light_destroy(light, 1, NULL, &error), -ESRCH);
	assert_int_equal(light_destroy(light, 0, NULL, &error), -EPERM);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(create(NULL), 0);
	assert_int_equal(create(NULL), -EEXIST);
	assert_string_equal(error.code, "name-taken");
	assert_int_equal(fake_hv_domains(), 1);
	assert_int_equal(light_find(light, "g", &error), 1);
	assert_int_equal(light_find(light, "1", &error), 1);
	assert_int_equal(light_find(light, "h", &error), -ESRCH);
	assert_string_equal(error.hint, "did you mean `g'?");
	assert_int_equal(light_rename(light, 1, NULL, "Domain-0", &error), -EEXIST);
	assert_int_equal(light_rename(light, 1, "g", "other", &error), 0);
	assert_int_equal(light_name_to_domid(light, "other"), 1);
	node("/vm/12345678-1234-1234-1234-123456789abc/name", "other", NULL);
	assert_int_equal(light_rename(light, 1, "g", "x", &error), -ESTALE);
}

static void test_failures_before_and_after(void **state)
{
	unsigned int nodes = baseline();

	(void)state;
	assert_int_equal(create("kernel='/nope'\n"), -ENOENT);
	assert_string_equal(error.code, "image");
	assert_int_equal(create("memory=9999\n"), -ENOMEM);
	assert_string_equal(error.code, "no-memory");
	assert_int_equal(create("disk=['/nope,raw,xvda,w']\n"), -ENOENT);
	assert_int_equal(create("disk=['format=qcow2,vdev=xvda,backendtype=phy,target=/x']\n"),
			 -EOPNOTSUPP);
	assert_non_null(strstr(error.hint, "qemu-img"));
	assert_int_equal(create("disk=['vdev=xvda,patience=5,target=/x']\n"), -EINVAL);
	assert_int_equal(create("disk=['format=qcow2,vdev=xvda,backendtype=phy,patience=5,target=/x']\n"),
			 -EINVAL);
	assert_int_equal(create("pool='none'\n"), -EINVAL);
	assert_int_equal(create("vif=['script=vif-nope']\n"), -ENOENT);
	assert_string_equal(error.code, "hotplug");
	assert_int_equal(create("vif=['script=vif-bad']\n"), -EIO);
	assert_non_null(strstr(error.text, "vif-bad failed"));
	backend_answers = false;
	assert_int_equal(create(NULL), -ETIMEDOUT);
	assert_string_equal(error.code, "timeout");
	assert_non_null(strstr(error.hint, "netback"));
	nothing_left(nodes);
}

/* Our daemons serve what names no other backend; where none runs, that is said. */
static void test_daemons(void **state)
{
	static const char back[] = "/local/domain/0/backend/qblk/1/51712";
	unsigned int nodes = baseline();
	char more[256], path[128];
	int fd;

	(void)state;
	snprintf(more, sizeof(more),
		 "vif=['']\ndisk=['format=qcow2,vdev=xvda,access=w!,patience=60,target=%s/kernel']\n",
		 folder);
	assert_int_equal(create(more), 0);
	snprintf(path, sizeof(path), "%s/patience", back);
	node(path, "60", NULL);
	snprintf(path, sizeof(path), "%s/mode", back);
	node(path, "w!", NULL);
	snprintf(path, sizeof(path), "%s/format", back);
	node(path, "qcow2", NULL);
	node("/local/domain/0/backend/qnic/1/0/bridge", "xenbr0", NULL);
	/* A change that both ends must agree on anew. */
	assert_int_equal(light_reconnect_disk(light, made, "xvdb", &error), -ENODEV);
	assert_int_equal(light_reconnect_disk(light, made, "xvda", &error), 0);
	assert_int_equal(light_reconnect_nic(light, made, "0", &error), 0);
	node("/local/domain/0/backend/qnic/1/0/bridge", "xenbr0", NULL);
	assert_int_equal(light_resize_disk(light, made, "xvdc", 0, &error), -ENODEV);
	assert_int_equal(light_resize_disk(light, made, "xvda", 1 << 20, &error), 0);
	snprintf(path, sizeof(path), "%s/resize", back);
	node(path, "1073741824", NULL);
	guest_lets_go = false;
	assert_int_equal(light_reconnect_disk(light, made, "xvda", &error), -ETIMEDOUT);
	guest_lets_go = true;
	assert_int_equal(light_destroy(light, made, NULL, &error), 0);
	light->defaults.vif_kernel = light->defaults.disk_kernel = true;
	snprintf(more, sizeof(more),
		 "vif=['']\ndisk=['vdev=xvda,script=block-x,backend=0,target=%s/kernel']\n",
		 folder);
	assert_int_equal(create(more), -ENOENT); /* no such script */
	assert_int_equal(create("vif=['']\n"), 0);
	snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%u/0", made);
	node(path, NULL, NULL);
	assert_int_equal(light_destroy(light, made, NULL, &error), 0);
	light->defaults.vif_kernel = light->defaults.disk_kernel = false;
	nothing_left(nodes);

	backend_answers = false;
	light->daemon_dir = folder;
	assert_int_equal(create("vif=['']\n"), -ENOTCONN);
	assert_non_null(strstr(error.text, "netback, is not running"));
	assert_non_null(strstr(error.hint, "backendtype=vif"));
	/* One that runs and says nothing is waited for longer. */
	snprintf(path, sizeof(path), "%s/netback", folder);
	mkdir(path, 0700);
	strcat(path, "/lock");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(create("vif=['']\n"), -ETIMEDOUT);
	assert_non_null(strstr(error.hint, "netback"));
	close(fd);
	nothing_left(nodes);
}

/* Whichever hypercall fails, nothing is left; or the creation bore it. */
static void test_each_hypercall_fails(void **state)
{
	unsigned int nodes = baseline(), n, failed = 0;
	int rc = -1;

	(void)state;
	for (n = 1; n < 400; n++) {
		fake_hv_fail(n, -ENOMEM);
		rc = create(NULL);
		fake_hv_fail(0, 0);
		if (!rc) {
			assert_int_equal(light_destroy(light, made, NULL, &error), 0);
		} else {
			failed++;
			assert_non_null(error.code);
		}
		nothing_left(nodes);
		if (!rc && failed > 10 && n > 150)
			break;
	}
	assert_int_equal(rc, 0);
	assert_true(failed > 10);
}

/* The same for each request to the store. */
static void test_each_store_request_fails(void **state)
{
	unsigned int nodes = baseline(), n, requests;
	int rc;

	(void)state;
	requests = fake_store_requests();
	assert_int_equal(create(NULL), 0);
	requests = fake_store_requests() - requests;
	assert_int_equal(light_destroy(light, made, NULL, &error), 0);
	assert_in_range(requests, 50, 250);
	for (n = 1; n <= requests; n++) {
		fake_store_fail(n, EIO);
		rc = create(NULL);
		fake_store_fail(0, 0);
		if (!rc)
			assert_int_equal(light_destroy(light, made, NULL, &error), 0);
		else
			assert_non_null(error.code);
		fake_store_fail(0, 0);
		nothing_left(nodes);
	}
}

static void test_conflicts_are_tried_again(void **state)
{
	(void)state;
	fake_store_conflict(5);
	assert_int_equal(create(NULL), 0);
}

/* Descriptors of a process that was killed are closed: here, those it had on locks. */
static void close_locks(void)
{
	char link[64], path[256];
	ssize_t n;
	int fd;

	for (fd = 3; fd < 256; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = 0;
		if (!strncmp(path, folder, strlen(folder)))
			close(fd);
	}
}

static uint32_t any_domain(void)
{
	uint32_t id;

	for (id = 1; id < 500; id++)
		if (fake_hv_domain((domid_t)id))
			return id;
	return 0;
}

/* Killed at each point in turn; the next gc removes all of it. */
static void test_kills_at_each_step(void **state)
{
	unsigned int nodes = baseline(), tries;
	volatile unsigned int n, survived = 0;
	uint32_t id;

	(void)state;
	for (n = 1; n < 60; n++) {
		kill_at = n;
		__lsan_disable();
		if (!setjmp(killed)) {
			assert_int_equal(create(NULL), 0);
			__lsan_enable();
			break;
		}
		__lsan_enable();
		close_locks();
		store_reset_watches(store);
		/*
		 * A script that was just started may hold the marker for a moment more: exec wakes
		 * us first.
		 */
		for (tries = 0; tries < 50 && markers(); tries++) {
			assert_true(light_gc(light, &error) >= 0);
			usleep(tries * 1000);
		}
		/* One that runs was complete. */
		id = any_domain();
		if (id) {
			survived++;
			assert_int_equal(fake_hv_domain((domid_t)id)->pause_count, 0);
			assert_int_equal(light_destroy(light, id, NULL, &error), 0);
		}
		nothing_left(nodes);
	}
	kill_at = 0;
	assert_in_range(n, 12, 58);
	assert_int_equal(survived, 1);
}

static void test_gc_leaves_the_living(void **state)
{
	(void)state;
	assert_int_equal(create(NULL), 0);
	assert_int_equal(light_gc(light, &error), 0);
	node("/local/domain/1/name", "g", NULL);
	fake_store_set("/libxl/7/type", "pv");
	fake_store_set("/local/domain/7/name", "gone");
	fake_store_set(LIGHT_DEAD_PATH "/8", "zombie");
	assert_int_equal(light_gc(light, &error), 0);
	assert_null(fake_store_get("/local/domain/7"));
	assert_null(fake_store_get("/libxl/7"));
	assert_null(fake_store_get(LIGHT_DEAD_PATH "/8"));
	node("/local/domain/1/name", "g", NULL);
}

static void test_zombie_keeps_its_name(void **state)
{
	struct light_destroy report;
	xen_pfn_t frame;
	void *page;
	char *name;

	(void)state;
	assert_int_equal(create(NULL), 0);
	frame = (xen_pfn_t)strtoul(fake_store_get("/local/domain/1/console/ring-ref"), NULL, 10);
	assert_int_equal(foreignmemory_map(fm, 1, 1, 1, &frame, NULL, &page), 0);
	assert_int_equal(light_destroy(light, 1, &report, &error), 0);
	assert_true(report.zombie);
	assert_true(report.pages_held > 0);
	name = light_domid_to_name(light, 1);
	assert_string_equal(name, "g");
	free(name);
	node(LIGHT_DEAD_PATH "/1/cause", "destroyed", "n0");
	assert_null(fake_store_get("/local/domain/1"));
	foreignmemory_unmap(fm, page, 1);
	assert_int_equal(light_gc(light, &error), 0);
	assert_null(fake_store_get(LIGHT_DEAD_PATH "/1"));
}

static void test_attach_and_detach(void **state)
{
	struct light_device *list;
	struct light_config config;
	struct light_nic nic;
	int count;

	(void)state;
	assert_int_equal(create(NULL), 0);
	light_nic_init(&nic);
	assert_int_equal(light_attach_nic(light, 1, &nic, &error), 0);
	assert_int_equal(nic.devid, 1);
	assert_int_equal(light_attach_nic(light, 1, &nic, &error), -EEXIST);
	light_nic_free(&nic);
	count = light_devices(light, 1, "vif", &list);
	assert_int_equal(count, 2);
	assert_int_equal(list[1].backend_state, 2);
	light_devices_free(list, 2);
	light_config_init(&config);
	assert_int_equal(light_domain_config(light, 1, &config, &error), 0);
	assert_int_equal(config.n_nics, 2);
	light_config_free(&config);
	assert_int_equal(light_detach_nic(light, 1, "7", false, &error), -ENODEV);
	guest_lets_go = false;
	assert_int_equal(light_detach_nic(light, 1, "1", false, &error), -ETIMEDOUT);
	assert_int_equal(light_detach_nic(light, 1, "1", true, &error), 0);
	guest_lets_go = true;
	assert_int_equal(light_detach_nic(light, 1, "00:16:3e:01:02:03", false, &error), 0);
	assert_int_equal(light_devices(light, 1, "vif", &list), 0);
	assert_int_equal(light_domain_config(light, 1, &config, &error), 0);
	assert_int_equal(config.n_nics, 0);
	light_config_free(&config);
	/* A backend that never answers: the attach is undone. */
	backend_answers = false;
	light_nic_init(&nic);
	assert_int_equal(light_attach_nic(light, 1, &nic, &error), -ENOTCONN);
	light_nic_free(&nic);
	assert_int_equal(light_devices(light, 1, "vif", &list), 0);
	assert_null(fake_store_get(FRONT));
}

static void test_preserve(void **state)
{
	uint8_t uuid[16] = { 1, 2, 3 }, now[16];
	struct light_config config;

	(void)state;
	assert_int_equal(create(NULL), 0);
	assert_int_equal(light_preserve(light, 1, "-old", uuid, &error), 0);
	assert_int_equal(light_domain_uuid(light, 1, now), 0);
	assert_memory_equal(uuid, now, 16);
	node("/local/domain/1/name", "g-old", NULL);
	light_config_init(&config);
	assert_int_equal(light_domain_config(light, 1, &config, &error), 0);
	assert_string_equal(config.name, "g-old");
	light_config_free(&config);
	assert_int_equal(create(NULL), 0);
}

static void test_wait_shutdown(void **state)
{
	uint32_t ids[2];

	(void)state;
	assert_int_equal(create(NULL), 0);
	ids[0] = made;
	assert_int_equal(light_wait_shutdown(light, ids, 1, false, 50), -ETIMEDOUT);
	assert_int_equal(light_shutdown_request(light, made, "poweroff", &error), 0);
	node("/local/domain/1/control/shutdown", "poweroff", "n1");
	fake_hv_shutdown(1, 0);
	assert_int_equal(light_wait_shutdown(light, ids, 1, false, 50), 0);
}

static void test_restart_config(void **state)
{
	static const char updated[] = "name='g'\nkernel='/k'\nmemory=99\n";
	struct light_config config;
	uint8_t uuid[16];

	(void)state;
	assert_int_equal(create(NULL), 0);
	light_config_init(&config);
	assert_int_equal(light_restart_config(light, 1, &config, &error), 0);
	assert_int_equal(config.target_memkb, 16 * 1024);
	light_config_free(&config);
	assert_int_equal(light_userdata_write(light, 1, "xl", updated, strlen(updated)), 0);
	assert_int_equal(light_restart_config(light, 1, &config, &error), 0);
	assert_int_equal(config.target_memkb, 99 * 1024);
	assert_int_equal(light_domain_uuid(light, 1, uuid), 0);
	assert_memory_equal(config.uuid, uuid, 16);
	light_config_free(&config);
}

/* A boot loader by pygrub's contract: it "finds" the kernel on the disk, here beside it. */
static void test_bootloader(void **state)
{
	static const char script[] =
		"#!/bin/sh\n"
		"for a; do case $a in\n"
		"--output=*) out=${a#--output=} ;;\n"
		"--output-directory=*) dir=${a#--output-directory=} ;;\n"
		"--args=*) args=${a#--args=} ;;\n"
		"--output-format=simple0) ok=1 ;;\n"
		"esac; disk=$a; done\n"
		"[ \"$ok\" ] || exit 4\n"
		"[ -e \"$out\" ] || exit 6\n"	/* pygrub does not create it */
		"cp \"${disk%/*}/kernel\" \"$dir/kernel.x\" || exit 5\n"
		"printf 'kernel %s\\0args %s from %s\\0' \"$dir/kernel.x\" \"$args\" \"${disk##*/}\" >\"$out\"\n";
	char path[128], more[512];
	unsigned int nodes = baseline();

	(void)state;
	snprintf(path, sizeof(path), "%s/loader", folder);
	write_file(path, script, strlen(script), 0700);
	snprintf(more, sizeof(more),
		 "bootloader='%s'\nkernel='/nowhere'\nvif=[]\ndisk=['vdev=xvda,backendtype=qdisk,"
		 "target=%s/loader']\n",
		 path, folder);
	light->log_dir = run_dir;
	assert_int_equal(create(more), 0);
	node("/vm/12345678-1234-1234-1234-123456789abc/image/cmdline", "a b from loader", NULL);
	node("/local/domain/0/backend/qblk/1/51712/params", NULL, NULL);
	assert_int_equal(light_destroy(light, made, NULL, &error), 0);
	nothing_left(nodes);
	write_file(path, "#!/bin/sh\nexit 7\n", 17, 0700);
	assert_int_equal(create(more), -EIO);
	assert_string_equal(error.code, "bootloader");
	assert_non_null(strstr(error.text, "status 7"));
	assert_true(error.log[0] == '/');
	nothing_left(nodes);
}

static void test_recent_domid(void **state)
{
	(void)state;
	assert_int_equal(history_add(light, 1), 0);
	assert_int_equal(create(NULL), 0);
	assert_int_equal(made, 2);	/* not 1, which the hypervisor offered */
}

static int build_from_nothing(struct light *l, struct light_build *build, void *cookie,
			      struct tools_error *e)
{
	assert_ptr_equal(l, light);
	assert_null(cookie);
	(void)e;
	build->store_mfn = 7;
	build->console_mfn = 8;
	return 0;
}

static void test_build_from_a_stream(void **state)
{
	const struct light_parse how = { .source = "t.cfg" };
	struct light_config config;
	struct light_create request = { .config = &config,
					.build = build_from_nothing,
					.keep_paused = true };

	(void)state;
	light_config_init(&config);
	assert_int_equal(light_config_parse(&config, config_text, strlen(config_text), NULL, 0,
					    &how, &error),
			 0);
	assert_int_equal(light_create(light, &request, &error), 0);
	light_config_free(&config);
	node("/local/domain/1/store/ring-ref", "7", NULL);
	node("/local/domain/1/console/ring-ref", "8", NULL);
	assert_int_equal(fake_hv_domain(1)->pause_count, 1);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_nodes),
		T(test_destroy_leaves_nothing),
		T(test_names),
		T(test_failures_before_and_after),
		T(test_daemons),
		T(test_each_hypercall_fails),
		T(test_each_store_request_fails),
		T(test_conflicts_are_tried_again),
		T(test_kills_at_each_step),
		T(test_gc_leaves_the_living),
		T(test_zombie_keeps_its_name),
		T(test_attach_and_detach),
		T(test_preserve),
		T(test_wait_shutdown),
		T(test_restart_config),
		T(test_bootloader), T(test_recent_domid),
		T(test_build_from_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
