/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts: capabilities and tables are programmed here,
 * never by dom0, since address and data carry our vectors and CPU numbers.
 *
 * An MSI is configuration registers: address, data, perhaps mask bits. MSI-X
 * has a table in a BAR; it is mapped while any of its entries is in use. The
 * enable bit of the capability stays dom0's, as its drivers turn it on and off;
 * that of MSI-X is set (with all entries masked) whenever we touch the table,
 * as the table need not be reachable else. Source: PCI 3.0, 6.8.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <core/xmalloc.h>
#include <x86/asm.h>
#include <x86/irq.h>
#include <x86/mm.h>
#include <x86/msi.h>
#include <x86/pci.h>
#include <x86/platform.h>
#include <x86/rangeset.h>

/* MSI capability: control at +2 */
#define MSI_CTRL(pos)		((pos) + 2u)
#define MSI_CTRL_ENABLE		0x0001
#define MSI_CTRL_MULTI		0x0070		/* vectors enabled, log 2 */
#define MSI_CTRL_64		0x0080
#define MSI_CTRL_MASKBIT	0x0100
#define MSI_ADDR_LO(pos)	((pos) + 4u)
#define MSI_ADDR_HI(pos)	((pos) + 8u)
#define MSI_DATA(pos, is64)	((pos) + ((is64) ? 12u : 8u))
#define MSI_MASK(pos, is64)	((pos) + ((is64) ? 16u : 12u))
/* MSI-X capability */
#define MSIX_CTRL(pos)		((pos) + 2u)
#define MSIX_CTRL_MASKALL	0x4000
#define MSIX_CTRL_ENABLE	0x8000
#define MSIX_TABLE(pos)		((pos) + 4u)
#define MSIX_ENTRY_SIZE		16
#define MSIX_ENTRY_ADDR_LO	0
#define MSIX_ENTRY_ADDR_HI	4
#define MSIX_ENTRY_DATA		8
#define MSIX_ENTRY_CTRL		12		/* bit 0: masked */

#define MSI_ADDRESS_BASE	0xfee00000u	/* physical destination, no redirection */

/* ---- MSI-X table ---- */

static char *entry_address(const struct msi_desc *m)
{
	return (char *)m->dev->msix_map + (size_t)m->entry * MSIX_ENTRY_SIZE;
}

/* The table can be reached only with memory decoding on. */
static bool memory_decoded(const struct pci_device *dev)
{
	uint8_t bus = dev->is_virtfn ? dev->pf_bus : dev->bus;
	uint8_t devfn = dev->is_virtfn ? dev->pf_devfn : dev->devfn;

	return pci_conf_read(dev->seg, bus, devfn, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
}

/*
 * Turns MSI-X on, all masked, so that the table can be written. Returns the
 * control value to put back.
 */
static uint16_t msix_open(struct pci_device *dev)
{
	uint16_t ctrl = (uint16_t)pci_read(dev, MSIX_CTRL(dev->msix_pos), 2);

	if (!(ctrl & MSIX_CTRL_ENABLE)) {
		dev->host_maskall = true;
		pci_write(dev, MSIX_CTRL(dev->msix_pos), 2,
			  ctrl | MSIX_CTRL_ENABLE | MSIX_CTRL_MASKALL);
	}
	return ctrl;
}

static void msix_close(struct pci_device *dev, uint16_t ctrl)
{
	if (ctrl & MSIX_CTRL_ENABLE)
		return;
	dev->host_maskall = false;
	pci_write(dev, MSIX_CTRL(dev->msix_pos), 2, ctrl);
}

/* Where the table is: from the BAR that the capability names; a virtual function's BARs read 0. */
static paddr_t msix_table_address(const struct pci_device *dev, uint64_t hint)
{
	uint32_t table = pci_read(dev, MSIX_TABLE(dev->msix_pos), 4), bar;
	unsigned int bir = table & 7;
	paddr_t base;

	if (bir > 5)
		return 0;
	if (dev->is_virtfn)
		return hint;
	bar = pci_read(dev, PCI_BAR(bir), 4);
	if (bar & 1)
		return 0;		/* an I/O BAR */
	base = bar & ~0xfu;
	if ((bar & 6) == 4 && bir < 5)
		base |= (paddr_t)pci_read(dev, PCI_BAR(bir + 1), 4) << 32;
	return base ? base + (table & ~7u) : 0;
}

/* dom0 may map the table's pages, but not writable: the messages in it are ours. */
static int msix_protect(const struct pci_device *dev, bool on)
{
	unsigned long first = dev->msix_table >> PAGE_SHIFT;
	unsigned long last = (dev->msix_table + (paddr_t)dev->msix_nr * MSIX_ENTRY_SIZE - 1) >>
			     PAGE_SHIFT;

	return on ? rangeset_add(mmio_ro_ranges, first, last) :
		    rangeset_remove(mmio_ro_ranges, first, last);
}

/* One more user of the table. 0, -EINVAL, -ENOMEM. */
static int msix_get_table(struct pci_device *dev, uint64_t hint)
{
	if (!dev->msix_users) {
		paddr_t pa = msix_table_address(dev, hint);

		if (!pa)
			return -EINVAL;
		dev->msix_map = ioremap(pa, (size_t)dev->msix_nr * MSIX_ENTRY_SIZE);
		if (!dev->msix_map)
			return -ENOMEM;
		dev->msix_table = pa;
		if (msix_protect(dev, true))
			printk(XENLOG_WARNING "MSI-X table at %lx is not protected from dom0\n",
			       (unsigned long)pa);
	}
	dev->msix_users++;
	return 0;
}

static void msix_put_table(struct pci_device *dev)
{
	if (--dev->msix_users)
		return;
	msix_protect(dev, false);
	iounmap(dev->msix_map, (size_t)dev->msix_nr * MSIX_ENTRY_SIZE);
	dev->msix_map = NULL;
}

/* ---- messages and masks: called with the irq's desc->lock held ---- */

bool msi_maskable(const struct msi_desc *m)
{
	return m->maskable;
}

static void write_mask(struct msi_desc *m)
{
	if (m->msix) {
		if (!memory_decoded(m->dev))
			return;
		writel(m->masked ? 1 : 0, entry_address(m) + MSIX_ENTRY_CTRL);
		/* posted writes are done when this is answered */
		readl(entry_address(m) + MSIX_ENTRY_CTRL);
	} else if (m->maskable) {
		pci_write(m->dev, MSI_MASK(m->pos, m->is64), 4, m->masked ? ~0u : ~1u);
	}
}

void msi_mask(struct msi_desc *m, bool mask)
{
	m->masked = mask;
	write_mask(m);
}

static void write_message(struct msi_desc *m)
{
	if (m->msix) {
		char *e = entry_address(m);

		if (!memory_decoded(m->dev))
			return;
		writel(1, e + MSIX_ENTRY_CTRL);	/* a message must not change while unmasked */
		writel(m->address, e + MSIX_ENTRY_ADDR_LO);
		writel(0, e + MSIX_ENTRY_ADDR_HI);
		writel(m->data, e + MSIX_ENTRY_DATA);
		write_mask(m);
		return;
	}
	pci_write(m->dev, MSI_ADDR_LO(m->pos), 4, m->address);
	if (m->is64)
		pci_write(m->dev, MSI_ADDR_HI(m->pos), 4, 0);
	pci_write(m->dev, MSI_DATA(m->pos, m->is64), 2, m->data);
}

void msi_write_message(struct msi_desc *m, unsigned int cpu, uint8_t vector)
{
	m->address = MSI_ADDRESS_BASE | (uint32_t)apic_dest_byte(cpu) << 12;
	m->data = vector;		/* fixed delivery, edge */
	write_message(m);
}

void msi_startup(struct msi_desc *m)
{
	unsigned int reg = MSI_CTRL(m->pos);
	uint32_t ctrl;

	if (m->msix)
		return;			/* dom0 has enabled it, or will */
	ctrl = pci_read(m->dev, reg, 2);
	if (!(ctrl & MSI_CTRL_ENABLE))
		pci_write(m->dev, reg, 2, ctrl | MSI_CTRL_ENABLE);
}

/* ---- attach and detach ---- */

static struct msi_desc *find_entry(const struct pci_device *dev, bool msix, unsigned int entry)
{
	struct msi_desc *m;

	list_for_each_entry(m, &dev->msi_list, link)
		if (m->msix == msix && (!msix || m->entry == entry))
			return m;
	return NULL;
}

static int prepare_plain(struct msi_desc *m)
{
	uint32_t ctrl;

	if (!m->dev->msi_pos)
		return -ENODEV;
	m->pos = m->dev->msi_pos;
	ctrl = pci_read(m->dev, MSI_CTRL(m->pos), 2);
	m->is64 = ctrl & MSI_CTRL_64;
	m->maskable = ctrl & MSI_CTRL_MASKBIT;
	if (ctrl & MSI_CTRL_MULTI)		/* one vector only */
		pci_write(m->dev, MSI_CTRL(m->pos), 2, ctrl & ~(uint32_t)MSI_CTRL_MULTI);
	return 0;
}

static int prepare_entry(struct msi_desc *m, const struct msi_request *req)
{
	struct pci_device *dev = m->dev;

	if (!dev->msix_pos)
		return -ENODEV;
	if (req->entry_nr < 0 || (unsigned int)req->entry_nr >= dev->msix_nr)
		return -EINVAL;
	if (!memory_decoded(dev))
		return -ENXIO;
	m->pos = dev->msix_pos;
	m->entry = (uint16_t)req->entry_nr;
	m->maskable = m->msix = true;
	return msix_get_table(dev, req->table_base);
}

/* The interrupt gets a vector, and the device the message, masked. */
static int connect(struct irq_desc *desc, struct msi_desc *m)
{
	unsigned long flags;
	uint16_t ctrl = 0;
	int rc;

	if (m->msix)
		ctrl = msix_open(m->dev);
	spin_lock_irqsave(&desc->lock, flags);
	desc->type = IRQ_MSI;
	desc->msi = m;
	rc = irq_setup_source(desc, smp_processor_id());
	if (!rc)
		irq_mask(desc);
	else {
		desc->type = IRQ_NONE;
		desc->msi = NULL;
	}
	spin_unlock_irqrestore(&desc->lock, flags);
	if (m->msix)
		msix_close(m->dev, ctrl);
	return rc;
}

int msi_attach(const struct msi_request *req, unsigned int irq)
{
	struct pci_device *dev = pci_find(req->seg, req->bus, req->devfn);
	struct msi_desc *m;
	int rc;

	if (!dev)
		return -ENODEV;
	if (find_entry(dev, req->table_base != 0, (unsigned int)req->entry_nr))
		return -EEXIST;
	m = xzalloc(struct msi_desc);
	if (!m)
		return -ENOMEM;
	m->dev = dev;
	m->irq = (uint16_t)irq;
	m->masked = true;
	rc = req->table_base ? prepare_entry(m, req) : prepare_plain(m);
	if (rc)
		goto free;
	rc = connect(irq_to_desc(irq), m);
	if (rc)
		goto put_table;
	list_add_tail(&m->link, &dev->msi_list);
	return 0;

put_table:
	if (m->msix)
		msix_put_table(dev);
free:
	xfree(m);
	return rc;
}

void msi_detach(unsigned int irq)
{
	struct irq_desc *desc = irq_to_desc(irq);
	struct msi_desc *m = desc->msi;
	struct pci_device *dev;
	unsigned long flags;
	uint16_t ctrl = 0;

	if (!m)
		return;
	dev = m->dev;
	if (m->msix)
		ctrl = msix_open(dev);
	spin_lock_irqsave(&desc->lock, flags);
	irq_mask(desc);
	irq_release_vector(desc);
	desc->type = IRQ_NONE;
	desc->msi = NULL;
	spin_unlock_irqrestore(&desc->lock, flags);
	list_del(&m->link);
	if (m->msix) {
		msix_close(dev, ctrl);
		msix_put_table(dev);
	} else {
		pci_write(dev, MSI_CTRL(m->pos), 2,
			  pci_read(dev, MSI_CTRL(m->pos), 2) & ~(uint32_t)MSI_CTRL_ENABLE);
	}
	xfree(m);
}

void msi_forget_device(struct pci_device *dev)
{
	struct msi_desc *m, *n;

	list_for_each_entry_safe(m, n, &dev->msi_list, link)
		msi_detach(m->irq);
	if (dev->msix_prepared && dev->msix_users)
		msix_put_table(dev);
	dev->msix_prepared = false;
}

/* ---- what dom0 asks ---- */

int msix_prepare(uint16_t seg, uint8_t bus, uint8_t devfn, bool release)
{
	struct pci_device *dev;
	int rc = 0;

	spin_lock(&pcidevs_lock);
	dev = pci_find(seg, bus, devfn);
	if (!dev || !dev->msix_pos)
		rc = -ENODEV;
	else if (release && dev->msix_prepared) {
		dev->msix_prepared = false;
		msix_put_table(dev);
	} else if (!release && dev->msix_prepared) {
		rc = -EBUSY;
	} else if (!release) {
		rc = msix_get_table(dev, 0);
		dev->msix_prepared = !rc;
	}
	spin_unlock(&pcidevs_lock);
	return rc;
}

int msi_restore(struct pci_device *dev)
{
	struct msi_desc *m;
	unsigned long flags;

	list_for_each_entry(m, &dev->msi_list, link) {
		struct irq_desc *desc = irq_to_desc(m->irq);
		uint32_t ctrl;

		if (m->msix)
			msix_open(dev);
		spin_lock_irqsave(&desc->lock, flags);
		write_message(m);
		write_mask(m);
		spin_unlock_irqrestore(&desc->lock, flags);
		if (!m->msix) {
			ctrl = pci_read(dev, MSI_CTRL(m->pos), 2) & ~(uint32_t)MSI_CTRL_MULTI;
			pci_write(dev, MSI_CTRL(m->pos), 2, ctrl | MSI_CTRL_ENABLE);
		}
	}
	/* opened above: leave it enabled and open, as it was before */
	if (dev->host_maskall) {
		dev->host_maskall = false;
		pci_write(dev, MSIX_CTRL(dev->msix_pos), 2,
			  MSIX_CTRL_ENABLE | (dev->guest_maskall ? MSIX_CTRL_MASKALL : 0));
	}
	return 0;
}

/*
 * dom0's drivers may enable and disable, and mask an MSI-X function as a whole;
 * address, data, mask bits and vector counts of what we manage are ours.
 */
bool msi_config_write(struct pci_device *dev, unsigned int reg, unsigned int bytes, uint32_t *val)
{
	unsigned int pos = dev->msix_pos, end;
	struct msi_desc *m;

	if (pos && dev->msix_users && reg + bytes > MSIX_CTRL(pos) && reg < pos + 12) {
		if (reg != MSIX_CTRL(pos) || bytes != 2)
			return false;
		dev->guest_maskall = *val & MSIX_CTRL_MASKALL;
		if (dev->host_maskall)
			*val |= MSIX_CTRL_MASKALL;
		return true;
	}
	m = find_entry(dev, false, 0);
	if (!m)
		return true;
	pos = m->pos;
	end = MSI_DATA(pos, m->is64) + (m->maskable ? 12 : 2);
	if (reg == MSI_CTRL(pos) && bytes == 2) {
		*val &= ~(uint32_t)MSI_CTRL_MULTI;
		return true;
	}
	return !(reg + bytes > MSI_CTRL(pos) && reg < end);
}
