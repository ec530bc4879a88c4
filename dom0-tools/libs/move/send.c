/* SPDX-License-Identifier: MIT */
/*
 * The end of a migration that has the domain. Until the receiver is given leave to run it (GO) it
 * is ours: whatever fails, it is resumed. From then on only the receiver's word counts; if that
 * does not come, it is asked once more over a new link, and if nobody answers the domain stays
 * suspended here, so that it never runs twice.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "private.h"
#include "protocol.h"
#include <xen/version.h>

#define REASONS_MAX 8192U
#define LAST_WORD_MS 2000U /* of a receiver that closed its end */

struct sender {
	struct move_send *send;
	struct tools_error *error;
	struct move_channel out, in;
	bool answered;	/* the answer came, or READY is all that still can */
	bool refused;
	uint64_t began_ms;
	char away[256]; /* the domain's name while GO is out */
	bool held;	/* its disks may be let go of */
};

/* The link was of no use, as @rc says. */
static int link_failed(struct sender *s, int rc, const char *what)
{
	if (rc == -ECANCELED)
		return tools_fail(s->error, rc, "canceled", "given up");
	if (rc == -ENODATA)
		return tools_fail(s->error, -EPIPE, "peer", "the target %s", what);
	return tools_fail(s->error, rc, "peer", "the target %s: %s", what, strerror(-rc));
}

static void say(struct sender *s, const char *line)
{
	if (s->send->say)
		s->send->say(s->send->cookie, line);
}

/* The receiver said no: what it says until its end is why. */
static int take_reasons(struct sender *s)
{
	char text[256];
	ssize_t n;

	s->refused = true;
	while (s->send->problems.length < REASONS_MAX) {
		/* Byte by byte until the end; the channel has the deadline. */
		n = move_channel_read(&s->in, text, 1) ? 0 : 1;
		if (!n)
			break;
		strbuf_add(&s->send->problems, text, 1);
	}
	return tools_hint(s->error,
			  tools_fail(s->error, -EPERM, "refused", "the target does not take %s: %s",
				     s->send->name,
				     s->send->problems.text ? s->send->problems.text : "?"),
			  "nothing has happened to it");
}

/* An answer is here, or the end. */
static int take_answer(struct sender *s, const char *first)
{
	char answer[ANSWER_BYTES + 1] = { 0 };
	size_t have = first ? 1 : 0;
	int rc;

	if (first)
		answer[0] = *first;
	rc = move_channel_read(&s->in, answer + have, ANSWER_BYTES - have);
	if (rc)
		return link_failed(s, rc, "has gone away");
	s->answered = true;
	if (!memcmp(answer, ANSWER_REFUSED, ANSWER_BYTES))
		return take_reasons(s);
	if (memcmp(answer, ANSWER_AGREED, ANSWER_BYTES))
		return tools_fail(s->error, -EPROTO, "peer",
				  "the target says what it should not: %.12s", answer);
	s->send->peer_is_ours = true;
	return 0;
}

/* While we send: only an answer may come. */
static int on_peer(void *cookie)
{
	struct sender *s = cookie;
	int rc = take_answer(s, NULL);

	/* A second word before the stream's end is never good, and is read then. */
	return rc;
}

/* @length bytes that must be @want. */
static int expect(struct sender *s, const char *want, size_t length, const char *what)
{
	char got[128];
	int rc;

	memset(got, 0, sizeof(got));
	rc = move_channel_read(&s->in, got, 1);
	if (!rc && got[0] == ANSWER_LETTER && want[0] != ANSWER_LETTER) {
		rc = take_answer(s, got);
		if (rc)
			return rc;
		rc = move_channel_read(&s->in, got, 1);
	}
	rc = rc ? rc : move_channel_read(&s->in, got + 1, length - 1);
	if (rc) {
		snprintf(got, sizeof(got), "went away instead of its %s", what);
		return link_failed(s, rc, got);
	}
	if (memcmp(got, want, length))
		return tools_fail(s->error, -EPROTO, "peer",
				  "the target says `%.60s' instead of its %s", got, what);
	return 0;
}

static int suspend(void *cookie, struct tools_error *error)
{
	struct sender *s = cookie;
	struct move_suspend how = { .answer_ms = s->send->suspend_ms,
				    .finish_ms = s->send->suspend_ms };
	int rc = move_suspend(s->send->light, s->send->domid, &how, error);

	if (rc)
		return rc;
	/* The receiver opens the images when all of this stream is there. */
	s->held = true;
	return light_hold_disks(s->send->light, s->send->domid, true, error);
}

/* Before the first page: the receiver says whether it wants the domain at all. */
static int wait_answer(struct sender *s)
{
	unsigned int stall = s->in.stall_ms;
	char first;
	int rc;

	s->in.stall_ms = ANSWER_MS;
	rc = move_channel_read(&s->in, &first, 1);
	s->in.stall_ms = stall;
	/* xl has no such answer; a late one is heard while sending. */
	if (rc == -ETIMEDOUT)
		return 0;
	return rc ? link_failed(s, rc, "has gone away") : take_answer(s, &first);
}

static int on_progress(void *cookie, const struct move_progress *now)
{
	struct sender *s = cookie;
	int rc = 0;

	if (!s->answered && s->out.peer_fd < 0 && now->phase > MOVE_SETUP) {
		rc = wait_answer(s);
		s->out.peer_fd = s->send->link->in;
	}
	if (!rc && s->send->progress)
		rc = s->send->progress(s->send->cookie, now);
	return rc;
}

/* The receiver's own words are in the error already. */
static bool told(const struct sender *s)
{
	return s->error->code && (!strcmp(s->error->code, "refused") ||
				  !strcmp(s->error->code, "peer"));
}

/* The stream. 0: all of it is out and the domain stands still. */
static int send_stream(struct sender *s)
{
	struct move_send *m = s->send;
	struct tools_error why = { 0 };
	int rc;

	m->save = (struct move_save){ .ctl = m->light->ctl,
				      .fm = m->light->fm,
				      .domid = m->domid,
				      .format = STREAM_XL,
				      .config = m->config,
				      .file_flags = MOVE_FLAG_ANSWER,
				      .put = move_channel_put,
				      .cookie = &s->out,
				      .live = m->live,
				      .brake = m->brake,
				      .max_rounds = m->max_rounds,
				      .few_pages = m->few_pages,
				      .suspend = suspend,
				      .suspend_cookie = s,
				      .progress = on_progress,
				      .progress_cookie = s };
	s->out.on_peer = on_peer;
	s->out.peer_cookie = s;
	rc = move_save(&m->save, &why);
	s->out.peer_fd = -1;
	/* What the receiver said is the cause, not that the link broke. */
	if ((rc == -EPIPE || rc == -ECONNRESET) && !told(s)) {
		s->in.stall_ms = LAST_WORD_MS;
		take_answer(s, NULL);
	}
	if (rc && !told(s))
		*s->error = why;
	return rc;
}

/* A domain that stands still in vain. */
static void take_back(struct sender *s)
{
	struct tools_error why = { 0 };
	size_t length;
	int rc = 0;

	if (!move_is_suspended(s->send->light->ctl, s->send->domid)) {
		s->send->where = MOVE_HERE;
		return;
	}
	say(s, "migration sender: Trying to resume at our end.");
	if (s->away[0])
		light_rename(s->send->light, s->send->domid, s->away, s->send->name, NULL);
	/* A guest without its disks had better stand still until "kl resume" finds them. */
	if (s->held)
		rc = light_hold_disks(s->send->light, s->send->domid, false, &why);
	if (!rc && !move_resume(s->send->light, s->send->domid, &why)) {
		s->send->where = MOVE_HERE;
		say(s, "migration sender: Resumed OK.");
		return;
	}
	s->send->where = move_is_suspended(s->send->light->ctl, s->send->domid) ? MOVE_STUCK :
										 MOVE_HERE;
	length = strlen(s->error->text);
	snprintf(s->error->text + length, sizeof(s->error->text) - length, "; and %s%.200s",
		 s->send->where == MOVE_STUCK ? "it stays: " : "", why.text);
}

/* The receiver's word on how it went; 1: it runs there, 0: it does not and is ours; -errno. */
static int take_report(struct sender *s)
{
	char result;
	int rc = expect(s, REPORT, sizeof(REPORT), "report");

	rc = rc ? rc : move_channel_read(&s->in, &result, 1);
	if (rc)
		return rc;
	if (!result)
		return 1;
	rc = expect(s, GO, sizeof(GO), "leave to have the domain back");
	if (rc)
		return rc;
	tools_fail(s->error, -EIO, "peer", "the target could not start %s (status code %d)",
		   s->send->name, result);
	return 0;
}

/* File header and configuration only, with @flags: what the receiver answers. */
static int ask(struct sender *s, struct move_link *link, uint32_t flags, char answer[ANSWER_BYTES])
{
	struct stream_options options = { .file_flags = flags };
	struct stream_writer *writer;
	int version = ctl_version(s->send->light->ctl, XENVER_version, NULL, 0), rc;

	move_channel_init(&s->in, link->in, s->send->light->cancel_fd);
	move_channel_init(&s->out, link->out, s->send->light->cancel_fd);
	s->in.stall_ms = s->out.stall_ms = s->send->peer_ms;
	rc = expect(s, BANNER, BANNER_BYTES, "banner");
	if (rc)
		return rc;
	if (stream_writer_open(STREAM_XL, &options, move_channel_put, &s->out, &writer))
		return tools_fail(s->error, -ENOMEM, "no-memory", "out of memory");
	rc = stream_write_start(writer, s->send->config, (uint32_t)version >> 16,
				(uint32_t)version & 0xffff, NULL);
	stream_writer_close(writer);
	rc = rc ? rc : move_channel_read(&s->in, answer, ANSWER_BYTES);
	/* xl waits for more, or goes. */
	if (rc && rc != -ECANCELED)
		return tools_fail(s->error, -EOPNOTSUPP, "peer", "the target cannot tell: %s",
				  rc == -ENODATA ? "it went away" : strerror(-rc));
	return rc ? link_failed(s, rc, "") : 0;
}

/* GO is out and no report came: a new link tells, perhaps. As take_report(). */
static int ask_again(struct sender *s)
{
	struct tools_error ignored = { 0 }, *error = s->error;
	struct move_link link;
	char answer[ANSWER_BYTES];
	int rc = -ENOTSUP;

	if (!s->send->reconnect)
		return rc;
	say(s, "migration sender: The link broke; asking the target over a new one.");
	s->error = &ignored;
	if (!s->send->reconnect(s->send->cookie, &link, &ignored)) {
		rc = ask(s, &link, MOVE_FLAG_QUERY, answer);
		move_link_close(&link);
	}
	s->error = error;
	if (rc)
		return rc;
	return !memcmp(answer, ANSWER_PRESENT, ANSWER_BYTES) ? 1 :
	       !memcmp(answer, ANSWER_ABSENT, ANSWER_BYTES)  ? 0 :
							       -EPROTO;
}

/* The receiver has all; from GO on it decides. */
static int hand_over(struct sender *s)
{
	struct move_send *m = s->send;
	int rc, report;

	rc = expect(s, READY, sizeof(READY), "ready message");
	if (rc)
		return rc;
	say(s, "migration sender: Target has acknowledged transfer.");
	snprintf(s->away, sizeof(s->away), "%.200s" SUFFIX_AWAY, m->name);
	rc = light_rename(m->light, m->domid, m->name, s->away, s->error);
	if (rc) {
		s->away[0] = '\0';
		return rc;
	}
	say(s, "migration sender: Giving target permission to start.");
	rc = move_channel_write(&s->out, GO, sizeof(GO));
	/* Not all of it left: it cannot act on that. */
	if (rc)
		return tools_fail(s->error, rc, rc == -ECANCELED ? "canceled" : "peer",
				  "the target went away before it got leave to start %s: %s",
				  m->name, rc == -ECANCELED ? "given up" : strerror(-rc));
	m->light->cancel_fd = s->in.cancel_fd = s->out.cancel_fd = -1;
	report = take_report(s);
	if (report < 0)
		report = ask_again(s);
	if (report < 0) {
		m->where = MOVE_UNKNOWN;
		return tools_hint(s->error,
				  tools_fail(s->error, -EIO, "unknown",
					     "the target had leave to start %s, but does not "
					     "answer: it is suspended here as %s, and runs there "
					     "perhaps",
					     m->name, s->away),
				  "look there: if it runs, destroy it here; if not, resume it here");
	}
	m->where = report ? MOVE_THERE : MOVE_HERE;
	return report ? 0 : -EIO;
}

static int finish(struct sender *s)
{
	struct move_send *m = s->send;

	m->down_ms = tools_now_ms() - m->save.suspended_at_ms;
	say(s, "migration sender: Target reports successful startup.");
	return light_destroy(m->light, m->domid, NULL, s->error);
}

static int check_only(struct sender *s)
{
	const char *config = s->send->config;
	char answer[ANSWER_BYTES], *text;
	int rc;

	text = features_into(s->send->light->ctl, s->send->domid, config);
	s->send->config = text ? text : config;
	rc = ask(s, s->send->link, MOVE_FLAG_CHECK, answer);
	s->send->config = config;
	free(text);
	s->send->where = MOVE_HERE;
	if (rc)
		return rc;
	s->send->peer_is_ours = true;
	return memcmp(answer, ANSWER_AGREED, ANSWER_BYTES) ? take_reasons(s) : 0;
}

static int send_all(struct sender *s)
{
	struct move_send *send = s->send;
	int cancel = send->light->cancel_fd, rc;

	move_channel_init(&s->in, send->link->in, send->light->cancel_fd);
	move_channel_init(&s->out, send->link->out, send->light->cancel_fd);
	s->in.stall_ms = s->out.stall_ms = send->peer_ms;
	s->out.limit = send->bytes_per_second;
	rc = expect(s, BANNER, BANNER_BYTES, "banner");
	rc = rc ? rc : send_stream(s);
	rc = rc ? rc : hand_over(s);
	if (!rc)
		rc = finish(s);
	else if (send->where != MOVE_UNKNOWN)
		take_back(s);
	/* Nobody's ^C counted from leave on. */
	send->light->cancel_fd = cancel;
	send->total_ms = tools_now_ms() - s->began_ms;
	return rc;
}

int move_send(struct move_send *send, struct tools_error *error)
{
	struct sender s = { .send = send, .error = error, .began_ms = tools_now_ms() };
	struct move_lock lock;
	int rc;

	send->where = MOVE_HERE;
	send->peer_is_ours = false;
	if (!send->peer_ms)
		send->peer_ms = PEER_MS_DEFAULT;
	if (send->check)
		return check_only(&s);
	rc = move_lock_take(send->light, send->domid, &lock, error);
	if (rc)
		return rc;
	rc = send_all(&s);
	move_lock_drop(&lock);
	return rc;
}
