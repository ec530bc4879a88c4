/* SPDX-License-Identifier: MIT */
/*
 * IO-APICs: pins (GSIs) to vectors. All pins start masked with the trigger and
 * polarity that the MADT's overrides or the bus's custom say; dom0 corrects
 * them with what ACPI's AML says (PHYSDEVOP_setup_gsi) before it uses them.
 * Destinations are physical, one CPU each. irq.c decides vectors and CPUs; this
 * file only writes registers. (Intel 82093AA, ICH9 datasheet)
 */
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/xmalloc.h>
#include <x86/acpi.h>
#include <x86/asm.h>
#include <x86/irq.h>
#include <x86/mm.h>
#include <x86/platform.h>

#define IOREGSEL	0x00
#define IOWIN		0x10
#define REG_ID		0x00
#define REG_VERSION	0x01
#define REG_RTE(pin)	(0x10 + 2 * (pin))
#define RTE_ACTIVE_LOW	(1u << 13)
#define RTE_LEVEL	(1u << 15)
#define RTE_MASKED	(1u << 16)

static struct {
	void *regs;
	unsigned int pins;
} ioapic[ACPI_MAX_IOAPICS];

/* What is known of a pin; indexed by GSI. */
struct gsi_state {
	uint8_t apic;
	bool valid, level, active_low;
	bool chosen;			/* by dom0 or an override: not to be changed again */
	uint32_t low;			/* the low half as last written */
};
static struct gsi_state *gsi_state;
static DEFINE_SPINLOCK(ioapic_lock, LOCK_IOAPIC);

static uint32_t reg_read(unsigned int apic, unsigned int reg)
{
	writel(reg, (char *)ioapic[apic].regs + IOREGSEL);
	return readl((char *)ioapic[apic].regs + IOWIN);
}

static void reg_write(unsigned int apic, unsigned int reg, uint32_t val)
{
	writel(reg, (char *)ioapic[apic].regs + IOREGSEL);
	writel(val, (char *)ioapic[apic].regs + IOWIN);
}

static unsigned int gsi_pin(unsigned int gsi)
{
	return gsi - acpi.ioapic[gsi_state[gsi].apic].gsi_base;
}

static void rte_write_low(unsigned int gsi, uint32_t low)
{
	gsi_state[gsi].low = low;
	reg_write(gsi_state[gsi].apic, REG_RTE(gsi_pin(gsi)), low);
}

static void rte_write_high(unsigned int gsi, unsigned int cpu)
{
	reg_write(gsi_state[gsi].apic, REG_RTE(gsi_pin(gsi)) + 1,
		  (uint32_t)apic_dest_byte(cpu) << 24);
}

bool gsi_valid(unsigned int gsi)
{
	return gsi < nr_gsis && gsi_state[gsi].valid;
}

bool gsi_is_level(unsigned int gsi)
{
	return gsi_state[gsi].level;
}

unsigned int isa_irq_to_gsi(unsigned int irq)
{
	for (unsigned int i = 0; i < acpi.nr_overrides; i++)
		if (acpi.override[i].isa_irq == irq)
			return acpi.override[i].gsi;
	return irq;
}

int gsi_set_trigger(unsigned int gsi, bool level, bool active_low)
{
	struct irq_desc *desc;
	struct gsi_state *s;
	unsigned long flags;
	int rc = 0;

	if (!gsi_valid(gsi))
		return -EINVAL;
	s = &gsi_state[gsi];
	desc = irq_to_desc(gsi);
	spin_lock_irqsave(&desc->lock, flags);
	if (s->chosen)
		rc = -EEXIST;
	else if (desc->bound)
		rc = s->level == level && s->active_low == active_low ? 0 : -EBUSY;
	else {
		s->level = level;
		s->active_low = active_low;
		s->chosen = true;
	}
	spin_unlock_irqrestore(&desc->lock, flags);
	return rc;
}

void ioapic_setup_pin(const struct irq_desc *desc)
{
	const struct gsi_state *s = &gsi_state[desc->irq];
	unsigned long flags;

	spin_lock_irqsave(&ioapic_lock, flags);
	rte_write_low(desc->irq, desc->vector | RTE_MASKED | (s->level ? RTE_LEVEL : 0) |
		      (s->active_low ? RTE_ACTIVE_LOW : 0));
	rte_write_high(desc->irq, desc->cpu);
	spin_unlock_irqrestore(&ioapic_lock, flags);
}

void ioapic_mask_pin(unsigned int gsi, bool mask)
{
	unsigned long flags;
	uint32_t low;

	spin_lock_irqsave(&ioapic_lock, flags);
	low = gsi_state[gsi].low & ~RTE_MASKED;
	rte_write_low(gsi, mask ? low | RTE_MASKED : low);
	spin_unlock_irqrestore(&ioapic_lock, flags);
}

void ioapic_set_pin_cpu(unsigned int gsi, unsigned int cpu)
{
	unsigned long flags;

	spin_lock_irqsave(&ioapic_lock, flags);
	rte_write_high(gsi, cpu);
	spin_unlock_irqrestore(&ioapic_lock, flags);
}

/* ---- dom0's view ---- */

static int find_ioapic(unsigned long base)
{
	for (unsigned int i = 0; i < acpi.nr_ioapics; i++)
		if (acpi.ioapic[i].address == base && ioapic[i].regs)
			return (int)i;
	return -1;
}

int ioapic_guest_read(unsigned long base, unsigned int reg, uint32_t *val)
{
	int i = find_ioapic(base);
	unsigned long flags;

	if (i < 0 || reg > 0xff)
		return -EINVAL;
	spin_lock_irqsave(&ioapic_lock, flags);
	*val = reg_read((unsigned int)i, reg);
	spin_unlock_irqrestore(&ioapic_lock, flags);
	return 0;
}

/*
 * Old kernels program pins with it: only trigger and polarity of an unused pin
 * are taken, vectors and destinations are ours, and so is the mask bit.
 */
int ioapic_guest_write(unsigned long base, unsigned int reg, uint32_t val)
{
	int i = find_ioapic(base);
	unsigned int gsi;

	if (i < 0)
		return -EINVAL;
	if (reg < REG_RTE(0) || (reg & 1) || (val & RTE_MASKED))
		return 0;
	gsi = acpi.ioapic[i].gsi_base + (reg - REG_RTE(0)) / 2;
	if (!gsi_valid(gsi) || gsi_state[gsi].apic != i)
		return -EINVAL;
	gsi_set_trigger(gsi, val & RTE_LEVEL, val & RTE_ACTIVE_LOW);
	return 0;
}

/* ---- boot ---- */

static void __init init_pins(unsigned int i)
{
	for (unsigned int pin = 0; pin < ioapic[i].pins; pin++) {
		unsigned int gsi = acpi.ioapic[i].gsi_base + pin;
		struct gsi_state *s = &gsi_state[gsi];

		if (gsi >= nr_gsis || s->valid)
			continue;
		s->valid = true;
		s->apic = (uint8_t)i;
		s->level = s->active_low = gsi >= 16;	/* ISA: edge, high; PCI: level, low */
		rte_write_low(gsi, RTE_MASKED | (s->level ? RTE_LEVEL : 0) |
			      (s->active_low ? RTE_ACTIVE_LOW : 0));
		irq_to_desc(gsi)->type = s->level ? IRQ_LEVEL : IRQ_EDGE;
	}
}

static void __init apply_overrides(void)
{
	for (unsigned int i = 0; i < acpi.nr_overrides; i++) {
		const struct acpi_override *o = &acpi.override[i];

		if (!gsi_valid(o->gsi))
			continue;
		gsi_state[o->gsi].level = o->level;
		gsi_state[o->gsi].active_low = o->active_low;
		irq_to_desc(o->gsi)->type = o->level ? IRQ_LEVEL : IRQ_EDGE;
	}
	/* The ACPI interrupt is level, low unless an override says otherwise (ACPI 5.2.9). */
	if (acpi.have_fadt && gsi_valid(acpi.sci_int) &&
	    isa_irq_to_gsi(acpi.sci_int) == acpi.sci_int) {
		for (unsigned int i = 0; i < acpi.nr_overrides; i++)
			if (acpi.override[i].isa_irq == acpi.sci_int)
				return;
		gsi_state[acpi.sci_int].level = gsi_state[acpi.sci_int].active_low = true;
		irq_to_desc(acpi.sci_int)->type = IRQ_LEVEL;
	}
}

/* Maps the IO-APICs and returns how many GSIs there are (at least the 16 of ISA). */
unsigned int __init ioapic_count_gsis(void)
{
	unsigned int top = 16;

	for (unsigned int i = 0; i < acpi.nr_ioapics; i++) {
		uint32_t ver;

		ioapic[i].regs = ioremap(acpi.ioapic[i].address, 0x20);
		ver = reg_read(i, REG_VERSION);
		if (ver == 0xffffffff) {
			printk(XENLOG_WARNING "IO-APIC %u does not answer\n", i);
			ioapic[i].regs = NULL;
			continue;
		}
		ioapic[i].pins = ((ver >> 16) & 0xff) + 1;
		top = max(top, acpi.ioapic[i].gsi_base + ioapic[i].pins);
	}
	return min(top, 1024u);
}

/* After irq_init. */
void __init ioapic_init(void)
{
	gsi_state = xzalloc_array(struct gsi_state, nr_gsis);
	if (!gsi_state)
		panic("No memory for the IO-APICs");
	for (unsigned int i = 0; i < acpi.nr_ioapics; i++)
		if (ioapic[i].regs)
			init_pins(i);
	apply_overrides();
	printk(XENLOG_INFO "IO-APIC: %u GSIs\n", nr_gsis);
}
