/* SPDX-License-Identifier: MIT */
/*
 * What an NMI or #MC handler has to say when it hit the hypervisor itself.
 *
 * The code below it may hold the console's lock or a device's, so its messages wait here until the
 * console is next used, which a softirq sees to. Writers on any CPU, nested ones too, claim slots
 * in turn and wait for nobody; the reader has the console lock. A panic reads what is there first.
 */
#include <core/console.h>
#include <core/lib.h>
#include <arch/atomic.h>
#include <arch/barrier.h>

#define SLOTS	32U		/* a power of two */
#define LEN	160U		/* longer ones are broken */

static struct late {
	bool ready;
	char text[LEN];
} slots[SLOTS];
static uint32_t claimed, said, lost;	/* free-running counts; said: console lock */

static struct late *claim(void)
{
	uint32_t n = read_once(claimed), seen;

	for (;;) {
		if (n - read_once(said) >= SLOTS)
			return NULL;
		seen = atomic_cmpxchg(&claimed, n, n + 1);
		if (seen == n)
			return &slots[n % SLOTS];
		n = seen;
	}
}

void console_late_put(const char *s)
{
	while (*s) {
		struct late *l = claim();
		size_t n;

		if (!l) {
			(void)atomic_add_return(&lost, 1u);
			return;
		}
		n = strlcpy(l->text, s, LEN);
		smp_wmb();	/* text before the word that it is there */
		write_once(l->ready, true);
		s += min(n, (size_t)LEN - 1);
	}
}

bool console_late_pending(void)
{
	return read_once(claimed) != said || read_once(lost);
}

void console_late_say(void (*say)(const char *), bool all)
{
	char tmp[64];
	uint32_t n;

	for (; said != read_once(claimed); write_once(said, said + 1)) {
		struct late *l = &slots[said % SLOTS];

		if (read_once(l->ready)) {
			smp_rmb();
			say(l->text);
			write_once(l->ready, false);
			smp_wmb();	/* before the slot can be claimed again */
		} else if (!all) {
			return;		/* still being written */
		}
	}
	n = atomic_xchg(&lost, 0u);
	if (n) {
		scnprintf(tmp, sizeof(tmp), "%u messages of NMI or #MC handlers were lost\n", n);
		say(tmp);
	}
}
