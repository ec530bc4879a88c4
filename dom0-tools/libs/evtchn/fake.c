/* SPDX-License-Identifier: MIT */
/*
 * Event channels of the fake hypervisor: ports of this process as domain 0, for tests. The contract
 * is tests/tools/fake_evtchn.h. Descriptors are eventfds: readable while a port is pending.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <fake_evtchn.h>
#include <fake_hypervisor.h>

#define NO_VIRQ (~0U)

struct fake_port {
	struct evtchn *owner;		/* NULL: free */
	domid_t remote;
	evtchn_port_t remote_port;	/* 0: unbound */
	unsigned int virq;
	bool pending, masked;
	unsigned int notified;
};

struct evtchn {
	int fd;
};

/* Entry 0 is no port. */
static struct fake_port ports[FAKE_HV_PORTS];

/* Makes the descriptor say whether a port waits. */
static void show(struct evtchn *evtchn)
{
	uint64_t one = 1;
	bool waiting = false;
	ssize_t done;

	for (unsigned int i = 1; i < FAKE_HV_PORTS; i++)
		waiting |= ports[i].owner == evtchn && ports[i].pending && !ports[i].masked;
	done = read(evtchn->fd, &one, sizeof(one));
	one = 1;
	if (waiting)
		done = write(evtchn->fd, &one, sizeof(one));
	(void)done;
}

int evtchn_open(struct evtchn **out)
{
	*out = calloc(1, sizeof(**out));
	assert(*out);
	(*out)->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert((*out)->fd >= 0);
	fake_hv_count_handle(1);
	return 0;
}

void evtchn_close(struct evtchn *evtchn)
{
	if (!evtchn)
		return;
	for (unsigned int i = 1; i < FAKE_HV_PORTS; i++)
		if (ports[i].owner == evtchn)
			memset(&ports[i], 0, sizeof(ports[i]));
	close(evtchn->fd);
	free(evtchn);
	fake_hv_count_handle(-1);
}

int evtchn_fd(const struct evtchn *evtchn)
{
	return evtchn->fd;
}

static int bind_port(struct evtchn *evtchn, struct fake_port wanted)
{
	int rc = fake_hv_step();

	if (rc)
		return rc;
	for (unsigned int i = 1; i < FAKE_HV_PORTS; i++) {
		if (ports[i].owner)
			continue;
		ports[i] = wanted;
		ports[i].owner = evtchn;
		return (int)i;
	}
	return -ENOSPC;
}

int evtchn_bind_unbound(struct evtchn *evtchn, domid_t remote)
{
	return bind_port(evtchn, (struct fake_port){ .remote = remote, .virq = NO_VIRQ });
}

int evtchn_bind_interdomain(struct evtchn *evtchn, domid_t remote, evtchn_port_t remote_port)
{
	struct fake_domain *domain = fake_hv_domain(remote);

	if (!domain || domain->dying)
		return -ESRCH;
	if (!remote_port || remote_port >= FAKE_HV_PORTS || !domain->port[remote_port].used ||
	    domain->port[remote_port].remote || fake_evtchn_bound(remote, remote_port))
		return -EINVAL;
	return bind_port(evtchn, (struct fake_port){ .remote = remote, .remote_port = remote_port,
						     .virq = NO_VIRQ });
}

int evtchn_bind_virq(struct evtchn *evtchn, unsigned int virq)
{
	for (unsigned int i = 1; i < FAKE_HV_PORTS; i++)
		if (ports[i].owner && ports[i].virq == virq)
			return -EEXIST;
	return bind_port(evtchn, (struct fake_port){ .virq = virq });
}

/* The port if it is @evtchn's. */
static struct fake_port *own(struct evtchn *evtchn, evtchn_port_t port)
{
	return port && port < FAKE_HV_PORTS && ports[port].owner == evtchn ? &ports[port] : NULL;
}

int evtchn_unbind(struct evtchn *evtchn, evtchn_port_t port)
{
	if (!own(evtchn, port))
		return -ENOTCONN;
	memset(&ports[port], 0, sizeof(ports[port]));
	show(evtchn);
	return 0;
}

int evtchn_notify(struct evtchn *evtchn, evtchn_port_t port)
{
	if (!own(evtchn, port))
		return -ENOTCONN;
	ports[port].notified++;
	return 0;
}

int evtchn_pending(struct evtchn *evtchn)
{
	for (unsigned int i = 1; i < FAKE_HV_PORTS; i++) {
		if (ports[i].owner != evtchn || !ports[i].pending || ports[i].masked)
			continue;
		ports[i].pending = false;
		ports[i].masked = true;
		show(evtchn);
		return (int)i;
	}
	return -EAGAIN;
}

int evtchn_unmask(struct evtchn *evtchn, evtchn_port_t port)
{
	if (!own(evtchn, port))
		return -EINVAL;
	ports[port].masked = false;
	show(evtchn);
	return 0;
}

/* ---- what tests see ---- */

void fake_evtchn_send(evtchn_port_t port)
{
	if (port >= FAKE_HV_PORTS || !ports[port].owner)
		return;
	ports[port].pending = true;
	show(ports[port].owner);
}

void fake_evtchn_virq(unsigned int virq)
{
	for (unsigned int i = 1; i < FAKE_HV_PORTS; i++)
		if (ports[i].owner && ports[i].virq == virq)
			fake_evtchn_send(i);
}

evtchn_port_t fake_evtchn_bound(domid_t remote, evtchn_port_t remote_port)
{
	for (unsigned int i = 1; i < FAKE_HV_PORTS; i++)
		if (ports[i].owner && ports[i].remote == remote && remote_port &&
		    ports[i].remote_port == remote_port)
			return i;
	return 0;
}

unsigned int fake_evtchn_notified(domid_t remote, evtchn_port_t remote_port)
{
	return ports[fake_evtchn_bound(remote, remote_port)].notified;
}

unsigned int fake_evtchn_ports(void)
{
	unsigned int count = 0;

	for (unsigned int i = 1; i < FAKE_HV_PORTS; i++)
		count += !!ports[i].owner;
	return count;
}

int evtchn_pending_all(struct evtchn *evtchn, evtchn_port_t *list, unsigned int room)
{
	unsigned int n = 0;

	while (n < room) {
		int port = evtchn_pending(evtchn);

		if (port < 0)
			return n ? (int)n : port;
		list[n++] = (evtchn_port_t)port;
	}
	return (int)n;
}

int evtchn_unmask_all(struct evtchn *evtchn, const evtchn_port_t *list, unsigned int count)
{
	int rc = 0;

	for (unsigned int i = 0; i < count && !rc; i++)
		rc = evtchn_unmask(evtchn, list[i]);
	return rc;
}
