/* SPDX-License-Identifier: MIT */
/*
 * Interrupt vectors: who owns which vector of which CPU, and what happens when
 * it comes.
 *
 * Each CPU has its own 256 vectors (vector_irq). An interrupt is delivered to
 * one CPU. Level-triggered ones are masked at the IO-APIC and acknowledged at
 * once, and opened again when those who handle it have said EOI, so no CPU ever
 * has a vector in service while it runs a guest. Edge-triggered ones and MSIs
 * are only acknowledged.
 *
 * Moving to another CPU happens when an interrupt has just been acknowledged,
 * or while it is masked: only then is nothing under way that carries the old
 * vector, but for what already waits in the old CPU's APIC. Hence the old
 * vector is kept until that CPU has gone through its softirqs (old_vector).
 */
#include <core/errno.h>
#include <core/keyhandler.h>
#include <core/lib.h>
#include <core/xmalloc.h>
#include <arch/cpu.h>
#include <arch/percpu.h>
#include <arch/time.h>
#include <x86/irq.h>
#include <x86/msi.h>
#include <x86/platform.h>
#include <xen/xen.h>

#define VECTOR_FIRST_DIRECT	0xf0
#define MAX_MSI_IRQS		1024u

unsigned int nr_gsis, nr_irqs;
static struct irq_desc *irq_descs;

static void (*direct_vector[256 - VECTOR_FIRST_DIRECT])(struct cpu_user_regs *regs);
/* irq + 1 of each vector, 0 = free. Written under vector_lock by any CPU. */
static DEFINE_PER_CPU(uint16_t[256], vector_irq);
static DEFINE_SPINLOCK(vector_lock, LOCK_VECTOR);
static DEFINE_SPINLOCK(irq_alloc_lock, LOCK_VECTOR);

struct irq_desc *irq_to_desc(unsigned int irq)
{
	return irq < nr_irqs ? &irq_descs[irq] : NULL;
}

bool in_irq(void)
{
	return get_cpu_info()->irq_depth != 0;
}

bool in_nmi(void)
{
	return get_cpu_info()->nmi_depth != 0;
}

void set_direct_vector(uint8_t vector, void (*fn)(struct cpu_user_regs *regs))
{
	BUG_ON(vector < VECTOR_FIRST_DIRECT);
	direct_vector[vector - VECTOR_FIRST_DIRECT] = fn;
}

/* ---- numbers for MSIs ---- */

int irq_alloc(void)
{
	unsigned long flags;
	int irq = -ENOSPC;

	spin_lock_irqsave(&irq_alloc_lock, flags);
	for (unsigned int i = nr_gsis; i < nr_irqs; i++)
		if (!irq_descs[i].in_use && !read_once(irq_descs[i].old_vector)) {
			irq_descs[i].in_use = true;
			irq = (int)i;
			break;
		}
	spin_unlock_irqrestore(&irq_alloc_lock, flags);
	return irq;
}

void irq_free(unsigned int irq)
{
	unsigned long flags;

	spin_lock_irqsave(&irq_alloc_lock, flags);
	irq_descs[irq].in_use = false;
	spin_unlock_irqrestore(&irq_alloc_lock, flags);
}

/* ---- vectors ---- */

/* 0x80 and 0x82 are software interrupts that guests may use. */
static bool vector_usable(unsigned int vector)
{
	return vector != 0x80 && vector != 0x82;
}

/* Takes a vector on cpu, `want` if it is free; VECTOR_NONE if all are taken. vector_lock held. */
static uint8_t take_vector(unsigned int cpu, unsigned int irq, uint8_t want)
{
	uint16_t *table = per_cpu(vector_irq, cpu);

	if (want && !table[want]) {
		table[want] = (uint16_t)(irq + 1);
		return want;
	}
	for (unsigned int v = VECTOR_FIRST_DYNAMIC; v <= VECTOR_LAST_DYNAMIC; v++)
		if (!table[v] && vector_usable(v)) {
			table[v] = (uint16_t)(irq + 1);
			return (uint8_t)v;
		}
	return VECTOR_NONE;
}

int irq_assign_vector(struct irq_desc *desc, unsigned int cpu)
{
	unsigned long flags;
	unsigned int other;
	uint8_t v;

	spin_lock_irqsave(&vector_lock, flags);
	v = take_vector(cpu, desc->irq, VECTOR_NONE);
	if (!v)
		for_each_online_cpu(other) {
			cpu = other;
			v = take_vector(cpu, desc->irq, VECTOR_NONE);
			if (v)
				break;
		}
	spin_unlock_irqrestore(&vector_lock, flags);
	if (!v)
		return -ENOSPC;
	desc->vector = v;
	desc->cpu = (uint16_t)cpu;
	desc->move_to = NO_MOVE;
	return 0;
}

static void free_vector(unsigned int cpu, uint8_t vector)
{
	unsigned long flags;

	spin_lock_irqsave(&vector_lock, flags);
	per_cpu(vector_irq, cpu)[vector] = 0;
	spin_unlock_irqrestore(&vector_lock, flags);
}

/* On old_cpu, in softirq context: what was waiting there has been taken since. */
static void release_old_vector(void *arg)
{
	struct irq_desc *desc = arg;
	unsigned long flags;

	spin_lock_irqsave(&desc->lock, flags);
	if (desc->old_vector) {
		if (desc->old_cpu == smp_processor_id() && apic_irr_test(desc->old_vector)) {
			defer_on_cpu(&desc->release, desc->old_cpu);
		} else {
			free_vector(desc->old_cpu, desc->old_vector);
			desc->old_vector = VECTOR_NONE;
		}
	}
	spin_unlock_irqrestore(&desc->lock, flags);
}

static void retire_vector(struct irq_desc *desc, unsigned int cpu, uint8_t vector)
{
	desc->old_vector = vector;
	desc->old_cpu = (uint16_t)cpu;
	defer_on_cpu(&desc->release, cpu);
}

/* Only for MSIs: a pin keeps its vector, as an EOI is matched by it. */
void irq_release_vector(struct irq_desc *desc)
{
	if (!desc->vector)
		return;
	if (desc->old_vector)
		free_vector(desc->cpu, desc->vector);
	else
		retire_vector(desc, desc->cpu, desc->vector);
	desc->vector = VECTOR_NONE;
}

/* ---- sources ---- */

void irq_mask(struct irq_desc *desc)
{
	desc->masked = true;
	if (desc->type == IRQ_MSI)
		msi_mask(desc->msi, true);
	else
		ioapic_mask_pin(desc->irq, true);
}

void irq_unmask(struct irq_desc *desc)
{
	desc->masked = false;
	if (desc->type == IRQ_MSI)
		msi_mask(desc->msi, false);
	else
		ioapic_mask_pin(desc->irq, false);
}

static bool irq_maskable(const struct irq_desc *desc)
{
	return desc->type != IRQ_MSI || msi_maskable(desc->msi);
}

/* Tells the source its vector and CPU, leaving the mask as it is. */
static void program_source(struct irq_desc *desc)
{
	if (desc->type == IRQ_MSI) {
		msi_write_message(desc->msi, desc->cpu, desc->vector);
		return;
	}
	ioapic_setup_pin(desc);
	if (!desc->masked)
		ioapic_mask_pin(desc->irq, false);
}

/* May vector and CPU change one after the other? A masked pin loses edges, an MSI keeps them. */
static bool irq_can_change(const struct irq_desc *desc)
{
	return desc->masked || (desc->type != IRQ_EDGE && irq_maskable(desc));
}

/*
 * The move itself, see the top. What would need another vector and cannot be
 * masked, or loses interrupts while it is, stays where it is: CPU and vector
 * cannot change at once.
 */
static void move_now(struct irq_desc *desc, unsigned int to)
{
	uint8_t old = desc->vector, v;
	unsigned int from = desc->cpu;
	bool reopen = false;

	desc->move_to = NO_MOVE;
	if (desc->old_vector || from == to || !cpumask_test_cpu(to, &cpu_online_map))
		return;
	spin_lock(&vector_lock);
	v = take_vector(to, desc->irq, old);
	if (v && v != old && !irq_can_change(desc)) {
		per_cpu(vector_irq, to)[v] = 0;
		v = VECTOR_NONE;
	}
	spin_unlock(&vector_lock);
	if (!v)
		return;
	desc->vector = v;
	desc->cpu = (uint16_t)to;
	if (v == old && desc->type != IRQ_MSI) {
		ioapic_set_pin_cpu(desc->irq, to);
	} else {
		if (v != old && !desc->masked) {
			irq_mask(desc);
			reopen = true;
		}
		program_source(desc);
		if (reopen)
			irq_unmask(desc);
	}
	retire_vector(desc, from, old);
}

void irq_set_cpu(struct irq_desc *desc, unsigned int cpu)
{
	if (!desc->vector || desc->cpu == cpu)
		desc->move_to = NO_MOVE;
	else if (desc->masked)
		move_now(desc, cpu);
	else
		desc->move_to = (uint16_t)cpu;
}

int irq_setup_source(struct irq_desc *desc, unsigned int cpu)
{
	int rc;

	if (desc->type != IRQ_MSI)
		desc->type = gsi_is_level(desc->irq) ? IRQ_LEVEL : IRQ_EDGE;
	desc->masked = true;
	if (desc->vector) {
		irq_set_cpu(desc, cpu);
	} else {
		rc = irq_assign_vector(desc, cpu);
		if (rc)
			return rc;
	}
	program_source(desc);
	return 0;
}

int request_gsi(unsigned int gsi, void (*fn)(void *arg), void *arg)
{
	struct irq_desc *desc = irq_to_desc(gsi);
	unsigned long flags;
	int rc = -EBUSY;

	if (!gsi_valid(gsi))
		return -EINVAL;
	spin_lock_irqsave(&desc->lock, flags);
	if (!desc->bound) {
		rc = irq_setup_source(desc, smp_processor_id());
		if (!rc) {
			desc->fn = fn;
			desc->arg = arg;
			desc->bound = true;
			irq_unmask(desc);
		}
	}
	spin_unlock_irqrestore(&desc->lock, flags);
	return rc;
}

/* ---- an interrupt comes ---- */

static void unknown_vector(unsigned int vector)
{
	static unsigned int told;

	if (vector < VECTOR_FIRST_DYNAMIC && !apic_isr_test(vector)) {
		i8259_spurious(vector);
		return;
	}
	apic_eoi();
	if (told < 20) {
		told++;
		printk(XENLOG_WARNING "CPU%u: interrupt with unused vector %02x\n",
		       smp_processor_id(), vector);
	}
}

static void run_own_handler(struct irq_desc *desc)
{
	void (*fn)(void *) = desc->fn;
	void *arg = desc->arg;

	spin_unlock(&desc->lock);
	fn(arg);
	if (desc->type != IRQ_LEVEL)
		return;
	spin_lock(&desc->lock);
	if (desc->bound)
		irq_unmask(desc);
	spin_unlock(&desc->lock);
}

static void take_interrupt(unsigned int vector)
{
	unsigned int n = this_cpu(vector_irq)[vector];
	struct irq_desc *desc;

	if (unlikely(!n)) {
		unknown_vector(vector);
		return;
	}
	desc = &irq_descs[n - 1];
	spin_lock(&desc->lock);
	desc->count++;
	if (desc->type == IRQ_LEVEL)
		irq_mask(desc);
	apic_eoi();
	if (unlikely(desc->move_to != NO_MOVE))
		move_now(desc, desc->move_to);
	if (desc->nr_guests)
		irq_to_guests(desc);
	else if (desc->fn)
		run_own_handler(desc);
	else
		spin_unlock(&desc->lock);
}

void do_IRQ(struct cpu_user_regs *regs)
{
	struct cpu_info *info = get_cpu_info();
	unsigned int vector = regs->entry_vector & 0xff;
	void (*fn)(struct cpu_user_regs *);

	info->irq_depth++;
	if (vector < VECTOR_FIRST_DIRECT) {
		take_interrupt(vector);
	} else {
		fn = direct_vector[vector - VECTOR_FIRST_DIRECT];
		if (!fn) {
			unknown_vector(vector);
		} else {
			if (vector != VECTOR_SPURIOUS)
				apic_eoi();
			fn(regs);
		}
	}
	info->irq_depth--;
}

/* ---- a CPU goes away ---- */

static void leave_one(struct irq_desc *desc, unsigned int cpu)
{
	unsigned int to = cpumask_first(&cpu_online_map);

	if (to == cpu)
		to = cpumask_next(cpu, &cpu_online_map);
	spin_lock(&desc->lock);
	if (desc->old_vector && desc->old_cpu == cpu) {
		free_vector(cpu, desc->old_vector);
		desc->old_vector = VECTOR_NONE;
	}
	if (desc->vector && desc->cpu == cpu && to < NR_CPUS) {
		bool was_open = !desc->masked;

		if (was_open)
			irq_mask(desc);
		move_now(desc, to);
		if (was_open)
			irq_unmask(desc);
	}
	spin_unlock(&desc->lock);
}

void irqs_leave_cpu(unsigned int cpu)
{
	for (unsigned int i = 0; i < nr_irqs; i++)
		leave_one(&irq_descs[i], cpu);
	/* What already waits in our APIC is taken here, with the old vectors still known. */
	local_irq_enable();
	udelay(1000);
	local_irq_disable();
	for (unsigned int i = 0; i < nr_irqs; i++) {
		struct irq_desc *desc = &irq_descs[i];

		spin_lock(&desc->lock);
		if (desc->old_vector && desc->old_cpu == cpu) {
			free_vector(cpu, desc->old_vector);
			desc->old_vector = VECTOR_NONE;
		}
		spin_unlock(&desc->lock);
	}
}

/* ---- debug key and boot ---- */

static void dump_irqs(unsigned char key __maybe_unused)
{
	static const char *const types[] = { "none", "edge", "level", "MSI" };

	printk("IRQ information:\n");
	for (unsigned int i = 0; i < nr_irqs; i++) {
		const struct irq_desc *d = &irq_descs[i];

		if (!d->vector)
			continue;
		printk("   IRQ:%4u vec:%02x cpu:%u type=%s%s in-flight=%u count=%lu%s", i,
		       d->vector, d->cpu, types[d->type], d->masked ? " masked" : "", d->in_flight,
		       d->count, d->fn ? " hypervisor" : "");
		for (unsigned int g = 0; g < d->nr_guests; g++)
			printk(" %pd:%u", d->guest[g].d, d->guest[g].pirq);
		printk("\n");
	}
}

/* Needs the heap, ACPI tables, and the boot CPU's per-CPU area. */
void __init irq_init(void)
{
	unsigned int msis = min(max(acpi_nr_cpus * 64, 256u), MAX_MSI_IRQS);

	nr_gsis = ioapic_count_gsis();
	nr_irqs = nr_gsis + msis;
	irq_descs = xzalloc_array(struct irq_desc, nr_irqs);
	if (!irq_descs)
		panic("No memory for interrupt descriptors");
	for (unsigned int i = 0; i < nr_irqs; i++) {
		struct irq_desc *d = &irq_descs[i];

		spin_lock_init(&d->lock, LOCK_IRQ_DESC);
		d->irq = (uint16_t)i;
		d->masked = true;
		d->move_to = NO_MOVE;
		defer_init(&d->release, release_old_vector, d);
	}
	keyhandler_register('i', dump_irqs, "dump interrupt bindings");
}
