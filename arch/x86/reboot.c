/* SPDX-License-Identifier: MIT */
/*
 * The end of the machine: reset, halt, and what follows from dom0's shutdown.
 * A reset tries the ways that `reboot=` names, then all others; the last one,
 * a triple fault, cannot fail.
 *
 *   reboot=a|k|p|e|t|n	ACPI, keyboard controller, port 0xcf9, EFI, triple fault, none (halt)
 *   reboot=w / c	warm / cold: what the firmware's warm-boot flag says
 *   noreboot		halt instead, so that a panic's text can be read
 */
#include <core/console.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <arch/cpu.h>
#include <arch/domain.h>
#include <arch/time.h>
#include <x86/acpi.h>
#include <x86/asm.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <xen/sched.h>

static char reboot_type;		/* 0: the default order */
static bool reboot_warm;

static int parse_reboot(const char *s)
{
	for (; *s; s = strchr(s, ',') ? strchr(s, ',') + 1 : "") {
		if (strchr("akpetn", *s))
			reboot_type = *s;
		else if (*s == 'w')
			reboot_warm = true;
		else if (*s == 'c')
			reboot_warm = false;
		else
			return -EINVAL;
	}
	return 0;
}
custom_param("reboot", parse_reboot);

static void halt_forever(void) __noreturn;
static void halt_forever(void)
{
	for (;;)
		__asm__ __volatile__("cli; hlt" ::: "memory");
}

static void reset_by_keyboard(void)
{
	for (unsigned int try = 0; try < 10; try++) {
		for (unsigned int i = 0; i < 1000 && (inb(0x64) & 2); i++)
			udelay(10);		/* input buffer full */
		outb(0xfe, 0x64);		/* pulse the reset line */
		udelay(50);
	}
}

static void reset_by_cf9(void)
{
	uint8_t v = inb(0xcf9) & (uint8_t)~0x0e;

	outb(v | 0x02, 0xcf9);			/* hard reset wanted */
	udelay(50);
	outb(v | 0x0e, 0xcf9);			/* ... now, with power cycle */
	udelay(50);
}

static void reset_by_triple_fault(void) __noreturn;
static void reset_by_triple_fault(void)
{
	static const struct { uint16_t limit; uint64_t base; } __packed no_idt;

	__asm__ __volatile__("lidt %0; int3" :: "m"(no_idt) : "memory");
	halt_forever();
}

/* Tells the firmware whether to test memory (0x1234 = warm). */
static void set_warm_flag(void)
{
	uint16_t *flag;

	if (!reboot_warm)		/* 0 since the last boot; a panic must not need memory */
		return;
	flag = ioremap(0x472, sizeof(*flag));
	if (!flag)
		return;
	*(volatile uint16_t *)flag = 0x1234;
	iounmap(flag, sizeof(*flag));
}

static void reset_by(char type)
{
	switch (type) {
	case 'a':
		acpi_reset_via_fadt();
		break;
	case 'k':
		reset_by_keyboard();
		break;
	case 'p':
		reset_by_cf9();
		break;
	case 'e':
		efi_reset(reboot_warm);		/* comes back on BIOS machines */
		break;
	case 't':
		reset_by_triple_fault();
	}
}

/* Stops all CPUs and resets the machine after delay_ms. From any context, also broken ones. */
void machine_restart(unsigned int delay_ms)
{
	local_irq_disable();
	smp_stop_others();
	if (delay_ms) {
		printk("Rebooting machine in %u milliseconds\n", delay_ms);
		while (delay_ms--)
			udelay(1000);
	}
	console_force_unlock();
	set_warm_flag();
	if (reboot_type == 'n')
		halt_forever();
	if (reboot_type)
		reset_by(reboot_type);
	for (const char *order = "eakp"; *order; order++)
		reset_by(*order);
	reset_by_triple_fault();
}

void machine_halt(void)
{
	local_irq_disable();
	smp_stop_others();
	console_force_unlock();
	acpi_poweroff();
	halt_forever();
}

/* SCHEDOP_shutdown of dom0: its reason decides over the machine. */
void hwdom_shutdown(unsigned int reason)
{
	switch (reason) {
	case SHUTDOWN_poweroff:
		printk("Hardware Dom0 halted: halting machine\n");
		machine_halt();
	case SHUTDOWN_crash:
		printk("Hardware Dom0 crashed: %s\n",
		       opt_noreboot ? "'noreboot' set - not rebooting." :
				      "rebooting machine in 5 seconds.");
		break;
	case SHUTDOWN_reboot:
		printk("Hardware Dom0 shutdown: rebooting machine\n");
		machine_restart(0);
	case SHUTDOWN_watchdog:
		printk("Hardware Dom0 shutdown: watchdog rebooting machine\n");
		machine_restart(0);
	default:
		printk("Hardware Dom0 shutdown (unknown reason %u): %s\n", reason,
		       opt_noreboot ? "'noreboot' set - not rebooting." : "rebooting machine");
		break;
	}
	if (opt_noreboot) {
		local_irq_disable();
		smp_stop_others();
		halt_forever();
	}
	machine_restart(reason == SHUTDOWN_crash ? 5000 : 0);
}
