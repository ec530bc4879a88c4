/* SPDX-License-Identifier: MIT */
/*
 * Asking a guest to end, waiting until it has, and renaming what is left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "domain.h"

int light_shutdown_request(struct light *light, uint32_t domid, const char *what,
			   struct tools_error *error)
{
	struct xen_domctl_getdomaininfo info;
	char path[64];
	int rc = ctl_getdomaininfo(light->ctl, (domid_t)domid, &info);

	if (rc)
		return tools_fail(error, rc, "no-domain", "no domain %u", domid);
	if (!domid)
		return tools_fail(error, -EPERM, "not-allowed",
				  "domain 0 is shut down from inside");
	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
	rc = store_write(light->store, 0, path, what, strlen(what));
	if (rc)
		return tools_fail(error, rc, "store", "cannot write %s: %s", path, strerror(-rc));
	return 0;
}

/* Shut down, dying or gone. */
static bool is_over(struct light *light, uint32_t domid)
{
	struct xen_domctl_getdomaininfo info;

	return ctl_getdomaininfo(light->ctl, (domid_t)domid, &info) ||
	       info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying);
}

int light_wait_shutdown(struct light *light, const uint32_t *domids, unsigned int count, bool any,
			uint64_t ms)
{
	uint64_t deadline = ms ? tools_now_ms() + ms : UINT64_MAX;
	unsigned int i, over;
	int rc = store_watch(light->store, "@releaseDomain", "light-shutdown");

	while (!rc) {
		over = 0;
		for (i = 0; i < count; i++) {
			if (!is_over(light, domids[i]))
				continue;
			over++;
			if (any)
				break;
		}
		if (any ? over : over == count) {
			rc = any ? (int)i : 0;
			break;
		}
		rc = light_wait(light, NULL, 0, deadline);
		if (rc >= 0) {
			rc = 0;
			light_drain_events(light);
		}
	}
	store_unwatch(light->store, "@releaseDomain", "light-shutdown");
	light_drain_events(light);
	return rc;
}

int light_wait_gone(struct light *light, uint32_t domid, uint64_t ms)
{
	uint64_t deadline = ms ? tools_now_ms() + ms : UINT64_MAX;
	struct xen_domctl_getdomaininfo info;
	int rc = store_watch(light->store, "@releaseDomain", "light-gone");

	while (!rc && !ctl_getdomaininfo(light->ctl, (domid_t)domid, &info) &&
	       !(info.flags & XEN_DOMINF_dying)) {
		rc = light_wait(light, NULL, 0, deadline);
		if (rc > 0)
			rc = 0;
		light_drain_events(light);
	}
	store_unwatch(light->store, "@releaseDomain", "light-gone");
	light_drain_events(light);
	return rc;
}

static int rename_domain(struct light *light, uint32_t domid, const char *old_name,
			 const char *new_name, struct tools_error *error)
{
	char path[64], *name = NULL, *vm = NULL;
	struct batch batch = { 0 };
	size_t length;
	int rc;

	if (!light_name_valid(new_name))
		return tools_fail(error, -EINVAL, "bad-value", "`%.60s' is no name for a domain",
				  new_name);
	rc = light_name_to_domid(light, new_name);
	if (rc >= 0 && (uint32_t)rc != domid)
		return tools_fail(error, -EEXIST, "name-taken",
				  "domain %d has the name `%s' already", rc, new_name);
	snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
	rc = store_read(light->store, 0, path, &name, &length);
	if (rc == -ENOENT)
		return tools_fail(error, rc, "no-domain", "no domain %u", domid);
	if (rc)
		return tools_fail(error, rc, "store", "cannot read the name of domain %u: %s",
				  domid, strerror(-rc));
	if (old_name && strcmp(name, old_name)) {
		rc = tools_fail(error, -ESTALE, "changed", "domain %u is called `%s' now, not `%s'",
				domid, name, old_name);
		free(name);
		return rc;
	}
	free(name);
	batch_write(&batch, new_name, "%s", path);
	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	if (!store_read(light->store, 0, path, &vm, &length) && !strncmp(vm, "/vm/", 4))
		batch_write(&batch, new_name, "%s/name", vm);
	rc = batch_commit(&batch, light->store);
	batch_free(&batch);
	free(vm);
	return rc ? tools_fail(error, rc, "store", "cannot write the name: %s", strerror(-rc)) : 0;
}

int light_rename(struct light *light, uint32_t domid, const char *old_name, const char *new_name,
		 struct tools_error *error)
{
	int lock = old_name ? -1 : light_lock_tool(light, TOOL_LOCK_MS, error), rc;

	if (!old_name && lock < 0)
		return lock;
	rc = rename_domain(light, domid, old_name, new_name, error);
	light_unlock_tool(lock);
	return rc;
}

/* /vm/OLD becomes /vm/NEW: the few nodes that tools look for. */
static int move_vm(struct light *light, uint32_t domid, const char *name, const char *uuid)
{
	struct batch batch = { 0 };
	char path[64], *vm = NULL;
	int rc;

	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	if (!store_read(light->store, 0, path, &vm, NULL) && !strncmp(vm, "/vm/", 4))
		batch_rm(&batch, "%s", vm);
	batch_mkdir(&batch, "/vm/%s", uuid);
	batch_perms(&batch, 0, (int)domid, "/vm/%s", uuid);
	batch_write(&batch, uuid, "/vm/%s/uuid", uuid);
	batch_write(&batch, name, "/vm/%s/name", uuid);
	snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
	batch_printf(&batch, path, "/vm/%s", uuid);
	snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
	batch_write(&batch, name, "%s", path);
	rc = batch_commit(&batch, light->store);
	batch_free(&batch);
	free(vm);
	return rc;
}

int light_preserve(struct light *light, uint32_t domid, const char *suffix, const uint8_t uuid[16],
		   struct tools_error *error)
{
	char *old = light_domid_to_name(light, domid), *name, *config = NULL, text[37];
	size_t length = 0;
	uint8_t was[16];
	int rc;

	name = old ? tools_asprintf("%s%s", old, suffix) : NULL;
	free(old);
	if (!name)
		return -ENOMEM;
	light_uuid_format(uuid, text);
	rc = light_domain_uuid(light, domid, was);
	if (!rc && light_name_to_domid(light, name) >= 0)
		rc = -EEXIST;
	/* The files are named after the uuid: read before it changes, written after. */
	if (!rc)
		light_userdata_read(light, domid, "libxl-json", &config, &length);
	rc = rc ? rc : ctl_setdomainhandle(light->ctl, (domid_t)domid, uuid);
	rc = rc ? rc : move_vm(light, domid, name, text);
	if (!rc && config)
		rc = userdata_write(light, domid, uuid, "libxl-json", config, length);
	if (!rc)
		userdata_remove_all(light, domid, was);
	if (rc)
		tools_fail(error, rc, rc == -EEXIST ? "name-taken" : "hypervisor",
			   "cannot keep domain %u as `%s': %s", domid, name, strerror(-rc));
	free(config);
	free(name);
	return rc;
}
