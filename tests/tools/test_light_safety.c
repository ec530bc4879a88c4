/* SPDX-License-Identifier: MIT */
/*
 * What light does where things go wrong around it: a boot loader that names files of others or
 * leaves its own, scripts that do not end, a configuration that cannot be saved, remains in the
 * store.
 */
/* LINK: dom0-tools/libs/light/attach.c dom0-tools/libs/light/backing.c dom0-tools/libs/light/batch.c */
/* LINK: dom0-tools/libs/light/bootloader.c dom0-tools/libs/light/create.c dom0-tools/libs/light/create_nodes.c */
/* LINK: dom0-tools/libs/light/destroy.c dom0-tools/libs/light/device.c dom0-tools/libs/light/device_list.c */
/* LINK: dom0-tools/libs/light/device_wait.c dom0-tools/libs/light/history.c dom0-tools/libs/light/holders.c dom0-tools/libs/light/limits.c */
/* LINK: dom0-tools/libs/light/marker.c dom0-tools/libs/light/memory.c dom0-tools/libs/light/open.c */
/* LINK: dom0-tools/libs/light/prepare.c dom0-tools/libs/light/script.c dom0-tools/libs/light/shutdown.c */
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tools/kill_point.h>
#include <fake_hypervisor.h>
#include <fake_store.h>
#include <light_host.h>
#include <guest_kernel.h>
#include "../../dom0-tools/libs/light/domain.h"

static struct light_config config;
static struct boot_files files;

static bool there(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static int setup(void **state)
{
	struct light_disk *disk;

	(void)state;
	open_host();
	light_config_init(&config);
	config.name = strdup("g");
	disk = light_config_add_disk(&config);
	disk->pdev_path = strdup(folder);
	config.bootloader = strdup(write_file("loader", "#!/bin/sh\nexit 1\n"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	light_config_free(&config);
	return close_host();
}

#define LOADER \
	"#!/bin/sh\nfor a; do case $a in --output=*) out=${a#*=} ;; --output-directory=*) dir=${a#*=} ;; esac; done\n"

static unsigned int entries(void)
{
	char command[128], text[16] = "";
	FILE *f;

	snprintf(command, sizeof(command), "ls %s | grep -c '^bootloader[.]'", folder);
	f = popen(command, "r");
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	pclose(f);
	return (unsigned int)atoi(text);
}

/* Only what was put into its folder goes afterwards. */
static void test_foreign_ramdisk(void **state)
{
	char text[1024];

	(void)state;
	write_file("initrd", "shared by all");
	snprintf(text, sizeof(text),
		 LOADER "echo >$dir/k; printf 'kernel %%s\\0ramdisk %s/initrd\\0' $dir/k >$out\n",
		 folder);
	write_file("loader", text);
	assert_int_equal(bootloader_run(light, &config, false, &files, &error), 0);
	boot_files_free(&files);
	assert_true(there("initrd"));
	assert_int_equal(entries(), 0);
	/* The other way round, too. */
	write_file("vmlinuz", "shared by all");
	snprintf(text, sizeof(text),
		 LOADER "echo >$dir/r; printf 'kernel %s/vmlinuz\\0ramdisk %%s\\0' $dir/r >$out\n",
		 folder);
	write_file("loader", text);
	assert_int_equal(bootloader_run(light, &config, false, &files, &error), 0);
	boot_files_free(&files);
	assert_true(there("vmlinuz"));
	assert_int_equal(entries(), 0);
}

/* Asked for by xl's environment, it is told to run as another user than root. */
static void test_restricted_loader(void **state)
{
	(void)state;
	write_file("loader", LOADER
		   "case \"$*\" in *--runas=65534*--quiet*) ;; *) exit 4; esac; mkdir $dir/65534-root\n"
		   "echo >$dir/k; printf 'kernel %s\\0' $dir/k >$out\n");
	assert_int_equal(bootloader_run(light, &config, true, &files, &error), -EIO);
	setenv("LIBXL_BOOTLOADER_USER", "nobody", 1);
	assert_int_equal(bootloader_run(light, &config, true, &files, &error), 0);
	boot_files_free(&files);
	assert_int_equal(entries(), 0);
	/* Whoever has taken it over names a file that only root may read, or a link to one. */
	write_file("loader", LOADER
		   "echo >$dir/k; printf 'kernel %s\\0ramdisk /etc/passwd\\0' $dir/k >$out\n");
	assert_int_equal(bootloader_run(light, &config, true, &files, &error), -EACCES);
	write_file("loader",
		   LOADER "ln -s /etc/passwd $dir/k; printf 'kernel %s\\0' $dir/k >$out\n");
	assert_int_equal(bootloader_run(light, &config, true, &files, &error), -EACCES);
	write_file("loader", LOADER "echo >$dir/k; printf 'kernel %s\\0' $dir/k >$out\n");
	assert_int_equal(bootloader_run(light, &config, true, &files, &error), 0);
	boot_files_free(&files);
	setenv("LIBXL_BOOTLOADER_USER", "root", 1);
	assert_int_equal(bootloader_run(light, &config, false, &files, &error), -EINVAL);
	assert_non_null(strstr(error.text, "this user is root: root"));
	setenv("LIBXL_BOOTLOADER_USER", "no-such-user", 1);
	assert_int_equal(bootloader_run(light, &config, false, &files, &error), -EINVAL);
	assert_non_null(strstr(error.text, "there is no user no-such-user"));
	unsetenv("LIBXL_BOOTLOADER_USER");
	setenv("LIBXL_BOOTLOADER_TIMEOUT", "1", 1);
	write_file("loader", LOADER "sleep 60\n");
	assert_int_equal(bootloader_run(light, &config, false, &files, &error), -ETIMEDOUT);
	unsetenv("LIBXL_BOOTLOADER_TIMEOUT");
	assert_int_equal(entries(), 0);
}

/* One that fails late has filled its folder already. */
static void test_loader_fails_late(void **state)
{
	(void)state;
	write_file("loader",
		   LOADER "echo kernel >$dir/kernel.1; echo initrd >$dir/initrd.1; exit 3\n");
	assert_int_equal(bootloader_run(light, &config, false, &files, &error), -EIO);
	assert_int_equal(entries(), 0);
}

/* What a killed creator's boot loader left goes with the clean-up; a living one's stays. */
static void test_gc_of_boot_files(void **state)
{
	char name[64];
	pid_t dead = fork();

	(void)state;
	if (dead == 0)
		_exit(0);
	waitpid(dead, NULL, 0);
	snprintf(name, sizeof(name), "bootloader.%d.d", (int)dead);
	there(name);
	mkdir(path, 0700);
	snprintf(name, sizeof(name), "bootloader.%d.d/kernel", (int)dead);
	write_file(name, "k");
	snprintf(name, sizeof(name), "bootloader.%d.out", (int)dead);
	write_file(name, "k");
	snprintf(name, sizeof(name), "bootloader.%d.out", (int)getpid());
	write_file(name, "k");
	assert_int_equal(light_gc(light, &error), 0);
	assert_true(there(name));
	assert_int_equal(entries(), 1);
}

static void make_domain(void)
{
	struct xen_domctl_createdomain create = { .max_vcpus = 1, .max_evtchn_port = 1023 };
	domid_t domid = 1;

	assert_int_equal(ctl_createdomain(ctl, &domid, &create), 0);
	fake_store_set("/local/domain/1/name", "g");
	fake_store_set("/libxl/1/type", "pv");
}

/* A script that ends neither by itself nor when asked to; the user gives up. */
static void test_stubborn_script(void **state)
{
	uint64_t begun = tools_now_ms();
	struct light_nic nic;
	int ends[2];

	(void)state;
	make_domain();
	write_file("vif-bridge", "#!/bin/sh\n[ $1 = offline ] && exit 0\ntrap '' TERM\n"
		   "while :; do sleep 1; done\n");
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	light->cancel_fd = ends[0];
	light_nic_init(&nic);
	alarm(30);
	assert_int_equal(light_attach_nic(light, 1, &nic, &error), -ECANCELED);
	alarm(0);
	assert_true(tools_now_ms() - begun < 15000);
	light_nic_free(&nic);
	close(ends[0]);
	close(ends[1]);
	light->cancel_fd = -1;
	assert_null(fake_store_get("/local/domain/1/device/vif/0"));
	assert_null(fake_store_get("/libxl/1/device/vif/0"));
}

/* Programs of others are started as by a shell, though we ignore SIGPIPE ourselves. */
static void test_scripts_signals(void **state)
{
	struct light_nic nic;

	(void)state;
	make_domain();
	signal(SIGPIPE, SIG_IGN);
	write_file("vif-bridge",
		   "#!/bin/sh\ngrep -q 'SigIgn:.*1...$' /proc/$$/status && exit 1\nexit 0\n");
	light_nic_init(&nic);
	assert_int_equal(light_attach_nic(light, 1, &nic, &error), 0);
	light_nic_free(&nic);
	write_file("loader",
		   "#!/bin/sh\ngrep -q 'SigIgn:.*1...$' /proc/$$/status && exit 3\nexit 4\n");
	assert_int_equal(bootloader_run(light, &config, false, &files, &error), -EIO);
	assert_non_null(strstr(error.text, "status 4"));
	signal(SIGPIPE, SIG_DFL);
}

/* A number that is no device's does not wrap to one that is. */
static void test_detach_number(void **state)
{
	static const char *const none[] = {
		"4294967296", "-4294967296", "-1", "1", "", "+0", " 0"
	};
	struct light_nic nic;

	(void)state;
	make_domain();
	write_file("vif-bridge", "#!/bin/sh\nexit 0\n");
	light_nic_init(&nic);
	assert_int_equal(light_attach_nic(light, 1, &nic, &error), 0);
	light_nic_free(&nic);
	for (unsigned int i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_true(light_detach_nic(light, 1, none[i], true, &error) < 0);
		assert_non_null(fake_store_get("/libxl/1/device/vif/0"));
	}
	assert_int_equal(light_detach_nic(light, 1, "0", true, &error), 0);
}

/* The domain's configuration is damaged: the device is not left half attached. */
static void test_attach_not_remembered(void **state)
{
	struct light_nic nic;
	uint8_t uuid[16];

	(void)state;
	make_domain();
	write_file("vif-bridge", "#!/bin/sh\nexit 0\n");
	assert_int_equal(light_domain_uuid(light, 1, uuid), 0);
	assert_int_equal(userdata_write(light, 1, uuid, "libxl-json", "{", 1), 0);
	light_nic_init(&nic);
	assert_true(light_attach_nic(light, 1, &nic, &error) < 0);
	light_nic_free(&nic);
	assert_null(fake_store_get("/local/domain/1/device/vif/0"));
	assert_null(fake_store_get("/libxl/1/device/vif/0"));
}

/* Nodes that somebody wrote for a domain that was gone by then. */
static void test_gc_of_late_nodes(void **state)
{
	(void)state;
	make_domain();
	fake_store_set("/local/domain/0/name", "Domain-0");
	fake_store_set("/local/domain/9/console/tty", "/dev/pts/3");
	assert_int_equal(light_gc(light, &error), 0);
	assert_null(fake_store_get("/local/domain/9"));
	assert_non_null(fake_store_get("/local/domain/1/name"));
	assert_non_null(fake_store_get("/local/domain/0/name"));
}

static const char *unlinked; /* by its creator, the moment before it lets go of its lock */

int flock(int fd, int operation)
{
	if (unlinked)
		unlink(unlinked);
	unlinked = NULL;
	return (int)syscall(SYS_flock, fd, operation);
}

/* A creation that ends while we look at its marker is not dead, though its domain is paused. */
static void test_gc_beside_creation(void **state)
{
	static const char text[] = "00000000-0000-0000-0000-000000000000 g\n1\n";
	static const char name[] = "kl/create-00000000-0000-0000-0000-000000000000.77";
	char marker[128];

	(void)state;
	make_domain();
	there("kl");
	mkdir(path, 0700);
	snprintf(marker, sizeof(marker), "%s", write_file(name, text));
	unlinked = marker;
	assert_int_equal(light_gc(light, &error), 0);
	assert_null(unlinked);
	assert_non_null(fake_hv_domain(1));
	assert_non_null(fake_store_get("/local/domain/1/name"));
	write_file(name, text);
	assert_int_equal(light_gc(light, &error), 1);
	assert_null(fake_hv_domain(1));
	assert_false(there(name));
}

static char said[512];

static void warn(void *cookie, const char *text)
{
	(void)cookie;
	snprintf(said, sizeof(said), "%s", text);
}

/* A guest sees no more of its command line than fits into its start info: the user is told. */
static void test_long_command_line(void **state)
{
	static uint8_t kernel[KERNEL_FILE_BYTES];
	struct light_create create = { .config = &config };
	char lock[80];
	FILE *f;

	(void)state;
	make_kernel(kernel, &usual_kernel);
	config.kernel = strdup(write_file("kernel", ""));
	f = fopen(path, "w");
	assert_int_equal(fwrite(kernel, sizeof(kernel), 1, f), 1);
	fclose(f);
	snprintf(lock, sizeof(lock), "%s/lock", folder);
	free(light->defaults.lockfile);
	light->defaults.lockfile = strdup(lock);
	light->warn = warn;
	free(config.bootloader);
	config.bootloader = NULL;
	light_config_remove_disk(&config, 0);
	config.type = LIGHT_TYPE_PV;
	config.target_memkb = config.max_memkb = 16 << 10;
	config.cmdline = malloc(5001);
	memset(config.cmdline, 'a', 5000);
	config.cmdline[5000] = 0;
	assert_int_equal(light_create(light, &create, &error), 0);
	assert_non_null(strstr(said, "5000"));
	assert_non_null(strstr(said, "1023"));
	assert_int_equal(light_destroy(light, create.domid, NULL, &error), 0);
}

static const char *backend_state(const char *kind, unsigned int devid)
{
	char node[96];

	snprintf(node, sizeof(node), "/local/domain/0/backend/%s/1/%u/state", kind, devid);
	return fake_store_get(node);
}

static int stream_comes(struct light *l, struct light_build *build, void *cookie,
			struct tools_error *e)
{
	(void)l;
	(void)e;
	/* The guest still writes to its disk elsewhere: nobody here has looked at it. */
	assert_null(backend_state("qblk", 51712));
	assert_non_null(backend_state("qnic", 0));
	*(bool *)cookie = true;
	build->store_mfn = 7;
	build->console_mfn = 8;
	return 0;
}

static void test_disks_after_the_stream(void **state)
{
	bool came = false;
	struct light_create create = { .config = &config, .build = stream_comes,
				       .cookie = &came, .keep_paused = true };
	struct light_nic *nic = light_config_add_nic(&config);

	(void)state;
	free(light->defaults.lockfile);
	light->defaults.lockfile = strdup(write_file("lock", ""));
	write_file("vif-bridge", "#!/bin/sh\n");
	free(config.bootloader);
	config.bootloader = NULL;
	free(config.disks[0].pdev_path);
	config.disks[0].pdev_path = strdup(write_file("disk.qcow2", ""));
	config.disks[0].vdev = strdup("xvda");
	config.disks[0].format = LIGHT_FORMAT_QCOW2;
	config.disks[0].readwrite = 1;
	nic->devid = 0;
	config.run_hotplug_scripts = LIGHT_NO;
	config.type = LIGHT_TYPE_PV;
	config.target_memkb = config.max_memkb = 16 << 10;
	assert_int_equal(light_create(light, &create, &error), 0);
	assert_true(came);
	assert_string_equal(backend_state("qblk", 51712), "2");
	assert_int_equal(light_destroy(light, create.domid, NULL, &error), 0);
	assert_null(backend_state("qblk", 51712));
}

/*
 * A configuration that comes as JSON, with a stream from elsewhere, has gone through no parser of
 * ours: it is refused by what is wrong in it before there is a domain.
 */
static void test_json_from_elsewhere(void **state)
{
	static const struct {
		const char *c, *b, *rest, *said;
	} cases[] = {
		{ "\"name\": \"../../etc/cron.d/x\"", "", "", "no name for a domain" },
		{ "\"name\": \"two\\nlines\"", "", "", "no name for a domain" },
		{ "\"name\": \"\"", "", "", "no name" },
		{ "\"uuid\": \"00000000-0000-4000-8000-000000000001\"", "", "", "no name" },
		{ "\"name\": \"g\"", "\"max_vcpus\": 2147483647,", "", "2147483647 vcpus" },
		{ "\"name\": \"g\"", "\"max_grant_version\": 257,", "", "max_grant_version" },
		{ "\"name\": \"g\"", "\"max_grant_frames\": 4294967297,", "", "max_grant_frames" },
		{ "\"name\": \"g\"", "\"max_maptrack_frames\": -2,", "", "max_maptrack_frames" },
		{ "\"name\": \"g\"", "", ", \"disks\": [{\"pdev_path\": \"/dev/null\"}]", "vdev" },
		{ "\"name\": \"g\"", "", ", \"disks\": [{\"vdev\": \"../x\"}]", "vdev" },
		{ "\"name\": \"g\"", "", ", \"disks\": [{\"vdev\": \"xvda\"}]", "target" },
		{ "\"name\": \"g\"", "", ", \"nics\": [{\"devid\": 2147483647}, {}]", "devid" },
		{ "\"name\": \"g\"", "\"max_memkb\": 9223372036854775806,", "", "KiB of memory" },
		{ "\"name\": \"g\"", "\"max_memkb\": 17179869185,", "", "KiB of memory" },
		{ "\"name\": \"g\"", "\"video_memkb\": 9000000000,", "", "video" },
		{ "\"name\": \"g\", \"pool_name\": \"4294967296\"", "", "", "no CPU pool" },
		{ "\"name\": \"g\", \"pool_name\": \"-4294967296\"", "", "", "no CPU pool" },
	};
	struct light_create create = { .config = &config };
	char text[512];
	unsigned int i;

	(void)state;
	memset(text, 'n', LIGHT_NAME_MAX);
	strcpy(text + LIGHT_NAME_MAX, "--migratedaway");
	assert_true(light_name_valid(text));
	write_file("kernel", "");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		light_config_free(&config);
		snprintf(text, sizeof(text),
			 "{\"c_info\": {\"type\": \"pv\", %s}, \"b_info\": {%s\"kernel\": "
			 "\"%s/kernel\", \"type.pv\": {}}%s}",
			 cases[i].c, cases[i].b, folder, cases[i].rest);
		memset(&error, 0, sizeof(error));
		assert_int_equal(light_config_from_json(&config, text, strlen(text), &error), 0);
		assert_int_equal(light_create(light, &create, &error), -EINVAL);
		if (!strstr(error.text, cases[i].said))
			fail_msg("case %u: said \"%s\"", i, error.text);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_foreign_ramdisk), T(test_loader_fails_late), T(test_restricted_loader),
		T(test_gc_of_boot_files), T(test_gc_beside_creation),
		T(test_long_command_line), T(test_scripts_signals), T(test_attach_not_remembered),
		T(test_gc_of_late_nodes), T(test_detach_number), T(test_stubborn_script),
		T(test_json_from_elsewhere),
		T(test_disks_after_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
