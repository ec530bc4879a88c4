/* SPDX-License-Identifier: MIT */
/*
 * What the store daemon asks of the system beneath: one implementation for Linux on a hypervisor
 * (port_linux.c), one for tests.
 */
#ifndef XENSTORED_PORT_H
#define XENSTORED_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <xen/xen.h>
#include <xen/io/xs_wire.h>

struct port;

uint64_t port_now_ms(struct port *p);
void port_log(struct port *p, const char *line);
/* "on", "off" or a file's name. */
void port_log_to(struct port *p, const char *where);

#define DOMAIN_EXISTS	1
#define DOMAIN_SHUTDOWN	2
#define DOMAIN_DYING	4
/* DOMAIN_ bits of a domain as the hypervisor sees it now; 0: no such domain. */
unsigned int port_domain_state(struct port *p, unsigned int domid);
/* The next answers of port_domain_state() may come from one look at all, until the end. */
void port_domains_snapshot(struct port *p, bool begin);

/* The ring's page of a domain (dom0's own for 0). -errno. */
int port_ring_map(struct port *p, unsigned int domid, uint64_t frame,
		  struct xenstore_domain_interface **ring);
void port_ring_unmap(struct port *p, unsigned int domid, struct xenstore_domain_interface *ring);
/* Event channel to @remote_port of the domain: local port or -errno. */
int port_bind(struct port *p, unsigned int domid, uint32_t remote_port);
void port_unbind(struct port *p, int local);
void port_notify(struct port *p, int local);

/* One message, never blocking; the count of bytes also stands in @m->msg_len then. -errno. */
int port_recv(struct port *p, int fd, struct mmsghdr *m);
int port_send(struct port *p, int fd, struct mmsghdr *m);
#define WANT_READ	1
#define WANT_WRITE	2
/* Which conditions of a connection's socket call conn_work(); @add for a new one. */
void port_socket_watch(struct port *p, int fd, uint32_t slot, unsigned int wants, bool add);
void port_socket_close(struct port *p, int fd);

/* Resident bytes of this process, for reports. */
unsigned long port_memory(struct port *p);

#endif
