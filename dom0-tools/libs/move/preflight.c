/* SPDX-License-Identifier: MIT */
/*
 * What would keep a domain from living on this host, all of it at once, before anything moves.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "private.h"
#include "protocol.h"
#include <xen/sysctl.h>

#define EXTRA_KIB 2048U /* what a domain costs beside its memory, rounded up */

struct preflight {
	struct light *light;
	const struct light_config *config;
	struct strbuf *problems;
	unsigned int count;
};

static void problem(struct preflight *p, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void problem(struct preflight *p, const char *code, const char *format, ...)
{
	va_list args;

	strbuf_printf(p->problems, "- %s: ", code);
	va_start(args, format);
	strbuf_vprintf(p->problems, format, args);
	va_end(args);
	strbuf_printf(p->problems, "\n");
	p->count++;
}

static void check_names(struct preflight *p)
{
	char incoming[256];
	uint8_t uuid[16];
	int domid = light_name_to_domid(p->light, p->config->name);

	/* Its own old self, if this is the host that it comes from, is no obstacle. */
	if (domid >= 0 && (light_domain_uuid(p->light, (uint32_t)domid, uuid) ||
			   memcmp(uuid, p->config->uuid, sizeof(uuid))))
		problem(p, "name-taken", "domain %d has the name `%s' already", domid,
			p->config->name);
	snprintf(incoming, sizeof(incoming), "%.200s" SUFFIX_INCOMING, p->config->name);
	domid = light_name_to_domid(p->light, incoming);
	if (domid >= 0)
		problem(p, "name-taken", "domain %d is on its way in as `%s'", domid, incoming);
}

static void check_memory(struct preflight *p)
{
	uint64_t need = p->config->target_memkb + EXTRA_KIB, has = 0;

	if (light_free_memory(p->light, &has))
		problem(p, "hypervisor", "the hypervisor does not tell how much memory is free");
	else if (need > has && !p->light->defaults.autoballoon)
		problem(p, "no-memory", "%llu MiB are needed, %llu MiB are free",
			(unsigned long long)need >> 10, (unsigned long long)has >> 10);
}

static void check_disks(struct preflight *p)
{
	const struct light_disk *disk;
	struct stat st;
	unsigned int i;

	for (i = 0; i < p->config->n_disks; i++) {
		disk = &p->config->disks[i];
		if (disk->script || disk->backend_domid || disk->backend_domname ||
		    !disk->pdev_path || disk->format == LIGHT_FORMAT_EMPTY)
			continue;
		if (stat(disk->pdev_path, &st) ||
		    access(disk->pdev_path, disk->readwrite ? R_OK | W_OK : R_OK))
			problem(p, "device", "disk %s: %s: %s", disk->vdev, disk->pdev_path,
				strerror(errno));
		else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
			problem(p, "device", "disk %s: %s is neither file nor block device",
				disk->vdev, disk->pdev_path);
	}
}

static void check_nics(struct preflight *p)
{
	const char *bridge;
	char path[128];
	unsigned int i;

	for (i = 0; i < p->config->n_nics; i++) {
		bridge = p->config->nics[i].bridge;
		if (!bridge || p->config->nics[i].backend_domid ||
		    p->config->nics[i].backend_domname)
			continue;
		snprintf(path, sizeof(path), "/sys/class/net/%.60s", bridge);
		if (access(path, F_OK))
			problem(p, "device", "vif %u: no bridge `%s'", i, bridge);
	}
}

static void check_host(struct preflight *p)
{
	struct xen_sysctl_physinfo info;

	if (p->config->type != LIGHT_TYPE_PV)
		problem(p, "unsupported", "only PV guests are taken");
	if (ctl_physinfo(p->light->ctl, &info))
		problem(p, "hypervisor", "the hypervisor does not answer");
	else if (!(info.capabilities & XEN_SYSCTL_PHYSCAP_pv))
		problem(p, "hypervisor", "this hypervisor has no PV guests");
}

unsigned int move_preflight(struct light *light, const struct light_config *config,
			    const char *text, size_t length, struct strbuf *problems)
{
	struct preflight p = { .light = light, .config = config, .problems = problems };

	if (!config->name || !*config->name)
		problem(&p, "bad-config", "the domain has no name");
	else
		check_names(&p);
	check_host(&p);
	check_memory(&p);
	check_disks(&p);
	check_nics(&p);
	return p.count + features_missing(light->ctl, text, length, problems);
}
