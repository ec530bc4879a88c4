/* SPDX-License-Identifier: MIT */
/*
 * The end: says why on every console, shows where, and reboots, or stays so
 * that it can be read (noreboot). Nothing here waits for a lock.
 */
#include <core/console.h>
#include <core/lib.h>
#include <core/param.h>
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <arch/domain.h>
#include <arch/trap.h>
#include <x86/platform.h>

#define REBOOT_DELAY_MS	5000

bool opt_noreboot;		/* for reboot.c too */
boolean_param("noreboot", opt_noreboot);

static int panicking_cpu = -1;

void panic(const char *fmt, ...)
{
	int me = (int)smp_processor_id();
	char why[256];
	va_list ap;
	int n;

	local_irq_disable();
	/* Another CPU panics already: stop here. This CPU again: the panic itself failed. */
	if (atomic_cmpxchg(&panicking_cpu, -1, me) != -1) {
		if (read_once(panicking_cpu) == me)
			machine_restart(0);
		for (;;)
			__asm__ __volatile__("cli; hlt");
	}
	console_force_unlock();
	printk("\n****************************************\n");
	printk("Panic on CPU %d:\n", me);
	va_start(ap, fmt);
	n = vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	printk("%s%s", why, n && why[min((size_t)n, sizeof(why)) - 1] == '\n' ? "" : "\n");
	printk("****************************************\n\n");
	dump_stack();
	smp_stop_others();
	if (opt_noreboot) {
		printk("Manual reset required ('noreboot' specified)\n");
		machine_halt();
	}
	printk("Reboot in five seconds...\n");
	machine_restart(REBOOT_DELAY_MS);
}

void bug_at(const char *file, int line, const char *what)
{
	console_force_unlock();
	panic("%s at %s:%d\n", what, file, line);
}
