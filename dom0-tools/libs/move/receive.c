/* SPDX-License-Identifier: MIT */
/*
 * The end of a migration that gets the domain. It is built under the name NAME--incoming and stays
 * paused; light_create() undoes it on any failure, and light_gc() if we die, until the sender's GO
 * is here. After that it runs, and the sender is told.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "private.h"
#include "protocol.h"

#define QUERY_MS 90000U /* for another receiver of the same domain to come to an end */
#define QUERY_LOOK_NS 100000000L
#define NOTE_LEAVE   "leave\n"
#define NOTE_STARTED "started\n"

struct receiver {
	struct move_receive *receive;
	struct tools_error *error;
	struct move_channel in, out;
	struct light_config config;
	char *name;	/* the domain's own */
	bool asked;	/* READY is out: the sender waits for a report */
	bool leave;	/* GO is here */
};

static void say(struct receiver *r, const char *line)
{
	if (r->receive->say)
		r->receive->say(r->receive->cookie, line);
}

static int answer(struct receiver *r, const char *text)
{
	return move_channel_write(&r->out, text, ANSWER_BYTES);
}

/* The sender's tool shows these lines; xl's only sees that it is not what it waits for. */
static void refuse(struct receiver *r, const char *reasons)
{
	if (!answer(r, ANSWER_REFUSED))
		move_channel_write(&r->out, reasons, strlen(reasons));
}

/* ---- questions ---- */

/*
 * A note of what became of the domain once GO was here, beside light's markers: who asks later must
 * not take a guest that ran and ended for one that never came.
 */
static void note_path(struct receiver *r, char path[256])
{
	char uuid[37];

	light_uuid_format(r->config.uuid, uuid);
	snprintf(path, 256, "%.180s/kl/moved-%s", r->receive->light->run_dir, uuid);
}

static int take_note(struct receiver *r, const char *what, struct tools_error *error)
{
	char path[256];
	int rc;

	note_path(r, path);
	rc = tools_write_file(path, what, strlen(what), 0600);
	return rc ? tools_fail(error, rc, "note", "%s cannot be written: %s", path, strerror(-rc)) :
		    0;
}

static void drop_note(struct receiver *r)
{
	char path[256];

	note_path(r, path);
	unlink(path);
}

static bool noted(struct receiver *r, const char *what)
{
	char path[256], *text;
	size_t length;
	bool same;

	note_path(r, path);
	if (tools_read_file(path, 64, &text, &length))
		return false;
	same = !strcmp(text, what);
	free(text);
	return same;
}

/* 1: it is here under that name, and runs, stands or has ended; 0: it is not; -EBUSY: it goes. */
static int is_here(struct receiver *r, const char *name, bool *paused)
{
	struct xen_domctl_getdomaininfo info;
	int domid = light_name_to_domid(r->receive->light, name);

	*paused = false;
	if (domid <= 0 || ctl_getdomaininfo(r->receive->light->ctl, (domid_t)domid, &info) ||
	    memcmp(info.handle, r->config.uuid, sizeof(info.handle)))
		return 0;
	*paused = info.flags & XEN_DOMINF_paused;
	return info.flags & XEN_DOMINF_dying ? -EBUSY : 1;
}

/*
 * Has another receiver still to start it? One that is not started yet is destroyed if anything
 * fails. One that a receiver left half-made goes now.
 */
static bool is_on_its_way(struct receiver *r)
{
	char incoming[256];
	bool paused;

	light_gc(r->receive->light, NULL);
	snprintf(incoming, sizeof(incoming), "%.200s" SUFFIX_INCOMING, r->name);
	if (is_here(r, incoming, &paused))
		return true;
	return is_here(r, r->name, &paused) == 1 && paused && noted(r, NOTE_LEAVE);
}

static int query(struct receiver *r)
{
	const struct timespec pause = { .tv_nsec = QUERY_LOOK_NS };
	uint64_t end = tools_now_ms() + QUERY_MS;
	bool paused;
	int here;

	r->receive->only_asked = true;
	while (is_on_its_way(r)) {
		if (tools_now_ms() > end)
			return tools_fail(r->error, -EBUSY, "busy",
					  "another receiver is still busy with %s", r->name);
		nanosleep(&pause, NULL);
	}
	here = is_here(r, r->name, &paused);
	if (here == 1 || (!here && noted(r, NOTE_STARTED)))
		return answer(r, ANSWER_PRESENT);
	if (here || noted(r, NOTE_LEAVE))
		return tools_fail(r->error, -EBUSY, "busy", "what became of %s is not known here",
				  r->name);
	return answer(r, ANSWER_ABSENT);
}

/* 1: go on; 0: that was all; -errno. */
static int preflight(struct receiver *r, uint32_t flags, const char *text, size_t length)
{
	struct strbuf problems = { 0 };
	unsigned int count = move_preflight(r->receive->light, &r->config, text, length,
					    &problems);
	int rc = 0;

	if (count) {
		refuse(r, problems.text ? problems.text : "");
		r->receive->only_asked = flags & MOVE_FLAG_CHECK;
		rc = tools_fail(r->error, -EPERM, "refused", "%s cannot live here: %s", r->name,
				problems.text ? problems.text : "?");
	} else if (flags & (MOVE_FLAG_ANSWER | MOVE_FLAG_CHECK)) {
		rc = answer(r, ANSWER_AGREED);
	}
	strbuf_free(&problems);
	if (!rc && flags & MOVE_FLAG_CHECK)
		r->receive->only_asked = true;
	return rc ? rc : !(flags & MOVE_FLAG_CHECK);
}

/* ---- the domain ---- */

static int build(struct light *light, struct light_build *build, void *cookie,
		 struct tools_error *error)
{
	struct receiver *r = cookie;
	struct move_restore *restore = &r->receive->restore;
	int rc;

	restore->ctl = light->ctl;
	restore->fm = light->fm;
	restore->build = build;
	restore->progress = r->receive->progress;
	restore->progress_cookie = r->receive->cookie;
	rc = move_restore(restore, error);
	restore->build = NULL;
	return rc;
}

/* All is here and paused: the sender decides. */
static int confirm(struct light *light, uint32_t domid, void *cookie, struct tools_error *error)
{
	struct receiver *r = cookie;
	char got[sizeof(GO)];
	int rc;

	say(r, "migration target: Transfer complete, requesting permission to start domain.");
	rc = move_channel_write(&r->out, READY, sizeof(READY));
	if (rc)
		return tools_fail(error, rc, "peer", "the sender has gone away: %s", strerror(-rc));
	r->asked = true;
	rc = move_channel_read(&r->in, got, sizeof(got));
	if (!rc && memcmp(got, GO, sizeof(got)))
		rc = -EPROTO;
	if (rc)
		return tools_fail(error, rc, rc == -ECANCELED ? "canceled" : "peer",
				  "the sender gives no leave to start %s: %s", r->name,
				  rc == -ENODATA ? "it went away" : strerror(-rc));
	r->leave = true;
	say(r, "migration target: Got permission, starting domain.");
	/* Without it whoever asks later could be told of one that ran that it never came. */
	rc = take_note(r, NOTE_LEAVE, error);
	rc = rc ? rc : light_rename(light, domid, r->config.name, r->name, error);
	/* Nobody's ^C undoes it from here on. */
	light->cancel_fd = r->in.cancel_fd = r->out.cancel_fd = -1;
	return rc;
}

/* The sender learns how it ended. */
static int report(struct receiver *r, int result)
{
	char code = result ? 1 : 0;
	int rc = move_channel_write(&r->out, REPORT, sizeof(REPORT));

	rc = rc ? rc : move_channel_write(&r->out, &code, 1);
	if (result && !rc) {
		say(r, "migration target: Cleanup OK, granting sender permission to resume.");
		rc = move_channel_write(&r->out, GO, sizeof(GO));
	}
	return rc;
}

static int make_domain(struct receiver *r)
{
	struct move_receive *m = r->receive;
	struct light_create create = { .config = &r->config,
				       .keep_paused = m->keep_paused,
				       .no_monitor = m->no_monitor,
				       .build = build,
				       .confirm = confirm,
				       .cookie = r };
	char *reasons;
	int rc;

	free(r->config.name);
	r->config.name = tools_asprintf("%s" SUFFIX_INCOMING, r->name);
	if (!r->config.name)
		return tools_fail(r->error, -ENOMEM, "no-memory", "out of memory");
	drop_note(r);
	rc = light_create(m->light, &create, r->error);
	if (r->leave && rc)
		drop_note(r);
	else if (r->leave && take_note(r, NOTE_STARTED, NULL))
		say(r, "migration target: no note can be left that it runs.");
	m->domid = create.domid;
	m->started = !rc;
	if (!rc) {
		say(r, "migration target: Domain started successsfully.");
		rc = report(r, 0);
		return rc ? tools_fail(r->error, rc, "peer",
				       "%s runs here, but the sender could not be told: %s",
				       r->name, strerror(-rc)) :
			    0;
	}
	if (r->asked) {
		report(r, rc);
	} else {
		reasons = tools_asprintf("- %s: %s\n", r->error->code ? r->error->code : "failed",
					 r->error->text);
		refuse(r, reasons ? reasons : "");
		free(reasons);
	}
	return rc;
}

/* The configuration, and what the sender wants. */
static int begin(struct receiver *r, struct move_source *source)
{
	struct light_parse how = { .source = "<sent>", .defaults = &r->receive->light->defaults };
	uint32_t flags = move_source_flags(source);
	const char *text;
	size_t length;
	bool json;
	int rc;

	text = move_source_config(source, &length, &json);
	if (!text)
		return tools_fail(r->error, -EINVAL, "no-config", "it comes without configuration");
	rc = json ? light_config_from_json(&r->config, text, length, r->error) :
		    light_config_parse(&r->config, text, length, NULL, 0, &how, r->error);
	if (rc)
		return rc;
	r->name = tools_asprintf("%s", r->config.name ? r->config.name : "");
	if (!r->name)
		return tools_fail(r->error, -ENOMEM, "no-memory", "out of memory");
	if (flags & MOVE_FLAG_QUERY)
		return query(r);
	rc = preflight(r, flags, text, length);
	return rc == 1 ? make_domain(r) : rc;
}

int move_receive(struct move_receive *receive, struct tools_error *error)
{
	struct receiver r = { .receive = receive, .error = error };
	int rc;

	receive->domid = 0;
	receive->only_asked = receive->started = false;
	move_channel_init(&r.in, receive->link->in, receive->light->cancel_fd);
	move_channel_init(&r.out, receive->link->out, receive->light->cancel_fd);
	r.in.stall_ms = r.out.stall_ms = receive->peer_ms ? receive->peer_ms : PEER_MS_DEFAULT;
	light_config_init(&r.config);
	say(&r, "migration target: Ready to receive domain.");
	rc = move_channel_write(&r.out, BANNER, BANNER_BYTES);
	if (rc)
		rc = tools_fail(error, rc, "peer", "nobody to receive from: %s", strerror(-rc));
	rc = rc ? rc : move_source_open(&r.in, &receive->restore.source, error);
	if (!rc) {
		rc = begin(&r, receive->restore.source);
		move_source_close(receive->restore.source);
		receive->restore.source = NULL;
	}
	light_config_free(&r.config);
	free(r.name);
	return rc;
}
