/* SPDX-License-Identifier: MIT */
/*
 * Event channels and grants of the fake hypervisor, behind tools/evtchn.h and tools/gnttab.h: link
 * dom0-tools/libs/evtchn/fake.c and dom0-tools/libs/gnttab/fake.c beside what fake_hypervisor.h
 * names.
 *
 * This process is domain 0. Others' ends are the test's: it sends to our ports and asks what we
 * sent.
 */
#ifndef TESTS_TOOLS_FAKE_EVTCHN_H
#define TESTS_TOOLS_FAKE_EVTCHN_H

#include <tools/evtchn.h>

/* Makes @port of ours pending at its handle; does nothing if it is not bound. */
void fake_evtchn_send(evtchn_port_t port);
/* The same for whoever has bound @virq. */
void fake_evtchn_virq(unsigned int virq);
/* How often @remote's @remote_port was notified by us since it was bound; 0 if it is not bound. */
unsigned int fake_evtchn_notified(domid_t remote, evtchn_port_t remote_port);
/* Our port bound to @remote's @remote_port; 0: none. */
evtchn_port_t fake_evtchn_bound(domid_t remote, evtchn_port_t remote_port);
unsigned int fake_evtchn_ports(void);		/* of ours, bound */

/* Grants of domain 0 to others, by gnttab_share(). */
unsigned int fake_gnttab_shared(void);
/* The page behind a reference of ours, NULL: not granted to @domid. */
void *fake_gnttab_page(domid_t domid, unsigned int ref);

#endif
