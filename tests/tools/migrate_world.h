/* SPDX-License-Identifier: MIT */
/*
 * A host for tests of migrations: a guest with a disk and an interface on the fakes, backends that
 * answer, the guest suspends when it is asked. Include it once, after cmocka.h.
 */
#ifndef TESTS_TOOLS_MIGRATE_WORLD_H
#define TESTS_TOOLS_MIGRATE_WORLD_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tools/kill_point.h>
#include <tools/light.h>
#include <tools/move.h>
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
static bool held, held_early; /* its disk is let go of; while the guest still ran */
static unsigned int holds;

#define HOLD "/local/domain/0/backend/qblk/1/51712/hold"

/* ---- the world: backends answer, the guest suspends when it is asked ---- */

static inline void on_write(void *arg, const char *node, const char *value)
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

static inline void make_guest(void)
{
	const struct light_parse how = { .source = "t.cfg" };
	struct light_config config;
	struct light_create request = { .config = &config };

	light_config_init(&config);
	assert_int_equal(light_config_parse(&config, config_text, strlen(config_text), NULL, 0,
					    &how, &error),
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

#endif
