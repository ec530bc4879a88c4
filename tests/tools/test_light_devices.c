/* SPDX-License-Identifier: MIT */
/*
 * Changes of running domains that meet others: names that a creation is about to take, devices that
 * are plugged in anew and cannot be, disks that another guest has through the other backend.
 */
/* LINK: dom0-tools/libs/light/attach.c dom0-tools/libs/light/backing.c dom0-tools/libs/light/batch.c */
/* LINK: dom0-tools/libs/light/bootloader.c dom0-tools/libs/light/create.c dom0-tools/libs/light/create_nodes.c */
/* LINK: dom0-tools/libs/light/destroy.c dom0-tools/libs/light/device.c dom0-tools/libs/light/device_list.c */
/* LINK: dom0-tools/libs/light/device_wait.c dom0-tools/libs/light/history.c dom0-tools/libs/light/holders.c dom0-tools/libs/light/limits.c */
/* LINK: dom0-tools/libs/light/marker.c dom0-tools/libs/light/memory.c dom0-tools/libs/light/open.c */
/* LINK: dom0-tools/libs/light/prepare.c */
/* LINK: dom0-tools/libs/light/reconnect.c dom0-tools/libs/light/script.c dom0-tools/libs/light/shutdown.c */
/* LINK: dom0-tools/libs/light/userdata.c dom0-tools/libs/light/wait.c dom0-tools/libs/light/cfg.c */
/* LINK: dom0-tools/libs/light/config.c dom0-tools/libs/light/config_json.c dom0-tools/libs/light/defaults.c */
/* LINK: dom0-tools/libs/light/disk_spec.c dom0-tools/libs/light/keys.c dom0-tools/libs/light/nic_spec.c */
/* LINK: dom0-tools/libs/light/parse.c dom0-tools/libs/light/values.c dom0-tools/libs/util/core.c */
/* LINK: dom0-tools/libs/util/file.c dom0-tools/libs/json/write.c dom0-tools/libs/json/parse.c */
/* LINK: dom0-tools/libs/json/tree.c dom0-tools/libs/store/core.c dom0-tools/libs/store/fake.c */
/* LINK: dom0-tools/libs/ctl/core.c dom0-tools/libs/ctl/domain.c dom0-tools/libs/ctl/memory.c */
/* LINK: dom0-tools/libs/ctl/host.c dom0-tools/libs/ctl/vcpu.c dom0-tools/libs/call/fake.c */
/* LINK: dom0-tools/libs/call/fake_ops.c dom0-tools/libs/foreignmemory/fake.c dom0-tools/libs/guest/build.c */
/* LINK: dom0-tools/libs/guest/elf.c dom0-tools/libs/guest/layout.c dom0-tools/libs/guest/memory.c */
/* LINK: dom0-tools/libs/guest/tables.c dom0-tools/libs/guest/image.c dom0-tools/libs/guest/unpack.c */
/* LIBS: -llzma -lzstd -lz -llz4 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tools/kill_point.h>
#include <fake_hypervisor.h>
#include <fake_store.h>
#include <light_host.h>
#include "../../dom0-tools/libs/light/domain.h"

/* Domain 1, "g", whose configuration has a disk and an interface, neither plugged in. */
static int setup(void **state)
{
	struct xen_domctl_createdomain create = { .max_vcpus = 1, .max_evtchn_port = 1023 };
	struct light_config config;
	struct light_disk *disk;
	domid_t domid = 1;
	uint8_t uuid[16];
	char *text;

	(void)state;
	open_host();
	free(light->defaults.lockfile);
	light->defaults.lockfile = strdup(write_file("lock", ""));
	write_file("vif-bridge", "#!/bin/sh\nexit 0\n");
	assert_int_equal(ctl_createdomain(ctl, &domid, &create), 0);
	fake_store_set("/local/domain/1/name", "g");
	fake_store_set("/libxl/1/type", "pv");
	light_config_init(&config);
	config.name = strdup("g");
	config.type = LIGHT_TYPE_PV;
	disk = light_config_add_disk(&config);
	disk->pdev_path = strdup(write_file("disk", ""));
	disk->vdev = strdup("xvda");
	disk->format = LIGHT_FORMAT_RAW;
	disk->readwrite = 1;
	light_config_add_nic(&config)->devid = 0;
	text = light_config_to_json(&config, -1);
	assert_int_equal(light_domain_uuid(light, 1, uuid), 0);
	assert_int_equal(userdata_write(light, 1, uuid, "libxl-json", text, strlen(text) + 1), 0);
	free(text);
	light_config_free(&config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return close_host();
}

/* What another tool does while we want the lock. */
static pid_t hold_lock(void)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ends[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		int fd = open(light->defaults.lockfile, O_WRONLY);

		if (fcntl(fd, F_SETLK, &whole) || write(ends[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The user gives up at once: a descriptor for light->cancel_fd. */
static int given_up(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	close(ends[1]);
	return ends[0];
}

/* A name is looked for and taken under the lock that a creation holds meanwhile. */
static void test_rename_waits(void **state)
{
	pid_t other = hold_lock();

	(void)state;
	light->cancel_fd = given_up();
	assert_int_equal(light_rename(light, 1, NULL, "other", &error), -ECANCELED);
	/* A migration's guest stands still: it does not wait. */
	assert_int_equal(light_rename(light, 1, "g", "other", &error), 0);
	close(light->cancel_fd);
	light->cancel_fd = -1;
	end(other);
	assert_int_equal(light_rename(light, 1, NULL, "g", &error), 0);
}

static unsigned int configured_disks(void)
{
	struct light_config config;
	unsigned int n;

	light_config_init(&config);
	assert_int_equal(light_domain_config(light, 1, &config, &error), 0);
	n = config.n_disks;
	light_config_free(&config);
	return n;
}

/*
 * The backend does not take it again: it is unplugged, not forgotten; the next attempt is like
 * this.
 */
static void test_reconnect_fails(void **state)
{
	static const char front[] = "/local/domain/1/device/vbd/51712";

	(void)state;
	assert_int_equal(light_reconnect_disk(light, 1, "xvda", &error), 0);
	assert_non_null(fake_store_get(front));
	backend_answers = false;
	light->daemon_dir = folder;	/* which has no daemon: nothing is waited for */
	assert_true(light_reconnect_disk(light, 1, "xvda", &error) < 0);
	assert_non_null(strstr(error.text, "reconnect it again"));
	assert_null(fake_store_get(front));
	assert_int_equal(configured_disks(), 1);
	backend_answers = true;
	assert_int_equal(light_reconnect_disk(light, 1, "xvda", &error), 0);
	assert_non_null(fake_store_get(front));
	assert_int_equal(configured_disks(), 1);
	assert_int_equal(light_reconnect_disk(light, 1, "xvda", &error), 0);
	assert_int_equal(configured_disks(), 1);
	/* A detached one is gone for good. */
	assert_int_equal(light_detach_disk(light, 1, "xvda", false, &error), 0);
	assert_int_equal(configured_disks(), 0);
	assert_int_equal(light_reconnect_disk(light, 1, "xvda", &error), -ENODEV);
}

/* Another tool is changing the domain: nothing of it is written over, and it can be said again. */
static void test_detach_waits(void **state)
{
	int lock, pipe_fd[2];

	(void)state;
	assert_int_equal(light_reconnect_disk(light, 1, "xvda", &error), 0);
	lock = light_lock_domain(light, 1, 0);
	assert_true(lock >= 0);
	assert_return_code(pipe(pipe_fd), errno);
	assert_int_equal(write(pipe_fd[1], "x", 1), 1);
	light->cancel_fd = pipe_fd[0];
	assert_int_equal(light_detach_disk(light, 1, "xvda", false, &error), -ECANCELED);
	assert_non_null(strstr(error.text, "detach it again"));
	assert_int_equal(configured_disks(), 1);
	light->cancel_fd = -1;
	light_unlock_domain(light, 1, lock);
	assert_int_equal(light_detach_disk(light, 1, "xvda", false, &error), 0);
	assert_int_equal(configured_disks(), 0);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* No number is not number 0. */
static void test_reconnect_nothing(void **state)
{
	(void)state;
	assert_int_equal(light_reconnect_nic(light, 1, "0", &error), 0);
	assert_int_equal(light_reconnect_nic(light, 1, "", &error), -ENODEV);
	assert_int_equal(light_reconnect_nic(light, 1, "0x", &error), -ENODEV);
	assert_int_equal(light_reconnect_disk(light, 1, "", &error), -ENODEV);
}

/* A disk of domain 5, which nothing but its nodes is there of. */
static void other_disk(const char *kind, const char *number, const char *params, const char *mode)
{
	char node[96];
	unsigned int n = (unsigned int)snprintf(node, sizeof(node),
						"/local/domain/0/backend/%s/5/51712", kind);

	fake_store_remove("/local/domain/0/backend/vbd/5");
	fake_store_remove("/local/domain/0/backend/qblk/5");
	strcpy(node + n, "/params");
	fake_store_set(node, params);
	strcpy(node + n, "/mode");
	fake_store_set(node, mode);
	strcpy(node + n, "/physical-device");
	if (number)
		fake_store_set(node, number);
}

static int open_backing(int backend, int readwrite, int shared)
{
	struct light_disk disk;
	struct disk_backing backing;
	int rc;

	light_disk_init(&disk);
	disk.vdev = strdup("xvda");
	disk.pdev_path = tools_asprintf("%s/disk", folder);
	disk.format = LIGHT_FORMAT_RAW;
	disk.backend = backend;
	disk.readwrite = readwrite;
	disk.shared = shared;
	memset(&error, 0, sizeof(error));
	rc = disk_backing_open(light, &disk, &backing, &error);
	if (!rc)
		disk_backing_close(&backing, true);
	light_disk_free(&disk);
	return rc;
}

/* One guest has the file by the kernel's backend, another wants it by ours; and vice versa. */
static void test_both_backends(void **state)
{
	char disk[96], alias[96], raw[112];

	(void)state;
	snprintf(disk, sizeof(disk), "%s/disk", folder);
	snprintf(alias, sizeof(alias), "%s/alias", folder);
	snprintf(raw, sizeof(raw), "aio:%s", alias);
	assert_int_equal(link(disk, alias), 0);
	/* A loop device that cannot be asked: its file's path is what there is. */
	other_disk("vbd", "7:fffff", alias, "w");
	assert_int_equal(open_backing(LIGHT_BACKEND_QDISK, 1, 0), -EBUSY);
	assert_non_null(strstr(error.text, "in use by domain 5"));
	assert_int_equal(open_backing(LIGHT_BACKEND_QDISK, 0, 0), -EBUSY);
	assert_int_equal(open_backing(LIGHT_BACKEND_QDISK, 1, 1), 0);
	other_disk("vbd", "7:fffff", alias, "r");
	assert_int_equal(open_backing(LIGHT_BACKEND_QDISK, 0, 0), 0);
	assert_int_equal(open_backing(LIGHT_BACKEND_QDISK, 1, 0), -EBUSY);
	assert_int_equal(open_backing(LIGHT_BACKEND_PHY, 1, 0), -EBUSY);
	other_disk("vbd", "fd:1", disk, "w");
	assert_int_equal(open_backing(LIGHT_BACKEND_QDISK, 1, 0), 0);
	other_disk("qblk", NULL, raw, "w");
	assert_int_equal(open_backing(LIGHT_BACKEND_PHY, 1, 0), -EBUSY);
	assert_non_null(strstr(error.text, "which may write to it"));
	/* Our own daemon locks the files of its disks. */
	assert_int_equal(open_backing(LIGHT_BACKEND_QDISK, 1, 0), 0);
}

/* Who has a disk is looked up under the lock under which a creation takes it. */
static void test_attach_waits(void **state)
{
	pid_t other = hold_lock();
	struct light_disk disk;

	(void)state;
	light_disk_init(&disk);
	disk.vdev = strdup("xvdb");
	disk.pdev_path = tools_asprintf("%s/disk", folder);
	disk.format = LIGHT_FORMAT_RAW;
	light->cancel_fd = given_up();
	assert_int_equal(light_attach_disk(light, 1, &disk, &error), -ECANCELED);
	assert_null(fake_store_get("/libxl/1/device/vbd/51728"));
	close(light->cancel_fd);
	light->cancel_fd = -1;
	end(other);
	assert_int_equal(light_attach_disk(light, 1, &disk, &error), 0);
	assert_non_null(fake_store_get("/libxl/1/device/vbd/51728"));
	light_disk_free(&disk);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_rename_waits), T(test_reconnect_fails), T(test_detach_waits),
		T(test_reconnect_nothing),
		T(test_both_backends), T(test_attach_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
