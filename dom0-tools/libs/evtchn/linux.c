/* SPDX-License-Identifier: MIT */
/*
 * Event channels under Linux: ioctls, reads and writes of /dev/xen/evtchn (<xen/sys/evtchn.h>).
 *
 * A read gives pending ports, which stay masked until written back. evtchn_pending() reads one at a
 * time, so that a caller who handles only some still finds the descriptor readable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <tools/evtchn.h>
#include <xen/sys/evtchn.h>

struct evtchn {
	int fd;
};

int evtchn_open(struct evtchn **out)
{
	struct evtchn *evtchn = malloc(sizeof(*evtchn));

	if (!evtchn)
		return -ENOMEM;
	evtchn->fd = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (evtchn->fd < 0) {
		int rc = -errno;

		free(evtchn);
		return rc;
	}
	*out = evtchn;
	return 0;
}

void evtchn_close(struct evtchn *evtchn)
{
	if (!evtchn)
		return;
	close(evtchn->fd);
	free(evtchn);
}

int evtchn_fd(const struct evtchn *evtchn)
{
	return evtchn->fd;
}

static int evtchn_ioctl(struct evtchn *evtchn, unsigned long request, void *arg)
{
	int rc = ioctl(evtchn->fd, request, arg);

	return rc < 0 ? -errno : rc;
}

int evtchn_bind_unbound(struct evtchn *evtchn, domid_t remote)
{
	struct ioctl_evtchn_bind_unbound_port bind = { .remote_domain = remote };

	return evtchn_ioctl(evtchn, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);
}

int evtchn_bind_interdomain(struct evtchn *evtchn, domid_t remote, evtchn_port_t remote_port)
{
	struct ioctl_evtchn_bind_interdomain bind = { remote, remote_port };

	return evtchn_ioctl(evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
}

int evtchn_bind_virq(struct evtchn *evtchn, unsigned int virq)
{
	struct ioctl_evtchn_bind_virq bind = { virq };

	return evtchn_ioctl(evtchn, IOCTL_EVTCHN_BIND_VIRQ, &bind);
}

int evtchn_unbind(struct evtchn *evtchn, evtchn_port_t port)
{
	struct ioctl_evtchn_unbind unbind = { port };

	return evtchn_ioctl(evtchn, IOCTL_EVTCHN_UNBIND, &unbind);
}

int evtchn_notify(struct evtchn *evtchn, evtchn_port_t port)
{
	struct ioctl_evtchn_notify notify = { port };

	return evtchn_ioctl(evtchn, IOCTL_EVTCHN_NOTIFY, &notify);
}

int evtchn_pending_all(struct evtchn *evtchn, evtchn_port_t *ports, unsigned int room)
{
	ssize_t done;

	do
		done = read(evtchn->fd, ports, room * sizeof(*ports));
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	return done ? (int)((size_t)done / sizeof(*ports)) : -EAGAIN;
}

int evtchn_pending(struct evtchn *evtchn)
{
	evtchn_port_t port;
	int rc = evtchn_pending_all(evtchn, &port, 1);

	return rc < 0 ? rc : (int)port;
}

int evtchn_unmask_all(struct evtchn *evtchn, const evtchn_port_t *ports, unsigned int count)
{
	ssize_t done;

	do
		done = write(evtchn->fd, ports, count * sizeof(*ports));
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : 0;
}

int evtchn_unmask(struct evtchn *evtchn, evtchn_port_t port)
{
	return evtchn_unmask_all(evtchn, &port, 1);
}
