/* SPDX-License-Identifier: MIT */
/*
 * A guest is asked to suspend through the store (control/shutdown, docs/misc/xenstore-paths of
 * Xen), and lets itself go on when that was for nothing. A guest may refuse, answer and not act, or
 * never answer: each wait has an end, and a request nobody took is taken back. Who gives up while
 * the guest is at it finds it suspended, as a rule, and resumes it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "private.h"
#include <xen/sched.h>

#define ANSWER_MS 60000U
#define FINISH_MS 60000U
#define REST_MS	  5000U
#define TOKEN	  "move-suspend"

static unsigned int shutdown_reason(const struct xen_domctl_getdomaininfo *info)
{
	return info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

bool move_is_suspended(struct ctl *ctl, domid_t domid)
{
	struct xen_domctl_getdomaininfo info;

	return !ctl_getdomaininfo(ctl, domid, &info) && info.flags & XEN_DOMINF_shutdown &&
	       !(info.flags & XEN_DOMINF_dying) && shutdown_reason(&info) == SHUTDOWN_suspend;
}

static bool is_paused(struct light *light, domid_t domid)
{
	struct xen_domctl_getdomaininfo info;

	return !ctl_getdomaininfo(light->ctl, domid, &info) && info.flags & XEN_DOMINF_paused;
}

/* 1: it stands still; 0: not yet; -errno. */
static int look(struct light *light, domid_t domid, struct tools_error *error)
{
	struct xen_domctl_getdomaininfo info;
	int rc = ctl_getdomaininfo(light->ctl, domid, &info);

	if (rc || info.flags & XEN_DOMINF_dying)
		return tools_fail(error, -ESRCH, "no-domain",
				  "domain %u went away while it was asked to suspend", domid);
	if (!(info.flags & XEN_DOMINF_shutdown))
		return 0;
	if (shutdown_reason(&info) == SHUTDOWN_suspend)
		return 1;
	return tools_fail(error, -ESHUTDOWN, "ended",
			  "domain %u ended (reason code %u) instead of suspending", domid,
			  shutdown_reason(&info));
}

/* 1: the guest took the request; 0: not yet. */
static int taken(struct light *light, const char *path)
{
	char *value;
	int rc = store_read(light->store, 0, path, &value, NULL);

	if (rc)
		return rc == -ENOENT ? 1 : rc;
	rc = strcmp(value, "suspend") != 0;
	free(value);
	return rc;
}

/* The request is withdrawn; 1: too late, it was taken just now. */
static int take_back(struct light *light, const char *path)
{
	store_tx tx;
	char *value;
	int rc, late;

	do {
		late = 0;
		rc = store_begin(light->store, &tx);
		if (rc)
			return rc;
		rc = store_read(light->store, tx, path, &value, NULL);
		if (!rc && strcmp(value, "suspend"))
			late = 1;
		if (!rc)
			free(value);
		if (!rc && !late)
			rc = store_write(light->store, tx, path, "", 0);
		if (rc || late) {
			store_abort(light->store, tx);
			break;
		}
		rc = store_commit(light->store, tx);
	} while (rc == -EAGAIN);
	return rc ? rc : late;
}

void move_take_back_request(struct light *light, domid_t domid)
{
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
	if (!taken(light, path))
		take_back(light, path);
}

/* Until the store says anything, cancel, or @deadline. */
static int wait_event(struct light *light, uint64_t deadline)
{
	struct pollfd list[2] = { { .fd = light->cancel_fd, .events = POLLIN },
				  { .events = POLLIN } };
	uint64_t now = tools_now_ms();
	char *buffer, *path, *token;
	unsigned int ms;
	int rc;

	if (now >= deadline)
		return -ETIMEDOUT;
	ms = (unsigned int)(deadline - now);
	if (light->cancel_fd < 0) {
		rc = store_wait_event(light->store, ms, &buffer, &path, &token);
		if (!rc)
			free(buffer);
		return rc;
	}
	list[1].fd = store_fd(light->store);
	rc = poll(list, 2, (int)ms);
	if (rc < 0)
		return errno == EINTR ? 0 : -errno;
	if (list[0].revents)
		return -ECANCELED;
	while (!store_event(light->store, &buffer, &path, &token))
		free(buffer);
	return rc ? 0 : -ETIMEDOUT;
}

/* Who has taken the request comes to rest soon; it is not to do so when nobody looks. */
static bool comes_to_rest(struct light *light, domid_t domid)
{
	uint64_t deadline = tools_now_ms() + REST_MS;
	int cancel = light->cancel_fd, rc = 0;

	light->cancel_fd = -1;
	while (!rc && !look(light, domid, NULL))
		rc = wait_event(light, deadline);
	light->cancel_fd = cancel;
	return move_is_suspended(light->ctl, domid);
}

static int failed(struct light *light, domid_t domid, int rc, bool answered, const char *path,
		  struct tools_error *error)
{
	const char *why = rc == -ECANCELED ? "given up" : strerror(-rc);
	bool late = false;

	if (rc == -ESRCH || rc == -ESHUTDOWN)
		return rc;
	if (!answered)
		answered = late = take_back(light, path) == 1;
	if (answered && (late || rc == -ECANCELED) && comes_to_rest(light, domid)) {
		if (rc == -ETIMEDOUT)
			return 0;
		answered = false;
	}
	if (rc != -ETIMEDOUT)
		tools_fail(error, rc, rc == -ECANCELED ? "canceled" : "store",
			   "suspending domain %u: %s%s", domid, why,
			   answered ? "; the guest has taken the request and may still do it" : "");
	else if (answered)
		tools_fail(error, rc, "guest-timeout",
			   "domain %u took the request to suspend, but did not come to rest; "
			   "it may still do it", domid);
	else
		return tools_hint(error,
				  tools_fail(error, rc, "guest-timeout",
					     "domain %u does not answer the request to suspend; "
					     "it was taken back", domid),
				  is_paused(light, domid) ?
					  "it is paused: kl unpause lets it answer" :
					  "the guest needs a running PV control driver "
					  "(control/feature-suspend)");
	return answered ? tools_hint(error, rc,
				     "something in the guest holds it up: see its own log; if it "
				     "suspends after all, kl resume lets it go on") :
			  rc;
}

int move_suspend(struct light *light, domid_t domid, const struct move_suspend *how,
		 struct tools_error *error)
{
	uint64_t deadline = tools_now_ms() + (how && how->answer_ms ? how->answer_ms : ANSWER_MS);
	bool answered = false;
	char path[64];
	int rc, done;

	done = look(light, domid, error);
	if (done)
		return done < 0 ? done : 0;
	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
	rc = store_watch(light->store, path, TOKEN);
	rc = rc ? rc : store_watch(light->store, "@releaseDomain", TOKEN);
	rc = rc ? rc : store_write(light->store, 0, path, "suspend", strlen("suspend"));
	while (!rc) {
		done = look(light, domid, error);
		if (done) {
			rc = done < 0 ? done : 0;
			break;
		}
		if (!answered) {
			rc = taken(light, path);
			answered = rc == 1;
			if (answered)
				deadline = tools_now_ms() +
					   (how && how->finish_ms ? how->finish_ms : FINISH_MS);
			rc = rc < 0 ? rc : 0;
		}
		rc = rc ? rc : wait_event(light, deadline);
	}
	rc = rc ? failed(light, domid, rc, answered, path, error) : 0;
	store_unwatch(light->store, path, TOKEN);
	store_unwatch(light->store, "@releaseDomain", TOKEN);
	return rc;
}

int move_resume(struct light *light, domid_t domid, struct tools_error *error)
{
	struct vcpu_guest_context context;
	int rc;

	if (!move_is_suspended(light->ctl, domid))
		return tools_fail(error, -EINVAL, "not-suspended", "domain %u is not suspended",
				  domid);
	/* The guest's call of suspend answers 1: it was cancelled. */
	rc = ctl_getvcpucontext(light->ctl, domid, 0, &context);
	if (!rc) {
		context.user_regs.rax = 1;
		rc = ctl_setvcpucontext(light->ctl, domid, 0, &context);
	}
	rc = rc ? rc : ctl_resumedomain(light->ctl, domid);
	if (rc)
		return tools_fail(error, rc, "hypervisor", "domain %u cannot be resumed: %s", domid,
				  strerror(-rc));
	/* The store tells the world of its next end, too. */
	rc = store_resume(light->store, domid);
	return rc ? tools_fail(error, rc, "store", "domain %u runs, but the store was not told: %s",
			       domid, strerror(-rc)) :
		    0;
}
