/* SPDX-License-Identifier: MIT */
/*
 * Switching the machine off and resetting it through ACPI registers. dom0 owns
 * the AML and so knows which values the sleep states want; it hands them in by
 * XENPF_enter_acpi_sleep. For switching off without dom0 there is the guess
 * from the DSDT (acpi.c).
 */
#include <core/console.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/cpu.h>
#include <arch/time.h>
#include <x86/acpi.h>
#include <x86/asm.h>
#include <x86/mm.h>
#include <x86/platform.h>

#define PM1_SLP_TYP_SHIFT	10
#define PM1_SLP_TYP_MASK	(7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN		(1u << 13)
#define PM1_SCI_EN		(1u << 0)

static void *reset_map;			/* the reset register, if it is in memory */

/* Mapped at boot: a reset after a panic must not need memory or locks. */
void __init acpi_power_init(void)
{
	if (acpi.has_reset_register && acpi.reset_register.space_id == ACPI_SPACE_MEMORY)
		reset_map = ioremap(acpi.reset_register.address, 1);
}

static uint32_t gas_read(const struct acpi_gas *g, unsigned int bytes)
{
	uint32_t v = 0;
	void *p;

	if (g->space_id == ACPI_SPACE_IO)
		return bytes == 1 ? inb((uint16_t)g->address) : inw((uint16_t)g->address);
	if (g->space_id != ACPI_SPACE_MEMORY || !(p = ioremap(g->address, bytes)))
		return 0;
	v = bytes == 1 ? *(volatile uint8_t *)p : *(volatile uint16_t *)p;
	iounmap(p, bytes);
	return v;
}

static void gas_write(const struct acpi_gas *g, uint32_t v, unsigned int bytes)
{
	void *p;

	if (g->space_id == ACPI_SPACE_IO) {
		if (bytes == 1)
			outb((uint8_t)v, (uint16_t)g->address);
		else
			outw((uint16_t)v, (uint16_t)g->address);
		return;
	}
	if (g->space_id != ACPI_SPACE_MEMORY || !(p = ioremap(g->address, bytes)))
		return;
	if (bytes == 1)
		*(volatile uint8_t *)p = (uint8_t)v;
	else
		*(volatile uint16_t *)p = (uint16_t)v;
	iounmap(p, bytes);
}

/*
 * Writes the sleep type first and the enable bit second, as 4.8.3.2.1 asks;
 * comes back only if it did not work.
 */
static void pm1_sleep(uint32_t a, uint32_t b)
{
	gas_write(&acpi.pm1a_cnt, a & ~PM1_SLP_EN, 2);
	if (acpi.pm1b_cnt.address)
		gas_write(&acpi.pm1b_cnt, b & ~PM1_SLP_EN, 2);
	gas_write(&acpi.pm1a_cnt, a | PM1_SLP_EN, 2);
	if (acpi.pm1b_cnt.address)
		gas_write(&acpi.pm1b_cnt, b | PM1_SLP_EN, 2);
	udelay(500000);
}

/*
 * XENPF_enter_acpi_sleep: the PM1 control values for sleep_state from dom0.
 * Only S5 can be entered. -EPERM for S1-S4 (nothing here saves a machine's
 * state), -EINVAL for nonsense, -ENODEV without registers, -EIO if the machine
 * is still on half a second later.
 */
long acpi_enter_sleep(unsigned int sleep_state, uint32_t pm1a, uint32_t pm1b)
{
	if (sleep_state == 0 || sleep_state > 5)
		return -EINVAL;
	if (sleep_state != 5)
		return -EPERM;
	if (!acpi.pm1a_cnt.address)
		return -ENODEV;
	if ((pm1a ^ pm1b) & PM1_SLP_EN)
		return -EINVAL;
	printk(XENLOG_INFO "Entering ACPI S5\n");
	smp_stop_others();
	local_irq_disable();
	console_force_unlock();
	pm1_sleep(pm1a, pm1b);
	return -EIO;
}

/* As above, with values of our own; returns if that is not possible. */
void acpi_poweroff(void)
{
	uint32_t cnt;

	if (acpi.hw_reduced && acpi.have_s5 && acpi.sleep_control.address) {
		gas_write(&acpi.sleep_control, (uint32_t)(acpi.s5_typ_a << 2) | (1u << 5), 1);
		udelay(500000);
		return;
	}
	if (!acpi.have_s5 || !acpi.pm1a_cnt.address)
		return;
	cnt = gas_read(&acpi.pm1a_cnt, 2) & ~(PM1_SLP_TYP_MASK | PM1_SLP_EN);
	pm1_sleep(cnt | (uint32_t)(acpi.s5_typ_a & 7) << PM1_SLP_TYP_SHIFT,
		  cnt | (uint32_t)(acpi.s5_typ_b & 7) << PM1_SLP_TYP_SHIFT);
}

/* The FADT's reset register. False if there is none; true only if it had no effect. */
bool acpi_reset_via_fadt(void)
{
	const struct acpi_gas *g = &acpi.reset_register;

	if (!acpi.has_reset_register)
		return false;
	/* bus 0: device, function, offset in 16 bits each */
	if (g->space_id == ACPI_SPACE_MEMORY && reset_map)
		*(volatile uint8_t *)reset_map = acpi.reset_value;
	else if (g->space_id == ACPI_SPACE_PCI_CONFIG)
		pci_conf_write(0, 0, (uint8_t)(((g->address >> 32) & 0x1f) << 3 |
					       ((g->address >> 16) & 7)),
			       (unsigned int)(g->address & 0xff), 1, acpi.reset_value);
	else
		gas_write(g, acpi.reset_value, 1);
	udelay(10000);
	return true;
}
