/* SPDX-License-Identifier: MIT */
/*
 * Interrupt descriptors: what an interrupt source is, where it is delivered,
 * and who takes it. Numbers below nr_gsis are GSIs (IO-APIC pins), those above
 * are given to MSIs. The lock key in brackets as in core/domain.h; (l) is the
 * descriptor's own lock, taken with interrupts off.
 */
#ifndef X86_IRQ_H
#define X86_IRQ_H

#include <core/cpumask.h>
#include <core/softirq.h>
#include <arch/spinlock.h>

struct cpu_user_regs;
struct domain;
struct msi_desc;
struct vcpu;

#define VECTOR_LEGACY	0x20		/* the 8259s', 16 of them, never used */
#define VECTOR_NONE	0
#define IRQ_MAX_GUESTS	7		/* that share one level-triggered line */

enum irq_type { IRQ_NONE, IRQ_EDGE, IRQ_LEVEL, IRQ_MSI };

struct irq_guest {
	struct domain *d;
	unsigned int pirq;
};

struct irq_desc {
	spinlock_t lock;
	uint16_t irq;			/* (c) */
	uint8_t type;			/* (l) enum irq_type */
	uint8_t vector;			/* (l) on cpu; VECTOR_NONE = not set up */
	uint8_t old_vector;		/* (l) on old_cpu, until no interrupt can be on its way */
	bool masked;			/* (l) at the source */
	bool bound;			/* (l) to guests or a hypervisor's handler */
	bool shareable;			/* (l) guests agreed to share */
	bool in_use;			/* irq_alloc_lock: an MSI number that was handed out */
	uint16_t cpu, old_cpu;		/* (l) */
	uint16_t move_to;		/* (l) CPU wanted at the next interrupt; NO_MOVE */
	uint8_t nr_guests;		/* (l) */
	uint8_t in_flight;		/* (l) guests that have not said EOI yet; level only */
	struct irq_guest guest[IRQ_MAX_GUESTS];	/* (l) */
	void (*fn)(void *arg);		/* (l) hypervisor's handler */
	void *arg;
	struct msi_desc *msi;		/* (l) type IRQ_MSI */
	unsigned long count;		/* interrupts taken */
	struct deferred release;	/* frees old_vector on old_cpu */
};
#define NO_MOVE	0xffff

extern unsigned int nr_gsis, nr_irqs;
struct irq_desc *irq_to_desc(unsigned int irq);	/* NULL out of range */

/* ---- irq.c ---- */
/* An unused MSI number: > 0, or -ENOSPC. irq_free undoes it; the irq is not bound. */
int irq_alloc(void);
void irq_free(unsigned int irq);
/* desc->lock held: gives desc a vector on cpu (or another if that is full). 0 or -ENOSPC. */
int irq_assign_vector(struct irq_desc *desc, unsigned int cpu);
void irq_release_vector(struct irq_desc *desc);
/* desc->lock held: opens or closes the source. */
void irq_mask(struct irq_desc *desc);
void irq_unmask(struct irq_desc *desc);
/* desc->lock held: moves at once if it is masked or not yet in use, else at its next interrupt. */
void irq_set_cpu(struct irq_desc *desc, unsigned int cpu);
/*
 * desc->lock held: first use by cpu's guest or the hypervisor: vector, source
 * programmed, still masked.
 */
int irq_setup_source(struct irq_desc *desc, unsigned int cpu);
/* Moves every interrupt off a CPU that goes down; called on it with interrupts off. */
void irqs_leave_cpu(unsigned int cpu);

/* ---- pirq.c ---- */
/* An interrupt for guests: desc->lock held on entry, released when it returns. */
void irq_to_guests(struct irq_desc *desc);

/* ---- io_apic.c: GSIs ---- */
unsigned int ioapic_count_gsis(void);	/* boot: maps them; irq_init sizes its table by it */
bool gsi_valid(unsigned int gsi);
/*
 * Chooses trigger and polarity while the line is unused: 0, -EEXIST if set
 * before, -EINVAL, -EBUSY.
 */
int gsi_set_trigger(unsigned int gsi, bool level, bool active_low);
bool gsi_is_level(unsigned int gsi);
/* Programs the pin from desc (vector, cpu), masked. */
void ioapic_setup_pin(const struct irq_desc *desc);
void ioapic_mask_pin(unsigned int gsi, bool mask);
/* Only the destination changes (same vector): safe while the line is open. */
void ioapic_set_pin_cpu(unsigned int gsi, unsigned int cpu);
/* ISA irq -> GSI by the MADT's overrides. */
unsigned int isa_irq_to_gsi(unsigned int irq);
/* dom0's view: PHYSDEVOP_apic_read, _write. 0 or -EINVAL. */
int ioapic_guest_read(unsigned long base, unsigned int reg, uint32_t *val);
int ioapic_guest_write(unsigned long base, unsigned int reg, uint32_t val);

/* ---- i8259.c ---- */
void i8259_spurious(unsigned int vector);

/* ---- apic.c ---- */
extern bool x2apic_enabled;
uint32_t apic_read(unsigned int reg);
void apic_write(unsigned int reg, uint32_t val);
/* Is vector in service / requested on this CPU? */
bool apic_isr_test(unsigned int vector);
bool apic_irr_test(unsigned int vector);
void apic_send_ipi_mask(const cpumask_t *mask, uint8_t vector);
void apic_send_nmi_all_others(void);
/* The MSI / IO-APIC destination byte of a CPU. */
uint8_t apic_dest_byte(unsigned int cpu);
/* LAPIC timer: counts per second at divisor 1, 0 = TSC deadline is used. */
extern uint32_t apic_timer_hz;
void apic_timer_calibrate(void);
void apic_timer_init_cpu(void);
void apic_timer_set_count(uint32_t count);	/* 0 stops */
void apic_timer_set_deadline(uint64_t tsc);	/* 0 stops */
void apic_shutdown_cpu(void);

#endif
