/* SPDX-License-Identifier: MIT */
/*
 * The verbs that print a line per domain from what the hypervisor tells: list, claims, sharing,
 * vm-list. Programs take these tables apart by columns, so widths and headings are xl's. With more
 * than a name, id and state (list -l) the configuration comes from libs/light.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include <tools/light.h>
#include "cpupools.h"
#include "snapshot.h"

#define NODE_BYTES 8	/* nodes asked for: 64 */
#define DOMAIN_HEADING "Name                                        ID   Mem "

struct list_options {
	bool details, verbose, context, claims, pools, numa;
	unsigned int nodes;
	void (*print)(const struct kl_snapshot *snap);	/* another table than list's */
};

/* Reasons as letters; index: SHUTDOWN_*. */
static const char reason_letters[] = "-rscwS";
static const char *const reason_names[] = {
	"poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset"
};

static unsigned int shutdown_reason(const struct xen_domctl_getdomaininfo *d)
{
	if (!(d->flags & XEN_DOMINF_shutdown))
		return 0;
	return d->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

static unsigned long shown_mib(const struct xen_domctl_getdomaininfo *d)
{
	return PAGES_TO_KIB(d->tot_pages + d->outstanding_pages) / 1024;
}

static void state_letters(const struct xen_domctl_getdomaininfo *d, char text[7])
{
	unsigned int reason = shutdown_reason(d);

	text[0] = d->flags & XEN_DOMINF_running ? 'r' : '-';
	text[1] = d->flags & XEN_DOMINF_blocked ? 'b' : '-';
	text[2] = d->flags & XEN_DOMINF_paused ? 'p' : '-';
	text[3] = d->flags & XEN_DOMINF_shutdown ? 's' : '-';
	text[4] = reason < sizeof(reason_letters) - 1 ? reason_letters[reason] : '?';
	text[5] = d->flags & XEN_DOMINF_dying ? 'd' : '-';
	text[6] = '\0';
}

static void nodes_text(struct kl *kl, domid_t domid, unsigned int nodes, char *text, size_t room)
{
	uint8_t *map = call_alloc(ctl_call(kl->ctl), NODE_BYTES);
	struct xen_domctl op = { .cmd = XEN_DOMCTL_getnodeaffinity, .domain = domid };

	snprintf(text, room, "?");
	if (!map)
		return;
	set_xen_guest_handle(op.u.nodeaffinity.nodemap.bitmap, map);
	op.u.nodeaffinity.nodemap.nr_bits = NODE_BYTES * 8;
	if (!ctl_domctl(kl->ctl, &op))
		kl_bitmap_text(map, nodes < NODE_BYTES * 8 ? nodes : NODE_BYTES * 8, text, room);
	call_free(ctl_call(kl->ctl), map, NODE_BYTES);
}

static void print_row(struct kl *kl, const struct kl_snapshot *snap, unsigned int i,
		      const struct list_options *o, const struct kl_pools *pools)
{
	const struct xen_domctl_getdomaininfo *d = &snap->info[i];
	char state[7], text[256];

	state_letters(d, state);
	printf("%-40s %5d %5lu %5d     %s  %8.1f", kl_shown_name(snap, i), d->domain, shown_mib(d),
	       d->nr_online_vcpus, state, (float)d->cpu_time / 1e9);
	if (o->verbose) {
		kl_uuid_text(d->handle, text);
		printf(" %s", text);
		if (d->flags & XEN_DOMINF_shutdown)
			printf(" %8x", shutdown_reason(d));
		else
			printf(" %8s", "-");
	}
	if (o->claims)
		printf(" %5lu", (unsigned long)(PAGES_TO_KIB(d->outstanding_pages) / 1024));
	if (o->verbose || o->context)
		printf(" %16s", "-");	/* labels are Flask's, which is not there */
	if (o->pools)
		printf("%16s", kl_pool_name(pools, d->cpupool));
	if (o->numa) {
		nodes_text(kl, d->domain, o->nodes, text, sizeof(text));
		printf(" %s", text);
	}
	putchar('\n');
}

static void print_heading(const struct list_options *o)
{
	fputs(DOMAIN_HEADING "VCPUs\tState\tTime(s)", stdout);
	if (o->verbose)
		fputs("   UUID                            Reason-Code\tSecurity Label", stdout);
	else if (o->context)
		fputs("   Security Label", stdout);
	if (o->claims)
		fputs("  Claimed", stdout);
	if (o->pools)
		fputs("         Cpupool", stdout);
	if (o->numa)
		fputs(" NODE Affinity", stdout);
	putchar('\n');
}

static void json_row(struct json_writer *w, const struct kl_snapshot *snap, unsigned int i,
		     const struct list_options *o, const struct kl_pools *pools)
{
	const struct xen_domctl_getdomaininfo *d = &snap->info[i];
	unsigned int reason = shutdown_reason(d);
	char text[40];

	json_open_object(w, NULL);
	json_string(w, "name", snap->names[i] ? snap->names[i] : d->domain ? NULL : "Domain-0");
	json_int(w, "domid", d->domain);
	kl_uuid_text(d->handle, text);
	json_string(w, "uuid", text);
	json_uint(w, "memory_kib", PAGES_TO_KIB(d->tot_pages));
	json_uint(w, "max_memory_kib", d->max_pages > UINT64_MAX >> 2 ? UINT64_MAX >> 1 :
		  PAGES_TO_KIB(d->max_pages));
	json_uint(w, "claimed_kib", PAGES_TO_KIB(d->outstanding_pages));
	json_uint(w, "shared_kib", PAGES_TO_KIB(d->shr_pages));
	json_int(w, "vcpus_online", d->nr_online_vcpus);
	json_int(w, "vcpus_max", d->max_vcpu_id + 1);
	json_double(w, "cpu_seconds", d->cpu_time / 1e9);
	state_letters(d, text);
	json_string(w, "state", text);
	json_bool(w, "running", d->flags & XEN_DOMINF_running);
	json_bool(w, "blocked", d->flags & XEN_DOMINF_blocked);
	json_bool(w, "paused", d->flags & XEN_DOMINF_paused);
	json_bool(w, "dying", d->flags & XEN_DOMINF_dying);
	json_bool(w, "shutdown", d->flags & XEN_DOMINF_shutdown);
	json_string(w, "shutdown_reason", !(d->flags & XEN_DOMINF_shutdown) ? NULL :
		    reason < 6 ? reason_names[reason] : "unknown");
	json_string(w, "cause", snap->causes[i]);
	json_int(w, "cpupool", d->cpupool);
	if (o->pools)
		json_string(w, "cpupool_name", kl_pool_name(pools, d->cpupool));
	json_close_object(w);
}

static int print_table(struct kl *kl, const struct kl_snapshot *snap, const struct list_options *o)
{
	struct kl_pools pools = { 0 };
	struct json_writer w = { 0 };
	unsigned int i;

	if (o->pools && kl_pools_read(kl, &pools))
		return KL_FAILED;
	if (kl->json)
		json_open_array(&w, NULL);
	else
		print_heading(o);
	for (i = 0; i < snap->count; i++) {
		if (kl->json)
			json_row(&w, snap, i, o, &pools);
		else
			print_row(kl, snap, i, o, &pools);
	}
	kl_pools_free(&pools);
	if (!kl->json)
		return KL_OK;
	json_close_array(&w);
	return kl_print_json(kl, &w);
}

/* One domain of list -l: its configuration, or an empty one where there is none to be had. */
static char *details_text(struct kl *kl, domid_t domid)
{
	struct light_config config;
	char *text = NULL;
	int err;

	light_config_init(&config);
	err = light_domain_config(kl->light, domid, &config, NULL);
	if (!err || err == -ENOENT)
		text = kl->light->defaults.output_sxp && !kl->json ?
			light_config_to_sxp(&config, domid) : light_config_to_json(&config, domid);
	else
		kl_note(kl, "domain %u: no configuration: %s", domid, strerror(-err));
	light_config_free(&config);
	return text;
}

/* The scheduler's parameters as they are now, whatever the configuration says. */
static void live_scheduler(struct kl *kl, const struct xen_domctl_getdomaininfo *d,
			   struct json_value *tree, const struct kl_pools *pools)
{
	struct json_value *build = json_member(json_member(tree, "config"), "b_info");
	struct json_value *params = json_member(build, "sched_params");
	struct xen_domctl_scheduler_op op = { 0 };
	unsigned int i;

	for (i = 0; i < pools->count; i++)
		if (pools->list[i].id == d->cpupool)
			op.sched_id = pools->list[i].sched;
	if (!params || !op.sched_id || ctl_sched_get(kl->ctl, d->domain, &op))
		return;
	json_free(params->child);
	params->child = NULL;
	json_set_string(params, "sched", kl_scheduler_name(op.sched_id));
	if (op.sched_id == XEN_SCHEDULER_CREDIT || op.sched_id == XEN_SCHEDULER_CREDIT2) {
		bool one = op.sched_id == XEN_SCHEDULER_CREDIT;

		json_set_int(params, "weight", one ? op.u.credit.weight : op.u.credit2.weight);
		json_set_int(params, "cap", one ? op.u.credit.cap : op.u.credit2.cap);
	}
}

static int print_details(struct kl *kl, const struct kl_snapshot *snap)
{
	struct json_writer w = { 0 };
	struct kl_pools pools;
	bool sxp;
	unsigned int i;

	if (!kl_light(kl) || kl_pools_read(kl, &pools))
		return KL_FAILED;
	sxp = kl->light->defaults.output_sxp && !kl->json;
	json_open_array(&w, NULL);
	for (i = 0; i < snap->count; i++) {
		char *text = details_text(kl, snap->info[i].domain);
		struct json_value *tree;

		if (!text)
			continue;
		if (sxp) {
			fputs(text, stdout);
			free(text);
			continue;
		}
		tree = json_parse(text, strlen(text), NULL);
		if (tree) {
			live_scheduler(kl, &snap->info[i], tree, &pools);
			json_write(&w, NULL, tree);
		}
		json_free(tree);
		free(text);
	}
	kl_pools_free(&pools);
	json_close_array(&w);
	if (sxp) {
		strbuf_free(&w.out);
		return KL_OK;
	}
	/* xl ends the text with one line more than its generator. */
	strbuf_add(&w.out, "\n", 1);
	return kl_print_json(kl, &w);
}

static int list_some(struct kl *kl, int argc, char **argv, struct list_options *o)
{
	struct kl_snapshot snap;
	int status;

	if (argc - optind > 1)
		return kl_misuse(kl, KL_FAILED, "'%s %s' takes one domain.", kl->program,
				 kl->command->name);
	status = argc > optind ? kl_snapshot_of(kl, argv + optind, 1, &snap) :
				 kl_snapshot(kl, &snap);
	if (status)
		return status;
	if (o->numa) {
		struct xen_sysctl_physinfo host;

		status = kl_check(kl, ctl_physinfo(kl->ctl, &host), "cannot ask for the host");
		o->nodes = status ? 0 : host.nr_nodes;
	}
	/* Without names the rest is still worth printing. */
	if (!status)
		status = kl_snapshot_names(kl, &snap);
	if (snap.names && snap.causes) {
		int printed = KL_OK;

		if (o->print && !kl->json)
			o->print(&snap);
		else
			printed = o->details ? print_details(kl, &snap) : print_table(kl, &snap, o);
		status = status ? status : printed;
	}
	kl_snapshot_free(&snap);
	return status;
}

int cmd_list(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "long", 0, NULL, 'l' }, { "verbose", 0, NULL, 'v' }, { "context", 0, NULL, 'Z' },
		{ "cpupool", 0, NULL, 'c' }, { "numa", 0, NULL, 'n' }, { 0 }
	};
	struct list_options o = { 0 };
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "lvZcn", longs, 0)) >= 0) {
		o.details |= opt == 'l';
		o.verbose |= opt == 'v';
		o.context |= opt == 'Z';
		o.pools |= opt == 'c';
		o.numa |= opt == 'n';
	}
	if (opt == KL_STOP)
		return kl->status;
	return list_some(kl, argc, argv, &o);
}

int cmd_claims(struct kl *kl, int argc, char **argv)
{
	struct list_options o = { .claims = true };

	if (!kl_arguments(kl, argc, argv, 0))
		return kl->status;
	if (kl_light(kl) && !kl->light->defaults.claim_mode)
		kl_warn(kl, "claim_mode not enabled (see man xl.conf).");
	return list_some(kl, optind, argv, &o);
}

static void print_sharing(const struct kl_snapshot *snap)
{
	puts(DOMAIN_HEADING "Shared");
	for (unsigned int i = 0; i < snap->count; i++)
		printf("%-40s %5d %5lu  %5lu\n", kl_shown_name(snap, i), snap->info[i].domain,
		       shown_mib(&snap->info[i]),
		       (unsigned long)(PAGES_TO_KIB(snap->info[i].shr_pages) / 1024));
}

int cmd_sharing(struct kl *kl, int argc, char **argv)
{
	struct list_options o = { .print = print_sharing };

	return kl_arguments(kl, argc, argv, 0) ? list_some(kl, argc, argv, &o) : kl->status;
}

static void print_uuids(const struct kl_snapshot *snap)
{
	puts("UUID                                  ID    name");
	for (unsigned int i = 0; i < snap->count; i++) {
		char uuid[37];

		kl_uuid_text(snap->info[i].handle, uuid);
		printf("%s  %d    %-30s\n", uuid, snap->info[i].domain, kl_shown_name(snap, i));
	}
}

int cmd_vm_list(struct kl *kl, int argc, char **argv)
{
	struct list_options o = { .print = print_uuids };

	return kl_arguments(kl, argc, argv, 0) ? list_some(kl, optind, argv, &o) : kl->status;
}
