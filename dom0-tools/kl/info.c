/* SPDX-License-Identifier: MIT */
/*
 * kl info: the host as "key : value" lines with xl's keys, in its order; programs look keys up by
 * name. `kl info KEY` prints the values of keys that start with KEY. Topology (-n) is in
 * info_numa.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <tools/json.h>
#include "info.h"

struct info {
	struct kl *kl;
	const char *only;		/* prefix of the keys to print, or NULL */
	struct json_writer w;
};

/* One line, or the value alone when this key was asked for. */
static void line(struct info *info, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void line(struct info *info, const char *key, const char *format, ...)
{
	char value[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	if (info->only && strncmp(key, info->only, strlen(info->only)))
		return;
	if (info->kl->json)
		json_string(&info->w, key, value);
	else if (info->only)
		printf("%s\n", value);
	else
		printf("%-23s: %s\n", key, value);
}

static void number(struct info *info, const char *key, uint64_t value)
{
	if (info->kl->json) {
		if (!info->only || !strncmp(key, info->only, strlen(info->only)))
			json_uint(&info->w, key, value);
		return;
	}
	line(info, key, "%" PRIu64, value);
}

static void node_lines(struct info *info)
{
	struct utsname u;

	if (uname(&u))
		return;
	line(info, "host", "%s", u.nodename);
	line(info, "release", "%s", u.release);
	line(info, "version", "%s", u.version);
	line(info, "machine", "%s", u.machine);
}

static void capabilities(struct info *info, uint32_t c)
{
	static const struct { uint32_t needs; const char *word; } caps[] = {
		{ XEN_SYSCTL_PHYSCAP_pv, "pv" },
		{ XEN_SYSCTL_PHYSCAP_hvm, "hvm" },
		{ XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_directio, "hvm_directio" },
		{ XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_directio, "pv_directio" },
		{ XEN_SYSCTL_PHYSCAP_hap, "hap" },
		{ XEN_SYSCTL_PHYSCAP_shadow, "shadow" },
		{ XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share, "iommu_hap_pt_share" },
		{ XEN_SYSCTL_PHYSCAP_vmtrace, "vmtrace" },
		{ XEN_SYSCTL_PHYSCAP_vpmu, "vpmu" },
		{ XEN_SYSCTL_PHYSCAP_gnttab_v1, "gnttab-v1" },
		{ XEN_SYSCTL_PHYSCAP_gnttab_v2, "gnttab-v2" },
	};
	char text[256] = "";
	unsigned int i;

	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if ((c & caps[i].needs) == caps[i].needs) {
			strcat(text, " ");
			strcat(text, caps[i].word);
		}
	}
	/* xl puts no space before an empty list. */
	if (!info->only && !info->kl->json)
		printf("%-23s:%s\n", "virt_caps", text);
	else
		line(info, "virt_caps", "%s", text[0] ? text + 1 : text);
}

/* What a hypervisor without page sharing answers with an error counts as none. */
static uint64_t sharing(struct kl *kl, unsigned int cmd)
{
	long pages = call_memory_op(ctl_call(kl->ctl), cmd, NULL);

	return pages < 0 ? 0 : pages;
}

static int free_cpus(struct kl *kl, unsigned int *count)
{
	struct xen_sysctl_cpupool_op op = { .op = XEN_SYSCTL_CPUPOOL_OP_FREEINFO };
	uint8_t cpus[KL_INFO_CPUS / 8] = { 0 };
	unsigned int i;
	int err = ctl_cpupool(kl->ctl, &op, cpus, sizeof(cpus));

	*count = 0;
	for (i = 0; i < KL_INFO_CPUS; i++)
		*count += cpus[i / 8] >> i % 8 & 1;
	return err;
}

static int host_lines(struct info *info)
{
	struct xen_sysctl_physinfo p;
	unsigned int cpus;
	int err = ctl_physinfo(info->kl->ctl, &p);

	if (err)
		return kl_check(info->kl, err, "cannot ask for the host");
	number(info, "nr_cpus", p.nr_cpus);
	number(info, "max_cpu_id", p.max_cpu_id);
	number(info, "nr_nodes", p.nr_nodes);
	number(info, "cores_per_socket", p.cores_per_socket);
	number(info, "threads_per_core", p.threads_per_core);
	line(info, "cpu_mhz", "%d.%03d", p.cpu_khz / 1000, p.cpu_khz % 1000);
	line(info, "hw_caps", "%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x", p.hw_cap[0], p.hw_cap[1],
	     p.hw_cap[2], p.hw_cap[3], p.hw_cap[4], p.hw_cap[5], p.hw_cap[6], p.hw_cap[7]);
	capabilities(info, p.capabilities);
	number(info, "total_memory", p.total_pages >> 8);
	number(info, "free_memory", (p.free_pages - p.outstanding_pages) >> 8);
	number(info, "sharing_freed_memory",
	       sharing(info->kl, XENMEM_get_sharing_freed_pages) >> 8);
	number(info, "sharing_used_memory",
	       sharing(info->kl, XENMEM_get_sharing_shared_pages) >> 8);
	number(info, "outstanding_claims", p.outstanding_pages >> 8);
	if (!free_cpus(info->kl, &cpus))
		number(info, "free_cpus", cpus);
	return KL_OK;
}

static void build_id_line(struct info *info)
{
	union {
		xen_build_id_t id;
		unsigned char bytes[256];
	} u = { .id.len = sizeof(u) - sizeof(u.id) };
	char text[2 * sizeof(u) + 1] = "";
	int i, length = ctl_version(info->kl->ctl, XENVER_build_id, &u, sizeof(u));

	for (i = 0; i < length && i < (int)(sizeof(u) - sizeof(u.id)); i++)
		sprintf(text + 2 * i, "%02x", u.id.buf[i]);
	line(info, "build_id", "%s", text);
}

static int version_lines(struct info *info)
{
	union {
		xen_extraversion_t extra;
		struct xen_compile_info cc;
		xen_changeset_info_t changeset;
		xen_capabilities_info_t caps;
		struct xen_platform_parameters params;
		xen_commandline_t command;
	} u;
	struct ctl *ctl = info->kl->ctl;
	uint32_t scheduler;
	int version = ctl_version(ctl, XENVER_version, NULL, 0);
	int err = ctl_sched_id(ctl, &scheduler);

	if (version < 0 || err)
		return kl_check(info->kl, version < 0 ? version : err,
				"cannot ask for the version");
	memset(&u, 0, sizeof(u));
	number(info, "xen_major", version >> 16);
	number(info, "xen_minor", version & 0xff);
	ctl_version(ctl, XENVER_extraversion, &u.extra, sizeof(u.extra));
	line(info, "xen_extra", "%s", u.extra);
	line(info, "xen_version", "%d.%d%s", version >> 16, version & 0xff, u.extra);
	memset(&u, 0, sizeof(u));
	ctl_version(ctl, XENVER_capabilities, &u.caps, sizeof(u.caps));
	line(info, "xen_caps", "%s", u.caps);
	line(info, "xen_scheduler", "%s", kl_scheduler_name(scheduler));
	number(info, "xen_pagesize", ctl_version(ctl, XENVER_pagesize, NULL, 0));
	memset(&u, 0, sizeof(u));
	ctl_version(ctl, XENVER_platform_parameters, &u.params, sizeof(u.params));
	line(info, "platform_params", "virt_start=0x%" PRIx64, (uint64_t)u.params.virt_start);
	memset(&u, 0, sizeof(u));
	ctl_version(ctl, XENVER_changeset, &u.changeset, sizeof(u.changeset));
	line(info, "xen_changeset", "%s", u.changeset);
	memset(&u, 0, sizeof(u));
	ctl_version(ctl, XENVER_commandline, &u.command, sizeof(u.command));
	line(info, "xen_commandline", "%s", u.command);
	memset(&u, 0, sizeof(u));
	ctl_version(ctl, XENVER_compile_info, &u.cc, sizeof(u.cc));
	line(info, "cc_compiler", "%s", u.cc.compiler);
	line(info, "cc_compile_by", "%s", u.cc.compile_by);
	line(info, "cc_compile_domain", "%s", u.cc.compile_domain);
	line(info, "cc_compile_date", "%s", u.cc.compile_date);
	build_id_line(info);
	return KL_OK;
}

int cmd_info(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = { { "numa", 0, NULL, 'n' }, { 0 } };
	struct info info = { .kl = kl };
	bool numa = false;
	int opt, status;

	while ((opt = kl_getopt(kl, argc, argv, "n", longs, 0)) >= 0)
		numa = true;
	if (opt == KL_STOP)
		return kl->status;
	if (!numa && optind < argc)
		info.only = argv[optind];
	if (!kl_ctl(kl))
		return KL_FAILED;
	json_open_object(&info.w, NULL);
	node_lines(&info);
	status = host_lines(&info);
	if (numa && kl_info_topology(kl, &info.w))
		status = KL_FAILED;
	if (version_lines(&info))
		status = KL_FAILED;
	line(&info, "xend_config_format", "4");
	json_close_object(&info.w);
	if (kl->json && kl_print_json(kl, &info.w))
		status = KL_FAILED;
	strbuf_free(&info.w.out);
	return status;
}
