/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own console, logged like a guest's: hypervisor.log, fed by VIRQ_CON_RING.
 *
 * Where we are in its ring is kept in the shared-memory record, so that a restart repeats nothing.
 */
#include <stdio.h>
#include <string.h>
#include "consoled.h"
#include <tools/kill_point.h>

static const uint8_t no_handle[16];

static void read_ring(struct daemon *daemon)
{
	struct inflight *record = daemon->record;
	char bytes[RING_OUT_BYTES];
	int n;

	for (;;) {
		uint32_t index = record->hypervisor;

		n = ctl_readconsole(daemon->ctl, bytes, sizeof(bytes), false, true, &index);
		if (n <= 0)
			return;
		spool_append_inflight(daemon->hypervisor_log, &daemon->options.hypervisor_limits,
				      record, bytes, (uint32_t)n, DOMID_XEN, no_handle, index);
		record->hypervisor = index;
		kill_point();
		spool_landed(record);
	}
}

int hypervisor_start(struct daemon *daemon)
{
	char path[SPOOL_PATH];

	snprintf(path, sizeof(path), "%s/hypervisor.log", daemon->options.hypervisor_dir);
	daemon->hypervisor_log = spool_get(&daemon->spools, path);
	if (!daemon->hypervisor_log)
		return -1;
	daemon->hypervisor_port = -1;
	if (!hypervisor_bind(daemon))
		port_note("cannot follow the hypervisor's console yet");
	return 0;
}

bool hypervisor_bind(struct daemon *daemon)
{
	if (daemon->hypervisor_log && daemon->hypervisor_port < 0) {
		/* Only one process of dom0 has it: a dying predecessor may still do. */
		daemon->hypervisor_port = evtchn_bind_virq(daemon->evtchn, VIRQ_CON_RING);
		daemon->retries |= daemon->hypervisor_port < 0;
		read_ring(daemon);
	}
	return daemon->hypervisor_port >= 0;
}

void hypervisor_event(struct daemon *daemon)
{
	read_ring(daemon);
	evtchn_unmask(daemon->evtchn, (evtchn_port_t)daemon->hypervisor_port);
}
