/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_watchdog: timers that a domain must push on now and then, or it is
 * shut down with SHUTDOWN_watchdog. Two a domain; ids are 1 and 2, 0 asks for
 * a free one. Source: <xen/sched.h>.
 */
#include <core/sched.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/time.h>

#define NR_WATCHDOGS	2U	/* of struct domain's watchdog_timer[] */

static void watchdog_fired(void *arg)
{
	struct domain *d = arg;

	if (d->is_shutting_down || d->is_dying)
		return;
	printk("Watchdog timer fired for %pd\n", d);
	domain_shutdown(d, SHUTDOWN_watchdog);
}

long domain_watchdog(struct domain *d, uint32_t id, uint32_t timeout)
{
	unsigned int i;
	long rc = 0;

	if (id > NR_WATCHDOGS)
		return -EINVAL;
	spin_lock(&d->domain_lock);
	if (!id) {
		for (i = 0; i < NR_WATCHDOGS && (d->watchdog_inuse & (1u << i)); i++)
			;
		rc = i < NR_WATCHDOGS ? (long)i + 1 : -ENOSPC;
		if (rc > 0) {
			d->watchdog_inuse |= 1u << i;
			set_timer(&d->watchdog_timer[i], NOW() + SECONDS(timeout));
		}
	} else if (!(d->watchdog_inuse & (1u << (id - 1)))) {
		rc = -EINVAL;
	} else if (!timeout) {
		stop_timer(&d->watchdog_timer[id - 1]);
		d->watchdog_inuse &= ~(1u << (id - 1));
	} else {
		set_timer(&d->watchdog_timer[id - 1], NOW() + SECONDS(timeout));
	}
	spin_unlock(&d->domain_lock);
	return rc;
}

void watchdog_domain_init(struct domain *d)
{
	d->watchdog_inuse = 0;
	for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
		init_timer(&d->watchdog_timer[i], watchdog_fired, d, 0);
}

void watchdog_domain_destroy(struct domain *d)
{
	for (unsigned int i = 0; i < NR_WATCHDOGS; i++)
		kill_timer(&d->watchdog_timer[i]);
}
