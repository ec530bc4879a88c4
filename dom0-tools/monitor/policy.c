/* SPDX-License-Identifier: MIT */
/*
 * The monitor's decisions, as functions of what they depend on: which action, how soon a restart,
 * whose line of the hypervisor's console, how much memory for dom0.
 */
#include <ctype.h>
#include <string.h>
#include "monitor.h"
#include <xen/sched.h>

#define REST_SECONDS	60	/* who ran so long is not in a loop */
#define FREE_RESTARTS	3	/* without delay */
#define DELAY_MAX	60

static const char *const reasons[] = {
	[SHUTDOWN_poweroff] = "poweroff",
	[SHUTDOWN_reboot] = "reboot",
	[SHUTDOWN_suspend] = "suspend",
	[SHUTDOWN_crash] = "crash",
	[SHUTDOWN_watchdog] = "watchdog",
	[SHUTDOWN_soft_reset] = "soft-reset",
};

const char *reason_name(unsigned int reason)
{
	return reason < sizeof(reasons) / sizeof(reasons[0]) ? reasons[reason] : "unknown";
}

int action_for(const struct light_config *config, unsigned int reason)
{
	switch (reason) {
	case SHUTDOWN_poweroff:
		return config->on_poweroff;
	case SHUTDOWN_reboot:
		return config->on_reboot;
	case SHUTDOWN_crash:
		return config->on_crash;
	case SHUTDOWN_watchdog:
		return config->on_watchdog;
	case SHUTDOWN_soft_reset:
		/* In place it needs an operation that PV guests do not have: a fresh start does. */
		return config->on_soft_reset == LIGHT_ACTION_SOFT_RESET ? LIGHT_ACTION_RESTART :
		       config->on_soft_reset;
	default:
		return LIGHT_ACTION_DESTROY;
	}
}

bool action_restarts(int action)
{
	return action == LIGHT_ACTION_RESTART || action == LIGHT_ACTION_RESTART_RENAME ||
	       action == LIGHT_ACTION_COREDUMP_RESTART || action == LIGHT_ACTION_SOFT_RESET;
}

bool action_dumps(int action)
{
	return action == LIGHT_ACTION_COREDUMP_DESTROY || action == LIGHT_ACTION_COREDUMP_RESTART;
}

unsigned int restart_delay(struct restarts *restarts, uint64_t now)
{
	unsigned int excess, delay;

	/* @last may be ahead by a delay that a kill cut short; further ahead, the clock was set. */
	if (restarts->last > now + DELAY_MAX ||
	    (now > restarts->last && now - restarts->last > REST_SECONDS))
		restarts->count = 0;
	restarts->count++;
	restarts->last = now;
	if (restarts->count <= FREE_RESTARTS)
		return 0;
	excess = restarts->count - FREE_RESTARTS - 1;
	delay = excess < 6 ? 1u << excess : DELAY_MAX;
	/* The wait must not pass for a rest. */
	restarts->last = now + delay;
	return delay;
}

/* Does @number, and no longer one, stand at @p? */
static bool is_number(const char *p, const char *end, unsigned int number)
{
	unsigned int value = 0, digits = 0;

	for (; p < end && isdigit((unsigned char)*p) && digits < 6; p++, digits++)
		value = value * 10 + (unsigned int)(*p - '0');
	return digits > 0 && value == number && (p == end || !isdigit((unsigned char)*p));
}

bool line_concerns(const char *line, size_t length, unsigned int domid)
{
	static const char *const words[] = { "domain ", "Domain ", "dom", "Dom", "d" };
	const char *end = line + length;

	for (const char *p = line; p < end; p++) {
		if (p > line && isalnum((unsigned char)p[-1]))
			continue;
		for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			size_t n = strlen(words[i]);

			if ((size_t)(end - p) > n && memcmp(p, words[i], n) == 0 &&
			    is_number(p + n, end, domid))
				return true;
		}
	}
	return false;
}

uint64_t balance(uint64_t target, uint64_t maximum, uint64_t free, uint64_t floor, uint64_t grow)
{
	uint64_t spare;

	if (target < floor) {
		spare = floor - target < free ? floor - target : free;
		return target + spare;
	}
	if (grow == 0 || free <= grow || target >= maximum)
		return target;
	spare = free - grow;
	if (spare < 4096)	/* not for a few pages */
		return target;
	return spare < maximum - target ? target + spare : maximum;
}
