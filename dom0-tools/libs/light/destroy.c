/* SPDX-License-Identifier: MIT */
/*
 * The end of a domain, and the undoing of a half-made one: the same steps, each of which bears that
 * there is nothing for it to do.
 *
 *   1. the domain stops; 2. backends close (frontends' nodes go first, no guest is waited for),
 *   scripts run; 3. the hypervisor destroys it; 4. its nodes go, in one transaction; if it is still
 *   there as a zombie its name and cause are put down for whoever asks; 5. its files go.
 *
 * The name stays visible until step 4, so nobody sees a domain without one.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xenbus.h>
#include "domain.h"

#define ZOMBIE_MS 1000

/* Asks all backends to close, tearing off the frontends if @group->force. */
static int ask_to_close(struct group *group)
{
	char front[DEVICE_PATH_MAX], back[DEVICE_PATH_MAX];
	struct batch states = { 0 }, batch = { 0 };
	struct member *m;
	unsigned int i;
	int rc;

	for (i = 0; i < group->count; i++) {
		device_backend_path(&group->members[i].device, back);
		batch_read(&states, "%s/state", back);
	}
	rc = batch_run(&states, group->light->store, 0);
	for (i = 0; i < group->count && !rc; i++) {
		m = &group->members[i];
		device_frontend_path(&m->device, front);
		device_backend_path(&m->device, back);
		if (group->force)
			batch_rm(&batch, "%s", front);
		if (!states.list[i].reply)
			continue;
		batch_write(&batch, "0", "%s/online", back);
		if (atoi(states.list[i].reply) != XenbusStateClosed)
			batch_write(&batch, "5", "%s/state", back);
	}
	rc = rc ? rc : batch_commit(&batch, group->light->store);
	batch_free(&states);
	batch_free(&batch);
	return rc;
}

void group_remove_nodes(struct group *group, struct batch *batch)
{
	const struct device *device;
	char path[DEVICE_PATH_MAX];
	unsigned int i;

	for (i = 0; i < group->count; i++) {
		device = &group->members[i].device;
		device_frontend_path(device, path);
		batch_rm(batch, "%s", path);
		device_libxl_path(device, path);
		batch_rm(batch, "%s", path);
		device_backend_path(device, path);
		batch_rm(batch, "%s", path);
	}
}

/* For zombies: which backends still have something, as far as their states tell. */
static void name_holder(struct group *group, struct light_destroy *report)
{
	char back[DEVICE_PATH_MAX];
	unsigned long state;
	unsigned int i;

	for (i = 0; i < group->count && !report->holder[0]; i++) {
		device_backend_path(&group->members[i].device, back);
		strncat(back, "/state", sizeof(back) - strlen(back) - 1);
		if (!store_read_ulong(group->light->store, 0, back, &state) &&
		    state != XenbusStateClosed)
			snprintf(report->holder, sizeof(report->holder),
				 "%s %u (backend in domain %u, state %lu)",
				 group->members[i].device.kind, group->members[i].device.devid,
				 group->members[i].device.backend_domid, state);
	}
}

/*
 * Waits a little until the domain is gone for good: xenstored and the console daemon let go of its
 * pages when they hear of its death, which takes a moment. 1: a zombie, @info tells.
 */
static int wait_gone(struct light *light, uint32_t domid, struct xen_domctl_getdomaininfo *info)
{
	uint64_t deadline = tools_now_ms() + ZOMBIE_MS;
	int pause = 1;

	while (!ctl_getdomaininfo(light->ctl, (domid_t)domid, info)) {
		if (tools_now_ms() >= deadline)
			return 1;
		poll(NULL, 0, pause);
		pause = pause < 32 ? 2 * pause : 32;
	}
	return 0;
}

/* Moved within this host: another domain with its uuid is here, whose /vm/UUID is then. */
static bool lives_on(struct light *light, uint32_t domid, const char *vm)
{
	struct xen_domctl_getdomaininfo list[32];
	uint32_t first = 1;
	uint8_t uuid[16];
	int count, i;

	if (light_uuid_parse(vm + strlen("/vm/"), uuid))
		return false;
	do {
		count = ctl_getdomaininfolist(light->ctl, (domid_t)first, 32, list);
		for (i = 0; i < count; i++) {
			first = list[i].domain + 1u;
			if (list[i].domain != domid && !memcmp(list[i].handle, uuid, 16) &&
			    !(list[i].flags & XEN_DOMINF_dying))
				return true;
		}
	} while (count == 32);
	return false;
}

/* Everything the store has about the domain. */
static int remove_nodes(struct light *light, const struct removal *removal, struct group *group,
			bool zombie)
{
	struct batch batch = { 0 };
	uint32_t domid = removal->domid;
	char *vm = NULL, path[64];
	unsigned int i;
	int rc;

	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	if (!store_read(light->store, 0, path, &vm, NULL) && !strncmp(vm, "/vm/", 4) &&
	    !strchr(vm + 4, '/') && !lives_on(light, domid, vm))
		batch_rm(&batch, "%s", vm);
	for (i = 0; i < group->count; i++)
		batch_rm(&batch, "/local/domain/%u/backend/%s/%u",
			 group->members[i].device.backend_domid,
			 group->members[i].device.backend_kind, domid);
	batch_rm(&batch, "/local/domain/0/backend/console/%u", domid);
	batch_rm(&batch, "/libxl/%u", domid);
	batch_rm(&batch, "/local/domain/%u", domid);
	if (zombie) {
		batch_write(&batch, removal->name ? removal->name : "(null)", LIGHT_DEAD_PATH "/%u",
			    domid);
		batch_perms(&batch, 0, -1, LIGHT_DEAD_PATH "/%u", domid);
		batch_write(&batch, removal->cause ? removal->cause : "destroyed",
			    LIGHT_DEAD_PATH "/%u/cause", domid);
	} else {
		batch_rm(&batch, LIGHT_DEAD_PATH "/%u", domid);
	}
	rc = batch_commit(&batch, light->store);
	batch_free(&batch);
	free(vm);
	return rc;
}

int domain_remove(struct light *light, struct removal *removal, struct tools_error *error)
{
	struct group group = { .light = light, .force = true, .error = error };
	struct xen_domctl_getdomaininfo info;
	uint32_t domid = removal->domid;
	uint8_t uuid[16];
	int rc = 0, result;
	bool known = false;

	if (removal->exists && !ctl_getdomaininfo(light->ctl, (domid_t)domid, &info)) {
		memcpy(uuid, info.handle, 16);
		known = true;
		if (!(info.flags & XEN_DOMINF_dying))
			ctl_pausedomain(light->ctl, (domid_t)domid);
	}
	/* Whatever fails from here on is told, but does not keep the rest from going. */
	result = group_of_domain(&group, domid);
	if (!result && group.count) {
		result = ask_to_close(&group);
		if (!result)
			result = group_start(&group);
		if (!result)
			result = group_finish(&group);
	}
	if (known) {
		history_add(light, domid);	/* a comfort: no reason to keep the domain */
		rc = ctl_destroydomain(light->ctl, (domid_t)domid);
		if (rc && rc != -ESRCH) {
			group_free(&group);
			return tools_fail(error, rc, "hypervisor",
					  "the hypervisor does not destroy domain %u: %s", domid,
					  strerror(-rc));
		}
	}
	rc = known ? wait_gone(light, domid, &info) : 0;
	if (rc && removal->report) {
		removal->report->zombie = true;
		removal->report->pages_held = info.tot_pages + info.shr_pages;
		name_holder(&group, removal->report);
		/* what it does not tell is not known */
		light_holders(light, domid, removal->report);
	}
	rc = remove_nodes(light, removal, &group, rc);
	if (rc && !result)
		result = tools_fail(error, rc, "store", "cannot remove the nodes of domain %u: %s",
				    domid, strerror(-rc));
	if (known)
		userdata_remove_all(light, domid, uuid);
	group_free(&group);
	if (result && error && !error->code)
		tools_fail(error, result, "store",
			   "domain %u: its devices were not all removed: %s", domid,
			   strerror(-result));
	return result;
}

int light_destroy(struct light *light, uint32_t domid, struct light_destroy *report,
		  struct tools_error *error)
{
	struct removal removal = { .domid = domid, .exists = true, .report = report };
	struct xen_domctl_getdomaininfo info;
	char *name, *cause = NULL, path[64];
	int rc;

	if (report)
		memset(report, 0, sizeof(*report));
	if (!domid)
		return tools_fail(error, -EPERM, "not-allowed", "domain 0 cannot be destroyed");
	rc = ctl_getdomaininfo(light->ctl, (domid_t)domid, &info);
	if (rc)
		return tools_fail(error, rc, "no-domain", "no domain %u", domid);
	name = light_domid_to_name(light, domid);
	removal.name = name;
	/* A zombie that is destroyed again keeps the cause it had. */
	snprintf(path, sizeof(path), LIGHT_DEAD_PATH "/%u/cause", domid);
	if (info.flags & XEN_DOMINF_dying)
		store_read(light->store, 0, path, &cause, NULL);
	removal.cause = cause ? cause :
			info.flags & XEN_DOMINF_shutdown ? "shut down, then destroyed" :
							   "destroyed";
	rc = domain_remove(light, &removal, error);
	free(cause);
	free(name);
	return rc;
}

/* --- One device of a running domain --- */
static int read_id(struct light *light, const char *kind, uint32_t domid, const char *which,
		   unsigned int *devid)
{
	struct light_device *list;
	uint8_t mac[6];
	int count, i, rc = -ENODEV, number;
	unsigned long value;
	char *end;

	if (!strcmp(kind, "vbd")) {
		number = light_vdev_number(which, NULL, NULL);
		*devid = (unsigned int)number;
		return number < 0 ? number : 0;
	}
	value = strtoul(which, &end, 10);
	*devid = (unsigned int)value;
	if (isdigit((unsigned char)*which) && !*end)
		return value > INT32_MAX ? -EINVAL : 0;
	if (light_mac_parse(which, mac))
		return -EINVAL;
	count = light_devices(light, domid, kind, &list);
	for (i = 0; i < count && rc; i++) {
		if (!memcmp(list[i].mac, mac, 6)) {
			*devid = list[i].devid;
			rc = 0;
		}
	}
	light_devices_free(list, count > 0 ? (unsigned int)count : 0);
	return rc;
}

/* Leaves only the member @kind, @devid in the group. */
static bool keep_one(struct group *group, const char *kind, unsigned int devid)
{
	struct member kept;
	unsigned int i;
	bool found = false;

	for (i = 0; i < group->count; i++) {
		if (!found && !strcmp(group->members[i].device.kind, kind) &&
		    group->members[i].device.devid == devid) {
			kept = group->members[i];
			found = true;
			continue;
		}
		free(group->members[i].script);
		free(group->members[i].loop);
	}
	if (found)
		group->members[0] = kept;
	group->count = found;
	return found;
}

/* Out of the configuration file too. */
static void forget_device(struct light *light, uint32_t domid, const char *kind, unsigned int devid)
{
	struct light_config config;
	unsigned int i;
	size_t length;
	char *text;

	light_config_init(&config);
	if (light_userdata_read(light, domid, "libxl-json", &text, &length))
		return;
	if (!light_config_from_json(&config, text, strnlen(text, length), NULL)) {
		for (i = 0; i < config.n_disks && !strcmp(kind, "vbd"); i++)
			if (config.disks[i].vdev &&
			    light_vdev_number(config.disks[i].vdev, NULL, NULL) == (int)devid)
				light_config_remove_disk(&config, i--);
		for (i = 0; i < config.n_nics && !strcmp(kind, "vif"); i++)
			if (config.nics[i].devid == (int)devid)
				light_config_remove_nic(&config, i--);
		light_domain_config_save(light, domid, &config);
	}
	light_config_free(&config);
	free(text);
}

#define DETACH_FORCE	1u /* does not wait for the guest */
#define DETACH_KEEP	2u /* stays in the configuration */

/* The closed device's nodes and, unless it is kept, its place in the configuration go. */
static int forget_closed(struct group *group, uint32_t domid, const char *kind, unsigned int devid,
			 unsigned int how)
{
	struct light *light = group->light;
	struct batch batch = { 0 };
	int rc, lock = light_lock_domain(light, domid, DOMAIN_LOCK_MS);

	if (lock < 0)
		return tools_fail(group->error, lock, lock == -ECANCELED ? "canceled" : "timeout",
				  "domain %u is being changed by another tool; the device is "
				  "closed, detach it again", domid);
	group_remove_nodes(group, &batch);
	rc = batch_commit(&batch, light->store);
	if (rc)
		tools_fail(group->error, rc, "store", "cannot remove the device's nodes: %s",
			   strerror(-rc));
	if (!(how & DETACH_KEEP))
		forget_device(light, domid, kind, devid);
	light_unlock_domain(light, domid, lock);
	batch_free(&batch);
	return rc;
}

static int detach(struct light *light, uint32_t domid, const char *kind, const char *which,
		  unsigned int how, struct tools_error *error)
{
	struct group group = { .light = light, .force = how & DETACH_FORCE, .error = error };
	unsigned int devid;
	int rc = read_id(light, kind, domid, which, &devid);

	if (!rc)
		rc = group_of_domain(&group, domid);
	if (!rc && !keep_one(&group, kind, devid))
		rc = -ENODEV;
	if (rc) {
		group_free(&group);
		return tools_fail(error, rc, "no-device", "domain %u has no %s `%.40s'", domid,
				  strcmp(kind, "vif") ? "disk" : "interface", which);
	}
	rc = ask_to_close(&group);
	rc = rc ? rc : group_start(&group);
	rc = rc ? rc : group_finish(&group);
	rc = rc ? rc : forget_closed(&group, domid, kind, devid, how);
	group_free(&group);
	return rc;
}

int light_detach_disk(struct light *light, uint32_t domid, const char *which, bool force,
		      struct tools_error *error)
{
	return detach(light, domid, "vbd", which, force ? DETACH_FORCE : 0, error);
}

int light_detach_nic(struct light *light, uint32_t domid, const char *which, bool force,
		     struct tools_error *error)
{
	return detach(light, domid, "vif", which, force ? DETACH_FORCE : 0, error);
}

int device_unplug(struct light *light, uint32_t domid, const char *kind, const char *which,
		  bool force, struct tools_error *error)
{
	return detach(light, domid, kind, which, DETACH_KEEP | (force ? DETACH_FORCE : 0), error);
}
