/* SPDX-License-Identifier: MIT */
/*
 * What create and restore have in common: the options that say how a new domain starts, and what is
 * done once it runs.
 */
#ifndef KL_STARTING_H
#define KL_STARTING_H

#include "kl.h"

struct starting {
	bool console, debug, foreground, no_monitor, paused, viewer;
};

/* Takes a letter of kl_getopt(); false: not one of these (c d e p A F V). */
bool starting_option(struct starting *s, int opt);
/* Before: what is not to be had is told. */
void starting_warn(struct kl *kl, const struct starting *s);
/* Once @domid runs: its console, then (or) staying until it is over. The verb's status. */
int starting_stay(struct kl *kl, const struct starting *s, uint32_t domid);

#endif
