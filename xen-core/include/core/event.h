/* SPDX-License-Identifier: MIT */
/* Event channels: 2-level and FIFO ports, virqs, ipis, pirqs, interdomain. Prefix evtchn_. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <core/domain.h>
#include <xen/event_channel.h>

int evtchn_init(struct domain *d, unsigned int max_port);
/* Closes every port: -ERESTART when preempted, 0 done. The domain is dying. */
int evtchn_destroy(struct domain *d);
void evtchn_destroy_final(struct domain *d);	/* frees the memory; nobody looks any more */
int evtchn_reset(struct domain *d, bool resuming);

/* A virq for a vcpu, or a global one (sent to the vcpu it was bound on). Any context. */
void send_guest_vcpu_virq(struct vcpu *v, unsigned int virq);
void send_guest_global_virq(struct domain *d, unsigned int virq);
/*
 * The same for whichever domain handles that global virq (dom0 by default;
 * set_virq_handler domctl).
 */
void send_global_virq(unsigned int virq);
int set_global_virq_handler(struct domain *d, unsigned int virq);
void clear_global_virq_handlers(struct domain *d);
/* An interrupt arrived for d's pirq; true if it was masked or already pending. Any context. */
bool send_guest_pirq(struct domain *d, unsigned int pirq);
/* From the hypervisor to a port of d. 0 or -errno. Any context. */
int evtchn_send(struct domain *ld, unsigned int lport);
/* Is a port of d pending: 1, 0 (also if it is free), -EINVAL no such port. For SCHEDOP_poll. */
int evtchn_port_poll(struct domain *d, unsigned int port);
bool evtchn_is_pending(const struct domain *d, unsigned int port);
bool evtchn_is_masked(const struct domain *d, unsigned int port);
int evtchn_unmask(unsigned int port);
int evtchn_bind_vcpu(unsigned int port, unsigned int vcpu_id);
void evtchn_move_pirqs(struct vcpu *v);
bool evtchn_virq_enabled(const struct vcpu *v, unsigned int virq);
/* After register_vcpu_info: all selector bits set so that nothing is lost. */
void evtchn_vcpu_info_moved(struct vcpu *v);

/* Marks the pages of d's FIFO queues, which are written at any time (core/log_dirty.h). */
void evtchn_mark_pages(struct domain *d);

/* Debug key 'e'. */
void events_dump(unsigned char key);

/* The port that a pirq of d is bound to, kept in struct pirq by arch. */
struct pirq;

#endif
