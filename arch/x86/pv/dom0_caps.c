/* SPDX-License-Identifier: MIT */
/*
 * dom0 owns the hardware: all ports, all frames that are not RAM, all
 * interrupts, save what the hypervisor keeps: interrupt controllers, the timers
 * and serial ports that it uses, the window where writes become interrupts.
 */
#include <core/lib.h>
#include <x86/acpi.h>
#include <x86/boot_info.h>
#include <x86/console_dev.h>
#include <x86/cpufeature.h>
#include <x86/layout.h>
#include <x86/rangeset.h>
#include <arch/frame.h>
#include "dom0_private.h"

extern char _start[], _end[];

static void __init deny_frames(struct domain *d, paddr_t start, paddr_t end)
{
	if (rangeset_remove(d->arch.iomem_caps, PFN_DOWN(start), PFN_DOWN(end - 1)))
		panic("Out of memory for dom0's I/O rights\n");
}

static void __init deny_ports(struct domain *d, unsigned int start, unsigned int end)
{
	if (rangeset_remove(d->arch.ioport_caps, start, end))
		panic("Out of memory for dom0's I/O rights\n");
}

static void __init set_ports(struct domain *d)
{
	if (rangeset_add(d->arch.ioport_caps, 0, 0xffff))
		panic("Out of memory for dom0's I/O rights\n");
	deny_ports(d, 0x20, 0x21);	/* interrupt controllers */
	deny_ports(d, 0xa0, 0xa1);
	deny_ports(d, 0x40, 0x43);	/* interval timer */
	deny_ports(d, 0x61, 0x61);	/* its second channel */
	deny_ports(d, 0xcfc, 0xcff);	/* configuration space: emulated */
	if (acpi.pm_timer_port)
		deny_ports(d, acpi.pm_timer_port, acpi.pm_timer_port + 3u);
	/* A driver's probing would cut off our console. */
	for (unsigned int n = 0; n < 2; n++)
		if (serial_port_in_use(n))
			deny_ports(d, serial_port_in_use(n), serial_port_in_use(n) + 7u);
}

static void __init set_frames(struct domain *d)
{
	const struct boot_info *bi = &boot_info;
	paddr_t image = (paddr_t)_start + image_phys_offset;

	if (rangeset_add(d->arch.iomem_caps, 0, (1UL << (boot_cpu.phys_bits - PAGE_SHIFT)) - 1))
		panic("Out of memory for dom0's I/O rights\n");
	deny_frames(d, 0xfee00000, 0xfef00000);	/* local APICs, and messages to them */
	host_e820_reserve(0xfee00000, 0xfee01000);
	for (unsigned int i = 0; i < acpi.nr_ioapics; i++) {
		paddr_t pa = acpi.ioapic[i].address & PAGE_MASK;

		deny_frames(d, pa, pa + PAGE_SIZE);
		host_e820_reserve(pa, pa + PAGE_SIZE);
	}
	deny_frames(d, image, image + (paddr_t)(_end - _start));
	for (unsigned int i = 0; i < bi->nr_e820; i++) {
		const struct e820_entry *e = &bi->e820[i];

		if (e->type == E820_UNUSABLE && e->addr >= MB(1))
			deny_frames(d, e->addr, e->addr + e->size);
	}
}

void __init dom0_grant_hardware(struct domain *d)
{
	struct arch_domain *a = &d->arch;

	if (!a->iomem_caps)
		a->iomem_caps = rangeset_new();
	if (!a->ioport_caps)
		a->ioport_caps = rangeset_new();
	if (!a->irq_caps)
		a->irq_caps = rangeset_new();
	if (!a->iomem_caps || !a->ioport_caps || !a->irq_caps)
		panic("Out of memory for dom0's I/O rights\n");
	set_ports(d);
	set_frames(d);
	/* Interrupt 0 is the hypervisor's timer. */
	if (rangeset_add(a->irq_caps, 1, 1023))
		panic("Out of memory for dom0's I/O rights\n");
}
