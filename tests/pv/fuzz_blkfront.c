/* SPDX-License-Identifier: MIT */
/*
 * A hostile backend against the block frontend: random and nearly right keys, states, answers (to
 * requests that wait, that do not, twice, wrong operations), indexes, pages kept mapped. It must not crash,
 * touch memory that is not its own, complete an operation twice or never, or leak.
 *
 * LINK: tests/fake/world.c tests/fake/world_grant.c tests/fake/world_store.c pvlib/store.c pvlib/xenbus.c blkfront/ring.c blkfront/device.c
 */
#include <string.h>
#include <fuzz_world.h>
#include <pv/blkfront.h>
#include <pv/ring.h>
#include <xen/io/blkif.h>

#define FRONT	"/local/domain/1/device/vbd/51712"
#define BACK	"/local/domain/0/backend/qblk/1/51712"
#define IOS	12
#define SEEN	64	/* ids that were asked, to be answered again */
#define QUEUES	4

struct ring {
	void *map;
	unsigned int pages;
	int port;
	uint32_t req_cons, rsp_prod;
};

struct an_io {
	struct blkfront_io io;
	struct fuzz *fuzz;
	bool busy;
	void *pages;
};

struct fuzz {
	struct world *w;
	struct pv_domain *dom0, *guest;
	struct blkfront *front;
	struct ring rings[QUEUES];
	struct blkif_response seen[SEEN];
	unsigned int nr_seen, lives;
	void *kept[8];
	unsigned int nr_kept;
	struct an_io ios[IOS];
	unsigned int twice, busy;
};

static uint32_t chance(struct fuzz *f, uint32_t below)
{
	return world_random(f->w, below);
}

static void put(struct fuzz *f, const char *key, const char *value)
{
	fuzz_put(f->w, BACK, key, value);
}

static void put_number(struct fuzz *f, const char *key, uint64_t value)
{
	fuzz_put_number(f->w, BACK, key, value);
}

static void odd_key(struct fuzz *f)
{
	static const char *const keys[] = {
		"sectors", "sector-size", "info", "state", "multi-queue-max-queues", "feature-discard",
		"max-ring-page-order", "feature-persistent", "feature-max-indirect-segments",
		"feature-flush-cache",
	};
	const char *key = keys[chance(f, PV_ARRAY_SIZE(keys))];

	if (chance(f, 4) == 0)
		put(f, key, chance(f, 2) ? NULL : "12y");
	else
		put_number(f, key, fuzz_number(f->w));
}

static void offer(struct fuzz *f)
{
	put_number(f, "multi-queue-max-queues", 1 + chance(f, 4));
	put_number(f, "max-ring-page-order", chance(f, 3));
	put_number(f, "feature-persistent", chance(f, 2));
	put_number(f, "feature-max-indirect-segments", chance(f, 2) * 256);
	put_number(f, "feature-flush-cache", 1);
	put_number(f, "feature-discard", 1);
	put_number(f, "sectors", 4096);
	put_number(f, "sector-size", chance(f, 6) ? 512 : 4096);
	put_number(f, "state", 2);
}

static uint64_t front_number(struct fuzz *f, const char *key, uint64_t fallback)
{
	char path[PV_PATH_MAX];
	const char *text;

	snprintf(path, sizeof(path), FRONT "/%s", key);
	text = world_store_read(f->w, path);
	return text ? strtoull(text, NULL, 10) : fallback;
}

static void drop_rings(struct fuzz *f)
{
	for (unsigned int i = 0; i < QUEUES; i++) {
		struct ring *r = &f->rings[i];

		if (r->map)
			pv_grant_unmap(f->dom0, r->map, r->pages);
		if (r->port > 0)
			pv_event_close(f->dom0, r->port);
		memset(r, 0, sizeof(*r));
	}
}

static void connect_rings(struct fuzz *f)
{
	unsigned int queues = front_number(f, "multi-queue-num-queues", 1);
	unsigned int pages = 1U << front_number(f, "ring-page-order", 0);
	grant_ref_t refs[16];
	char prefix[20] = "", key[48];

	drop_rings(f);
	for (unsigned int i = 0; i < queues && i < QUEUES && pages <= 16; i++) {
		struct ring *r = &f->rings[i];

		if (queues > 1)
			snprintf(prefix, sizeof(prefix), "queue-%u/", i);
		for (unsigned int n = 0; n < pages; n++) {
			snprintf(key, sizeof(key), pages > 1 ? "%sring-ref%u" : "%sring-ref", prefix, n);
			refs[n] = front_number(f, key, 0);
		}
		r->pages = pages;
		if (pv_grant_map(f->dom0, 1, refs, pages, true, &r->map))
			r->map = NULL;
		snprintf(key, sizeof(key), "%sevent-channel", prefix);
		r->port = pv_event_open(f->dom0, 1, front_number(f, key, 0), fuzz_no_event, NULL);
	}
	put_number(f, "state", 4);
}

/* Takes a request off, to know an id that is asked; sometimes keeps its page mapped. */
static void take(struct fuzz *f, struct ring *r, uint32_t slots)
{
	struct pv_ring_shared *s = r->map;
	struct blkif_request q;
	struct blkif_response *a = &f->seen[f->nr_seen++ % SEEN];
	void *map;

	if (s->req_prod - r->req_cons - 1 >= slots)
		return;
	memcpy(&q, pv_ring_slot(s, slots, sizeof(union blkif_sring_entry), r->req_cons++), sizeof(q));
	a->id = q.id;
	a->operation = q.operation;
	if (q.operation == BLKIF_OP_INDIRECT)
		a->operation = ((struct blkif_request_indirect *)&q)->indirect_op;
	else if (chance(f, 200) == 0 && f->nr_kept < PV_ARRAY_SIZE(f->kept) && q.nr_segments &&
		 !pv_grant_map(f->dom0, 1, &q.seg[0].gref, 1, false, &map))
		f->kept[f->nr_kept++] = map;
}

static void answer(struct fuzz *f)
{
	struct ring *r = &f->rings[chance(f, QUEUES)];
	struct pv_ring_shared *s = r->map;
	struct blkif_response a;
	uint32_t slots;

	if (!s)
		return;
	slots = pv_ring_slots(r->pages * PV_PAGE_SIZE, sizeof(union blkif_sring_entry));
	for (uint32_t n = 1 + chance(f, 5); n; n--) {
		if (s->req_prod == r->req_cons && chance(f, 60))
			break;
		take(f, r, slots);
		a = f->seen[(f->nr_seen - 1) % SEEN];
		if (chance(f, 300) == 0)
			a = f->seen[chance(f, SEEN)];
		if (chance(f, 300) == 0)
			a.operation = chance(f, 256);
		if (chance(f, 300) == 0)
			a.id ^= 1ULL << chance(f, 64);
		a.status = chance(f, 20) ? 0 : (int)chance(f, 5) - 3;
		memcpy(pv_ring_slot(s, slots, sizeof(union blkif_sring_entry), r->rsp_prod++), &a,
		       sizeof(a));
	}
	s->rsp_prod = chance(f, 400) ? r->rsp_prod : (uint32_t)fuzz_number(f->w);
	s->req_event = s->req_prod + chance(f, 3);
	if (r->port > 0)
		pv_event_notify(f->dom0, r->port);
}

/* --- The guest's side --- */

static void ready(void *arg, bool usable)
{
	(void)arg, (void)usable;
}

static void io_done(struct blkfront_io *io)
{
	struct an_io *a = PV_CONTAINER(io, struct an_io, io);

	a->fuzz->twice += !a->busy;
	a->busy = false;
	a->fuzz->busy--;
	if (io->stuck)
		a->pages = NULL;
}

static void ask(struct fuzz *f)
{
	struct an_io *a = &f->ios[chance(f, IOS)];
	struct blkfront_info info = { .sector = 512 };

	if (!f->front || a->busy)
		return;
	blkfront_info(f->front, &info);
	if (!a->pages)
		a->pages = pv_pages_alloc(f->guest, 20);
	a->fuzz = f;
	a->io = (struct blkfront_io){
		.op = chance(f, 4), .queue = chance(f, 9), .data = a->pages, .done = io_done,
		.offset = (uint64_t)chance(f, 2000) * 512, .bytes = (1 + chance(f, 150)) * 512,
	};
	if (blkfront_submit(f->front, &a->io))
		return;
	a->busy = true;
	f->busy++;
	blkfront_kick(f->front);
}

static void open_front(struct fuzz *f)
{
	struct blkfront_options options = {
		.max_queues = 1 + chance(f, 4), .max_ring_order = chance(f, 3),
		.persistent = chance(f, 2), .no_indirect = chance(f, 3) == 0,
	};

	f->lives++;
	if (blkfront_open(&f->front, f->guest, "device/vbd/51712", &options, ready, f))
		f->front = NULL;
}

static void close_front(struct fuzz *f)
{
	for (unsigned int i = 0; f->front && blkfront_close(f->front, i > 20); i++)
		world_step(f->w);
	f->front = NULL;
}

static void let_go(struct fuzz *f)
{
	drop_rings(f);
	while (f->nr_kept)
		pv_grant_unmap(f->dom0, f->kept[--f->nr_kept], 1);
}

static void restart(struct fuzz *f)
{
	let_go(f);
	put_number(f, "state", 6);
	world_settle(f->w);
	close_front(f);
	world_device(f->w, 0, "qblk", 1, "vbd", 51712);
	open_front(f);
	offer(f);
	world_settle(f->w);
	connect_rings(f);
}

static void one_action(struct fuzz *f)
{
	uint32_t what = chance(f, 200);

	if (what < 80)
		ask(f);
	else if (what < 180)
		answer(f);
	else if (what < 182)
		odd_key(f);
	else if (what < 183)
		put_number(f, "state", chance(f, 9));
	else if (what < 184)
		connect_rings(f);
	else if (what < 185)
		drop_rings(f);
	else if (what < 187)
		restart(f);
	for (uint32_t n = chance(f, 6); n; n--)
		world_step(f->w);
}

static unsigned int finish(struct fuzz *f)
{
	unsigned int bad = 0;

	let_go(f);
	put_number(f, "state", 6);
	world_settle(f->w);
	close_front(f);
	if (f->twice || f->busy) {
		printf("%u operations done twice, %u never\n", f->twice, f->busy);
		bad++;
	}
	for (unsigned int i = 0; i < IOS; i++)
		if (f->ios[i].pages)
			pv_pages_free(f->guest, f->ios[i].pages, 20);
	if (world_log_count(f->w) > f->lives) {
		printf("%u log lines in %u lives\n", world_log_count(f->w), f->lives);
		bad++;
	}
	return bad;
}

/*
 * Pages that were mapped when the frontend gave up are lost to it for good; nothing else may be. The
 * backend's own books must balance.
 */
static unsigned int end_world(struct fuzz *f)
{
	struct world_count guest, dom0;

	world_counts(f->guest, &guest);
	world_counts(f->dom0, &dom0);
	world_drop(f->w);
	return guest.ports + guest.watches + guest.timers + guest.transactions + dom0.maps + dom0.ports;
}

static bool run_world(uint64_t seed, unsigned long cases)
{
	static struct fuzz f;

	memset(&f, 0, sizeof(f));
	f.w = world_new(seed);
	f.dom0 = world_domain(f.w, 0);
	f.guest = world_domain(f.w, 1);
	restart(&f);
	for (; cases; cases--)
		one_action(&f);
	return finish(&f) + end_world(&f) == 0;
}

int main(void)
{
	return fuzz_main(200, run_world);
}
