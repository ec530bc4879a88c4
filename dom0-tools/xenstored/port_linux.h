/* SPDX-License-Identifier: MIT */
/*
 * What port_linux.c and worker.c share: the worker's handles.
 */
#ifndef XENSTORED_PORT_LINUX_H
#define XENSTORED_PORT_LINUX_H

#include <tools/ctl.h>
#include <tools/evtchn.h>
#include <tools/foreignmemory.h>
#include <tools/gnttab.h>
#include "linux.h"
#include "port.h"

struct port {
	const struct options *options;
	struct xsd x;
	int epoll;
	int log_fd;
	int ready_fd;			/* worker_run()'s */
	struct evtchn *evtchn;
	struct gnttab *gnttab;
	struct foreignmemory *fm;	/* opened when a grant cannot be mapped */
	struct ctl *ctl;
	int virq;			/* local port of VIRQ_DOM_EXC */
	uint16_t *domid_of;		/* by local port */
	unsigned int domid_room;
	unsigned int sockets;
	struct xen_domctl_getdomaininfo *snapshot;
	unsigned int snapshot_count;
	bool snapshot_valid;
};

/* Opens what a hypervisor needs: event channels, grants, control. -errno. */
int port_open_xen(struct port *p);
void port_open_log(struct port *p);

#define EVENT_LISTEN	0xffffffffu
#define EVENT_EVTCHN	0xfffffffeu

#endif
