/* SPDX-License-Identifier: MIT */
/*
 * What the files of `kl top` share: its state from round to round, and its table.
 */
#ifndef KL_TOP_H
#define KL_TOP_H

#include "snapshot.h"

#define TOP_DISK_FIGURES 5

struct top {
	bool batch, full_names;
	unsigned int delay_ms;
	long rounds;			/* left; -1: for ever */
	struct kl_snapshot last;	/* of the round before */
	uint64_t last_ms;
	uint64_t host_kib, free_kib;
	unsigned int cpus, cpu_khz;
};

struct top_row {
	unsigned int index;	/* in the snapshot */
	double percent;		/* of a CPU, since the last round */
};

struct top_traffic {
	unsigned int cards, disks;
	bool counted;				/* some of the disks */
	uint64_t to_guest, from_guest;		/* bytes */
	uint64_t disk[TOP_DISK_FIGURES]; /* out of requests, reads, writes, sectors of both */
};

/* The one of @all, which are @s's domains; NULL: it is none of them. */
struct top_traffic *top_of_domain(const struct kl_snapshot *s, struct top_traffic *all,
				  unsigned int domid);

/*
 * Adds what our own backend's disks did, if its daemon tells (top_disks.c; its folder, for tests).
 */
void top_own_disks(const struct kl_snapshot *s, struct top_traffic *all);
extern const char *top_blkback_folder;

/* Prints @s in the order of @rows. KL_OK, or KL_FAILED and the user was told. */
int top_table(struct kl *kl, const struct top *t, const struct kl_snapshot *s,
	      const struct top_row *rows);

/*
 * A line of /proc/net/dev, if it is a guest's card: @figures are bytes and packets that the guest
 * has received, bytes and packets that it has sent (metrics_more.c).
 */
bool kl_parse_card(const char *line, unsigned int *domid, unsigned int *device,
		   uint64_t figures[4]);

#endif
