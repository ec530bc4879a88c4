/* SPDX-License-Identifier: MIT */
/*
 * Event channels of this domain, through /dev/xen/evtchn. A handle owns the ports bound through it;
 * closing it (or dying) closes them.
 *
 * Loop: poll evtchn_fd() for reading, evtchn_pending(), work, evtchn_unmask() of that port.
 */
#ifndef TOOLS_EVTCHN_H
#define TOOLS_EVTCHN_H

#include <stdint.h>
#include <xen/event_channel.h>

struct evtchn;

int evtchn_open(struct evtchn **out);
void evtchn_close(struct evtchn *evtchn);
int evtchn_fd(const struct evtchn *evtchn);

/* Each returns the local port (positive) or -errno. */
int evtchn_bind_unbound(struct evtchn *evtchn, domid_t remote);
int evtchn_bind_interdomain(struct evtchn *evtchn, domid_t remote, evtchn_port_t remote_port);
int evtchn_bind_virq(struct evtchn *evtchn, unsigned int virq);

int evtchn_unbind(struct evtchn *evtchn, evtchn_port_t port);
int evtchn_notify(struct evtchn *evtchn, evtchn_port_t port);

/* The next pending port, which is masked until evtchn_unmask(); -EAGAIN: none (never blocks). */
int evtchn_pending(struct evtchn *evtchn);
int evtchn_unmask(struct evtchn *evtchn, evtchn_port_t port);

/* The same for many: up to @room pending ports at once; their number, or -EAGAIN: none. */
int evtchn_pending_all(struct evtchn *evtchn, evtchn_port_t *ports, unsigned int room);
int evtchn_unmask_all(struct evtchn *evtchn, const evtchn_port_t *ports, unsigned int count);

#endif
