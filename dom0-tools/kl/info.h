/* SPDX-License-Identifier: MIT */
/*
 * What info.c and info_numa.c share.
 */
#ifndef KL_INFO_H
#define KL_INFO_H

#include <tools/json.h>
#include "cpupools.h"

#define KL_INFO_CPUS (8 * KL_CPU_BYTES)
#define KL_INFO_NODES 64

/* Prints CPUs, devices and nodes (kl info -n), into @w with --json. KL_OK or KL_FAILED. */
int kl_info_topology(struct kl *kl, struct json_writer *w);

#endif
