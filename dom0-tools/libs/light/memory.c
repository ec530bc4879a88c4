/* SPDX-License-Identifier: MIT */
/*
 * Memory of the host: how much a new domain may have, and getting more by asking dom0's balloon.
 *
 * dom0 is never asked below a floor, and only while the configuration allows it: autoballoon=auto
 * means not when the hypervisor was told dom0's size on its command line.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "domain.h"

#define BALLOON_MS 10000 /* as long as there is progress, again */

int light_free_memory(struct light *light, uint64_t *kib)
{
	struct xen_sysctl_physinfo info;
	uint64_t pages;
	int rc = ctl_physinfo(light->ctl, &info);

	if (rc)
		return rc;
	pages = info.free_pages + info.scrub_pages;
	pages -= info.outstanding_pages < pages ? info.outstanding_pages : pages;
	*kib = pages * 4;
	return 0;
}

static bool may_balloon(struct light *light)
{
	char line[sizeof(xen_commandline_t)] = "", *at;

	if (light->defaults.autoballoon >= 0)
		return light->defaults.autoballoon;
	if (ctl_version(light->ctl, XENVER_commandline, line, sizeof(line)) < 0)
		return false;
	for (at = line; (at = strstr(at, "dom0_mem=")); at++)
		if (at == line || at[-1] == ' ')
			return false;
	return true;
}

int light_set_memory_target(struct light *light, uint32_t domid, uint64_t kib, bool enforce,
			    struct tools_error *error)
{
	struct batch batch = { 0 };
	unsigned long videoram, max;
	char path[64];
	int rc = 0;

	snprintf(path, sizeof(path), "/local/domain/%u/memory/static-max", domid);
	if (!store_read_ulong(light->store, 0, path, &max) && kib > max)
		return tools_hint(error,
				  tools_fail(error, -EINVAL, "bad-value",
					     "%llu KiB is more than domain %u's "
					     "maximum, %lu KiB",
					     (unsigned long long)kib, domid, max),
				  "mem-max raises it");
	if (!domid && kib < DOM0_FLOOR_KIB)
		return tools_fail(error, -EINVAL, "bad-value",
				  "domain 0 is not made smaller than %u KiB", DOM0_FLOOR_KIB);
	snprintf(path, sizeof(path), "/local/domain/%u/memory/videoram", domid);
	if (store_read_ulong(light->store, 0, path, &videoram) || videoram > kib ||
	    videoram > 1 << 20)
		videoram = 0;
	if (enforce)
		rc = ctl_max_mem(light->ctl, (domid_t)domid, kib + LIGHT_MAXMEM_SLACK_KIB);
	if (rc)
		return tools_fail(error, rc, "hypervisor",
				  "cannot set the memory limit of domain %u: %s", domid,
				  strerror(-rc));
	snprintf(path, sizeof(path), "/local/domain/%u/memory/target", domid);
	batch_printf(&batch, path, "%llu", (unsigned long long)(kib - videoram));
	rc = batch_run(&batch, light->store, 0);
	batch_free(&batch);
	return rc ? tools_fail(error, rc, "store", "cannot write %s: %s", path, strerror(-rc)) : 0;
}

static int too_little(struct light *light, uint64_t want, uint64_t have, const char *why,
		      struct tools_error *error)
{
	(void)light;
	return tools_hint(error,
			  tools_fail(error, -ENOMEM, "no-memory",
				     "%llu MiB are needed and %llu MiB are "
				     "free%s",
				     (unsigned long long)want >> 10, (unsigned long long)have >> 10,
				     why),
			  "lower memory=, end a guest, or give dom0 less (mem-set 0 ...)");
}

/* Sets dom0's target lower by what is missing; -ENOMEM if that is under the floor. */
static int shrink_dom0(struct light *light, uint64_t want, uint64_t have, struct tools_error *error)
{
	struct xen_domctl_getdomaininfo info;
	uint64_t now, missing = want - have;
	int rc = ctl_getdomaininfo(light->ctl, 0, &info);

	if (rc)
		return rc;
	now = info.tot_pages * 4;
	if (now < missing || now - missing < DOM0_FLOOR_KIB)
		return too_little(light, want, have, ", and dom0 has nothing to spare", error);
	return light_set_memory_target(light, 0, now - missing, true, error);
}

int light_make_free(struct light *light, uint64_t kib, struct tools_error *error)
{
	uint64_t have, best, deadline;
	struct pollfd cancel = { .fd = light->cancel_fd, .events = POLLIN };
	int rc = light_free_memory(light, &have), pause = 2;

	if (rc || have >= kib)
		return rc ? tools_fail(error, rc, "hypervisor",
				       "cannot ask for the host's memory: %s", strerror(-rc)) :
			    0;
	if (!may_balloon(light))
		return too_little(light, kib, have, "; dom0 is not ballooned (autoballoon)", error);
	rc = shrink_dom0(light, kib, have, error);
	if (rc)
		return rc;
	best = have;
	deadline = tools_now_ms() + BALLOON_MS;
	/* The balloon has no event to wait for: pauses that grow, and a limit without progress. */
	while (have < kib) {
		if (poll(&cancel, 1, pause) > 0)
			return tools_fail(error, -ECANCELED, "canceled",
					  "given up while dom0's memory was freed");
		pause = pause < 100 ? 2 * pause : 100;
		rc = light_free_memory(light, &have);
		if (rc)
			return rc;
		if (have > best) {
			best = have;
			deadline = tools_now_ms() + BALLOON_MS;
		} else if (tools_now_ms() >= deadline) {
			return too_little(light, kib, have, "; dom0 does not give more", error);
		}
	}
	return 0;
}
