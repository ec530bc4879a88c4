/* SPDX-License-Identifier: MIT */
/*
 * What is done about a domain that has ended. Runs in a child of the monitor, as destroying and
 * creating take their time and other domains do not wait for it.
 *
 * Crash-only: before the first step that cannot be undone, the whole plan is on disk (intent.c); a
 * lock on the uuid keeps two workers apart; each step looks first whether it is done already. A
 * worker killed anywhere is followed by one that resumes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <tools/dump.h>
#include <tools/kill_point.h>
#include "monitor.h"

#define FAILURES_MAX 6	/* of creating; each waits longer */

static void lock_path(const struct monitor_options *options, const uint8_t uuid[16], char path[512])
{
	char text[37];

	light_uuid_format(uuid, text);
	snprintf(path, 512, "%s/%s.lock", options->run_dir, text);
}

/* The lock of a uuid's worker, held until unlock() or the process's end; -EWOULDBLOCK. */
static int lock(const struct monitor_options *options, const uint8_t uuid[16])
{
	struct stat ours, named;
	char path[512];
	int fd;

	lock_path(options, uuid, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	/* Its last holder may have removed the file between our open() and our lock. */
	if (fstat(fd, &ours) != 0 || stat(path, &named) != 0 || ours.st_ino != named.st_ino) {
		close(fd);
		return -EWOULDBLOCK;
	}
	return fd;
}

static void unlock(const struct monitor_options *options, const uint8_t uuid[16], int fd)
{
	char path[512];

	lock_path(options, uuid, path);
	unlink(path);
	close(fd);
}

/* A live domain with this uuid other than @but: its domid; -ESRCH. */
static int find_uuid(struct light *light, const uint8_t uuid[16], uint32_t but)
{
	struct xen_domctl_getdomaininfo list[32];
	domid_t first = 1;
	int n;

	do {
		n = ctl_getdomaininfolist(light->ctl, first, 32, list);
		for (int i = 0; i < n; i++) {
			first = list[i].domain + 1;
			if (list[i].domain != but && !(list[i].flags & XEN_DOMINF_dying) &&
			    memcmp(list[i].handle, uuid, 16) == 0)
				return list[i].domain;
		}
	} while (n == 32);
	return n < 0 ? n : -ESRCH;
}

/* In dump_dir/NAME; what it holds is the guest's memory, so only root reads it. */
static void dump(struct light *light, const struct monitor_options *options, uint32_t domid,
		 const char *name)
{
	struct tools_error error = { 0 };
	char path[512];
	int fd, result;

	path_for_name(path, sizeof(path), options->dump_dir, name, "");
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	result = fd < 0 ? -errno : 0;
	if (result == 0 && !light->fm)
		result = foreignmemory_open(&light->fm);
	if (result == 0)
		result = dump_core(light->ctl, light->fm, (domid_t)domid, fd, NULL, NULL, &error);
	if (fd >= 0)
		close(fd);
	if (result != 0 && fd >= 0)
		unlink(path);	/* half a core only fills the disk */
	if (result == 0)
		monitor_log("%s: core dumped to %s", name, path);
	else
		monitor_log("%s: its core could not be dumped to %s: %s", name, path,
			    error.text[0] ? error.text : strerror(-result));
}

/* Domain @domid, unless the number is another's by now (@uuid tells). */
static int destroy(struct light *light, uint32_t domid, const uint8_t uuid[16], const char *name,
		   const char *cause)
{
	struct xen_domctl_getdomaininfo info;
	struct light_destroy held = { 0 };
	struct tools_error error = { 0 };
	char path[64];
	int result;

	if (ctl_getdomaininfo(light->ctl, (domid_t)domid, &info) == 0 &&
	    memcmp(info.handle, uuid, 16) != 0)
		return 0;
	result = light_destroy(light, domid, &held, &error);
	if (result == -ESRCH)
		return 0;
	if (result != 0) {
		bool there = ctl_getdomaininfo(light->ctl, (domid_t)domid, &info) == 0 &&
			     !(info.flags & XEN_DOMINF_dying);

		/* Something of it may have failed, a script say, while the domain went. */
		monitor_log("%s: destroying domain %u: %s", name, domid,
			    error.text[0] ? error.text : strerror(-result));
		return there ? result : 0;
	}
	if (held.zombie) {
		char text[96] = "an unknown user of its memory";

		if (held.n_holders)
			light_holder_text(&held.holders[0], text, sizeof(text));
		monitor_log("%s: domain %u is destroyed but held by %s", name, domid,
			    held.holder[0] ? held.holder : text);
		snprintf(path, sizeof(path), LIGHT_DEAD_PATH "/%u/cause", domid);
		store_write(light->store, 0, path, cause, strlen(cause));
	}
	return 0;
}

/* rename-restart: the dead one stays, under another name and uuid; nobody watches it. */
static int preserve(struct light *light, const struct intent *intent)
{
	struct tools_error error = { 0 };
	char suffix[32], path[64];
	uint8_t uuid[16], now_is[16];
	time_t now = time(NULL);
	struct tm utc;
	int result = light_domain_uuid(light, intent->domid, now_is);

	if (result == -ESRCH || (result == 0 && memcmp(now_is, intent->uuid, 16) != 0))
		return 0;	/* gone, or done */
	snprintf(path, sizeof(path), "/libxl/%u/kl/monitor", intent->domid);
	store_write(light->store, 0, path, "preserved", 9);
	kill_point();
	gmtime_r(&now, &utc);
	strftime(suffix, sizeof(suffix), "-%Y%m%dT%H%MZ", &utc);
	result = light_uuid_generate(uuid);
	if (result == 0)
		result = light_preserve(light, intent->domid, suffix, uuid, &error);
	if (result != 0)
		monitor_log("domain %u cannot be preserved: %s", intent->domid, error.text);
	return result;
}

static int create(struct light *light, struct light_config *config, uint32_t *domid,
		  struct tools_error *error)
{
	struct light_create create = { .config = config };
	int result;

	config->domid = 0;
	result = light_create(light, &create, error);
	*domid = create.domid;
	return result;
}

/*
 * Waits as restart_delay() wants; the intent is on disk, so a kill only makes it start at once.
 * False: somebody has removed the intent meanwhile, which is how to stop a domain that restarts for
 * ever.
 */
static bool take_a_rest(const struct monitor_options *options, const uint8_t uuid[16],
			const char *name)
{
	struct restarts restarts;
	unsigned int delay;

	restarts_read(options, uuid, &restarts);
	delay = restart_delay(&restarts, (uint64_t)time(NULL));
	restarts_write(options, uuid, &restarts);
	if (delay == 0)
		return true;
	monitor_log("%s: %u restarts in a short time: the next one in %u s", name, restarts.count,
		    delay);
	sleep(delay);
	if (intent_exists(options, uuid))
		return true;
	monitor_log("%s: not restarted any more, as its intent was removed", name);
	return false;
}

/* The steps of a restart, each a no-op where a previous life has done it. */
static int carry_out(struct light *light, const struct monitor_options *options,
		     struct intent *intent)
{
	struct light_config config;
	struct tools_error error = { 0 };
	uint32_t domid;
	int result;

	light_config_init(&config);
	result = light_config_from_json(&config, intent->config, strlen(intent->config), &error);
	if (result != 0) {
		monitor_log("an intent cannot be read and is given up: %s", error.text);
		intent_remove(options, intent->uuid);
		goto free_config;
	}
	kill_point();
	result = intent->action == LIGHT_ACTION_RESTART_RENAME ? preserve(light, intent) :
		 destroy(light, intent->domid, intent->uuid, config.name, "restarted");
	if (result != 0)
		goto free_config;
	kill_point();
	result = find_uuid(light, intent->uuid, intent->domid);
	if (result >= 0) {
		monitor_log("%s: runs as domain %d already", config.name, result);
		result = 0;
		goto fulfilled;
	}
	if (result != -ESRCH) {
		monitor_log("%s: not restarted yet, as the domains cannot be listed: %s",
			    config.name, strerror(-result));
		goto free_config;
	}
	if (!take_a_rest(options, intent->uuid, config.name))
		goto free_config;
	kill_point();
	result = create(light, &config, &domid, &error);
	if (result == 0) {
		monitor_log("%s: restarted as domain %u", config.name, domid);
		goto fulfilled;
	}
	monitor_log("%s: cannot be restarted: %s%s%s", config.name, error.text,
		    error.hint[0] ? "; " : "", error.hint);
	if (++intent->failures < FAILURES_MAX) {
		intent_write(options, intent);
		goto free_config;
	}
	monitor_log("%s: given up after %u attempts", config.name, intent->failures);
fulfilled:
	kill_point();
	intent_remove(options, intent->uuid);
free_config:
	light_config_free(&config);
	return result;
}

/* The domain's old number must still be its own: numbers are given out again, after long. */
static bool still_there(struct light *light, const struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl_getdomaininfo now;

	return ctl_getdomaininfo(light->ctl, info->domain, &now) == 0 &&
	       memcmp(now.handle, info->handle, 16) == 0 && (now.flags & XEN_DOMINF_shutdown) &&
	       !(now.flags & XEN_DOMINF_dying);
}

static int plan_restart(struct light *light, const struct monitor_options *options,
			const struct xen_domctl_getdomaininfo *info, int action,
			const struct light_config *config)
{
	struct intent intent = { .domid = info->domain, .action = action,
				 .config = light_config_to_json(config, -1) };
	int error;

	if (!intent.config)
		return -ENOMEM;
	memcpy(intent.uuid, info->handle, sizeof(intent.uuid));
	error = intent_write(options, &intent);
	if (error != 0)
		monitor_log("%s: cannot write what is to be done: %s", config->name,
			    strerror(-error));
	else
		error = carry_out(light, options, &intent);
	free(intent.config);
	return error;
}

/* From the configuration that it is to have from now on: config-update may have left another. */
static int restart(struct light *light, const struct monitor_options *options,
		   const struct xen_domctl_getdomaininfo *info, int action)
{
	struct tools_error error = { 0 };
	struct light_config next;
	int result;

	light_config_init(&next);
	result = light_restart_config(light, info->domain, &next, &error);
	if (result == 0)
		result = plan_restart(light, options, info, action, &next);
	else
		monitor_log("domain %u cannot be restarted: %s", info->domain, error.text);
	light_config_free(&next);
	return result;
}

static int act(struct light *light, const struct monitor_options *options,
	       const struct xen_domctl_getdomaininfo *info, const struct light_config *config)
{
	unsigned int reason = (info->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;
	int action = action_for(config, reason);
	const char *what = light_action_name(action),
		   *name = config->name ? config->name : "(unnamed)";
	struct death death = { .name = name, .domid = info->domain, .reason = reason,
			       .action = what ? what : "destroy",
			       .ran_ms = info->cpu_time / 1000000 };
	char path[64], cause[64];

	memcpy(death.uuid, info->handle, sizeof(death.uuid));
	monitor_log("%s: domain %u has ended (%s): %s", name, info->domain, reason_name(reason),
		    death.action);
	report_write(options, light->ctl, &death);
	kill_point();
	if (action_dumps(action))
		dump(light, options, info->domain, name);
	if (action == LIGHT_ACTION_PRESERVE) {
		snprintf(path, sizeof(path), "/libxl/%u/kl/monitor", info->domain);
		return store_write(light->store, 0, path, "preserved", 9);
	}
	if (action_restarts(action))
		return restart(light, options, info, action);
	restarts_forget(options, info->handle);
	snprintf(cause, sizeof(cause), "ended (%s)", reason_name(reason));
	return destroy(light, info->domain, info->handle, name, cause);
}

int worker_death(struct light *light, const struct monitor_options *options,
		 const struct xen_domctl_getdomaininfo *info)
{
	struct light_config config;
	struct tools_error error = { 0 };
	int fd = lock(options, info->handle), result;

	if (fd < 0)
		return fd == -EWOULDBLOCK ? WORKER_BUSY : WORKER_AGAIN;
	if (!still_there(light, info)) {
		unlock(options, info->handle, fd);
		return WORKER_DONE;
	}
	light_config_init(&config);
	result = light_domain_config(light, info->domain, &config, &error);
	if (result == 0)
		result = act(light, options, info, &config);
	else
		monitor_log("domain %u has ended, and its configuration cannot be read: %s",
			    info->domain, error.text);
	light_config_free(&config);
	unlock(options, info->handle, fd);
	return result == 0 ? WORKER_DONE : WORKER_AGAIN;
}

int worker_resume(struct light *light, const struct monitor_options *options,
		  const uint8_t uuid[16])
{
	struct tools_error error = { 0 };
	struct intent intent;
	int fd = lock(options, uuid), result;

	if (fd < 0)
		return fd == -EWOULDBLOCK ? WORKER_BUSY : WORKER_AGAIN;
	/* A half-made successor, if the last worker died over it. */
	result = light_gc(light, &error);
	if (result < 0)
		monitor_log("what is half made cannot be removed: %s", error.text);
	result = intent_read(options, uuid, &intent);
	if (result == 0) {
		result = carry_out(light, options, &intent);
		free(intent.config);
	} else if (result == -ENOENT || result == -EINVAL) {
		result = 0;
	}
	unlock(options, uuid, fd);
	return result == 0 ? WORKER_DONE : WORKER_AGAIN;
}
