/* SPDX-License-Identifier: MIT */
/*
 * What the static ACPI tables say, in the form that the rest of arch/x86 uses.
 * The dynamic part (AML) is dom0's: it tells us by hypercalls what it found.
 */
#ifndef X86_ACPI_H
#define X86_ACPI_H

#include <core/types.h>
#include <core/cpumask.h>

#define ACPI_MAX_IOAPICS	16
#define ACPI_MAX_OVERRIDES	32
#define ACPI_MAX_MCFG		16

/* A Generic Address Structure (ACPI 6.4, 5.2.3.2). */
struct acpi_gas {
	uint8_t space_id;		/* ACPI_SPACE_* */
	uint8_t bit_width, bit_offset, access_size;
	uint64_t address;
} __packed;
#define ACPI_SPACE_MEMORY	0
#define ACPI_SPACE_IO		1
#define ACPI_SPACE_PCI_CONFIG	2

struct acpi_ioapic {
	uint8_t id;
	uint32_t address;
	uint32_t gsi_base;
};

/* An ISA interrupt that does not arrive at the GSI of its number, or not edge, high. */
struct acpi_override {
	uint8_t isa_irq;
	uint32_t gsi;
	bool level, active_low;
};

struct acpi_mcfg {
	paddr_t base;			/* address of bus 0's space, even if start_bus > 0 */
	uint16_t segment;
	uint8_t start_bus, end_bus;
};

struct acpi_facts {
	bool have_madt, have_fadt;
	bool has_8259;
	paddr_t lapic_address;
	unsigned int nr_ioapics;
	struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
	unsigned int nr_overrides;
	struct acpi_override override[ACPI_MAX_OVERRIDES];
	unsigned int nr_mcfg;
	struct acpi_mcfg mcfg[ACPI_MAX_MCFG];

	/* FADT */
	uint16_t sci_int;
	struct acpi_gas pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt;
	uint8_t pm1_evt_len;
	uint16_t pm_timer_port;		/* 0: none in I/O space */
	bool pm_timer_32bit;
	bool has_reset_register;
	struct acpi_gas reset_register;
	uint8_t reset_value;
	bool hw_reduced;
	struct acpi_gas sleep_control, sleep_status;
	uint32_t facs;
	uint32_t facs_len;

	paddr_t hpet_address;		/* 0: none */
	uint8_t s5_typ_a, s5_typ_b;	/* as guessed from the DSDT */
	bool have_s5;
};
extern struct acpi_facts acpi;

/* The ACPI processor id of each CPU. */
extern uint32_t x86_cpu_to_acpiid[NR_CPUS];

/*
 * Maps a whole table by its signature, checksum checked; NULL if there is none.
 * Unmap with acpi_put_table. `nr` counts tables of the same signature from 0.
 */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision, creator_id, creator_revision;
} __packed;
const struct acpi_header *acpi_get_table(const char *signature, unsigned int nr);
void acpi_put_table(const struct acpi_header *table);

void acpi_power_init(void);		/* acpi_power.c, after the tables */

/* Parsers, called by acpi_tables_init; separate so that tests can feed them. */
void acpi_parse_madt(const struct acpi_header *table);
void acpi_parse_fadt(const struct acpi_header *table);
void acpi_parse_mcfg(const struct acpi_header *table);
void acpi_parse_hpet(const struct acpi_header *table);
/* Finds \_S5 in AML by its encoding; false if it is not a plain package. */
bool acpi_find_s5(const uint8_t *aml, size_t len, uint8_t *typ_a, uint8_t *typ_b);

#endif
