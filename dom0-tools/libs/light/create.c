/* SPDX-License-Identifier: MIT */
/*
 * Making a domain, as a list of steps. Backends and their scripts start as soon as the domain has a
 * number and work while its kernel is unpacked and its memory filled.
 *
 * Whatever fails, domain_remove() and the few things below it undo all of it; and as long as the
 * marker exists, light_gc() would do the same for a creator that was killed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <tools/kill_point.h>
#include "create.h"

#define EXTRA_KIB 1024 /* what a domain costs beside its memory */
#define DOMID_TRIES 100

static int canceled(struct creation *c)
{
	return tools_fail(c->error, -ECANCELED, "canceled", "given up");
}

static bool cancel_asked(struct creation *c)
{
	return c->light->cancel_fd >= 0 &&
	       light_wait(c->light, NULL, 0, tools_now_ms() + 1) == -ECANCELED;
}

static int step_bootloader(struct creation *c)
{
	int rc;

	if (!c->run.bootloader || c->create->build)
		return 0;
	rc = bootloader_run(c->light, &c->run, c->create->interactive, &c->boot, c->error);
	if (rc)
		return rc;
	c->kernel = c->boot.kernel;
	c->ramdisk = c->boot.ramdisk;
	if (c->boot.cmdline)
		c->cmdline = c->boot.cmdline;
	return 0;
}

static int check_name(struct creation *c)
{
	int rc = light_name_to_domid(c->light, c->run.name);

	if (rc >= 0)
		return tools_hint(c->error,
				  tools_fail(c->error, -EEXIST, "name-taken",
					     "domain %d has the name `%s' "
					     "already",
					     rc, c->run.name),
				  "create takes name=OTHER");
	return rc == -ESRCH ? 0 :
			      tools_fail(c->error, rc, "store",
					 "cannot read the domains' names: %s", strerror(-rc));
}

static domid_t random_domid(void)
{
	uint16_t bits = 0;

	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint16_t)tools_now_ms();
	return 1 + bits % (DOMID_FIRST_RESERVED - 1);
}

/*
 * Makes the domain under the number that is wished for, any (domid_policy="random"), or the
 * hypervisor's next one; never one that was in use a moment ago: -EADDRINUSE if that was the wish.
 */
static int new_domid(struct creation *c, struct xen_domctl_createdomain *config, domid_t *domid)
{
	bool wished = c->run.domid && c->run.domid < DOMID_FIRST_RESERVED;
	bool random = c->light->defaults.domid_random;
	int tries, rc = -EADDRINUSE;

	for (tries = 0; tries < DOMID_TRIES && rc == -EADDRINUSE; tries++) {
		*domid = wished ? (domid_t)c->run.domid : random ? random_domid() : 0;
		if (wished && history_has(c->light, *domid))
			return -EADDRINUSE;
		rc = ctl_createdomain(c->light->ctl, domid, config);
		if (!rc && !wished && history_has(c->light, *domid)) {
			ctl_destroydomain(c->light->ctl, *domid);
			rc = -EADDRINUSE;
		} else if (rc == -EEXIST && random && !wished) {
			rc = -EADDRINUSE;
		}
	}
	return rc;
}

static int make_domain(struct creation *c)
{
	struct xen_domctl_createdomain config = {
		.ssidref = c->run.ssidref,
		.max_vcpus = (uint32_t)c->run.max_vcpus,
		.max_evtchn_port = (int32_t)c->run.event_channels,
		.max_grant_frames = (int32_t)c->run.max_grant_frames,
		.max_maptrack_frames = (int32_t)c->run.max_maptrack_frames,
		.grant_opts = XEN_DOMCTL_GRANT_version(c->grant_version),
		.cpupool_id = c->poolid,
	};
	domid_t domid;
	int rc;

	memcpy(config.handle, c->run.uuid, 16);
	if (c->run.vpmu == LIGHT_YES)
		config.flags |= XEN_DOMCTL_CDF_vpmu;
	rc = new_domid(c, &config, &domid);
	if (rc == -EADDRINUSE)
		return tools_fail(c->error, rc, "domid",
				  "the domain's number was in use less than a minute ago");
	if (rc)
		return tools_hint(c->error,
				  tools_fail(c->error, rc, "hypervisor",
					     "the hypervisor makes no domain: %s", strerror(-rc)),
				  "dmesg shows what it says");
	kill_point();
	c->domid = domid;
	rc = marker_set_domid(&c->marker, domid);
	kill_point();
	return rc ? tools_fail(c->error, rc, "marker", "cannot write %s: %s", c->marker.path,
			       strerror(-rc)) :
		    0;
}

/* Staked now, so that nobody else gets the memory while the kernel is read. */
static int claim(struct creation *c)
{
	int rc;

	if (c->run.claim_mode == LIGHT_NO || c->create->build)
		return 0;
	rc = ctl_claim_pages(c->light->ctl, (domid_t)c->domid,
			     (unsigned long)(c->run.target_memkb / 4));
	if (rc == -ENOSYS || rc == -EOPNOTSUPP)
		return 0;
	c->claimed = !rc;
	return rc ? tools_fail(c->error, rc, "no-memory",
			       "the hypervisor has not %llu MiB for the domain: %s",
			       (unsigned long long)c->run.target_memkb >> 10, strerror(-rc)) :
		    0;
}

static int make_ports(struct creation *c)
{
	struct batch batch = { 0 };
	int store, console, rc;

	batch_read(&batch, "/tool/xenstored/domid");
	batch_read(&batch, "/tool/xenconsoled/domid");
	rc = batch_run(&batch, c->light->store, 0);
	if (!rc) {
		c->store_domid = batch.list[0].reply ? (domid_t)atoi(batch.list[0].reply) : 0;
		c->console_domid = batch.list[1].reply ? (domid_t)atoi(batch.list[1].reply) : 0;
	}
	batch_free(&batch);
	if (rc)
		return tools_fail(c->error, rc, "store", "the store does not answer: %s",
				  strerror(-rc));
	store = ctl_alloc_unbound(c->light->ctl, (domid_t)c->domid, c->store_domid);
	console = store < 0 ? store :
			      ctl_alloc_unbound(c->light->ctl, (domid_t)c->domid, c->console_domid);
	if (console < 0)
		return tools_fail(c->error, console, "hypervisor",
				  "no event channels for the domain: %s", strerror(-console));
	c->store_port = (evtchn_port_t)store;
	c->console_port = (evtchn_port_t)console;
	return 0;
}

/* Name and memory are taken under the tool's lock; then nobody else can have them. */
static int step_reserve(struct creation *c)
{
	uint64_t need = c->run.target_memkb + EXTRA_KIB;
	int rc;

	c->lock = light_lock_tool(c->light, TOOL_LOCK_MS, c->error);
	if (c->lock < 0)
		return c->lock;
	rc = check_name(c);
	rc = rc ? rc : light_make_free(c->light, (need + 2047) / 2048 * 2048, c->error);
	rc = rc ? rc : make_domain(c);
	rc = rc ? rc : creation_limits(c);
	rc = rc ? rc : claim(c);
	kill_point();
	return rc ? rc : make_ports(c);
}

/* The domain comes from this very host: its old self, which stands still, has the same disks. */
static bool comes_from_here(struct creation *c)
{
	struct xen_domctl_getdomaininfo list[64];
	domid_t first = 1;
	int count, i;

	do {
		count = ctl_getdomaininfolist(c->light->ctl, first, 64, list);
		for (i = 0; i < count; i++) {
			first = list[i].domain + 1;
			if (list[i].domain != c->domid &&
			    !memcmp(list[i].handle, c->run.uuid, sizeof(c->run.uuid)))
				return true;
		}
	} while (count == 64);
	return false;
}

/*
 * While a stream comes, the guest may still run where it comes from: what this host keeps of a
 * disk's contents by then (a page cache, the tables of an image) would be old; and our backend has
 * it open there, alone. The kernel's has a block device open without either.
 */
static bool is_late(struct creation *c, const struct light_disk *disk)
{
	struct stat st;

	return c->create->build &&
	       (disk->backend == LIGHT_BACKEND_QDISK || disk->format != LIGHT_FORMAT_RAW ||
		disk->script || disk->backend_domid || !disk->pdev_path ||
		stat(disk->pdev_path, &st) || !S_ISBLK(st.st_mode));
}

static int open_disks(struct creation *c, bool late)
{
	bool again = c->create->build && comes_from_here(c);
	struct light_disk disk;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < c->run.n_disks && !rc; i++) {
		if (c->late[i] != late)
			continue;
		disk = c->run.disks[i];
		disk.shared |= again;
		rc = disk_backing_open(c->light, &disk, &c->backings[i], c->error);
	}
	return rc;
}

static int step_nodes(struct creation *c)
{
	unsigned int i;
	char *text;
	int rc;

	c->backings = calloc(c->run.n_disks + 1, sizeof(*c->backings));
	c->late = calloc(c->run.n_disks + 1, sizeof(*c->late));
	if (!c->backings || !c->late)
		return tools_fail(c->error, -ENOMEM, "no-memory", "out of memory");
	for (i = 0; i < c->run.n_disks; i++) {
		c->backings[i].loop_fd = -1;
		c->late[i] = is_late(c, &c->run.disks[i]);
	}
	rc = open_disks(c, false);
	rc = rc ? rc : creation_first_nodes(c);
	kill_point();
	if (rc)
		return rc;
	text = light_config_to_json(c->create->config, -1);
	rc = text ? userdata_write(c->light, c->domid, c->run.uuid, "libxl-json", text,
				   strlen(text) + 1) :
		    -ENOMEM;
	free(text);
	if (rc)
		return tools_fail(c->error, rc, "userdata", "cannot write below %s: %s",
				  c->light->lib_dir, strerror(-rc));
	light_unlock_tool(c->lock);
	c->lock = -1;
	return group_start(&c->devices);
}

static int step_kernel(struct creation *c)
{
	int rc;

	if (c->create->build)
		return 0;
	rc = guest_image_load_kernel(c->kernel, &c->kernel_image, c->error);
	if (!rc && c->ramdisk)
		rc = guest_image_load_ramdisk(c->ramdisk, &c->ramdisk_image, c->error);
	if (rc)
		return rc;
	/* Backends had time meanwhile: their scripts start now and run beside the build. */
	return group_progress(&c->devices);
}

static void check_cmdline(struct creation *c)
{
	size_t length = strlen(c->cmdline);

	if (length >= MAX_GUEST_CMDLINE)
		light_say(c->light,
			  "the kernel's command line has %zu characters; the guest gets the "
			  "first %d",
			  length, MAX_GUEST_CMDLINE - 1);
}

static int devices_get_on(void *cookie)
{
	struct creation *c = cookie;

	return group_progress(&c->devices);
}

static int step_build(struct creation *c)
{
	struct light_build stream = { .domid = (domid_t)c->domid,
				      .meanwhile = devices_get_on,
				      .meanwhile_cookie = c,
				      .store_domid = c->store_domid,
				      .console_domid = c->console_domid,
				      .store_port = c->store_port,
				      .console_port = c->console_port };
	struct guest_build build = {
		.domid = (domid_t)c->domid,
		.memory_kib = c->run.target_memkb,
		.max_memory_kib = c->run.max_memkb,
		.vcpus = (unsigned int)c->run.max_vcpus,
		.kernel = &c->kernel_image,
		.ramdisk = c->ramdisk ? &c->ramdisk_image : NULL,
		.command_line = c->cmdline,
		.store_domid = c->store_domid,
		.console_domid = c->console_domid,
		.store_port = c->store_port,
		.console_port = c->console_port,
	};
	int rc;

	if (!c->light->fm) {
		rc = foreignmemory_open(&c->light->fm);
		if (rc)
			return tools_fail(c->error, rc, "hypervisor",
					  "cannot map other domains' memory: %s", strerror(-rc));
		c->light->owns_fm = true;
	}
	if (c->create->build) {
		rc = c->create->build(c->light, &stream, c->create->cookie, c->error);
		c->store_mfn = stream.store_mfn;
		c->console_mfn = stream.console_mfn;
		return rc;
	}
	check_cmdline(c);
	rc = guest_build_pv(c->light->ctl, c->light->fm, &build, c->error);
	c->store_mfn = build.store_mfn;
	c->console_mfn = build.console_mfn;
	if (!rc && c->claimed)
		ctl_claim_pages(c->light->ctl, (domid_t)c->domid, 0);
	return rc;
}

static int step_introduce(struct creation *c)
{
	unsigned int i = 0;
	int rc = 0;

	while (i < c->run.n_disks && !c->late[i])
		i++;
	/* Who may use a disk is looked up and written under the lock. */
	if (i < c->run.n_disks) {
		c->lock = light_lock_tool(c->light, TOOL_LOCK_MS, c->error);
		rc = c->lock < 0 ? c->lock : open_disks(c, true);
	}
	rc = rc ? rc : creation_last_nodes(c);
	light_unlock_tool(c->lock);
	c->lock = -1;
	return rc ? rc : group_start(&c->devices);
}

static int step_devices(struct creation *c)
{
	unsigned int i;
	int rc = group_finish(&c->devices);

	for (i = 0; i < c->run.n_disks && !rc; i++)
		disk_backing_close(&c->backings[i], false);
	return rc;
}

static int step_start(struct creation *c)
{
	int rc = 0;

	if (cancel_asked(c))
		return canceled(c);
	c->create->domid = c->domid;
	if (c->create->console_ready)
		c->create->console_ready(c->domid, c->create->cookie);
	if (c->create->confirm)
		rc = c->create->confirm(c->light, c->domid, c->create->cookie, c->error);
	if (rc)
		return rc;
	if (!c->create->keep_paused)
		rc = ctl_unpausedomain(c->light->ctl, (domid_t)c->domid);
	return rc ? tools_fail(c->error, rc, "hypervisor", "the domain does not start: %s",
			       strerror(-rc)) :
		    0;
}

static int step_marker(struct creation *c)
{
	int rc = marker_create(c->light, &c->marker, c->run.uuid, c->run.name);

	return rc ? tools_hint(c->error,
			       tools_fail(c->error, rc, "marker", "cannot write below %s: %s",
					  c->light->run_dir, strerror(-rc)),
			       "is it mounted, writable?") :
		    0;
}

static const struct {
	const char *name;
	int (*run)(struct creation *c);
} steps[] = {
	{ "check", creation_prepare }, { "bootloader", step_bootloader },
	{ "marker", step_marker },     { "domain", step_reserve },
	{ "nodes", step_nodes },       { "kernel", step_kernel },
	{ "build", step_build },       { "introduce", step_introduce },
	{ "devices", step_devices },   { "start", step_start },
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void undo(struct creation *c)
{
	struct removal removal = { .domid = c->domid,
				   .exists = true,
				   .name = c->run.name,
				   .cause = "its creation failed" };
	int cancel = c->light->cancel_fd;

	/* Undoing is not to be given up half-way because creating was. */
	c->light->cancel_fd = -1;
	if (c->domid)
		domain_remove(c->light, &removal, NULL);
	c->light->cancel_fd = cancel;
}

static void release(struct creation *c, bool failed)
{
	unsigned int i;

	group_free(&c->devices);
	if (failed)
		undo(c);
	for (i = 0; c->backings && i < c->run.n_disks; i++)
		disk_backing_close(&c->backings[i], failed);
	free(c->backings);
	free(c->late);
	light_unlock_tool(c->lock);
	marker_remove(&c->marker);
	guest_image_free(&c->kernel_image);
	guest_image_free(&c->ramdisk_image);
	boot_files_free(&c->boot);
	light_config_free(&c->run);
}

int light_create(struct light *light, struct light_create *create, struct tools_error *error)
{
	struct creation c = { .light = light,
			      .create = create,
			      .error = error,
			      .lock = -1,
			      .marker = { .fd = -1 },
			      .kernel_image = { .fd = -1 },
			      .ramdisk_image = { .fd = -1 },
			      .devices = { .light = light, .adding = true, .error = error } };
	uint64_t begin;
	unsigned int i;
	int rc = 0;

	light_config_init(&c.run);
	create->n_timing = 0;
	create->domid = 0;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]) && !rc; i++) {
		begin = now_ns();
		rc = steps[i].run(&c);
		kill_point();
		create->timing[create->n_timing++] = (struct light_timing){ steps[i].name,
									    now_ns() - begin };
	}
	if (rc)
		create->domid = 0;
	release(&c, rc != 0);
	return rc;
}
