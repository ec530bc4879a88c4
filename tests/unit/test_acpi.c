/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables in a fake physical memory: what a good set of tables says is
 * found; damaged ones, cut at every length or with random bytes, are survived.
 * ioremap() hands out exact copies, so that the address sanitizer sees each
 * byte read outside of what was mapped.
 *
 * LINK: arch/x86/acpi.c
 */
#include "harness.h"
#include <stdlib.h>
#include <x86/acpi.h>
#include <x86/mm.h>
#include <x86/platform.h>

#define MEMORY		0x110000U
#define RSDP_AT		0xf0010U
#define RSDT_AT		0x1000U
#define MADT_AT		0x2000U
#define FADT_AT		0x3000U
#define MCFG_AT		0x4000U
#define HPET_AT		0x5000U
#define DSDT_AT		0x6000U

static uint8_t *mem;
static unsigned int maps;

uint32_t apic_id(void) { return 4; }

void *ioremap(paddr_t pa, size_t len)
{
	uint8_t *p = malloc(len);

	maps++;
	memset(p, 0xff, len);
	for (size_t i = 0; i < len && pa + i < MEMORY; i++)
		p[i] = mem[pa + i];
	return p;
}

void iounmap(void *va, size_t len __maybe_unused)
{
	maps--;
	free(va);
}

static void put(unsigned int at, unsigned int bytes, uint64_t v)
{
	memcpy(mem + at, &v, bytes);
}

static void checksum(unsigned int at, unsigned int len, unsigned int field)
{
	uint8_t sum = 0;

	mem[at + field] = 0;
	for (unsigned int i = 0; i < len; i++)
		sum = (uint8_t)(sum + mem[at + i]);
	mem[at + field] = (uint8_t)-sum;
}

static void finish_table(unsigned int at, const char *sig, unsigned int len)
{
	memcpy(mem + at, sig, 4);
	put(at + 4, 4, len);
	checksum(at, len, 9);
}

static void build_madt(void)
{
	unsigned int at = MADT_AT + 36;

	put(at, 4, 0xfee00000);
	put(at + 4, 4, 1);
	at += 8;
	/* APIC ids 0, 2, 4; the second is disabled */
	for (unsigned int i = 0; i < 3; i++, at += 8) {
		put(at, 2, 0x0800);
		put(at + 2, 2, i | i * 2 << 8);
		put(at + 4, 4, i != 1);
	}
	put(at, 2, 0x0c01);				/* IO-APIC 7 at 0xfec00000, GSI 0 */
	put(at + 2, 2, 7);
	put(at + 4, 4, 0xfec00000);
	put(at + 8, 4, 0);
	put(at + 12, 2, 0x0a02);			/* ISA 0 -> GSI 2 */
	put(at + 14, 2, 0);
	put(at + 16, 4, 2);
	put(at + 20, 2, 0);
	put(at + 22, 2, 0x0a02);			/* ISA 9: level, low */
	put(at + 24, 2, 9 << 8);
	put(at + 26, 4, 9);
	put(at + 30, 2, 0xf);
	put(at + 32, 2, 0x1009);			/* x2APIC id 300 */
	put(at + 36, 4, 300);
	put(at + 40, 4, 1);
	put(at + 44, 4, 77);
	finish_table(MADT_AT, "APIC", at + 48 - MADT_AT);
}

static void build_fadt(void)
{
	put(FADT_AT + 40, 4, DSDT_AT);
	put(FADT_AT + 46, 2, 9);
	put(FADT_AT + 56, 4, 0x600);
	put(FADT_AT + 64, 4, 0x604);
	put(FADT_AT + 76, 4, 0x608);
	put(FADT_AT + 88, 1, 4);
	put(FADT_AT + 112, 4, 1u << 10 | 1u << 8);
	put(FADT_AT + 116, 4, 0x00000801);		/* reset register: I/O, 8 bits */
	put(FADT_AT + 120, 8, 0xcf9);
	put(FADT_AT + 128, 1, 6);
	finish_table(FADT_AT, "FACP", 129);
}

static void build_rest(void)
{
	static const uint8_t s5[] = {
		0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 5, 0x01, 0x00, 0x00,
	};

	put(MCFG_AT + 44, 8, 0xb0000000);
	put(MCFG_AT + 54, 2, 0xff00);
	finish_table(MCFG_AT, "MCFG", 60);
	put(HPET_AT + 44, 8, 0xfed00000);
	finish_table(HPET_AT, "HPET", 56);
	memcpy(mem + DSDT_AT + 50, s5, sizeof(s5));
	finish_table(DSDT_AT, "DSDT", 80);
	put(RSDT_AT + 36, 4, FADT_AT);
	put(RSDT_AT + 40, 4, MADT_AT);
	put(RSDT_AT + 44, 4, MCFG_AT);
	put(RSDT_AT + 48, 4, HPET_AT);
	finish_table(RSDT_AT, "RSDT", 52);
	memcpy(mem + RSDP_AT, "RSD PTR ", 8);
	put(RSDP_AT + 16, 4, RSDT_AT);
	checksum(RSDP_AT, 20, 8);
}

static void build_all(void)
{
	mem = calloc(1, MEMORY);
	memset(&acpi, 0, sizeof(acpi));
	acpi_nr_cpus = 0;
	build_madt();
	build_fadt();
	build_rest();
}

static void drop_all(void)
{
	assert_int_equal(maps, 0);
	free(mem);
}

static void good_tables(void **state __maybe_unused)
{
	build_all();
	assert_int_equal(acpi_tables_init(0), 0);
	assert_int_equal(acpi_nr_cpus, 3);
	assert_int_equal(x86_cpu_to_apicid[0], 4);	/* the one we run on */
	assert_int_equal(x86_cpu_to_apicid[1], 0);
	assert_int_equal(x86_cpu_to_apicid[2], 300);
	assert_int_equal(x86_cpu_to_acpiid[0], 2);
	assert_int_equal(x86_cpu_to_acpiid[2], 77);
	assert_int_equal(cpumask_weight(&cpu_possible_map), 3);
	assert_int_equal(acpi.nr_ioapics, 1);
	assert_int_equal(acpi.ioapic[0].address, 0xfec00000);
	assert_int_equal(acpi.nr_overrides, 2);
	assert_int_equal(acpi.override[0].gsi, 2);
	assert_false(acpi.override[0].level);
	assert_true(acpi.override[1].level);
	assert_true(acpi.override[1].active_low);
	assert_int_equal(acpi.sci_int, 9);
	assert_int_equal(acpi.pm_timer_port, 0x608);
	assert_true(acpi.pm_timer_32bit);
	assert_true(acpi.has_reset_register);
	assert_int_equal(acpi.reset_register.address, 0xcf9);
	assert_int_equal(acpi.reset_value, 6);
	assert_int_equal(acpi.pm1a_cnt.address, 0x604);
	assert_int_equal(acpi.nr_mcfg, 1);
	assert_int_equal(acpi.mcfg[0].end_bus, 0xff);
	assert_int_equal(acpi.hpet_address, 0xfed00000);
	assert_true(acpi.have_s5);
	assert_int_equal(acpi.s5_typ_a, 5);
	assert_int_equal(acpi.s5_typ_b, 1);
	drop_all();
}

/* Every table, cut short at every length. */
static void short_tables(void **state __maybe_unused)
{
	static const struct { unsigned int at; void (*parse)(const struct acpi_header *); } t[] = {
		{ MADT_AT, acpi_parse_madt }, { FADT_AT, acpi_parse_fadt },
		{ MCFG_AT, acpi_parse_mcfg }, { HPET_AT, acpi_parse_hpet },
	};

	build_all();
	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		uint32_t full;

		memcpy(&full, mem + t[i].at + 4, 4);
		for (uint32_t len = sizeof(struct acpi_header); len <= full; len++) {
			struct acpi_header *h = ioremap(t[i].at, len);

			h->length = len;
			memset(&acpi, 0, sizeof(acpi));
			t[i].parse(h);
			iounmap(h, len);
		}
	}
	drop_all();
}

static void random_damage(void **state __maybe_unused)
{
	uint32_t seed = 7;

	for (unsigned int round = 0; round < 3000; round++) {
		build_all();
		for (unsigned int i = 0; i < 8; i++) {
			seed = seed * 1664525 + 1013904223;
			mem[RSDT_AT + ((seed >> 4) % 0x6000 & 0x70ff)] = (uint8_t)(seed >> 24);
		}
		acpi_tables_init(0);
		assert_true(acpi_nr_cpus >= 1);
		drop_all();
	}
}

static void s5_encodings(void **state __maybe_unused)
{
	static const uint8_t root[] = {
		0, 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, 7, 0x0a, 3, 0, 0,
	};
	static const uint8_t cut[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a };
	uint8_t a = 0, b = 0, *exact;

	assert_true(acpi_find_s5(root, sizeof(root), &a, &b));
	assert_int_equal(a, 7);
	assert_int_equal(b, 3);
	for (size_t len = 0; len <= sizeof(root); len++) {
		exact = malloc(len + 1);
		memcpy(exact + 1, root, len);	/* ends where the block ends */
		acpi_find_s5(exact + 1, len, &a, &b);
		free(exact);
	}
	assert_false(acpi_find_s5(cut, sizeof(cut), &a, &b));
}

static void no_tables(void **state __maybe_unused)
{
	build_all();
	mem[RSDP_AT] = 'X';
	assert_int_equal(acpi_tables_init(0), -ENODEV);
	assert_int_equal(acpi_nr_cpus, 1);
	drop_all();
}

/* What firmware gets wrong: an empty entry in the root table, a MADT without the CPU we run on. */
static void firmware_slips(void **state __maybe_unused)
{
	build_all();
	put(RSDT_AT + 44, 4, 0);
	finish_table(RSDT_AT, "RSDT", 52);
	put(MADT_AT + 36 + 8 + 2 * 8 + 2, 2, 2 | 6 << 8);	/* its id is 6 there, ours 4 */
	finish_table(MADT_AT, "APIC", 36 + 8 + 3 * 8 + 48);
	assert_int_equal(acpi_tables_init(0), 0);
	assert_int_equal(acpi.nr_mcfg, 0);
	assert_int_equal(acpi.hpet_address, 0xfed00000);
	assert_int_equal(acpi_nr_cpus, 4);
	assert_int_equal(x86_cpu_to_apicid[0], 4);
	assert_int_equal(x86_cpu_to_apicid[1], 0);
	assert_int_equal(x86_cpu_to_apicid[2], 6);
	assert_int_equal(x86_cpu_to_apicid[3], 300);
	assert_int_equal(x86_cpu_to_acpiid[3], 77);
	assert_int_equal(cpumask_weight(&cpu_possible_map), 4);
	drop_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(good_tables),
		host_test(short_tables),
		host_test(random_damage),
		host_test(s5_encodings),
		host_test(no_tables),
		host_test(firmware_slips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
