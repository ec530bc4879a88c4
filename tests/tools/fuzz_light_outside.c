/* SPDX-License-Identifier: MIT */
/*
 * What others write and a creation reads, against rubbish by seed: reasons that hotplug scripts and
 * backends leave in the store, what a boot loader prints, xl.conf. Each ends in one line about the
 * cause, which is a JSON string too, or is understood; nothing of it stays behind.
 *
 * LINK: dom0-tools/libs/light/batch.c dom0-tools/libs/light/bootloader.c dom0-tools/libs/light/cfg.c dom0-tools/libs/light/config.c dom0-tools/libs/light/defaults.c dom0-tools/libs/light/device_wait.c dom0-tools/libs/light/disk_spec.c dom0-tools/libs/light/keys.c dom0-tools/libs/light/nic_spec.c dom0-tools/libs/light/parse.c dom0-tools/libs/light/values.c dom0-tools/libs/light/wait.c
 * LINK: dom0-tools/libs/json/parse.c dom0-tools/libs/json/tree.c dom0-tools/libs/json/write.c dom0-tools/libs/store/core.c dom0-tools/libs/store/fake.c dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <dice.h>
#include <fake_store.h>
#include <tools/json.h>
#include "../../dom0-tools/libs/light/domain.h"
#include "../../dom0-tools/libs/light/script.h"

#define ROOM 1024
#define CHILD 99999999	/* more than any process has */

static int script_status;	/* as waitpid() tells; -1: runs on */
static const char *said_badly;

/* ---- what is around device_wait.c ---- */
int script_start(const char *script, const struct device *device, bool adding, pid_t *pid,
		 int *pidfd)
{
	(void)script, (void)device, (void)adding;
	*pid = CHILD;
	*pidfd = dup(0);
	return dice(16) ? 0 : -ENOENT;
}

void child_attributes(posix_spawnattr_t *attributes, bool group)
{
	(void)attributes, (void)group;
}

void child_end(pid_t pid, int pidfd, bool group)
{
	(void)pid, (void)pidfd, (void)group;
}

int kill(pid_t pid, int number)
{
	(void)pid, (void)number;
	return 0;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	if (script_status < 0 && options & WNOHANG)
		return 0;
	*status = script_status < 0 ? SIGKILL : script_status;
	return pid;
}

int loop_detach(const char *path)
{
	(void)path;
	return 0;
}

void device_backend_path(const struct device *device, char path[DEVICE_PATH_MAX])
{
	snprintf(path, DEVICE_PATH_MAX, "/local/domain/%u/backend/%s/%u/%u", device->backend_domid,
		 device->backend_kind, device->domid, device->devid);
}

static int one_line(const char *text)
{
	struct json_writer w = { .compact = true };
	struct tools_error why;
	struct json_value *back;
	char *json;
	int ok;

	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return 0;
	json_open_object(&w, NULL);
	json_string(&w, "message", text);
	json_close_object(&w);
	json = strbuf_take(&w.out);
	back = json ? json_parse(json, strlen(json), &why) : NULL;
	ok = back != NULL;
	json_free(back);
	free(json);
	return ok;
}

void light_say(struct light *light, const char *format, ...)
{
	char line[512];
	va_list args;

	(void)light;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	tools_one_line(line);
	if (!one_line(line))
		said_badly = "a remark";
}

/* ---- texts ---- */
static const char *const reasons[] = {
	"",
	"/etc/xen/scripts/vif-bridge failed; error detected.",
	"Device /dev/vg/x is mounted read-write in the privileged domain,\nand so cannot be mounted by a guest.\n",
	"\x1b]0;title\x07\x1b[2J\r\nroot@host# ",
	"24 missing /sys/block/%s%n%s \xc3\xa9\xff\xfe",
};
static const char *const states[] = { "0", "1",	 "2",	       "3", "4", "5",	"6",
				      "7", "-1", "4294967298", "",  "x", " 4\n" };

static const char *const outputs[] = {
	"kernel /run/xen/k\0ramdisk /run/xen/r\0args root=/dev/xvda ro\0",
	"kernel\t /k\0kernel /other\0args\0ramdisk \0\0\0args  x\0",
	"linux (kernel /k)(ramdisk /r)(args \"a b\")",
};
static const size_t output_lengths[] = { 59, 48, 42 };

static const char *const confs[] = {
	"autoballoon=\"off\"\nlockfile=\"/run/l\"\noutput_format='sxp'\nclaim_mode=0\nvif.default.bridge=\"b\"\n",
	"max_grant_frames=64\nmax_maptrack_frames=1024\nmax_grant_version=1\nvm.cpumask='0-3,^2'\nvm.pv.cpumask=\"all\"\n",
	"run_hotplug_scripts=1\nvifscript='s'\ndefaultbridge='d'\nblkdev_start='xvda'\ndomid_policy=\"random\"\n",
	"disk.default.backendtype='kernel'\nvif.default.backendtype='user'\nvif.default.gatewaydev='e'\nvif.default.backend='n'\n",
};
static const char *const words[] = { "=", "[", "]", "'", "\"", ",", "\n", "#", "+=", "0x",
				     "99999999999999999999", "-1",
				     "all", "^", "-", "vm.cpumask='4095'\n", "autoballoon=\"\"\n",
				     "\\x00", ";", "\xff" };

static size_t spoil(char *text, size_t length)
{
	return dice_spoil(text, length, ROOM, words, sizeof(words) / sizeof(words[0]));
}

/* ---- the three readers ---- */
static void set(const char *folder, const char *name)
{
	const char *from = DICE_PICK(reasons);
	char node[192], text[ROOM + 1];
	size_t length = strlen(from);

	if (dice(3) == 0)
		return;
	memcpy(text, from, length);
	length = spoil(text, length);
	while (length && length < 700 && dice(20) == 0) {	/* a long one */
		memcpy(text + length, text, length < 300 ? length : 300);
		length += length < 300 ? length : 300;
	}
	text[length] = '\0';
	snprintf(node, sizeof(node), "%s/%s", folder, name);
	fake_store_set(node, text);
}

static void set_state(const char *folder)
{
	char node[192];

	snprintf(node, sizeof(node), "%s/state", folder);
	if (dice(12) == 0)
		fake_store_remove(node);
	else
		fake_store_set(node, DICE_PICK(states));
}

static const char *hotplug(struct light *light)
{
	static const char *const kinds[][2] = {
		{ "vbd", "vbd" }, { "vbd", "qdisk" }, { "vif", "vif" }, { "vif", "qnic" }
	};
	struct tools_error error = { 0 };
	struct group group = {
		.light = light, .adding = dice(2), .force = dice(2), .error = &error
	};
	unsigned int n = 1 + dice(3), i, turn;
	const char *bad = NULL;
	char folder[DEVICE_PATH_MAX], away[160];

	script_status = dice(3) ? (int)dice(3) << 8 : dice(2) ? -1 : SIGTERM;
	for (i = 0; i < n; i++) {
		const char *const *kind = kinds[dice(4)];
		struct device device = { .domid = 1 + dice(3),
					 .devid = dice(2) ? 51712 + 16 * i : i };
		struct member *m;

		snprintf(device.kind, sizeof(device.kind), "%s", kind[0]);
		snprintf(device.backend_kind, sizeof(device.backend_kind), "%s", kind[1]);
		m = group_add(&group, &device);
		m->script = dice(3) ? strdup("/etc/xen/scripts/s") : NULL;
		device_backend_path(&device, folder);
		set(folder, "hotplug-error");
		set(folder, "error");
		snprintf(away, sizeof(away), "/local/domain/0/error/backend/%s/%u/%u", kind[1],
			 device.domid, device.devid);
		set(away, "error");
		set_state(folder);
	}
	if (group_start(&group) && !error.code)
		bad = "a start that failed without a cause";
	for (turn = 0; turn < 4 && !bad && !group.result; turn++) {
		for (i = 0; i < n; i++) {
			device_backend_path(&group.members[i].device, folder);
			set_state(folder);
			if (dice(4) == 0)
				group.members[i].deadline = 0;
		}
		group_progress(&group);
	}
	if (group.result &&
	    !(error.code && error.text[0] && one_line(error.text) && one_line(error.hint)))
		bad = "a failure without a line about its cause";
	group_free(&group);
	return fake_store_watches() ? "a watch that stayed" : bad;
}

static const char *loader(char *text, size_t length)
{
	struct boot_files files = { 0 };
	const char *bad = NULL;

	text[length] = '\0';
	boot_files_take(&files, text, length);
	if ((files.kernel ? strlen(files.kernel) : 0) +
		    (files.ramdisk ? strlen(files.ramdisk) : 0) +
		    (files.cmdline ? strlen(files.cmdline) : 0) >
	    length)
		bad = "more than there was";
	boot_files_free(&files);
	return bad;
}

static int sane(const struct light_defaults *d)
{
	return d->autoballoon >= -1 && d->autoballoon <= 1 && (d->claim_mode & ~1) == 0 &&
	       d->lockfile && d->max_grant_frames >= LIGHT_GRANT_DEFAULT &&
	       d->max_maptrack_frames >= LIGHT_GRANT_DEFAULT &&
	       d->max_grant_version >= LIGHT_GRANT_DEFAULT;
}

static const char *conf(const char *text, size_t length)
{
	struct light_defaults defaults;
	struct tools_error error = { 0 };
	const char *bad = NULL;

	light_defaults_init(&defaults);
	if (light_defaults_parse(&defaults, text, length, "xl.conf", &error)) {
		if (!error.code || !error.text[0] || !one_line(error.text))
			bad = "a refusal without a line about its cause";
	} else if (!sane(&defaults)) {
		bad = "a value out of its range";
	}
	light_defaults_free(&defaults);
	return bad;
}

/* An exact copy of what becomes of @seed[@length]: a read past its end (and a NUL) is seen. */
static const char *mutated(const char *seed, size_t length, bool is_conf)
{
	char text[ROOM], *exact;
	const char *bad;

	memcpy(text, seed, length);
	length = spoil(text, length);
	exact = malloc(length + !is_conf + !length);
	memcpy(exact, text, length);
	bad = is_conf ? conf(exact, length) : loader(exact, length);
	if (bad)
		printf("%.*s\n", (int)length, exact);
	free(exact);
	return bad;
}

int main(void)
{
	unsigned long cases = dice_cases(), i, failed = 0;
	const char *bad;
	struct light light = { .cancel_fd = -1, .daemon_dir = "/nonexistent", .script_dir = "/s",
			       .log_dir = "/l",
			       .device_wait_ms = 40000 };

	for (i = 0; i < cases && failed < 10; i++) {
		unsigned int n;

		dice_begin(i);
		said_badly = NULL;
		switch (dice(3)) {
		case 0:
			fake_store_reset();
			if (store_open(&light.store))
				return 1;
			bad = hotplug(&light);
			store_close(light.store);
			break;
		case 1:
			n = dice(3);
			bad = mutated(outputs[n], output_lengths[n], false);
			break;
		default:
			n = dice(4);
			bad = mutated(confs[n], strlen(confs[n]), true);
		}
		bad = bad ? bad : said_badly;
		if (bad) {
			printf("case %lu: %s\n", i, bad);
			failed++;
		}
	}
	printf("%lu passed, %lu failed\n", i - failed, failed);
	return failed != 0;
}
