/* SPDX-License-Identifier: MIT */
/*
 * A creation under way, shared by the files that make a domain.
 */
#ifndef LIGHT_CREATE_H
#define LIGHT_CREATE_H

#include <tools/guest.h>
#include "domain.h"

struct creation {
	struct light *light;
	struct light_create *create;
	struct light_config run; /* the configuration with everything filled in */
	struct tools_error *error;

	struct marker marker;
	int lock; /* the tool's, while memory and name are being taken */
	uint32_t domid; /* 0: none yet */
	uint32_t poolid;
	uint8_t grant_version;
	domid_t store_domid, console_domid;
	evtchn_port_t store_port, console_port;
	xen_pfn_t store_mfn, console_mfn;
	struct boot_files boot;
	const char *kernel, *ramdisk, *cmdline; /* what is booted: of the boot loader or of run */
	struct disk_backing *backings; /* one for each disk */
	bool *late; /* for each disk: touched only when a stream has ended */
	struct group devices;
	struct guest_image kernel_image, ramdisk_image;
	bool claimed;
};

/* Defaults and everything that can be wrong before a domain exists (prepare.c). */
int creation_prepare(struct creation *c);
/* Limits, affinity, scheduling, time: what the hypervisor is told (limits.c). */
int creation_limits(struct creation *c);
/* Nodes that exist before it is built, and after, with those of late disks (create_nodes.c). */
int creation_first_nodes(struct creation *c);
int creation_last_nodes(struct creation *c);

#endif
