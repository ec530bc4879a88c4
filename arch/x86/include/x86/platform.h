/* SPDX-License-Identifier: MIT */
/*
 * Interrupt controllers, timers, ACPI, PCI, SMP: what setup.c calls, in order,
 * and what others use.
 */
#ifndef X86_PLATFORM_H
#define X86_PLATFORM_H

#include <core/types.h>
#include <core/cpumask.h>

extern bool opt_noreboot;		/* noreboot: stay, so that the console can be read */

struct cpu_user_regs;
struct domain;
struct vcpu;

/* ---- acpi.c ---- */
int acpi_tables_init(paddr_t rsdp);		/* 0, -ENODEV without ACPI */
extern unsigned int acpi_nr_cpus;		/* enabled CPUs in the MADT */
extern uint32_t x86_cpu_to_apicid[NR_CPUS];
long acpi_enter_sleep(unsigned int sleep_state, uint32_t pm1a, uint32_t pm1b);
bool acpi_reset_via_fadt(void);
void acpi_poweroff(void);

/* ---- apic.c, io_apic.c, i8259.c ---- */
void apic_init_bsp(void);			/* chooses xAPIC or x2APIC */
void apic_init_cpu(void);			/* on each AP */
uint32_t apic_id(void);
void apic_eoi(void);
void apic_send_ipi(unsigned int cpu, uint8_t vector);
void apic_send_init(uint32_t apicid);		/* the CPU stops and waits for a SIPI */
void apic_send_init_sipi(uint32_t apicid, uint8_t start_page);
void ioapic_init(void);
void i8259_init(void);

/* ---- irq.c ---- */
void irq_init(void);
/* Every device and IPI vector (0x20 and up) comes here from entry.S with interrupts off. */
void do_IRQ(struct cpu_user_regs *regs);
/* A vector for the hypervisor's own use. */
void set_direct_vector(uint8_t vector, void (*fn)(struct cpu_user_regs *regs));
/*
 * A GSI for the hypervisor's own use (serial, HPET): 0 or -errno.
 * Trigger/polarity from ACPI or ISA defaults.
 */
int request_gsi(unsigned int gsi, void (*fn)(void *arg), void *arg);

#define VECTOR_SPURIOUS		0xff
#define VECTOR_ERROR		0xfe
#define VECTOR_INVALIDATE_TLB	0xfd
#define VECTOR_EVENT_CHECK	0xfc
#define VECTOR_CALL_FUNCTION	0xfb
#define VECTOR_APIC_TIMER	0xfa
#define VECTOR_CMCI		0xf9
#define VECTOR_PMU		0xf8
#define VECTOR_FIRST_DYNAMIC	0x30
#define VECTOR_LAST_DYNAMIC	0xef

/* ---- smp.c, smpboot.c ---- */
void smp_init(void);
int cpu_up(unsigned int cpu);			/* 0 or -errno; boots it and puts it online */
int cpu_down(unsigned int cpu);
void smp_stop_others(void);			/* panic, reboot */
void percpu_init_bsp(void);
int percpu_alloc(unsigned int cpu);
/* An AP's first C function, on its own stack, paging on. */
void start_secondary(unsigned int cpu);

/* ---- time.c ---- */
void time_init_early(void);			/* calibrates the TSC */
void time_init(void);
void time_init_cpu(void);
extern uint32_t cpu_khz;

/* ---- pci.c, msi.c ---- */
uint32_t pci_conf_read(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg,
		       unsigned int len);
void pci_conf_write(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int len,
		    uint32_t val);
/* A guest's access through 0xcf8/0xcfc (emul_io.c). May refuse a write: false. */
bool pci_conf_write_intercept(struct domain *d, uint32_t cf8, unsigned int bytes, uint32_t *val);
void pci_init(void);

/* ---- nmi.c, mce.c, microcode.c ---- */
void nmi_watchdog_init(void);
void do_nmi(struct cpu_user_regs *regs);
void do_machine_check(struct cpu_user_regs *regs);
void mce_init_cpu(void);
void microcode_init(void);
long microcode_update(const void *buf, size_t len);

/* ---- efi_runtime.c ---- */
struct xenpf_efi_runtime_call;
union xenpf_efi_info;
int efi_runtime_call(struct xenpf_efi_runtime_call *op);
int efi_get_info(uint32_t idx, union xenpf_efi_info *info);
void efi_runtime_init(void);
void efi_reset(bool warm);

/* ---- cpu/features (cpu.c) ---- */
void cpu_identify_bsp(void);			/* panics if the CPU lacks what is needed */
/* each CPU: CR0/CR4/EFER/PAT, GDT, IDT, TSS, syscall MSRs */
void cpu_init(void);

/* ---- traps.c ---- */
void traps_init(void);				/* IDT contents */
void percpu_traps_init(void);			/* this CPU: GDT, TSS, IST, LSTAR and friends */

#endif
