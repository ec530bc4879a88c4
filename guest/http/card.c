/* SPDX-License-Identifier: MIT */
/*
 * The network card: netfront as an interface of lwIP, and lwIP's clock.
 *
 * Checksums are left to the other side both ways where the backend takes part: a frame that never leaves the
 * machine is never summed.
 */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/string.h>
#include "../../netfront/netfront.h"
#include <stdlib.h>
#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include "http.h"

#define MS	1000000ULL
/* The longest that lwIP's timers are left alone. */
#define NAP_MS	1000U

static struct netfront card;
static struct netif interface;
static struct pv_domain *home;
static struct pv_timer clock;
static uint8_t out[PV_FRAME_MAX];

u32_t sys_now(void)
{
	return pv_now(home) / MS;
}

uint32_t lwip_random(void)
{
	static uint64_t state;

	state = (state ^ rdtsc()) * 0x2545f4914f6cdd1d + 1442695040888963407;
	return state >> 32;
}

int atoi(const char *text)
{
	int value = 0;

	while (*text >= '0' && *text <= '9' && value < 100000000)
		value = value * 10 + (*text++ - '0');
	return value;
}

void lwip_failed(const char *what)
{
	panic("lwIP: %s", what);
}

/* --- In --- */

static void receive(void *arg, uint8_t *frame, uint32_t bytes, const struct pv_offload *offload)
{
	struct pbuf *p = bytes <= UINT16_MAX ? pbuf_alloc(PBUF_RAW, bytes, PBUF_POOL) : NULL;

	(void)arg;
	if (!p)
		return;			/* a lost frame, as on any wire */
	pbuf_take(p, frame, bytes);
	NETIF_SET_CHECKSUM_CTRL(&interface, offload->partial || offload->validated ?
				NETIF_CHECKSUM_CHECK_IP :
				NETIF_CHECKSUM_CHECK_IP | NETIF_CHECKSUM_CHECK_TCP |
				NETIF_CHECKSUM_CHECK_UDP | NETIF_CHECKSUM_CHECK_ICMP);
	/* What is sent in answer is sent from inside; those bits stay the same. */
	interface.chksum_flags |= NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_ICMP;
	if (interface.input(p, &interface) != ERR_OK)
		pbuf_free(p);
}

/* --- Out --- */

static err_t transmit(struct netif *netif, struct pbuf *p)
{
	struct pv_offload offload = { 0 };
	unsigned int queue = 0;
	struct pv_transport t;

	(void)netif;
	_Static_assert(sizeof(out) > UINT16_MAX, "any pbuf fits");
	pbuf_copy_partial(p, out, p->tot_len, 0);
	if (!pv_packet_transport(out, p->tot_len, &t)) {
		pv_packet_seed(out, &t);
		pv_packet_locate(&t, &offload);
		offload.partial = true;
		/* By the peer's port, so that each connection keeps its order; Linux takes even ones. */
		queue = out[t.start + 3] >> 1;
	}
	switch (netfront_send(&card, queue, out, p->tot_len, &offload, false)) {
	case 0:
		return ERR_OK;
	case -XEN_EAGAIN:
		return ERR_MEM;		/* TCP tries again */
	default:
		return ERR_IF;
	}
}

static err_t init_interface(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 'n';
	netif->output = etharp_output;
	netif->linkoutput = transmit;
	netif->mtu = card.mtu;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, card.mac, 6);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	return ERR_OK;
}

/* --- Life --- */

static void changed(void *arg)
{
	(void)arg;
	if (netfront_link(&card) && !netif_is_link_up(&interface))
		printk("http: card with %u queue(s)%s%s%s%s%s%s\n", card.queues,
		       card.split ? " split-event-channels" : "", card.sg ? " sg" : "",
		       card.csum4 ? " csum4" : "", card.csum6 ? " csum6" : "",
		       card.tso4 ? " tso4" : "", card.tso6 ? " tso6" : "");
	if (netfront_link(&card))
		netif_set_link_up(&interface);
	else
		netif_set_link_down(&interface);
}

static void say_address(struct netif *netif)
{
	if (netif_is_up(netif) && !ip4_addr_isany_val(*netif_ip4_addr(netif)))
		printk("http: address %u.%u.%u.%u\n", ip4_addr1(netif_ip4_addr(netif)),
		       ip4_addr2(netif_ip4_addr(netif)), ip4_addr3(netif_ip4_addr(netif)),
		       ip4_addr4(netif_ip4_addr(netif)));
}

static void tick(void *arg)
{
	uint32_t sleep;

	(void)arg;
	sys_check_timeouts();
	sleep = sys_timeouts_sleeptime();
	if (sleep > NAP_MS)
		sleep = NAP_MS;
	pv_timer_set(home, &clock, pv_now(home) + (sleep + 1) * MS);
}

int card_open(struct pv_domain *domain, const char *path, const char *address, unsigned int queues,
	      bool no_split)
{
	struct netfront_options options = {
		.receive = receive, .changed = changed, .queues = queues, .no_split = no_split,
	};
	ip4_addr_t ip = { 0 }, mask = { 0 }, gateway = { 0 };
	int rc;

	home = domain;
	rc = netfront_open(&card, domain, path, &options);
	if (rc)
		return rc;
	lwip_init();
	if (address) {
		if (!ip4addr_aton(address, &ip))
			return -XEN_EINVAL;
		IP4_ADDR(&mask, 255, 255, 255, 0);
	}
	netif_add(&interface, &ip, &mask, &gateway, NULL, init_interface, netif_input);
	NETIF_SET_CHECKSUM_CTRL(&interface, NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_ICMP);
	netif_set_status_callback(&interface, say_address);
	netif_set_default(&interface);
	netif_set_up(&interface);
	if (address)
		say_address(&interface);
	else
		dhcp_start(&interface);
	clock.fn = tick;
	tick(NULL);
	return 0;
}

void card_resume(void)
{
	netfront_resume(&card);
	sys_restart_timeouts();	/* the clock may be another one */
	tick(NULL);
}
