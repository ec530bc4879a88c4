/* SPDX-License-Identifier: MIT */
/*
 * The domain monitor: what its files share. monitor.c waits for domains to end and starts a worker
 * (a short-lived child) for each that did; worker.c does what the configuration says; intent.c
 * keeps on disk what a worker has begun; report.c keeps why a domain ended; policy.c decides, and
 * touches nothing.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <tools/light.h>

struct monitor_options {
	const char *state_dir;		/* intents and restart counts; a host's reboot ends them */
	const char *death_dir;		/* reports: /var/lib/xen/death */
	const char *dump_dir;		/* cores: /var/lib/xen/dump */
	const char *run_dir;		/* locks */
	const char *log_file;		/* NULL: the system log only */
	uint64_t floor_kib;		/* dom0 is not left with a target under it; 0: no matter */
	uint64_t grow_kib;		/* free memory beyond it goes back to dom0; 0: stays free */
};

/* A line for the administrator, with the time, in the log file and the system log. */
void monitor_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- policy.c --- */
/* "poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset", or "unknown". */
const char *reason_name(unsigned int reason);
/* The LIGHT_ACTION_* of @config for SHUTDOWN_* @reason. */
int action_for(const struct light_config *config, unsigned int reason);
bool action_restarts(int action);
bool action_dumps(int action);

/* How often it has been restarted lately. */
struct restarts {
	unsigned int count;
	uint64_t last;			/* seconds */
};
/* Counts one at @now: the seconds to wait first. Rests of over a minute clear the count. */
unsigned int restart_delay(struct restarts *restarts, uint64_t now);

/* Is this line of the hypervisor's console about the domain? */
bool line_concerns(const char *line, size_t length, unsigned int domid);

/* The target dom0 should get: all in KiB; @target itself if all is well. */
uint64_t balance(uint64_t target, uint64_t maximum, uint64_t free, uint64_t floor, uint64_t grow);

/* --- intent.c: all return 0 or -errno --- */
struct intent {
	uint8_t uuid[16];
	uint32_t domid;			/* of the domain that ended */
	int action;			/* LIGHT_ACTION_*, a restarting one */
	unsigned int failures;		/* of the new domain's creation */
	char *config;			/* its JSON, free() */
};
int intent_write(const struct monitor_options *options, const struct intent *intent);
/* -ENOENT: none; -EINVAL: not one of ours (it is removed). */
int intent_read(const struct monitor_options *options, const uint8_t uuid[16],
		struct intent *intent);
bool intent_exists(const struct monitor_options *options, const uint8_t uuid[16]);
int intent_remove(const struct monitor_options *options, const uint8_t uuid[16]);
/* Their uuids, at most @max; the count. */
int intent_list(const struct monitor_options *options, uint8_t (*uuids)[16], unsigned int max);
int restarts_read(const struct monitor_options *options, const uint8_t uuid[16],
		  struct restarts *restarts);
int restarts_write(const struct monitor_options *options, const uint8_t uuid[16],
		   const struct restarts *restarts);
void restarts_forget(const struct monitor_options *options, const uint8_t uuid[16]);

/* --- report.c --- */
struct death {
	const char *name;
	uint8_t uuid[16];
	uint32_t domid;
	unsigned int reason;
	const char *action;
	uint64_t ran_ms;		/* CPU time it had */
};
/* Writes death_dir/NAME.json, with what the hypervisor said about the domain. */
int report_write(const struct monitor_options *options, struct ctl *ctl, const struct death *death);

/* FOLDER/NAME+ENDING as a path; what would leave the folder, or cannot be printed, becomes '_'. */
void path_for_name(char *path, size_t room, const char *folder, const char *name,
		   const char *ending);

/* --- worker.c --- */
#define WORKER_DONE	0	/* nothing is left to do for this domain */
#define WORKER_AGAIN	1	/* something failed: try later */
#define WORKER_BUSY	2	/* another worker is at it */

/* Does what is to be done about domain @domid (@info: the hypervisor's), which has ended. */
int worker_death(struct light *light, const struct monitor_options *options,
		 const struct xen_domctl_getdomaininfo *info);
/* Completes what a worker had begun for @uuid. */
int worker_resume(struct light *light, const struct monitor_options *options,
		  const uint8_t uuid[16]);

/* --- monitor.c --- */
struct monitor;
/* 0, or -errno with a line in the log. */
int monitor_start(struct monitor **out, const struct monitor_options *options);
/* Waits (at most @max_ms, -1: for ever) and does what is due; 0, 1 to end (signal), -errno. */
int monitor_turn(struct monitor *monitor, int max_ms);
void monitor_end(struct monitor *monitor);

#endif
