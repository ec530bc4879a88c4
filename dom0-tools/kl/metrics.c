/* SPDX-License-Identifier: MIT */
/*
 * kl metrics: figures of host and domains in Prometheus' text format, for a node exporter's
 * textfile folder (-o FILE, replaced atomically) or anything else that scrapes. Names and units are
 * stable; each family carries its HELP and TYPE. Network cards and the store are in metrics_more.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "metrics.h"

#define MAX_CPUS 1024

void kl_metrics_family(struct metrics *m, const char *name, const char *type, const char *help)
{
	strbuf_printf(&m->out, "# HELP xen_%s %s\n# TYPE xen_%s %s\n", name, help, name, type);
}

void kl_metrics_label(struct metrics *m, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			strbuf_printf(&m->out, "\\%c", *text);
		else if (*text == '\n')
			strbuf_add(&m->out, "\\n", 2);
		else if ((unsigned char)*text >= 0x20)
			strbuf_add(&m->out, text, 1);
	}
}

void kl_metrics_domain(struct metrics *m, const char *name, unsigned int i)
{
	strbuf_printf(&m->out, "xen_%s{domid=\"%u\",name=\"", name, m->snap.info[i].domain);
	kl_metrics_label(m, kl_shown_name(&m->snap, i));
	strbuf_add(&m->out, "\"", 1);
}

/* One value per domain, from its record. */
static void per_domain(struct metrics *m, const char *name, const char *type, const char *help,
		       double (*value)(const struct xen_domctl_getdomaininfo *d))
{
	unsigned int i;

	kl_metrics_family(m, name, type, help);
	for (i = 0; i < m->snap.count; i++) {
		const struct xen_domctl_getdomaininfo *d = &m->snap.info[i];
		char uuid[37];

		kl_uuid_text(d->handle, uuid);
		kl_metrics_domain(m, name, i);
		strbuf_printf(&m->out, ",uuid=\"%s\"} %.15g\n", uuid, value(d));
	}
}

static double cpu_seconds(const struct xen_domctl_getdomaininfo *d)
{
	return d->cpu_time / 1e9;
}

static double memory_bytes(const struct xen_domctl_getdomaininfo *d)
{
	return PAGES_TO_KIB(d->tot_pages) * 1024.0;
}

static double memory_limit(const struct xen_domctl_getdomaininfo *d)
{
	/* "No limit" is more than any machine has. */
	return d->max_pages > 1ULL << 40 ? 1.0 / 0.0 : PAGES_TO_KIB(d->max_pages) * 1024.0;
}

static double claimed_bytes(const struct xen_domctl_getdomaininfo *d)
{
	return PAGES_TO_KIB(d->outstanding_pages) * 1024.0;
}

static double vcpus_online(const struct xen_domctl_getdomaininfo *d)
{
	return d->nr_online_vcpus;
}

static double vcpus_max(const struct xen_domctl_getdomaininfo *d)
{
	return d->max_vcpu_id + 1;
}

static double is_paused(const struct xen_domctl_getdomaininfo *d)
{
	return !!(d->flags & XEN_DOMINF_paused);
}

static double is_dying(const struct xen_domctl_getdomaininfo *d)
{
	return !!(d->flags & XEN_DOMINF_dying);
}

/* 0 while it lives, else the reason's number and one. */
static double shutdown_reason(const struct xen_domctl_getdomaininfo *d)
{
	if (!(d->flags & XEN_DOMINF_shutdown))
		return 0;
	return 1 + (d->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask);
}

static void domain_families(struct metrics *m)
{
	per_domain(m, "domain_cpu_seconds_total", "counter", "CPU time used.", cpu_seconds);
	per_domain(m, "domain_memory_bytes", "gauge", "Memory the domain has.", memory_bytes);
	per_domain(m, "domain_memory_limit_bytes", "gauge", "Memory the domain may have.",
		   memory_limit);
	per_domain(m, "domain_memory_claimed_bytes", "gauge", "Memory reserved for the domain.",
		   claimed_bytes);
	per_domain(m, "domain_vcpus_online", "gauge", "Vcpus that are up.", vcpus_online);
	per_domain(m, "domain_vcpus", "gauge", "Vcpus the domain may have.", vcpus_max);
	per_domain(m, "domain_paused", "gauge", "1 while the domain is paused.", is_paused);
	per_domain(m, "domain_dying", "gauge",
		   "1 while the domain is destroyed but something of it is still held.", is_dying);
	per_domain(m, "domain_shutdown", "gauge", "0 alive, 1 powered off, 2 reboot, 3 suspended, "
		   "4 crashed, 5 watchdog, 6 soft reset.", shutdown_reason);
}

static void single(struct metrics *m, const char *name, const char *help, double value)
{
	kl_metrics_family(m, name, "gauge", help);
	strbuf_printf(&m->out, "xen_%s %.15g\n", name, value);
}

static int host_families(struct kl *kl, struct metrics *m)
{
	struct xen_sysctl_physinfo p;
	uint64_t *idle = calloc(MAX_CPUS, sizeof(*idle));
	int i, count, err = ctl_physinfo(kl->ctl, &p);

	if (err || !idle) {
		free(idle);
		return kl_check(kl, err ? err : -ENOMEM, "cannot ask for the host");
	}
	single(m, "host_cpus", "CPUs online.", p.nr_cpus);
	single(m, "host_nodes", "NUMA nodes.", p.nr_nodes);
	single(m, "host_cpu_hertz", "Frequency of the CPUs' time stamps.", p.cpu_khz * 1e3);
	single(m, "host_memory_bytes", "Memory of the host.", p.total_pages * 4096.0);
	single(m, "host_memory_free_bytes", "Memory nobody has, claims included.",
	       p.free_pages * 4096.0);
	single(m, "host_memory_claimed_bytes", "Free memory that is reserved.",
	       p.outstanding_pages * 4096.0);
	single(m, "host_memory_scrub_bytes", "Free memory still to be cleared.",
	       p.scrub_pages * 4096.0);
	single(m, "host_domains", "Domains, domain 0 included.", m->snap.count);
	count = ctl_getcpuinfo(kl->ctl, idle, MAX_CPUS);
	if (count > 0)
		kl_metrics_family(m, "host_cpu_idle_seconds_total", "counter",
				  "Time the CPU had nothing to do.");
	for (i = 0; i < count; i++)
		strbuf_printf(&m->out, "xen_host_cpu_idle_seconds_total{cpu=\"%d\"} %.15g\n", i,
			      idle[i] / 1e9);
	free(idle);
	return KL_OK;
}

static void version_family(struct kl *kl, struct metrics *m)
{
	xen_extraversion_t extra = "";
	int version = ctl_version(kl->ctl, XENVER_version, NULL, 0);

	if (version < 0)
		return;
	ctl_version(kl->ctl, XENVER_extraversion, &extra, sizeof(extra));
	extra[sizeof(extra) - 1] = '\0';
	kl_metrics_family(m, "hypervisor_info", "gauge", "The hypervisor's version, as a label.");
	strbuf_printf(&m->out, "xen_hypervisor_info{version=\"%d.%d", version >> 16,
		      version & 0xff);
	kl_metrics_label(m, extra);
	strbuf_printf(&m->out, "\"} 1\n");
}

static int emit(struct kl *kl, struct metrics *m, const char *file)
{
	char *text = strbuf_take(&m->out);
	int err;

	if (text && kl->json) {
		char *json = kl_metrics_json(text);

		free(text);
		text = json;
	}
	if (!text)
		return kl_check(kl, -ENOMEM, "cannot print metrics");
	if (file) {
		err = tools_write_file(file, text, strlen(text), 0644);
		free(text);
		return kl_check(kl, err, "cannot write %s", file);
	}
	fputs(text, stdout);
	free(text);
	return KL_OK;
}

int cmd_metrics(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = { { "output", 1, NULL, 'o' }, { 0 } };
	struct metrics m = { 0 };
	const char *file = NULL;
	int opt, status;

	while ((opt = kl_getopt(kl, argc, argv, "o:", longs, 0)) >= 0)
		file = optarg;
	if (opt == KL_STOP)
		return kl->status;
	status = kl_snapshot(kl, &m.snap);
	if (status)
		return status;
	status = kl_snapshot_names(kl, &m.snap);
	if (!status)
		status = host_families(kl, &m);
	if (!status) {
		version_family(kl, &m);
		domain_families(&m);
		kl_metrics_network(&m);
		kl_metrics_store(kl, &m);
		status = emit(kl, &m, file);
	}
	strbuf_free(&m.out);
	kl_snapshot_free(&m.snap);
	return status;
}
