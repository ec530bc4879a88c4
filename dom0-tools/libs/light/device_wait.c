/* SPDX-License-Identifier: MIT */
/*
 * Devices on their way in or out, all of them at once: backends are watched, each device's script
 * starts as soon as its own backend is ready, and whoever comes last decides how long it takes.
 *
 * In: the backend reaches InitWait, the script runs ("online" for interfaces, "add" for disks).
 * Out: the backend is asked to close, reaches Closed or vanishes, the script runs ("offline",
 * "remove"), a loop device goes. Forced, the frontend's nodes go first, so that no guest is waited
 * for.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/io/xenbus.h>
#include "domain.h"
#include "script.h"

#define BACKEND_MS 10000
#define ABSENT_MS 3000 /* for a daemon that does not run; it may just be restarting */

struct member *group_add(struct group *group, const struct device *device)
{
	struct member *members, *m;

	members = reallocarray(group->members, group->count + 1, sizeof(*members));
	if (!members)
		return NULL;
	group->members = members;
	m = &members[group->count++];
	memset(m, 0, sizeof(*m));
	m->device = *device;
	m->pidfd = -1;
	return m;
}

static void describe(const struct member *m, char text[64])
{
	if (!strcmp(m->device.kind, "vbd")) {
		char name[32];

		light_vdev_name(m->device.devid, name);
		snprintf(text, 64, "disk %s", name);
	} else {
		snprintf(text, 64, "%s %u", m->device.kind, m->device.devid);
	}
}

static void member_failed(struct group *group, struct member *m, int result)
{
	m->step = MEMBER_FAILED;
	if (!group->result)
		group->result = result;
}

/* What the backend or the script left as its reason, or NULL; free(). */
static char *reason(struct group *group, const struct member *m)
{
	char back[DEVICE_PATH_MAX], *text = NULL;
	struct batch batch = { 0 };
	unsigned int i;

	device_backend_path(&m->device, back);
	batch_read(&batch, "%s/hotplug-error", back);
	batch_read(&batch, "%s/error", back);
	batch_read(&batch, "/local/domain/%u/error/backend/%s/%u/%u/error", m->device.backend_domid,
		   m->device.backend_kind, m->device.domid, m->device.devid);
	if (!batch_run(&batch, group->light->store, 0))
		for (i = 0; i < batch.count && !text; i++)
			if (batch.list[i].reply && batch.list[i].reply[0])
				text = strdup(batch.list[i].reply);
	batch_free(&batch);
	return text;
}

static const char *daemon_of(const struct member *m)
{
	return strcmp(m->device.kind, "vif") ? "blkback" : "netback";
}

/*
 * Is the device's backend a program of this domain that does not run? Such a program holds a lock
 * as long as it lives.
 */
static bool daemon_absent(const struct group *group, const struct member *m)
{
	char path[256];
	bool held;
	int fd;

	if (m->device.backend_kind[0] != 'q' || m->device.backend_domid)
		return false;
	snprintf(path, sizeof(path), "%s/%s/lock", group->light->daemon_dir, daemon_of(m));
	fd = open(path, O_RDWR | O_CLOEXEC);
	held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB);
	if (fd >= 0)
		close(fd);
	return !held;
}

static int absent_failed(struct group *group, const struct member *m, const char *what)
{
	bool vif = !strcmp(m->device.kind, "vif");

	tools_fail(group->error, -ENOTCONN, "device",
		   "%s: its backend, the daemon %s, is not running", what, daemon_of(m));
	return tools_hint(group->error, -ENOTCONN,
			  "start it: systemctl start krypton-%s; or use the kernel's driver: "
			  "backendtype=%s for this one, %s.default.backendtype=\"kernel\" in "
			  "/etc/xen/xl.conf for all",
			  daemon_of(m), vif ? "vif" : "phy", vif ? "vif" : "disk");
}

static void backend_failed(struct group *group, struct member *m, int state)
{
	char what[64], *why = reason(group, m);
	int rc = state ? -EIO : -ETIMEDOUT;

	describe(m, what);
	if (!group->result && !state && daemon_absent(group, m)) {
		rc = absent_failed(group, m, what);
	} else if (!group->result) {
		if (state)
			tools_fail(group->error, rc, "device",
				   "%s: the backend gave up (state %d)%s%.300s", what, state,
				   why ? ": " : "", why ? why : "");
		else
			tools_fail(group->error, rc, "timeout",
				   "%s: no answer from the backend in domain %u for %u s%s"
				   "%.300s",
				   what, m->device.backend_domid, BACKEND_MS / 1000,
				   why ? ": " : "", why ? why : "");
		if (m->device.backend_kind[0] == 'q')
			tools_hint(group->error, rc, "is the daemon %s running?", daemon_of(m));
		else
			tools_hint(group->error, rc, "is its driver loaded there (xen-%s)?",
				   strcmp(m->device.kind, "vif") ? "blkback" : "netback");
	}
	free(why);
	member_failed(group, m, rc);
}

static void start_script(struct group *group, struct member *m)
{
	int rc;

	if (!m->script || m->device.backend_domid) {
		m->step = MEMBER_DONE;
		return;
	}
	rc = script_start(m->script, &m->device, group->adding, &m->pid, &m->pidfd);
	if (rc) {
		if (!group->result)
			tools_hint(group->error,
				   tools_fail(group->error, rc, "hotplug", "cannot run %s: %s",
					      m->script, strerror(-rc)),
				   "scripts are looked for in %s", group->light->script_dir);
		member_failed(group, m, rc);
		return;
	}
	m->step = MEMBER_SCRIPT;
	m->deadline = tools_now_ms() + group->light->device_wait_ms;
}

/* Takes a script's end; @timeout: makes it end. */
static void end_script(struct group *group, struct member *m, bool timeout)
{
	char what[64], *why;
	int status = 0;

	if (timeout)
		kill(-m->pid, SIGKILL);
	if (waitpid(m->pid, &status, timeout ? 0 : WNOHANG) <= 0)
		return;
	close(m->pidfd);
	m->pidfd = -1;
	m->pid = 0;
	if (!timeout && WIFEXITED(status) && !WEXITSTATUS(status)) {
		m->step = MEMBER_DONE;
		return;
	}
	/* Going away: what a script could not undo is said, and the device goes all the same. */
	why = reason(group, m);
	describe(m, what);
	if (!group->adding) {
		light_say(group->light, "%s: %s failed%s%s", what, m->script, why ? ": " : "",
			  why ? why : "");
		m->step = MEMBER_DONE;
	} else {
		if (!group->result) {
			tools_fail(group->error, -EIO, "hotplug", "%s: %s %s%s%.200s", what,
				   m->script, timeout ? "did not end in time" : "failed",
				   why ? ": " : "", why ? why : "");
			if (group->error)
				snprintf(group->error->log, sizeof(group->error->log),
					 "%s/xen-hotplug.log", group->light->log_dir);
		}
		member_failed(group, m, timeout ? -ETIMEDOUT : -EIO);
	}
	free(why);
}

static void backend_gone(struct group *group, struct member *m)
{
	if (m->loop)
		loop_detach(m->loop);
	start_script(group, m);
}

/* @state of a backend under way, 0: no such node. */
static void take_state(struct group *group, struct member *m, int state)
{
	if (group->adding) {
		if (state >= XenbusStateInitWait && state <= XenbusStateConnected)
			start_script(group, m);
		else if (state == XenbusStateClosing || state == XenbusStateClosed)
			backend_failed(group, m, state);
		else if (tools_now_ms() >= m->deadline)
			backend_failed(group, m, 0);
		return;
	}
	if (!state || state == XenbusStateClosed) {
		backend_gone(group, m);
	} else if (tools_now_ms() >= m->deadline) {
		if (group->force) {
			light_say(group->light,
				  "a backend of domain %u does not let go: %s %u, state %d",
				  m->device.domid, m->device.kind, m->device.devid, state);
			backend_gone(group, m);
			return;
		}
		if (!group->result)
			tools_hint(group->error,
				   tools_fail(group->error, -ETIMEDOUT, "timeout",
					      "%s %u: the guest does "
					      "not let go (backend state %d)",
					      m->device.kind, m->device.devid, state),
				   "with --force it is torn off");
		member_failed(group, m, -ETIMEDOUT);
	}
}

int group_start(struct group *group)
{
	char path[DEVICE_PATH_MAX], state[DEVICE_PATH_MAX + 8], token[16];
	struct member *m;
	unsigned int i;
	int rc;

	for (i = 0; i < group->count; i++) {
		m = &group->members[i];
		if (m->watched)
			continue;
		m->deadline = tools_now_ms() + (daemon_absent(group, m) ? ABSENT_MS : BACKEND_MS);
		device_backend_path(&m->device, path);
		snprintf(state, sizeof(state), "%s/state", path);
		snprintf(token, sizeof(token), "light%u", i);
		rc = store_watch(group->light->store, state, token);
		if (rc && rc != -EEXIST) /* left by an unwatch that failed: as good */
			return tools_fail(group->error, rc, "store", "cannot watch %s: %s", state,
					  strerror(-rc));
		m->watched = true;
	}
	return 0;
}

/* States of all whose backend is waited for, in one batch. */
static int look_at_backends(struct group *group)
{
	char path[DEVICE_PATH_MAX];
	struct batch batch = { 0 };
	unsigned int i, n = 0;
	int rc;

	for (i = 0; i < group->count; i++) {
		if (group->members[i].step != MEMBER_BACKEND)
			continue;
		device_backend_path(&group->members[i].device, path);
		batch_read(&batch, "%s/state", path);
	}
	rc = batch_run(&batch, group->light->store, 0);
	for (i = 0; i < group->count && !rc; i++)
		if (group->members[i].step == MEMBER_BACKEND) {
			take_state(group, &group->members[i],
				   batch.list[n].reply ? atoi(batch.list[n].reply) : 0);
			n++;
		}
	batch_free(&batch);
	return rc;
}

int group_progress(struct group *group)
{
	struct member *m;
	unsigned int i;
	int rc;

	light_drain_events(group->light);
	rc = look_at_backends(group);
	if (rc)
		return tools_fail(group->error, rc, "store", "the store does not answer: %s",
				  strerror(-rc));
	for (i = 0; i < group->count; i++) {
		m = &group->members[i];
		if (m->step == MEMBER_SCRIPT)
			end_script(group, m, tools_now_ms() >= m->deadline);
	}
	return group->result;
}

int group_finish(struct group *group)
{
	uint64_t deadline;
	unsigned int i, n;
	int fds[16], rc;

	for (;;) {
		rc = group_progress(group);
		if (rc)
			return rc;
		deadline = 0;
		n = 0;
		for (i = 0; i < group->count; i++) {
			if (group->members[i].step >= MEMBER_DONE)
				continue;
			if (!deadline || group->members[i].deadline < deadline)
				deadline = group->members[i].deadline;
			if (group->members[i].pidfd >= 0 && n < 16)
				fds[n++] = group->members[i].pidfd;
		}
		if (!deadline)
			return 0;
		rc = light_wait(group->light, fds, n, deadline);
		if (rc == -ETIMEDOUT) { /* also of a store that has nothing more to say */
			for (i = 0; i < group->count; i++)
				if (group->members[i].step < MEMBER_DONE &&
				    group->members[i].deadline <= deadline)
					group->members[i].deadline = 0;
			continue;
		}
		if (rc == -ECANCELED)
			return tools_fail(group->error, rc, "canceled",
					  "given up while waiting for devices");
		if (rc < 0)
			return tools_fail(group->error, rc, "store", "waiting for devices: %s",
					  strerror(-rc));
	}
}

void group_free(struct group *group)
{
	char path[DEVICE_PATH_MAX], state[DEVICE_PATH_MAX + 8], token[16];
	struct member *m;
	unsigned int i;

	for (i = 0; i < group->count; i++) {
		m = &group->members[i];
		if (m->pid > 0) {
			child_end(m->pid, m->pidfd, true);
			close(m->pidfd);
		}
		device_backend_path(&m->device, path);
		snprintf(state, sizeof(state), "%s/state", path);
		snprintf(token, sizeof(token), "light%u", i);
		if (m->watched)
			store_unwatch(group->light->store, state, token);
		free(m->script);
		free(m->loop);
	}
	if (group->count)
		light_drain_events(group->light);
	free(group->members);
	group->members = NULL;
	group->count = 0;
}
