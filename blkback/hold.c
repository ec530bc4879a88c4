/* SPDX-License-Identifier: MIT */
/*
 * Letting go of a medium for a while: the guest stands still and may go on elsewhere, where another backend opens the
 * same image. The toolstack writes "hold" = 1 into the device's directory; when "holding" is 1, what was written is on
 * the medium and nobody here has it open. "hold" = 0 takes it back. Rings, grants and states stay as they are.
 *
 * What does not work leaves "holding" at "failed"; the device goes on as if nobody had asked, but that the guest's next
 * flush fails as ours did: kernels tell an error once. A medium that cannot be opened again is tried every second:
 * its guest waits.
 */
#include "private.h"

#define POLL_NS		20000000ULL	/* 20 ms, for another program's end or lock */
#define RETRY_NS	1000000000ULL

static void answer(struct blkback *b, const char *text)
{
	pv_store_write(b->domain, 0, b->bus.path, "holding", text);
}

static void timer_rings(void *arg)
{
	hold_go_on(arg);
}

static void wait(struct blkback *b, uint64_t ns)
{
	b->hold_timer.fn = timer_rings;
	b->hold_timer.arg = b;
	pv_timer_set(b->domain, &b->hold_timer, pv_now(b->domain) + ns);
}

static void go_on_as_before(struct blkback *b, const char *what)
{
	b->hold = HOLD_NONE;
	answer(b, what);
	device_run_queues(b);
	device_advance(b);
}

/* The batch's end, which follows, goes on. */
static void flushed(struct medium_io *io)
{
	struct blkback *b = PV_CONTAINER(io, struct blkback, hold_flush);

	b->hold = HOLD_CLOSING;
}

static void flush(struct blkback *b)
{
	b->hold = HOLD_FLUSHING;
	b->hold_flush = (struct medium_io){ .op = MEDIUM_FLUSH, .done = flushed };
	medium_submit(b->medium, &b->hold_flush);
	medium_kick(b->medium);
}

static void close_it(struct blkback *b)
{
	b->flush_owed |= b->hold_flush.result < 0;
	if (b->medium && b->flush_owed) {
		pv_log(b->domain, "domain %u device %s: it cannot be let go of: flush: error %d", b->bus.peer,
		       b->bus.path, -b->hold_flush.result);
		go_on_as_before(b, "failed");
		return;
	}
	device_drop_buffer(b);
	device_close_medium(b);
	if (medium_lingers(b->host, device_fence(b))) {
		wait(b, POLL_NS);
		return;
	}
	b->hold = HOLD_DONE;
	answer(b, "1");
	hold_look(b);		/* may have changed meanwhile */
}

static void open_it(struct blkback *b)
{
	uint64_t bytes = b->info.bytes;
	int rc = device_open_medium(b, true);	/* in case an answer of the last life did not reach the store */

	if (!rc && b->connected)
		rc = device_take_buffer(b);
	if (rc) {
		device_close_medium(b);
		if (rc != -XEN_EAGAIN)
			device_complain(b, ++b->hold_tries, rc);
		wait(b, rc == -XEN_EAGAIN ? POLL_NS : RETRY_NS);
		return;
	}
	go_on_as_before(b, "0");
	device_tell_size(b, bytes);
}

void hold_go_on(struct blkback *b)
{
	if (b->dying || b->closed)
		return;
	if (b->hold == HOLD_DRAINING && !device_in_flight(b)) {
		b->hold_flush.result = 0;
		b->hold = HOLD_CLOSING;
		if (b->medium && !b->info.read_only)
			flush(b);
	}
	if (b->hold == HOLD_CLOSING)
		close_it(b);
	else if (b->hold == HOLD_OPENING)
		open_it(b);
}

/* 1, 0, or negative: nobody knows. */
static int is_wanted(struct blkback *b)
{
	uint64_t hold = 0;
	int rc = device_own_number(b, "hold", 1, &hold);

	return rc ? rc : (int)hold;
}

static void look(void *arg)
{
	hold_look(arg);
}

/* Between draining and done it is looked at when that is reached. */
void hold_look(struct blkback *b)
{
	bool lacks_medium = b->connected || b->bus.state == XenbusStateInitWait;
	int wanted = is_wanted(b);

	if (b->dying || b->closed)
		return;
	if (wanted < 0) {
		b->hold_look.fn = look;
		b->hold_look.arg = b;
		pv_timer_set(b->domain, &b->hold_look, pv_now(b->domain) + RETRY_NS);
	} else if (wanted && b->hold == HOLD_NONE) {
		b->hold = HOLD_DRAINING;
		hold_go_on(b);
	} else if (wanted && b->hold == HOLD_OPENING) {
		b->hold = HOLD_CLOSING;
		hold_go_on(b);
	} else if (!wanted && b->hold == HOLD_DRAINING) {
		go_on_as_before(b, "0");
	} else if (!wanted && b->hold == HOLD_DONE) {
		b->hold = lacks_medium ? HOLD_OPENING : HOLD_NONE;
		b->hold_tries = 0;
		if (lacks_medium)
			hold_go_on(b);
		else
			go_on_as_before(b, "0");	/* opened as the states ask for it */
	}
}

/* The key has been written: an answer to an earlier question is void. */
void hold_poke(struct blkback *b)
{
	if (b->hold == HOLD_NONE)
		answer(b, "0");
	hold_look(b);
}

/*
 * An earlier instance that had let go of its medium has left no work, though rings to be taken over once the medium is
 * open again. One that was still at it is taken over first.
 */
int hold_begin(struct blkback *b)
{
	uint64_t holding = 0;
	int rc = device_own_number(b, "holding", 1, &holding);

	if (rc || !holding)
		return rc;
	rc = is_wanted(b);
	if (rc < 0)
		return rc;
	b->hold = rc ? HOLD_DONE : HOLD_OPENING;
	wait(b, 0);
	return 0;
}

void hold_forget(struct blkback *b)
{
	b->hold = HOLD_NONE;
	b->flush_owed = false;
	pv_timer_set(b->domain, &b->hold_timer, 0);
	pv_timer_set(b->domain, &b->hold_look, 0);
}
