/* SPDX-License-Identifier: MIT */
/*
 * Saving a domain, in order: headers and what CPU it saw, its memory (in rounds while it runs, if
 * that is wanted), the guest stands still, the memory that is left, its state, the end.
 */
#include <errno.h>
#include <string.h>
#include "private.h"
#include <xen/version.h>

#define ROUNDS_DEFAULT 8U
#define ROUNDS_BRAKED 16U
#define FEW_PAGES_DEFAULT 256U
#define STUCK_NUMERATOR 9U /* a round that leaves 9/10 of its predecessor does not help */
#define STUCK_DENOMINATOR 10U

const char *move_phase_name(enum move_phase phase)
{
	static const char *const names[] = {
		[MOVE_SETUP] = "setup",	   [MOVE_MEMORY] = "memory",
		[MOVE_SUSPEND] = "suspend", [MOVE_LAST_MEMORY] = "last-memory",
		[MOVE_STATE] = "state",	   [MOVE_DONE] = "done",
	};

	return phase < sizeof(names) / sizeof(names[0]) ? names[phase] : "?";
}

int saver_progress(struct saver *s, enum move_phase phase)
{
	int rc;

	s->progress.phase = phase;
	s->progress.bytes = stream_writer_offset(s->writer);
	if (!s->save->progress)
		return 0;
	rc = s->save->progress(s->save->progress_cookie, &s->progress);
	return rc ? tools_fail(s->error, rc, "canceled", "given up") : 0;
}

static uint64_t count_bits(const uint64_t *map, uint64_t count)
{
	uint64_t sum = 0, i;

	for (i = 0; i < count / 64 + 1; i++)
		sum += (uint64_t)__builtin_popcountll(map[i]);
	return sum;
}

/* ---- log-dirty ---- */

static int log_dirty_on(struct saver *s)
{
	struct ctl *ctl = s->save->ctl;
	int rc = ctl_shadow_op(ctl, s->save->domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, NULL,
			       NULL, NULL);

	if (!rc)
		return 0;
	/* Left on by a migration that died. */
	ctl_shadow_op(ctl, s->save->domid, XEN_DOMCTL_SHADOW_OP_OFF, 0, NULL, NULL, NULL);
	rc = ctl_shadow_op(ctl, s->save->domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, NULL, NULL,
			   NULL);
	if (!rc)
		return 0;
	return tools_hint(s->error,
			  tools_fail(s->error, rc, "no-log-dirty",
				     "this hypervisor cannot watch what domain %u writes: %s",
				     s->save->domid, strerror(-rc)),
			  "--non-live moves it while it stands still");
}

/* What was written since the last time into s->to_send. */
static int log_dirty_read(struct saver *s, bool last)
{
	uint64_t *dirty = bits_alloc(s->frames.count), pages = s->frames.count, i;
	int rc = dirty ? ctl_shadow_op(s->save->ctl, s->save->domid, XEN_DOMCTL_SHADOW_OP_CLEAN,
				       last ? XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL : 0, dirty, &pages,
				       NULL) :
			 -ENOMEM;

	if (rc < 0) {
		free(dirty);
		return tools_fail(s->error, rc, "no-log-dirty",
				  "what domain %u wrote cannot be read: %s", s->save->domid,
				  strerror(-rc));
	}
	if (pages > s->frames.count)
		pages = s->frames.count;
	for (i = 0; i < pages / 64 + 1; i++)
		s->to_send[i] |= dirty[i];
	free(dirty);
	return 0;
}

/* ---- memory ---- */

static int send_round(struct saver *s, enum move_phase phase)
{
	uint64_t before = s->save->pages;
	unsigned int n = s->save->rounds++;
	int rc;

	s->progress.round = n;
	s->progress.pages_done = 0;
	s->progress.pages_all = count_bits(s->to_send, s->frames.count);
	rc = saver_progress(s, phase);
	if (!rc)
		rc = s->still && s->save->apart_pfns && !s->save->live ?
			     saver_send_apart(s) :
			     saver_send_range(s, 0, s->frames.count);
	if (n <= MOVE_MAX_ROUNDS)
		s->save->round_pages[n] = s->save->pages - before;
	return rc;
}

/* Pages the guest has, all to be sent. */
static void want_all(struct saver *s)
{
	uint64_t pfn, bits = 0;

	for (pfn = 0; pfn < s->frames.count; pfn++) {
		bits |= (uint64_t)(s->frames.p2m[pfn] != INVALID_MFN) << pfn % 64;
		if (pfn % 64 == 63 || pfn + 1 == s->frames.count) {
			s->to_send[pfn / 64] |= bits;
			bits = 0;
		}
	}
}

/* Rounds while the guest runs, until little is left or they do not help. */
static int send_live(struct saver *s)
{
	unsigned int rounds = s->save->max_rounds ? s->save->max_rounds :
			      s->save->brake	  ? ROUNDS_BRAKED :
						    ROUNDS_DEFAULT;
	unsigned int few = s->save->few_pages ? s->save->few_pages : FEW_PAGES_DEFAULT;
	uint64_t left = UINT64_MAX, before, began, took;
	int rc = log_dirty_on(s);

	if (rounds > MOVE_MAX_ROUNDS)
		rounds = MOVE_MAX_ROUNDS;
	while (!rc) {
		before = left;
		began = tools_now_ms();
		rc = send_round(s, MOVE_MEMORY);
		rc = rc ? rc : frames_refresh(&s->frames, s->to_send, s->error);
		rc = rc ? rc : log_dirty_read(s, false);
		if (rc)
			break;
		left = count_bits(s->to_send, s->frames.count);
		took = tools_now_ms() - began;
		s->progress.dirty_rate = took ? left * 1000 / took : 0;
		if (left <= few || s->save->rounds >= rounds)
			break;
		if (before != UINT64_MAX && left > before / STUCK_DENOMINATOR * STUCK_NUMERATOR &&
		    !(s->save->brake && saver_brake(s)))
			break;
	}
	/* To suspend it may be as fast as it can. */
	saver_unbrake(s);
	return rc;
}

static int stand_still(struct saver *s)
{
	struct xen_domctl_getdomaininfo info;
	int rc = saver_progress(s, MOVE_SUSPEND);

	if (rc)
		return rc;
	s->save->suspended_at_ms = tools_now_ms();
	rc = s->save->suspend(s->save->suspend_cookie, s->error);
	s->save->suspended = move_is_suspended(s->save->ctl, s->save->domid);
	if (rc)
		return rc;
	s->still = true;
	/* Its last words may have been into its table; nobody writes there from here on. */
	rc = ctl_getdomaininfo(s->save->ctl, s->save->domid, &info);
	if (rc || !(info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_paused)))
		return tools_fail(s->error, rc ? rc : -EBUSY, "not-suspended",
				  "domain %u does not stand still", s->save->domid);
	return 0;
}

static int send_memory(struct saver *s)
{
	uint64_t i;
	int rc = 0;

	if (s->save->live) {
		want_all(s);
		rc = send_live(s);
	}
	rc = rc ? rc : stand_still(s);
	rc = rc ? rc : frames_refresh(&s->frames, s->to_send, s->error);
	if (!rc && s->save->live) {
		rc = log_dirty_read(s, true);
		for (i = 0; i < s->frames.count / 64 + 1; i++)
			s->to_send[i] |= s->later[i];
	} else if (!rc) {
		want_all(s);
	}
	return rc ? rc : send_round(s, MOVE_LAST_MEMORY);
}

/* ---- all of it ---- */

static int write_start(struct saver *s)
{
	int version = ctl_version(s->save->ctl, XENVER_version, NULL, 0);

	if (version < 0)
		return tools_fail(s->error, version, "hypervisor",
				  "the hypervisor does not tell its version");
	return stream_write_start(s->writer, s->save->config, (uint32_t)version >> 16,
				  (uint32_t)version & 0xffff, s->error);
}

static int open_all(struct saver *s)
{
	struct stream_options options = { .file_flags = s->save->file_flags };
	int rc = frames_open(&s->frames, s->error);

	if (rc)
		return rc;
	s->to_send = bits_alloc(s->frames.count);
	s->later = bits_alloc(s->frames.count);
	s->sent = bits_alloc(s->frames.count);
	rc = s->to_send && s->later && s->sent ? saver_pages_init(s) : -ENOMEM;
	rc = rc ? rc : stream_writer_open(s->save->format, &options, s->save->put,
					  s->save->cookie, &s->writer);
	return rc ? tools_fail(s->error, rc, "no-memory", "out of memory in domain 0") : 0;
}

static void close_all(struct saver *s)
{
	if (s->save->live)
		ctl_shadow_op(s->save->ctl, s->save->domid, XEN_DOMCTL_SHADOW_OP_OFF, 0, NULL, NULL,
			      NULL);
	if (s->writer)
		s->save->bytes = stream_writer_offset(s->writer);
	stream_writer_close(s->writer);
	saver_pages_free(s);
	frames_close(&s->frames);
	free(s->to_send);
	free(s->later);
	free(s->sent);
}

int move_save(struct move_save *save, struct tools_error *error)
{
	struct saver s = { .save = save,
			   .error = error,
			   .frames = { .ctl = save->ctl, .fm = save->fm, .domid = save->domid } };
	int rc;

	save->suspended = false;
	save->rounds = 0;
	save->pages = save->bytes = save->suspended_at_ms = 0;
	memset(save->round_pages, 0, sizeof(save->round_pages));
	rc = ctl_get_address_size(save->ctl, save->domid);
	if (rc != 64)
		return tools_fail(error, rc < 0 ? rc : -EOPNOTSUPP, "unsupported",
				  "domain %u is no 64-bit PV guest", save->domid);
	rc = open_all(&s);
	rc = rc ? rc : saver_progress(&s, MOVE_SETUP);
	rc = rc ? rc : write_start(&s);
	rc = rc ? rc : saver_static_data(&s);
	rc = rc ? rc : send_memory(&s);
	rc = rc ? rc : saver_progress(&s, MOVE_STATE);
	rc = rc ? rc : saver_state(&s);
	rc = rc ? rc : stream_write_end(s.writer, error);
	rc = rc ? rc : saver_progress(&s, MOVE_DONE);
	close_all(&s);
	/* The stream only knows that it could not be written. */
	if (rc == -ECANCELED && !(error && error->code && !strcmp(error->code, "canceled")))
		tools_fail(error, rc, "canceled", "given up");
	else if (rc && error && error->code && !strcmp(error->code, "bad-stream"))
		error->code = "write";
	return rc;
}
