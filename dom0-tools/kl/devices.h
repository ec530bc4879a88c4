/* SPDX-License-Identifier: MIT */
/*
 * kl: what the verbs about devices of running domains share.
 */
#ifndef KL_DEVICES_H
#define KL_DEVICES_H

#include <tools/json.h>
#include <tools/light.h>
#include "kl.h"

/* The words of a verb behind its domain, and the domain. */
struct device_call {
	struct kl *kl;
	struct light_parse how; /* for what is told on the command line */
	const char *const *words;
	unsigned int count;
	domid_t domid;
};

/*
 * Runs a verb that changes a device: its options (@shorts, @longs; -f sets kl->force), its domain
 * (of @required words the first), then @act, which may be interrupted. The status to return.
 */
int change_device(struct kl *kl, int argc, char **argv, const char *shorts,
		  const struct option *longs, int required,
		  int (*act)(struct device_call *call, struct tools_error *error));

struct device_listing {
	const char *kind;	/* of the store: "vbd" */
	const char *what;	/* for messages: "disks" */
	const char *heading;	/* line of titles */
	void (*line)(const struct light_device *device);
	void (*members)(const struct light_device *device, struct json_writer *w);
};

/* Runs a verb that lists the devices of the domains named; those that cannot be are told of. */
int list_devices(struct kl *kl, int argc, char **argv, const struct device_listing *listing);

#endif
