/* SPDX-License-Identifier: MIT */
/*
 * A host without domains for tests of libs/light: handles on the fakes and a folder for all files.
 * Include it once, after <fake_hypervisor.h> and what light_scene.h wants.
 */
#ifndef TESTS_TOOLS_LIGHT_HOST_H
#define TESTS_TOOLS_LIGHT_HOST_H

#include <stdlib.h>
#include <tools/light.h>
#include <light_scene.h>

static struct light *light;
static struct ctl *ctl;
static struct store *store;
static struct tools_error error;

static void open_host(void)
{
	strcpy(folder, "/tmp/test-light-XXXXXX");
	assert_non_null(mkdtemp(folder));
	fake_hv_reset(16384, 2);
	fake_store_reset();
	fake_store_on_write(backends, NULL);
	backend_answers = true;
	assert_int_equal(ctl_open(&ctl), 0);
	assert_int_equal(store_open(&store), 0);
	assert_int_equal(light_open_with(&light, ctl, store, NULL), 0);
	light->lib_dir = light->run_dir = light->log_dir = light->script_dir = folder;
	memset(&error, 0, sizeof(error));
}

/* What a teardown function returns. */
static int close_host(void)
{
	char command[80];

	light_close(light);
	store_close(store);
	ctl_close(ctl);
	fake_hv_reset(0, 0);
	fake_store_reset();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

#endif
