/* SPDX-License-Identifier: MIT */
/*
 * kl vcpu-list: where each vcpu is, what it does, and which CPUs it may and should use.
 */
#include <errno.h>
#include <string.h>
#include <tools/json.h>
#include "cpupools.h"
#include "snapshot.h"

struct vcpu {
	unsigned int id;
	struct xen_domctl_getvcpuinfo info;
	uint8_t hard[KL_CPU_BYTES], soft[KL_CPU_BYTES];
};

static void json_map(struct json_writer *w, const char *key, const uint8_t *map, unsigned int cpus)
{
	unsigned int i;

	json_open_array(w, key);
	for (i = 0; i < cpus; i++)
		if (map[i / 8] & 1 << i % 8)
			json_uint(w, NULL, i);
	json_close_array(w);
}

static void json_vcpu(struct json_writer *w, const char *name, domid_t domid,
		      const struct vcpu *v, unsigned int cpus)
{
	json_open_object(w, NULL);
	json_string(w, "name", name);
	json_int(w, "domid", domid);
	json_uint(w, "vcpu", v->id);
	json_bool(w, "online", v->info.online);
	if (v->info.online)
		json_uint(w, "cpu", v->info.cpu);
	else
		json_null(w, "cpu");
	json_bool(w, "running", v->info.running);
	json_bool(w, "blocked", v->info.blocked);
	json_double(w, "cpu_seconds", v->info.cpu_time / 1e9);
	json_map(w, "hard_affinity", v->hard, cpus);
	json_map(w, "soft_affinity", v->soft, cpus);
	json_close_object(w);
}

static void print_vcpu(const char *name, domid_t domid, const struct vcpu *v, unsigned int cpus)
{
	char map[1024];

	printf("%-32s %5u %5u", name, domid, v->id);
	if (v->info.online)
		printf("%5u %3c%c- ", v->info.cpu, v->info.running ? 'r' : '-',
		       v->info.blocked ? 'b' : '-');
	else
		printf("%5c %3c%cp ", '-', '-', '-');
	printf("%9.1f  ", (float)v->info.cpu_time / 1e9);
	kl_bitmap_text(v->hard, cpus, map, sizeof(map));
	printf("%s / ", map);
	kl_bitmap_text(v->soft, cpus, map, sizeof(map));
	printf("%s\n", map);
}

/* A domain that goes away meanwhile is no error: the rest is printed. */
static int list_domain(struct kl *kl, const struct kl_snapshot *snap, unsigned int i,
		       unsigned int cpus, struct json_writer *w)
{
	domid_t domid = snap->info[i].domain;
	struct vcpu v;
	int err;

	for (v.id = 0; v.id <= snap->info[i].max_vcpu_id; v.id++) {
		memset(v.hard, 0, sizeof(v.hard));
		memset(v.soft, 0, sizeof(v.soft));
		err = ctl_getvcpuinfo(kl->ctl, domid, v.id, &v.info);
		if (!err)
			err = ctl_getvcpuaffinity(kl->ctl, domid, v.id, v.hard, v.soft,
						  sizeof(v.hard));
		if (err == -ESRCH || err == -EINVAL)
			break;
		if (err)
			return kl_check(kl, err, "cannot look at vcpu %u of domain %u", v.id,
					domid);
		if (kl->json)
			json_vcpu(w, kl_shown_name(snap, i), domid, &v, cpus);
		else
			print_vcpu(kl_shown_name(snap, i), domid, &v, cpus);
	}
	return KL_OK;
}

int cmd_vcpu_list(struct kl *kl, int argc, char **argv)
{
	struct xen_sysctl_physinfo host;
	struct json_writer w = { 0 };
	struct kl_snapshot snap;
	unsigned int i;
	int status;

	if (!kl_arguments(kl, argc, argv, 0))
		return kl->status;
	if (!kl_ctl(kl) || kl_check(kl, ctl_physinfo(kl->ctl, &host), "cannot ask for the host"))
		return KL_FAILED;
	status = optind < argc ? kl_snapshot_of(kl, argv + optind, argc - optind, &snap) :
		 kl_snapshot(kl, &snap);
	if (status)
		return status;
	status = kl_snapshot_names(kl, &snap);
	if (kl->json)
		json_open_array(&w, NULL);
	else
		printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State",
		       "Time(s)", "Affinity (Hard / Soft)");
	for (i = 0; i < snap.count && !status; i++)
		status = list_domain(kl, &snap, i, host.max_cpu_id + 1, &w);
	kl_snapshot_free(&snap);
	if (!kl->json)
		return status;
	json_close_array(&w);
	return kl_print_json(kl, &w) ? KL_FAILED : status;
}
