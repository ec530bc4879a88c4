/* SPDX-License-Identifier: MIT */
/*
 * A hostile frontend against the block backend: random and nearly right keys, states, ring contents,
 * indexes, grants withdrawn, events, in any order, with the backend killed and restarted now and then. It
 * must not crash, loop, touch memory that is not its own, keep anything of the guest's, or say
 * more than one line for each life of a device.
 *
 * LINK: tests/fake/world.c tests/fake/world_grant.c tests/fake/world_store.c tests/fake/medium.c pvlib/store.c pvlib/xenbus.c blkback/buffer.c blkback/connect.c blkback/copy.c blkback/device.c blkback/hold.c blkback/move.c blkback/persist.c blkback/queue.c blkback/record.c blkback/request.c
 */
#include <string.h>
#include <fuzz_world.h>
#include "medium.h"
#include "../../blkback/record.h"

#define FRONT	"/local/domain/1/device/vbd/51712"
#define BACK	"/local/domain/0/backend/qblk/1/51712"
#define PAGES	24	/* of the guest, granted: rings first */
#define DISK	(256U << 10)

void record_point(void)
{
}

struct fuzz {
	struct world *w;
	struct pv_domain *dom0, *guest;
	struct medium_host *host;
	struct blkback *back;
	char *pages;
	grant_ref_t refs[PAGES];
	bool shared[PAGES];
	int port;
	unsigned int ring_pages, lives;
	uint32_t req_prod;
};

static uint32_t chance(struct fuzz *f, uint32_t below)
{
	return world_random(f->w, below);
}

static void put(struct fuzz *f, const char *key, const char *value)
{
	fuzz_put(f->w, FRONT, key, value);
}

static void put_number(struct fuzz *f, const char *key, uint64_t value)
{
	fuzz_put_number(f->w, FRONT, key, value);
}

static void odd_key(struct fuzz *f)
{
	static const char *const keys[] = {
		"ring-ref", "ring-ref0", "ring-ref1", "event-channel", "protocol", "ring-page-order",
		"multi-queue-num-queues", "feature-persistent", "feature-large-sector-size", "state",
		"queue-0/ring-ref", "queue-0/event-channel", "queue-1/ring-ref", "queue-1/event-channel",
	};
	static const char *const texts[] = { "", "-1", "1x", " 1", "x86_32-abi", "18446744073709551616" };
	const char *key = keys[chance(f, PV_ARRAY_SIZE(keys))];
	char big[300];

	switch (chance(f, 5)) {
	case 0:
		put(f, key, NULL);
		break;
	case 1:
		put(f, key, texts[chance(f, PV_ARRAY_SIZE(texts))]);
		break;
	case 2:
		memset(big, 'a' + chance(f, 26), sizeof(big));
		big[chance(f, sizeof(big))] = 0;
		big[sizeof(big) - 1] = 0;
		put(f, key, big);
		break;
	default:
		put_number(f, key, fuzz_number(f->w));
	}
}

/* What an honest frontend would say, mostly. */
static void proper_keys(struct fuzz *f)
{
	unsigned int order = chance(f, 3);
	char key[32];

	f->ring_pages = 1U << order;
	f->req_prod = 0;
	memset(f->pages, 0, (size_t)f->ring_pages * PV_PAGE_SIZE);
	put_number(f, "event-channel", f->port > 0 ? f->port : 0);
	put_number(f, "ring-ref", f->refs[0]);
	put_number(f, "ring-page-order", order);
	for (unsigned int i = 0; i < f->ring_pages; i++) {
		snprintf(key, sizeof(key), "ring-ref%u", i);
		put_number(f, key, f->refs[i]);
	}
	put_number(f, "feature-persistent", chance(f, 2));
	put(f, "protocol", "x86_64-abi");
	if (chance(f, 8) == 0)
		odd_key(f);
	put_number(f, "state", 3);
}

/* --- Requests --- */

static grant_ref_t a_ref(struct fuzz *f)
{
	return chance(f, 12) ? f->refs[chance(f, PAGES)] : fuzz_number(f->w);
}

static void make_segments(struct fuzz *f, struct blkif_request_segment *s, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		s[i].gref = a_ref(f);
		s[i].first_sect = chance(f, 8);
		s[i].last_sect = s[i].first_sect + chance(f, 8 - s[i].first_sect);
		if (chance(f, 100) == 0)
			s[i].last_sect = chance(f, 256);
	}
}

static void make_request(struct fuzz *f, union blkif_sring_entry *slot)
{
	struct blkif_request_indirect *in = (void *)&slot->req;
	struct blkif_request_discard *discard = (void *)&slot->req;
	unsigned int page = f->ring_pages + chance(f, PAGES - f->ring_pages);

	slot->req.id = fuzz_number(f->w);
	slot->req.sector_number = chance(f, 10) ? chance(f, DISK / 512) : fuzz_number(f->w);
	slot->req.operation = chance(f, 60) ? chance(f, 7) : chance(f, 256);
	slot->req.nr_segments = chance(f, 60) ? 1 + chance(f, 11) : chance(f, 256);
	make_segments(f, slot->req.seg, 11);
	if (slot->req.operation == BLKIF_OP_FLUSH_DISKCACHE && chance(f, 3))
		slot->req.nr_segments = 0;
	if (slot->req.operation == BLKIF_OP_INDIRECT) {
		in->indirect_op = chance(f, 60) ? chance(f, 2) : chance(f, 256);
		in->nr_segments = chance(f, 60) ? 1 + chance(f, 40) : fuzz_number(f->w);
		in->sector_number = chance(f, DISK / 512);
		in->indirect_grefs[0] = f->refs[page];
		make_segments(f, (void *)(f->pages + (size_t)page * PV_PAGE_SIZE), 41);
	} else if (slot->req.operation == BLKIF_OP_DISCARD) {
		discard->flag = chance(f, 20) == 0;
		discard->nr_sectors = chance(f, 20) ? 1 + chance(f, 64) : fuzz_number(f->w);
	}
}

static void use_ring(struct fuzz *f)
{
	struct pv_ring_shared *ring = (void *)f->pages;
	uint32_t slots = pv_ring_slots(f->ring_pages * PV_PAGE_SIZE, sizeof(union blkif_sring_entry));

	for (uint32_t n = 1 + chance(f, 6); n; n--) {
		if (f->req_prod - ring->rsp_prod >= slots && chance(f, 50))
			break;
		make_request(f, pv_ring_slot(ring, slots, sizeof(union blkif_sring_entry), f->req_prod++));
	}
	ring->req_prod = f->req_prod;
	ring->rsp_event = ring->rsp_prod + chance(f, 3);
	if (chance(f, 200) == 0)
		ring->req_prod = fuzz_number(f->w);
	if (chance(f, 400) == 0)
		ring->rsp_prod = fuzz_number(f->w);
	if (f->port > 0)
		pv_event_notify(f->guest, f->port);
}

static void scribble(struct fuzz *f)
{
	unsigned int at = chance(f, PAGES * PV_PAGE_SIZE - 8);

	for (unsigned int i = 0; i < 8; i++)
		f->pages[at + i] = chance(f, 256);
}

/* --- Grants and ports come and go --- */

static void toggle_grant(struct fuzz *f)
{
	unsigned int i = chance(f, PAGES);

	if (f->shared[i])
		f->shared[i] = pv_grant_unshare(f->guest, f->refs[i]) != 0;
	else if (!pv_grant_share(f->guest, chance(f, 10) ? 0 : 7, f->pages + (size_t)i * PV_PAGE_SIZE,
				 chance(f, 5), &f->refs[i]))
		f->shared[i] = true;
}

static void toggle_port(struct fuzz *f)
{
	if (f->port > 0) {
		pv_event_close(f->guest, f->port);
		f->port = 0;
	} else {
		f->port = pv_event_open(f->guest, 0, 0, fuzz_no_event, NULL);
	}
}

/* --- The backend's process --- */

static void open_back(struct fuzz *f)
{
	f->lives++;
	if (blkback_open(&f->back, f->dom0, f->host, BACK))
		f->back = NULL;
}

static void kill_back(struct fuzz *f)
{
	fake_host_killed(f->host);
	world_kill(f->dom0);
	open_back(f);
}

/* The toolstack's: the medium is to be let go of, or taken back. */
static void toggle_hold(struct fuzz *f)
{
	fuzz_put_number(f->w, BACK, "hold", chance(f, 2));
	blkback_poke(f->back, "hold");
}

static void one_action(struct fuzz *f)
{
	uint32_t what = chance(f, 100);

	if (what < 45)
		use_ring(f);
	else if (what < 50)
		proper_keys(f);
	else if (what < 54)
		odd_key(f);
	else if (what < 57)
		put_number(f, "state", chance(f, 9));
	else if (what < 60)
		scribble(f);
	else if (what < 62)
		toggle_grant(f);
	else if (what < 63)
		toggle_port(f);
	else if (what < 64)
		kill_back(f);
	else if (what < 65 && f->back)
		blkback_poke(f->back, chance(f, 2) ? "resize" : "state");
	else if (what < 67 && f->back)
		toggle_hold(f);
	for (uint32_t n = chance(f, 12); n; n--)
		world_step(f->w);
}

/* The device's node is made anew where it has closed, as a toolstack would for the next guest. */
static void revive(struct fuzz *f)
{
	if (f->back && blkback_finished(f->back)) {
		while (blkback_close(f->back))
			world_step(f->w);
		world_device(f->w, 0, BLKBACK_TYPE, 1, "vbd", 51712);
		open_back(f);
		proper_keys(f);
	}
}

static void begin(struct fuzz *f, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->w = world_new(seed);
	f->dom0 = world_domain(f->w, 0);
	f->guest = world_domain(f->w, 1);
	f->host = fake_host_new(f->dom0);
	fake_disk(f->host, "/disk", DISK, seed % 5 ? 512 : 4096);
	f->pages = pv_pages_alloc(f->guest, PAGES);
	for (unsigned int i = 0; i < PAGES; i++)
		f->shared[i] = !pv_grant_share(f->guest, 0, f->pages + (size_t)i * PV_PAGE_SIZE, true,
					       &f->refs[i]);
	f->port = pv_event_open(f->guest, 0, 0, fuzz_no_event, NULL);
	world_device(f->w, 0, BLKBACK_TYPE, 1, "vbd", 51712);
	world_store_write(f->w, BACK "/params", "/disk");
	world_store_write(f->w, BACK "/mode", seed % 7 ? "w" : "r");
	world_store_write(f->w, BACK "/online", seed % 3 ? "1" : "0");
	world_store_write(f->w, BACK "/persistent-grants", seed % 2 ? "1" : "0");
	open_back(f);
	world_settle(f->w);
	proper_keys(f);
	for (int i = 0; i < 30; i++)
		world_step(f->w);
}

/* What is left or wrong. */
static unsigned int finish(struct fuzz *f)
{
	unsigned int bad = 0, lines = world_log_count(f->w);

	for (unsigned int i = 0; f->back && blkback_close(f->back); i++) {
		world_step(f->w);
		if (i == 100000) {
			printf("the backend does not let go\n");
			return 1;
		}
	}
	if (lines > 2 * f->lives + 4) {
		printf("%u log lines in %u lives; the last: %s\n", lines, f->lives, world_log_last(f->w));
		bad++;
	}
	for (unsigned int i = 0; i < PAGES; i++)
		if (f->shared[i] && pv_grant_unshare(f->guest, f->refs[i]))
			bad++;		/* still mapped */
	if (f->port > 0)
		pv_event_close(f->guest, f->port);
	if (!bad)
		pv_pages_free(f->guest, f->pages, PAGES);
	bad += fake_host_free(f->host);
	return bad + world_end(f->w);
}

static bool run_world(uint64_t seed, unsigned long cases)
{
	struct fuzz f;

	begin(&f, seed);
	for (; cases; cases--) {
		one_action(&f);
		if (chance(&f, 20) == 0)
			revive(&f);
	}
	return finish(&f) == 0;
}

int main(void)
{
	return fuzz_main(100, run_world);
}
