/* SPDX-License-Identifier: MIT */
/*
 * Seeded fuzzing of network devices from both sides: rings and store keys are scribbled on while frames
 * flow, backends die and frontends part. Whatever happens, nobody crashes, no turn is endless and
 * each counted resource comes back.
 *
 * A case is one disturbance amid traffic, and what comes of it.
 *
 * LINK: tests/fake/world.c tests/fake/world_grant.c tests/fake/world_store.c tests/fake/net.c pvlib/store.c pvlib/xenbus.c pvlib/packet.c netfront/netfront.c netfront/queue.c netfront/data.c netback/device.c netback/connect.c netback/tx.c netback/rx.c netback/filter.c
 */
#include <stdint.h>
#include <string.h>
#include <fuzz_world.h>
#include "net.h"

/* Cases that one world lives through; then it is ended and its resources are counted. */
#define CASES_PER_WORLD	64

static const char *const front_keys[] = {
	"tx-ring-ref", "rx-ring-ref", "event-channel", "event-channel-tx", "event-channel-rx", "state",
	"feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-no-csum-offload",
	"feature-ipv6-csum-offload", "request-rx-copy", "feature-rx-notify", "multi-queue-num-queues",
	"queue-0/tx-ring-ref", "queue-0/rx-ring-ref", "queue-1/tx-ring-ref", "queue-0/event-channel",
	"queue-1/event-channel", "queue-0/event-channel-tx", "queue-1/event-channel-rx",
	"request-multicast-control", "mac", "mtu",
};

static const char *const back_keys[] = {
	"state", "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-rx-copy",
	"feature-no-csum-offload", "multi-queue-max-queues", "feature-split-event-channels",
	"feature-ipv6-csum-offload", "feature-multicast-control", "carrier", "hotplug-status",
	"script", "online", "rate", "mac",
};

static const char *const values[] = {
	NULL, "", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "17", "255", "256", "65536",
	"4294967295", "4294967296", "18446744073709551616", "-1", "0x1", " 1", "1 ", "connected", "%s%n",
	"100,1000", "1,1",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

static void scribble_store(struct net *n)
{
	bool front = world_random(n->world, 2);
	const char *key = front ? front_keys[world_random(n->world, PV_ARRAY_SIZE(front_keys))] :
				  back_keys[world_random(n->world, PV_ARRAY_SIZE(back_keys))];
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", front ? NET_FRONT : NET_BACK, key);
	world_store_write(n->world, path, values[world_random(n->world, PV_ARRAY_SIZE(values))]);
}

/* A number such as breaks things: small, near a limit, or anything. */
static uint32_t odd_number(struct net *n)
{
	static const uint32_t edges[] = { 0, 1, 2, 13, 14, 17, 18, 255, 256, 257, 4095, 4096, 4097,
					  0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
					  0xffffffff };

	if (world_random(n->world, 2))
		return edges[world_random(n->world, PV_ARRAY_SIZE(edges))];
	return world_random(n->world, 65536) * 65537;
}

/* Writes into a ring page: an index, or fields of a slot near those in use. */
static void scribble_ring(struct net *n)
{
	struct netfront_queue *q = n->front.queue[world_random(n->world, NETFRONT_QUEUES_MAX)];
	struct pv_front_ring *ring;
	uint8_t *slot;
	uint32_t *index;

	if (!q)
		q = n->front.queue[0];
	if (!q)
		return;
	ring = world_random(n->world, 2) ? &q->tx : &q->rx;
	if (!ring->shared)
		return;
	if (world_random(n->world, 3) == 0) {
		index = &ring->shared->req_prod + world_random(n->world, 4);
		*index = world_random(n->world, 2) ? *index + world_random(n->world, 4) :
						     *index + odd_number(n);
		return;
	}
	slot = pv_ring_slot(ring->shared, ring->size, ring->slot_bytes,
			    ring->req_prod - world_random(n->world, 4));
	for (unsigned int i = world_random(n->world, 3); i < ring->slot_bytes / 2; i += 1 + world_random(n->world, 4)) {
		uint16_t value = odd_number(n);

		memcpy(slot + 2 * i, &value, 2);
	}
}

/* Requests as a frontend of another mind would make them. */
static void forge_request(struct net *n)
{
	struct netfront_queue *q = n->front.queue[0];
	struct netif_tx_request r;

	if (!q || !q->tx_ring_shared || pv_front_ring_free(&q->tx) == 0)
		return;
	r.gref = q->tx_refs[world_random(n->world, n->front.buffers)];
	r.flags = world_random(n->world, 16);
	r.offset = world_random(n->world, 2) ? 0 : odd_number(n);
	r.id = world_random(n->world, 2) ? world_random(n->world, n->front.buffers) : odd_number(n);
	r.size = world_random(n->world, 4096);
	if (world_random(n->world, 4) == 0) {
		struct netif_extra_info extra = {
			.type = world_random(n->world, 6), .flags = world_random(n->world, 3),
		};

		extra.u.gso.size = odd_number(n);
		extra.u.gso.type = world_random(n->world, 4);
		memcpy(&r, &extra, sizeof(extra));
	}
	pv_front_ring_put(&q->tx, &r, sizeof(r));
	pv_front_ring_push(&q->tx);
}

static void notify_somebody(struct net *n)
{
	struct netfront_queue *q = n->front.queue[0];

	if (q && q->tx_port)
		pv_event_notify(n->guest, world_random(n->world, 2) ? q->tx_port : q->rx_port);
	if (n->back && n->back->queue[0] && n->back->queue[0]->tx_port)
		pv_event_notify(n->dom0, n->back->queue[0]->tx_port);
}

/* After a protocol break: both begin again, as after unplugging and plugging in. */
static void restart(struct net *n, const struct net_setup *setup)
{
	for (int i = 0; i < 10 && netfront_close(&n->front); i++)
		net_settle(n);
	net_settle(n);
	net_kill_back(n);
	memset(n->record, 0, sizeof(*n->record));
	n->record->queues = 4;
	world_store_write(n->world, NET_BACK "/state", "1");
	world_store_write(n->world, NET_FRONT "/state", "1");
	world_store_write(n->world, NET_FRONT "/mac", "00:16:3e:00:00:01");
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(back_keys); i++) {
		char path[128];

		snprintf(path, sizeof(path), NET_BACK "/%s", back_keys[i]);
		if (i)
			world_store_write(n->world, path, NULL);
	}
	if (net_open_back(n))
		abort();
	net_open_front(n, setup);
	net_connect(n);
}

/* A frame, mostly a small one: big ones cost time and are what test_net is for. */
static void flow(struct net *n)
{
	enum net_kind kind = world_random(n->world, NET_KINDS);
	uint32_t bytes = world_random(n->world, 16) ? world_random(n->world, 300) :
						      world_random(n->world, 20000);
	bool partial = world_random(n->world, 2);

	if (world_random(n->world, 2))
		net_guest_send(n, kind, bytes, partial, world_random(n->world, 4) == 0);
	else
		net_wire_send(n, world_random(n->world, NETBACK_QUEUES_MAX), kind, bytes, partial);
}

static void disturb(struct net *n)
{
	switch (world_random(n->world, 8)) {
	case 0:
		scribble_store(n);
		break;
	case 1:
	case 2:
	case 3:
		scribble_ring(n);
		break;
	case 4:
	case 5:
		forge_request(n);
		break;
	case 6:
		net_die(n, 1 + world_random(n->world, 60));
		break;
	case 7:
		world_fail_call(world_random(n->world, 2) ? n->dom0 : n->guest,
				1 + world_random(n->world, 10));
		break;
	default:
		break;
	}
	if (world_random(n->world, 2))
		notify_somebody(n);
	if (world_random(n->world, 2))
		net_settle(n);
}

static bool run_world(uint64_t seed, unsigned long cases)
{
	struct net_setup setup = { .seed = seed * 7919 + 1 };
	struct net n;

	setup.front.queues = 1 + seed % 2;
	setup.front.buffers = 32;
	setup.front.no_gso = seed % 5 == 0;
	setup.front.no_split = seed % 3 == 0;
	net_new(&n, &setup);
	if (net_open_back(&n) || net_open_front(&n, &setup) || !net_connect(&n))
		abort();
	for (unsigned long c = 0; c < cases; c++) {
		flow(&n);
		disturb(&n);
		net_settle(&n);
		world_fail_call(n.dom0, 0);
		world_fail_call(n.guest, 0);
		if (!netfront_ready(&n.front) || !n.back || n.back->broken || !n.back->connected)
			restart(&n, &setup);
	}
	net_die(&n, 0);
	return net_end(&n) == 0;
}

int main(void)
{
	return fuzz_main(CASES_PER_WORLD, run_world);
}
