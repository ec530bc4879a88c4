/* SPDX-License-Identifier: MIT */
/*
 * The table of `kl top`, as xentop prints it with -b: scripts read its columns. Cards are counted
 * by their interfaces, the kernel's disks by their folders in sysfs, our own backend's by its
 * daemon (top_disks.c). A disk without figures is a "-", as xentop's.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/sched.h>
#include "top.h"

#define DISKS		"/sys/bus/xen-backend/devices"
#define OWN_DISKS	"/local/domain/0/backend/qblk"

struct top_traffic *top_of_domain(const struct kl_snapshot *s, struct top_traffic *all,
				  unsigned int domid)
{
	for (unsigned int i = 0; i < s->count; i++)
		if (s->info[i].domain == domid)
			return &all[i];
	return NULL;
}

static void read_cards(const struct kl_snapshot *s, struct top_traffic *all)
{
	FILE *f = fopen("/proc/net/dev", "re");
	unsigned int domid, device;
	struct top_traffic *t;
	uint64_t figures[4];
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (!kl_parse_card(line, &domid, &device, figures) ||
		    !(t = top_of_domain(s, all, domid)))
			continue;
		t->cards++;
		t->to_guest += figures[0];
		t->from_guest += figures[2];
	}
	if (f)
		fclose(f);
}

static bool read_figure(const char *disk, const char *what, uint64_t *value)
{
	char path[160];
	bool found;
	FILE *f;

	snprintf(path, sizeof(path), DISKS "/%.40s/statistics/%s", disk, what);
	f = fopen(path, "re");
	found = f && fscanf(f, "%" SCNu64, value) == 1;
	if (f)
		fclose(f);
	return found;
}

static void read_disks(const struct kl_snapshot *s, struct top_traffic *all)
{
	static const char *const names[TOP_DISK_FIGURES] = { "oo_req", "rd_req", "wr_req",
							     "rd_sect", "wr_sect" };
	DIR *folder = opendir(DISKS);
	const struct dirent *entry;
	struct top_traffic *t;
	unsigned int domid;
	uint64_t value;

	while (folder && (entry = readdir(folder))) {
		if (sscanf(entry->d_name, "vbd-%u-", &domid) != 1 ||
		    !(t = top_of_domain(s, all, domid)))
			continue;
		t->disks++;
		for (unsigned int i = 0; i < TOP_DISK_FIGURES; i++)
			if (read_figure(entry->d_name, names[i], &value)) {
				t->disk[i] += value;
				t->counted = true;
			}
	}
	if (folder)
		closedir(folder);
}

/* Disks of our own backend, from the store; none if it does not answer. */
static void read_own_disks(struct kl *kl, const struct kl_snapshot *s, struct top_traffic *all)
{
	char path[64], **names;
	int count, any = 0;

	for (unsigned int i = 0; kl->store && i < s->count; i++) {
		snprintf(path, sizeof(path), OWN_DISKS "/%u", s->info[i].domain);
		count = store_list(kl->store, 0, path, &names);
		if (count < 0)
			continue;
		all[i].disks += count;
		any |= count;
		free(names);
	}
	if (any)
		top_own_disks(s, all);
}

static bool crashed(const struct xen_domctl_getdomaininfo *d)
{
	return (d->flags & XEN_DOMINF_shutdown) &&
	       (d->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask) == SHUTDOWN_crash;
}

static void print_summary(struct kl *kl, const struct top *t, const struct kl_snapshot *s)
{
	unsigned int in[6] = { 0 };	/* running, blocked, paused, crashed, dying, shut down */
	int version = ctl_version(kl->ctl, XENVER_version, NULL, 0);
	xen_extraversion_t extra = "";
	char now[16] = "";
	time_t seconds = time(NULL);
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(now, sizeof(now), "%H:%M:%S", &tm);
	ctl_version(kl->ctl, XENVER_extraversion, &extra, sizeof(extra));
	for (unsigned int i = 0; i < s->count; i++) {
		const struct xen_domctl_getdomaininfo *d = &s->info[i];

		in[d->flags & XEN_DOMINF_running ? 0 : d->flags & XEN_DOMINF_blocked ? 1 :
		   d->flags & XEN_DOMINF_paused ? 2 : crashed(d) ? 3 :
		   d->flags & XEN_DOMINF_shutdown ? 5 : 4]++;
	}
	printf("xentop - %s   Xen %d.%d%.*s\n", now, version >> 16, version & 0xffff,
	       (int)sizeof(extra), extra);
	printf("%u domains: %u running, %u blocked, %u paused, %u crashed, %u dying, %u shutdown \n",
	       s->count, in[0], in[1], in[2], in[3], in[4], in[5]);
	printf("Mem: %" PRIu64 "k total, %" PRIu64 "k used, %" PRIu64
	       "k free    CPUs: %u @ %uMHz\n",
	       t->host_kib, t->host_kib - t->free_kib, t->free_kib, t->cpus, t->cpu_khz / 1000);
}

static void print_memory(const struct top *t, const struct xen_domctl_getdomaininfo *d)
{
	uint64_t kib = PAGES_TO_KIB(d->tot_pages), most = PAGES_TO_KIB(d->max_pages);
	double host = t->host_kib ? t->host_kib : 1;

	printf(" %10" PRIu64 " %6.1f", kib, 100.0 * kib / host);
	if (d->max_pages >= UINT32_MAX)
		printf(" %10s %9s", "no limit", "n/a");
	else
		printf(" %10" PRIu64 " %9.1f", most, 100.0 * most / host);
}

static void print_traffic(const struct top_traffic *f)
{
	static const int width[TOP_DISK_FIGURES] = { 8, 8, 8, 10, 10 };

	printf(" %4u %8" PRIu64 " %8" PRIu64 " %4u", f->cards, f->to_guest / 1024,
	       f->from_guest / 1024, f->disks);
	for (unsigned int i = 0; i < TOP_DISK_FIGURES; i++)
		if (f->disks && !f->counted)
			printf(" %*c", width[i], '-');
		else
			printf(" %*" PRIu64, width[i], f->disk[i]);
}

int top_table(struct kl *kl, const struct top *t, const struct kl_snapshot *s,
	      const struct top_row *rows)
{
	struct top_traffic *all = calloc(s->count + 1, sizeof(*all));
	int name = 10;

	if (!all)
		return kl_check(kl, -ENOMEM, "cannot print the table");
	read_cards(s, all);
	read_disks(s, all);
	read_own_disks(kl, s, all);
	for (unsigned int i = 0; t->full_names && i < s->count; i++)
		if ((int)strlen(kl_shown_name(s, i)) > name)
			name = strlen(kl_shown_name(s, i));
	print_summary(kl, t, s);
	printf("%*s  STATE   CPU(sec) CPU(%%)     MEM(k) MEM(%%)  MAXMEM(k) MAXMEM(%%) VCPUS NETS NETTX(k) "
	       "NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID\n",
	       name, "NAME");
	for (unsigned int i = 0; i < s->count; i++) {
		const struct xen_domctl_getdomaininfo *d = &s->info[rows[i].index];
		unsigned int f = d->flags;

		printf("%*.*s %c%c%c%c%c%c %10" PRIu64 " %6.1f", name, name,
		       kl_shown_name(s, rows[i].index), f & XEN_DOMINF_dying ? 'd' : '-',
		       f & XEN_DOMINF_shutdown && !crashed(d) ? 's' : '-',
		       f & XEN_DOMINF_blocked ? 'b' : '-', crashed(d) ? 'c' : '-',
		       f & XEN_DOMINF_paused ? 'p' : '-', f & XEN_DOMINF_running ? 'r' : '-',
		       (uint64_t)d->cpu_time / 1000000000, rows[i].percent);
		print_memory(t, d);
		printf(" %5u", d->max_vcpu_id + 1);
		print_traffic(&all[rows[i].index]);
		printf(" %4u\n", d->ssidref);
	}
	free(all);
	return KL_OK;
}
