/* SPDX-License-Identifier: MIT */
/*
 * Frames between netfront, netback and a wire in memory, see net.h.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net.h"

struct wire_frame {
	struct wire_frame *next;
	uint32_t bytes;
	struct pv_offload offload;
	uint8_t data[];
};

struct wire {
	struct net *net;
	unsigned int queues, offloads;
	bool listen[NETBACK_QUEUES_MAX];
	struct wire_frame *first[NETBACK_QUEUES_MAX], **last[NETBACK_QUEUES_MAX];
};

/* The process that may die: one at a time. */
static unsigned long points_left;
static jmp_buf death;
static bool may_die;

#ifdef TOOLS_TEST
void netback_point(void)
{
	if (may_die && points_left && !--points_left)
		longjmp(death, 1);
}
#endif

/* --- Frames --- */

static const struct layout {
	uint16_t type;
	uint8_t network, transport, protocol;
} layouts[NET_KINDS] = {
	[NET_RAW] = { 0x88b5, 0, 0, 0 },
	[NET_UDP4] = { 0x0800, 20, 8, 17 },
	[NET_UDP6] = { 0x86dd, 40, 8, 17 },
	[NET_TCP4] = { 0x0800, 20, 20, 6 },
	[NET_TCP6] = { 0x86dd, 40, 20, 6 },
	[NET_GSO4] = { 0x0800, 20, 20, 6 },
	[NET_GSO6] = { 0x86dd, 40, 20, 6 },
};

uint32_t net_shortest(enum net_kind kind)
{
	return 14 + layouts[kind].network + layouts[kind].transport + 4;
}

static void put16(uint8_t *p, unsigned int value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static void build_headers(uint8_t *frame, enum net_kind kind, uint32_t bytes)
{
	const struct layout *l = &layouts[kind];
	uint8_t *ip = frame + 14, *transport = ip + l->network;

	memset(frame, 0x02, 12);
	frame[0] = 0;
	put16(frame + 12, l->type);
	if (l->network == 20) {
		ip[0] = 0x45;
		put16(ip + 2, bytes - 14);
		ip[8] = 64;
		ip[9] = l->protocol;
		memset(ip + 12, 10, 8);
	} else if (l->network == 40) {
		ip[0] = 0x60;
		put16(ip + 4, bytes - 54);
		ip[6] = l->protocol;
		ip[7] = 64;
		memset(ip + 8, 0xfd, 32);
	}
	if (l->protocol == 6)
		transport[12] = 5 << 4;
	else if (l->protocol == 17)
		put16(transport + 4, bytes - 14 - l->network);
}

/* Frame number @number of a flow: the same bytes each time. */
static void build(uint8_t *frame, const struct net_sent *sent, uint32_t number,
		  struct pv_offload *offload)
{
	uint32_t head = net_shortest(sent->kind) - 4, x = number * 2654435761u + 1;
	struct pv_transport t;

	memset(frame, 0, head);
	memset(offload, 0, sizeof(*offload));
	build_headers(frame, sent->kind, sent->bytes);
	memcpy(frame + head, &number, 4);
	for (uint32_t i = head + 4; i < sent->bytes; i++) {
		x = x * 1664525 + 1013904223;
		frame[i] = x >> 24;
	}
	if (sent->kind == NET_RAW || pv_packet_transport(frame, sent->bytes, &t))
		return;
	pv_packet_seed(frame, &t);
	pv_packet_locate(&t, offload);
	offload->partial = true;
	if (sent->kind == NET_GSO4 || sent->kind == NET_GSO6) {
		offload->gso_type = sent->kind == NET_GSO4 ? XEN_NETIF_GSO_TYPE_TCPV4 :
							     XEN_NETIF_GSO_TYPE_TCPV6;
		offload->gso_size = 1448;
	} else if (!sent->partial) {
		pv_packet_complete(frame, sent->bytes, offload);
		memset(offload, 0, sizeof(*offload));
	}
}

static uint32_t new_frame(struct net_flow *flow, enum net_kind kind, uint32_t bytes, bool partial)
{
	if (flow->count == flow->room) {
		flow->room = flow->room ? 2 * flow->room : 64;
		flow->sent = realloc(flow->sent, flow->room * sizeof(*flow->sent));
	}
	if (bytes < net_shortest(kind))
		bytes = net_shortest(kind);
	flow->sent[flow->count] = (struct net_sent){ kind, bytes, partial, 0 };
	return flow->count++;
}

/* Is what came the frame that it says it is, but for what may be done to it on the way? */
static bool is_right(const struct net_sent *sent, uint32_t number, const uint8_t *frame,
		     const struct pv_offload *got)
{
	static uint8_t want[PV_FRAME_MAX];
	struct pv_offload offload;
	struct pv_transport t;

	build(want, sent, number, &offload);
	if (got->gso_type != offload.gso_type || got->gso_size != offload.gso_size)
		return false;
	if (offload.partial && !got->partial) {
		/* Finished on the way. */
		if (pv_packet_transport(frame, sent->bytes, &t) || !pv_packet_verify(frame, &t))
			return false;
		memcpy(want + t.start + t.csum_offset, frame + t.start + t.csum_offset, 2);
	}
	if (got->partial && (!offload.partial || got->csum_start != offload.csum_start ||
			     got->csum_offset != offload.csum_offset))
		return false;
	return !memcmp(want, frame, sent->bytes);
}

static void arrive(struct net_flow *flow, const uint8_t *frame, uint32_t bytes,
		   const struct pv_offload *offload)
{
	uint32_t number;

	flow->arrived++;
	for (enum net_kind kind = 0; kind < NET_KINDS; kind++) {
		if (bytes < net_shortest(kind))
			continue;
		memcpy(&number, frame + net_shortest(kind) - 4, 4);
		if (number < flow->count && flow->sent[number].kind == kind &&
		    flow->sent[number].bytes == bytes &&
		    is_right(&flow->sent[number], number, frame, offload)) {
			flow->sent[number].seen++;
			return;
		}
	}
	flow->wrong++;
}

/* --- The wire --- */

int wire_set_queues(struct wire *wire, unsigned int queues)
{
	wire->queues = queues;
	return 0;
}

int wire_set_offloads(struct wire *wire, unsigned int offloads)
{
	wire->offloads = offloads;
	return 0;
}

int wire_send(struct wire *wire, unsigned int queue, uint8_t *frame, size_t bytes,
	      const struct pv_offload *offload)
{
	if (queue >= wire->queues)
		abort();
	netback_point();
	memset(frame - WIRE_HEADROOM, 0xee, WIRE_HEADROOM);
	arrive(&wire->net->out, frame, bytes, offload);
	netback_point();
	return 0;
}

void wire_begin_batch(struct wire *wire)
{
	(void)wire;
}

void wire_end_batch(struct wire *wire)
{
	(void)wire;
}

long wire_receive(struct wire *wire, unsigned int queue, uint8_t *frame, size_t room,
		  struct pv_offload *offload)
{
	struct wire_frame *f = wire->first[queue];
	long bytes;

	netback_point();
	memset(frame - WIRE_HEADROOM, 0xee, WIRE_HEADROOM);
	if (!f)
		return 0;
	wire->first[queue] = f->next;
	if (!f->next)
		wire->last[queue] = NULL;
	bytes = f->bytes;
	if (bytes > (long)room)
		abort();
	memcpy(frame, f->data, bytes);
	*offload = f->offload;
	free(f);
	netback_point();
	return bytes;
}

void wire_listen(struct wire *wire, unsigned int queue, bool on)
{
	wire->listen[queue] = on;
}

void net_wire_send(struct net *n, unsigned int queue, enum net_kind kind, uint32_t bytes, bool partial)
{
	struct wire *w = n->wire;
	uint32_t number;
	struct wire_frame *f;

	/* The kernel does for the tap's owner what it cannot take. */
	if (partial && !(w->offloads & WIRE_CSUM))
		partial = false;
	if ((kind == NET_GSO4 && !(w->offloads & WIRE_TSO4)) ||
	    (kind == NET_GSO6 && !(w->offloads & WIRE_TSO6)))
		kind = kind == NET_GSO4 ? NET_TCP4 : NET_TCP6;
	number = new_frame(&n->in, kind, bytes, partial);
	bytes = n->in.sent[number].bytes;
	f = malloc(sizeof(*f) + bytes);
	f->next = NULL;
	f->bytes = bytes;
	build(f->data, &n->in.sent[number], number, &f->offload);
	queue %= w->queues ? w->queues : 1;
	if (w->last[queue])
		*w->last[queue] = f;
	else
		w->first[queue] = f;
	w->last[queue] = &f->next;
}

/* --- Both ends --- */

static void receive(void *arg, uint8_t *frame, uint32_t bytes, const struct pv_offload *offload)
{
	struct net *n = arg;

	arrive(&n->in, frame, bytes, offload);
}

static void changed(void *arg)
{
	struct net *n = arg;

	n->changes++;
}

void net_new(struct net *n, const struct net_setup *setup)
{
	memset(n, 0, sizeof(*n));
	n->world = world_new(setup->seed);
	n->dom0 = world_domain(n->world, 0);
	n->guest = world_domain(n->world, 1);
	n->wire = calloc(1, sizeof(*n->wire));
	n->wire->net = n;
	n->record = calloc(1, sizeof(*n->record));
	world_device(n->world, 0, "qnic", 1, "vif", 0);
	world_store_write(n->world, NET_FRONT "/mac", "00:16:3e:00:00:01");
	if (setup->rate)
		world_store_write(n->world, NET_BACK "/rate", setup->rate);
	n->record->magic = 0;
	n->record->queues = setup->back_queues ? setup->back_queues : 4;
}

int net_open_back(struct net *n)
{
	unsigned int queues = n->record->magic ? NETBACK_QUEUES_MAX : n->record->queues;
	int rc;

	rc = netback_shared_open(&n->shared, n->dom0);
	if (rc)
		return rc;
	n->back = calloc(1, sizeof(*n->back));
	n->back->shared = &n->shared;
	rc = netback_open(n->back, n->dom0, NET_BACK, n->wire, n->record, queues);
	if (rc) {
		netback_shared_close(&n->shared, n->dom0);
		free(n->back);
		n->back = NULL;
	}
	return rc;
}

int net_open_front(struct net *n, const struct net_setup *setup)
{
	struct netfront_options options = setup->front;

	options.receive = receive;
	options.changed = changed;
	options.arg = n;
	memset(&n->front, 0, sizeof(n->front));
	return netfront_open(&n->front, n->guest, NET_FRONT, &options);
}

void net_kill_back(struct net *n)
{
	n->deaths++;
	may_die = false;
	world_kill(n->dom0);
	memset(n->wire->listen, 0, sizeof(n->wire->listen));
	free(n->back);
	n->back = NULL;
	points_left = 0;
}

/* What the kernel does to a dead process, and a service manager afterwards. */
static void rise_again(struct net *n)
{
	net_kill_back(n);
	net_open_back(n);	/* or not, where calls fail or keys are bad */
}

/* One delivery, or a death in it. False: nothing was to be done. */
static bool step(struct net *n, bool timers)
{
	struct wire *w = n->wire;

	may_die = true;
	if (setjmp(death)) {
		rise_again(n);
		return true;
	}
	for (unsigned int q = 0; q < NETBACK_QUEUES_MAX && n->back; q++) {
		if (w->listen[q] && w->first[q] && world_random(n->world, 4) == 0) {
			netback_wire_ready(n->back, q);
			may_die = false;
			return true;
		}
	}
	if (timers ? world_step(n->world) : (world_settle(n->world), false)) {
		may_die = false;
		return true;
	}
	may_die = false;
	for (unsigned int q = 0; q < NETBACK_QUEUES_MAX && n->back; q++) {
		if (w->listen[q] && w->first[q])
			return true;
	}
	return false;
}

bool net_connect(struct net *n)
{
	for (int i = 0; i < 20000 && !netfront_ready(&n->front); i++)
		step(n, true);
	return netfront_ready(&n->front);
}

void net_settle(struct net *n)
{
	while (step(n, false))
		;
}

int net_guest_send(struct net *n, enum net_kind kind, uint32_t bytes, bool partial, bool more)
{
	static uint8_t frame[PV_FRAME_MAX];
	uint32_t number = new_frame(&n->out, kind, bytes, partial);
	struct pv_offload offload;
	int rc;

	build(frame, &n->out.sent[number], number, &offload);
	rc = netfront_send(&n->front, number, frame, n->out.sent[number].bytes, &offload, more);
	if (rc)
		n->out.count--;
	return rc;
}

void net_random(struct net *n)
{
	static const uint32_t most[] = { 64, 1514, 4096, 9000, 65535 };
	bool out = world_random(n->world, 2), partial = world_random(n->world, 2);
	enum net_kind kind = world_random(n->world, NET_KINDS);
	uint32_t bytes = 1 + world_random(n->world, most[world_random(n->world, PV_ARRAY_SIZE(most))]);

	if (out)
		net_guest_send(n, kind, bytes, partial, world_random(n->world, 4) == 0);
	else
		net_wire_send(n, world_random(n->world, NETBACK_QUEUES_MAX), kind, bytes, partial);
}

void net_die(struct net *n, unsigned long points)
{
	(void)n;
	points_left = points;
}

static unsigned long check_flow(struct net *n, struct net_flow *flow)
{
	unsigned long wrong = flow->wrong;

	flow->lost = 0;
	for (unsigned int i = 0; i < flow->count; i++) {
		flow->lost += !flow->sent[i].seen;
		wrong += flow->sent[i].seen > 1 && !n->deaths;
	}
	return wrong;
}

unsigned long net_check(struct net *n)
{
	return check_flow(n, &n->out) + check_flow(n, &n->in);
}

unsigned int net_end(struct net *n)
{
	unsigned int left;

	points_left = 0;
	netfront_close(&n->front);
	net_settle(n);
	if (n->back) {
		netback_close(n->back);
		netback_shared_close(&n->shared, n->dom0);
		free(n->back);
	}
	for (int i = 0; i < 10 && netfront_close(&n->front); i++)
		world_settle(n->world);
	left = world_end(n->world);
	for (unsigned int q = 0; q < NETBACK_QUEUES_MAX; q++) {
		while (n->wire->first[q]) {
			struct wire_frame *f = n->wire->first[q];

			n->wire->first[q] = f->next;
			free(f);
		}
	}
	free(n->wire);
	free(n->record);
	free(n->out.sent);
	free(n->in.sent);
	return left;
}
