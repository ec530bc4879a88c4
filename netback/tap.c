/* SPDX-License-Identifier: MIT */
/*
 * The wire as a tap device of Linux, see tap.h and the kernel's Documentation/networking/tuntap.rst.
 *
 * Every frame is preceded by a struct virtio_net_hdr, read and written together with it by one system call:
 * it lies in the headroom before the frame. The device is persistent from the start, as a crash leaves
 * no time to make it so.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <pv/linux.h>
#include <xen/io/netif.h>
#include "record.h"
#include "tap.h"

/* Frames that wait in the kernel for a slow guest; then it drops. */
#define QUEUE_LENGTH	256

#define HEADER		sizeof(struct virtio_net_hdr)
_Static_assert(sizeof(struct virtio_net_hdr) <= WIRE_HEADROOM, "the header fits before the frame");

struct tap_queue {
	struct pv_fd fd;	/* fd.fd -1: not open */
	struct wire *wire;
	unsigned int index;
};

struct wire {
	struct pv_domain *domain;
	struct ifreq request;		/* name and flags */
	bool (*ready)(void *arg, unsigned int queue);
	void *arg;
	struct tap_queue queue[NETBACK_QUEUES_MAX];
};

/* --- When we run --- */

/*
 * A frame written wakes its receiver, who would run at once, answer it alone, and sleep again. As
 * frames of a kernel's backend reach the network stack in one go, so do ours: nobody with ordinary
 * priority comes in between.
 */
static void set_policy(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	/* The C library has no such call; where it is refused all works, only slower. */
	syscall(SYS_sched_setscheduler, 0, policy, &param);
}

/*
 * Our policy outside of batches. An ordinary one becomes SCHED_BATCH: a frame for the guest wakes us, and whoever
 * sent it sends the rest of what he has before we run. What else an operator gave us is left alone.
 */
static int own_policy(void)
{
	static int policy = -1;

	if (policy < 0) {
		policy = (int)syscall(SYS_sched_getscheduler, 0);
		if (policy == SCHED_OTHER) {
			policy = SCHED_BATCH;
			set_policy(policy, 0);
		}
	}
	return policy;
}

/* --- The device --- */

static void on_ready(void *arg, uint32_t events)
{
	struct tap_queue *q = arg;

	if (events & EPOLLIN) {
		q->wire->ready(q->wire->arg, q->index);
		return;
	}
	/* The device was deleted under us: nothing will come any more. */
	pv_log(q->wire->domain, "tap %s is gone", q->wire->request.ifr_name);
	pv_fd_remove(q->wire->domain, &q->fd);
	close(q->fd.fd);
	q->fd.fd = -1;
}

static int open_queue(struct wire *wire, unsigned int index)
{
	struct tap_queue *q = &wire->queue[index];
	int rc;

	q->fd.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (q->fd.fd < 0)
		return -errno;
	if (ioctl(q->fd.fd, TUNSETIFF, &wire->request)) {
		rc = -errno;
		goto close;
	}
	q->fd.events = 0;
	q->fd.fn = on_ready;
	q->fd.arg = q;
	rc = pv_fd_add(wire->domain, &q->fd);
	if (!rc)
		return 0;
close:
	close(q->fd.fd);
	q->fd.fd = -1;
	return rc;
}

static void close_queue(struct wire *wire, unsigned int index)
{
	struct tap_queue *q = &wire->queue[index];

	if (q->fd.fd < 0)
		return;
	pv_fd_remove(wire->domain, &q->fd);
	close(q->fd.fd);
	q->fd.fd = -1;
}

/* An operation on the interface, by a socket of any kind. */
static int interface_ioctl(unsigned long op, struct ifreq *request)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (s < 0)
		return -errno;
	rc = ioctl(s, op, request) ? -errno : 0;
	close(s);
	return rc;
}

int tap_open(struct wire **out, struct pv_domain *domain, const char *name,
	     bool (*ready)(void *arg, unsigned int queue), void *arg)
{
	struct wire *wire = calloc(1, sizeof(*wire));
	struct ifreq length = { .ifr_qlen = QUEUE_LENGTH };
	int rc;

	own_policy();
	if (!wire)
		return -ENOMEM;
	wire->domain = domain;
	wire->ready = ready;
	wire->arg = arg;
	wire->request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	snprintf(wire->request.ifr_name, sizeof(wire->request.ifr_name), "%s", name);
	for (unsigned int i = 0; i < NETBACK_QUEUES_MAX; i++)
		wire->queue[i] = (struct tap_queue){ .fd.fd = -1, .wire = wire, .index = i };
	rc = open_queue(wire, 0);
	if (rc)
		goto free;
	if (ioctl(wire->queue[0].fd.fd, TUNSETPERSIST, 1L)) {
		rc = -errno;
		close_queue(wire, 0);
		goto free;
	}
	snprintf(length.ifr_name, sizeof(length.ifr_name), "%s", name);
	interface_ioctl(SIOCSIFTXQLEN, &length);	/* a longer queue does no harm but delay */
	*out = wire;
	return 0;
free:
	free(wire);
	return rc;
}

void tap_close(struct wire *wire, bool destroy)
{
	if (destroy && wire->queue[0].fd.fd >= 0)
		ioctl(wire->queue[0].fd.fd, TUNSETPERSIST, 0L);
	for (unsigned int i = NETBACK_QUEUES_MAX; i-- > 0;)
		close_queue(wire, i);
	free(wire);
}

int tap_name(struct wire *wire, char *name, size_t room)
{
	struct ifreq request;

	if (ioctl(wire->queue[0].fd.fd, TUNGETIFF, &request))
		return -errno;
	memcpy(wire->request.ifr_name, request.ifr_name, sizeof(request.ifr_name));
	snprintf(name, room, "%s", request.ifr_name);
	return 0;
}

int tap_set_up(struct wire *wire)
{
	struct ifreq request = { 0 };
	int rc = tap_name(wire, request.ifr_name, sizeof(request.ifr_name));

	if (!rc)
		rc = interface_ioctl(SIOCGIFFLAGS, &request);
	request.ifr_flags |= IFF_UP;
	return rc ? rc : interface_ioctl(SIOCSIFFLAGS, &request);
}

bool tap_is_up(struct wire *wire)
{
	struct ifreq request = { 0 };

	return !tap_name(wire, request.ifr_name, sizeof(request.ifr_name)) &&
	       !interface_ioctl(SIOCGIFFLAGS, &request) && (request.ifr_flags & IFF_UP);
}

/* --- The wire --- */

int wire_set_queues(struct wire *wire, unsigned int queues)
{
	char name[IFNAMSIZ];
	int rc = tap_name(wire, name, sizeof(name));

	for (unsigned int i = queues; i < NETBACK_QUEUES_MAX; i++) {
		if (i)
			close_queue(wire, i);
	}
	for (unsigned int i = 1; i < queues && !rc; i++) {
		if (wire->queue[i].fd.fd < 0)
			rc = open_queue(wire, i);
	}
	return rc;
}

int wire_set_offloads(struct wire *wire, unsigned int offloads)
{
	unsigned long flags = 0;

	if (offloads & WIRE_CSUM)
		flags |= TUN_F_CSUM;
	if (offloads & WIRE_TSO4)
		flags |= TUN_F_TSO4;
	if (offloads & WIRE_TSO6)
		flags |= TUN_F_TSO6;
	return ioctl(wire->queue[0].fd.fd, TUNSETOFFLOAD, flags) ? -errno : 0;
}

int wire_send(struct wire *wire, unsigned int queue, uint8_t *frame, size_t bytes,
	      const struct pv_offload *offload)
{
	struct virtio_net_hdr header = { 0 };

	if (offload->partial) {
		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.csum_start = offload->csum_start;
		header.csum_offset = offload->csum_offset;
	}
	if (offload->gso_type) {
		header.gso_type = offload->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ?
				  VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		header.gso_size = offload->gso_size;
		header.hdr_len = offload->header_bytes;
	}
	memcpy(frame - HEADER, &header, HEADER);
	return write(wire->queue[queue].fd.fd, frame - HEADER, bytes + HEADER) < 0 ? -errno : 0;
}

void wire_begin_batch(struct wire *wire)
{
	(void)wire;
	if (own_policy() == SCHED_BATCH)
		set_policy(SCHED_RR | SCHED_RESET_ON_FORK, 1);
}

void wire_end_batch(struct wire *wire)
{
	(void)wire;
	if (own_policy() == SCHED_BATCH)
		set_policy(SCHED_BATCH, 0);
}

long wire_receive(struct wire *wire, unsigned int queue, uint8_t *frame, size_t room,
		  struct pv_offload *offload)
{
	struct virtio_net_hdr header;
	ssize_t n = read(wire->queue[queue].fd.fd, frame - HEADER, room + HEADER);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n <= (ssize_t)HEADER)
		return -EIO;
	memcpy(&header, frame - HEADER, HEADER);
	offload->partial = header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	offload->validated = header.flags & VIRTIO_NET_HDR_F_DATA_VALID;
	offload->csum_start = header.csum_start;
	offload->csum_offset = header.csum_offset;
	offload->header_bytes = header.hdr_len;
	switch (header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		offload->gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		offload->gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
		break;
	}
	offload->gso_size = header.gso_size;
	return n - HEADER;
}

void wire_listen(struct wire *wire, unsigned int queue, bool on)
{
	if (wire->queue[queue].fd.fd >= 0)
		pv_fd_wait_for(wire->domain, &wire->queue[queue].fd, on ? EPOLLIN : 0);
}
