/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space, and the functions that dom0 announced.
 *
 * dom0 enumerates the buses itself; we only need to reach the capabilities that
 * carry interrupts. Access is by ports 0xcf8/0xcfc, or through the memory
 * window (MCFG) for what these cannot reach.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/xmalloc.h>
#include <x86/acpi.h>
#include <x86/asm.h>
#include <x86/mm.h>
#include <x86/msi.h>
#include <x86/pci.h>
#include <x86/platform.h>
#include <xen/physdev.h>

DEFINE_SPINLOCK(pcidevs_lock, LOCK_PCIDEVS);
static LIST_HEAD(pci_devices);			/* pcidevs_lock */

static DEFINE_SPINLOCK(config_lock, LOCK_ANY);	/* address and data port are a pair */
static void *mmcfg_map[ACPI_MAX_MCFG];

/* ---- access ---- */

/* The window's address of a register, mapped on first use; NULL if there is none. */
static void *mmcfg_address(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg)
{
	for (unsigned int i = 0; i < acpi.nr_mcfg; i++) {
		const struct acpi_mcfg *m = &acpi.mcfg[i];

		if (m->segment != seg || bus < m->start_bus || bus > m->end_bus)
			continue;
		if (!mmcfg_map[i])
			mmcfg_map[i] = ioremap(m->base + ((paddr_t)m->start_bus << 20),
					       (size_t)(m->end_bus - m->start_bus + 1) << 20);
		if (!mmcfg_map[i])
			return NULL;
		return (char *)mmcfg_map[i] +
		       ((size_t)(bus - m->start_bus) << 20 | (size_t)devfn << 12 | reg);
	}
	return NULL;
}

static void set_config_address(uint8_t bus, uint8_t devfn, unsigned int reg)
{
	outl(0x80000000u | (uint32_t)bus << 16 | (uint32_t)devfn << 8 | (reg & 0xfc), 0xcf8);
}

static uint32_t mmio_read(const volatile void *p, unsigned int len)
{
	return len == 1 ? *(const volatile uint8_t *)p :
	       len == 2 ? *(const volatile uint16_t *)p : *(const volatile uint32_t *)p;
}

static void mmio_write(volatile void *p, unsigned int len, uint32_t v)
{
	if (len == 1)
		*(volatile uint8_t *)p = (uint8_t)v;
	else if (len == 2)
		*(volatile uint16_t *)p = (uint16_t)v;
	else
		*(volatile uint32_t *)p = v;
}

static bool by_ports(uint16_t seg, unsigned int reg)
{
	return seg == 0 && reg < 256;
}

uint32_t pci_conf_read(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int len)
{
	unsigned long flags;
	uint32_t v = 0xffffffff;
	uint16_t port = (uint16_t)(0xcfc + (reg & 3));
	void *p;

	spin_lock_irqsave(&config_lock, flags);
	if (by_ports(seg, reg)) {
		set_config_address(bus, devfn, reg);
		v = len == 1 ? inb(port) : len == 2 ? inw(port) : inl(port);
	} else {
		p = mmcfg_address(seg, bus, devfn, reg);
		if (p)
			v = mmio_read(p, len);
	}
	spin_unlock_irqrestore(&config_lock, flags);
	return v;
}

void pci_conf_write(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int len,
		    uint32_t val)
{
	uint16_t port = (uint16_t)(0xcfc + (reg & 3));
	unsigned long flags;
	void *p;

	spin_lock_irqsave(&config_lock, flags);
	if (by_ports(seg, reg)) {
		set_config_address(bus, devfn, reg);
		if (len == 1)
			outb((uint8_t)val, port);
		else if (len == 2)
			outw((uint16_t)val, port);
		else
			outl(val, port);
	} else {
		p = mmcfg_address(seg, bus, devfn, reg);
		if (p)
			mmio_write(p, len, val);
	}
	spin_unlock_irqrestore(&config_lock, flags);
}

unsigned int pci_find_cap(uint16_t seg, uint8_t bus, uint8_t devfn, uint8_t id)
{
	unsigned int pos;

	if (!(pci_conf_read(seg, bus, devfn, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return 0;
	pos = pci_conf_read(seg, bus, devfn, PCI_CAPABILITY_LIST, 1) & 0xfc;
	for (unsigned int n = 0; n < 48 && pos >= 0x40; n++) {
		uint32_t head = pci_conf_read(seg, bus, devfn, pos, 2);

		if ((head & 0xff) == id)
			return pos;
		if ((head & 0xff) == 0xff)
			break;
		pos = (head >> 8) & 0xfc;
	}
	return 0;
}

/* ---- devices ---- */

struct pci_device *pci_find(uint16_t seg, uint8_t bus, uint8_t devfn)
{
	struct pci_device *p;

	list_for_each_entry(p, &pci_devices, link)
		if (p->seg == seg && p->bus == bus && p->devfn == devfn)
			return p;
	return NULL;
}

static void read_msix_capability(struct pci_device *p)
{
	p->msi_pos = (uint8_t)pci_find_cap(p->seg, p->bus, p->devfn, PCI_CAP_ID_MSI);
	p->msix_pos = (uint8_t)pci_find_cap(p->seg, p->bus, p->devfn, PCI_CAP_ID_MSIX);
	if (p->msix_pos)
		p->msix_nr = (pci_read(p, p->msix_pos + 2u, 2) & 0x7ff) + 1;
}

int pci_add(uint16_t seg, uint8_t bus, uint8_t devfn, const struct pci_dev_flags *flags)
{
	struct pci_device *p;
	int rc = 0;

	spin_lock(&pcidevs_lock);
	p = pci_find(seg, bus, devfn);
	if (!p) {
		p = xzalloc(struct pci_device);
		if (!p) {
			rc = -ENOMEM;
			goto unlock;
		}
		p->seg = seg;
		p->bus = bus;
		p->devfn = devfn;
		list_init(&p->msi_list);
		read_msix_capability(p);
		list_add_tail(&p->link, &pci_devices);
	}
	if (flags) {
		p->is_extfn = flags->is_extfn;
		p->is_virtfn = flags->is_virtfn;
		p->pf_bus = flags->pf_bus;
		p->pf_devfn = flags->pf_devfn;
	}
	printk(XENLOG_DEBUG "PCI add device %04x:%02x:%02x.%u\n", seg, bus, devfn >> 3, devfn & 7u);
unlock:
	spin_unlock(&pcidevs_lock);
	return rc;
}

int pci_remove(uint16_t seg, uint8_t bus, uint8_t devfn)
{
	struct pci_device *p;

	spin_lock(&pcidevs_lock);
	p = pci_find(seg, bus, devfn);
	if (p) {
		msi_forget_device(p);
		list_del(&p->link);
	}
	spin_unlock(&pcidevs_lock);
	xfree(p);
	return p ? 0 : -ENODEV;
}

/*
 * A write through 0xcfc, decoded from the last value of 0xcf8. Extended
 * registers by AMD's bits 24-27 of 0xcf8 carry no MSI capability.
 */
bool pci_conf_write_intercept(struct domain *d __maybe_unused, uint32_t cf8, unsigned int bytes,
			      uint32_t *val)
{
	struct pci_device *p;
	bool ok = true;

	if (!(cf8 & 0x80000000u) || (cf8 & 0x0f000000))
		return true;
	spin_lock(&pcidevs_lock);
	p = pci_find(0, (uint8_t)(cf8 >> 16), (uint8_t)(cf8 >> 8));
	if (p)
		ok = msi_config_write(p, cf8 & 0xff, bytes, val);
	spin_unlock(&pcidevs_lock);
	return ok;
}

/*
 * dom0 says that the firmware's AML reserves (or not) the window that MCFG
 * names. We use what the table names in any case; that it must be one of those
 * is all that is checked.
 */
int pci_mmcfg_reserved(uint64_t address, uint16_t seg, uint8_t start, uint8_t end,
		       uint32_t flags __maybe_unused)
{
	for (unsigned int i = 0; i < acpi.nr_mcfg; i++) {
		const struct acpi_mcfg *m = &acpi.mcfg[i];

		if (m->base == address && m->segment == seg && m->start_bus == start &&
		    m->end_bus == end)
			return 0;
	}
	return -ENODEV;
}

void __init pci_init(void)
{
	acpi_power_init();
	if (acpi.nr_mcfg)
		printk(XENLOG_INFO
		       "PCI: %u configuration windows, first at %#lx, buses %02x-%02x\n",
		       acpi.nr_mcfg, (unsigned long)acpi.mcfg[0].base, acpi.mcfg[0].start_bus,
		       acpi.mcfg[0].end_bus);
}
