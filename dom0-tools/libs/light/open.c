/* SPDX-License-Identifier: MIT */
/*
 * The handle, and domains by name and number.
 *
 * Names live in the store, one node a domain; all are read in one batch, so finding a domain costs
 * one round trip however many there are.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "domain.h"

#define DOMAINS_AT_ONCE 256

void light_say(struct light *light, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!light->warn)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	tools_one_line(line);
	light->warn(light->warn_cookie, line);
}

int light_open_with(struct light **out, struct ctl *ctl, struct store *store,
		    struct foreignmemory *fm)
{
	struct light *light = calloc(1, sizeof(*light));

	if (!light)
		return -ENOMEM;
	light->ctl = ctl;
	light->store = store;
	light->fm = fm;
	light->cancel_fd = -1;
	light->device_wait_ms = 40000;
	light->lib_dir = "/var/lib/xen";
	light->run_dir = "/run/xen";
	light->daemon_dir = "/run/krypton";
	light->script_dir = "/etc/xen/scripts";
	light->log_dir = "/var/log/xen";
	light_defaults_init(&light->defaults);
	*out = light;
	return 0;
}

int light_open(struct light **out, struct tools_error *error)
{
	struct store *store = NULL;
	struct ctl *ctl = NULL;
	int rc = ctl_open(&ctl);

	if (rc == -EPROTO)
		return tools_fail(error, rc, "hypervisor",
				  "the hypervisor speaks another version of the "
				  "control interface than 4.17's");
	if (rc)
		return tools_hint(error,
				  tools_fail(error, rc, "hypervisor",
					     "no access to the hypervisor: %s", strerror(-rc)),
				  "is this dom0, as root, with /dev/xen/privcmd?");
	rc = store_open(&store);
	if (rc) {
		ctl_close(ctl);
		return tools_hint(error,
				  tools_fail(error, rc, "store", "no connection to xenstored: %s",
					     strerror(-rc)),
				  "is xenstored running?");
	}
	rc = light_open_with(out, ctl, store, NULL);
	if (rc) {
		store_close(store);
		ctl_close(ctl);
		return tools_fail(error, rc, "no-memory", "out of memory");
	}
	(*out)->owns_handles = true;
	store_set_deadline(store, 20000);
	rc = light_defaults_load(&(*out)->defaults, NULL, error);
	if (rc) {
		light_close(*out);
		*out = NULL;
	}
	return rc;
}

void light_close(struct light *light)
{
	if (!light)
		return;
	if (light->fm && (light->owns_fm || light->owns_handles))
		foreignmemory_close(light->fm);
	if (light->owns_handles) {
		store_close(light->store);
		ctl_close(light->ctl);
	}
	light_defaults_free(&light->defaults);
	free(light);
}

int light_names(struct light *light, const uint32_t *domids, unsigned int count, char **names)
{
	struct batch batch = { 0 };
	unsigned int i;
	int rc;

	memset(names, 0, count * sizeof(*names));
	for (i = 0; i < count; i++)
		batch_read(&batch, "/local/domain/%u/name", domids[i]);
	rc = batch_run(&batch, light->store, 0);
	for (i = 0; i < count && !rc; i++) {
		names[i] = batch.list[i].reply;
		batch.list[i].reply = NULL;
	}
	batch_free(&batch);
	return rc;
}

/* Calls @visit with each domain's id and name (or NULL) until it returns other than 0. */
static int each_name(struct light *light, int (*visit)(uint32_t domid, const char *name, void *arg),
		     void *arg)
{
	struct xen_domctl_getdomaininfo *list = calloc(DOMAINS_AT_ONCE, sizeof(*list));
	char *names[DOMAINS_AT_ONCE];
	uint32_t ids[DOMAINS_AT_ONCE], first = 0;
	int count = list ? DOMAINS_AT_ONCE : 0, rc = list ? 0 : -ENOMEM, i;

	while (!rc && count == DOMAINS_AT_ONCE) {
		count = ctl_getdomaininfolist(light->ctl, (domid_t)first, DOMAINS_AT_ONCE, list);
		for (i = 0; i < count; i++)
			ids[i] = list[i].domain;
		rc = count < 0 ? count : light_names(light, ids, (unsigned int)count, names);
		if (rc)
			break;
		for (i = 0; i < count; i++) {
			if (!rc)
				rc = visit(ids[i], names[i], arg);
			free(names[i]);
		}
		if (count)
			first = ids[count - 1] + 1;
	}
	free(list);
	return rc;
}

struct search {
	const char *name;
	bool guess;		/* look for a similar name, too */
	int found;
	unsigned int distance;
	char nearest[LIGHT_NAME_MAX + 1];
};

static int compare_name(uint32_t domid, const char *name, void *arg)
{
	struct search *search = arg;
	unsigned int distance;

	if (!name)
		return 0;
	if (!strcmp(name, search->name)) {
		search->found = (int)domid;
		return 1;
	}
	if (!search->guess)
		return 0;
	distance = light_word_distance(name, search->name);
	if (distance < search->distance) {
		search->distance = distance;
		snprintf(search->nearest, sizeof(search->nearest), "%s", name);
	}
	return 0;
}

static int search_name(struct light *light, const char *name, bool guess, struct search *search)
{
	int rc;

	*search = (struct search){ .name = name,
				   .guess = guess,
				   .found = -ESRCH,
				   .distance = strlen(name) < 5 ? 2 : 4 };
	rc = each_name(light, compare_name, search);
	return rc < 0 ? rc : search->found;
}

int light_name_to_domid(struct light *light, const char *name)
{
	struct search search;

	return search_name(light, name, false, &search);
}

int light_find(struct light *light, const char *name_or_id, struct tools_error *error)
{
	struct xen_domctl_getdomaininfo info;
	struct search search;
	unsigned long id;
	char *end;
	int rc;

	if (isdigit((unsigned char)*name_or_id)) {
		id = strtoul(name_or_id, &end, 10);
		if (!*end && id < DOMID_FIRST_RESERVED) {
			rc = ctl_getdomaininfo(light->ctl, (domid_t)id, &info);
			if (!rc)
				return (int)id;
		}
	}
	rc = search_name(light, name_or_id, false, &search);
	if (rc == -ESRCH)
		rc = search_name(light, name_or_id, true, &search);
	if (rc == -ESRCH) {
		tools_fail(error, rc, "no-domain", "no domain `%s'", name_or_id);
		if (search.nearest[0])
			tools_hint(error, rc, "did you mean `%s'?", search.nearest);
	} else if (rc < 0) {
		tools_fail(error, rc, "store", "cannot read the domains' names: %s", strerror(-rc));
	}
	return rc;
}

char *light_domid_to_name(struct light *light, uint32_t domid)
{
	struct batch batch = { 0 };
	char *name;

	batch_read(&batch, "/local/domain/%u/name", domid);
	batch_read(&batch, LIGHT_DEAD_PATH "/%u", domid);
	if (batch_run(&batch, light->store, 0) || batch.count < 2)
		name = NULL;
	else
		name = batch.list[0].reply ? batch.list[0].reply : batch.list[1].reply;
	name = strdup(name ? name : "(null)");
	batch_free(&batch);
	return name;
}

int light_domain_uuid(struct light *light, uint32_t domid, uint8_t uuid[16])
{
	struct xen_domctl_getdomaininfo info;
	int rc = ctl_getdomaininfo(light->ctl, (domid_t)domid, &info);

	if (!rc)
		memcpy(uuid, info.handle, 16);
	return rc;
}

int light_domain_type(struct light *light, uint32_t domid)
{
	struct xen_domctl_getdomaininfo info;
	int rc = ctl_getdomaininfo(light->ctl, (domid_t)domid, &info);

	if (rc)
		return rc;
	if (!(info.flags & XEN_DOMINF_hvm_guest))
		return LIGHT_TYPE_PV;
	return info.arch_config.emulation_flags & XEN_X86_EMU_VGA ? LIGHT_TYPE_HVM : LIGHT_TYPE_PVH;
}
