/* SPDX-License-Identifier: MIT */
/*
 * The static ACPI tables: which CPUs, interrupt controllers, timers and
 * configuration windows this machine has.
 *
 * acpi_tables_init() reads all tables once, at boot, into `acpi`,
 * x86_cpu_to_apicid[] and cpu_possible_map; nothing keeps a table mapped.
 * Firmware is not trusted to be right: lengths are checked before fields are
 * used, a table with a wrong checksum is used with a warning (as real
 * machines have such), and what exceeds our arrays is named and dropped.
 * Source: ACPI 6.4, chapter 5.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <x86/acpi.h>
#include <x86/mm.h>
#include <x86/platform.h>

struct acpi_facts acpi;
unsigned int acpi_nr_cpus;
uint32_t x86_cpu_to_apicid[NR_CPUS];
uint32_t x86_cpu_to_acpiid[NR_CPUS];

static bool acpi_off, acpi_no_s5_scan;
boolean_param("noacpi", acpi_off);
boolean_param("acpi_no_s5_scan", acpi_no_s5_scan);

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t ext_checksum;
	uint8_t reserved[3];
} __packed;

static struct {
	paddr_t address;		/* of the RSDT or XSDT */
	unsigned int entry_size;	/* 4 or 8 */
} root;

static uint8_t byte_sum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *b++);
	return sum;
}

/* Maps the table at pa in full; NULL if its length makes no sense. */
static const struct acpi_header *map_table(paddr_t pa)
{
	struct acpi_header *h = ioremap(pa, sizeof(*h));
	uint32_t len;

	if (!h)
		return NULL;
	len = h->length;
	iounmap(h, sizeof(*h));
	if (len < sizeof(*h) || len > MB(4))
		return NULL;
	return ioremap(pa, len);
}

void acpi_put_table(const struct acpi_header *table)
{
	if (table)
		iounmap((void *)table, table->length);
}

/* The address in entry i of the root table, 0 if that is empty. False past the end. */
static bool root_entry(const struct acpi_header *r, unsigned int i, paddr_t *pa)
{
	size_t off = sizeof(*r) + (size_t)i * root.entry_size;

	*pa = 0;
	if (off + root.entry_size > r->length)
		return false;
	memcpy(pa, (const char *)r + off, root.entry_size);
	return true;
}

const struct acpi_header *acpi_get_table(const char *signature, unsigned int nr)
{
	const struct acpi_header *r, *t = NULL;
	paddr_t pa;

	if (!root.address)
		return NULL;
	r = map_table(root.address);
	for (unsigned int i = 0; r && root_entry(r, i, &pa); i++) {
		t = pa ? map_table(pa) : NULL;
		if (t && !memcmp(t->signature, signature, 4) && nr-- == 0)
			break;
		acpi_put_table(t);
		t = NULL;
	}
	acpi_put_table(r);
	if (t && byte_sum(t, t->length))
		printk(XENLOG_WARNING "ACPI: table %.4s has a wrong checksum\n", signature);
	return t;
}

/* Fills `root` from the RSDP at pa. */
static bool read_rsdp(paddr_t pa)
{
	struct acpi_rsdp *p = ioremap(pa, sizeof(*p));
	bool ok = false;

	if (!p)
		return false;
	if (!memcmp(p->signature, "RSD PTR ", 8) && !byte_sum(p, 20)) {
		ok = true;
		if (p->revision >= 2 && p->xsdt) {
			root.address = p->xsdt;
			root.entry_size = 8;
		} else {
			root.address = p->rsdt;
			root.entry_size = 4;
		}
	}
	iounmap(p, sizeof(*p));
	return ok;
}

/* Looks for the RSDP on 16-byte boundaries of [start, start + len): its address, or 0. */
static paddr_t __init scan_rsdp(paddr_t start, size_t len)
{
	const char *p = ioremap(start, len);
	paddr_t found = 0;

	for (size_t off = 0; p && off + 20 <= len; off += 16)
		if (!memcmp(p + off, "RSD PTR ", 8) && !byte_sum(p + off, 20)) {
			found = start + off;
			break;
		}
	if (p)
		iounmap((void *)p, len);
	return found;
}

/* Where BIOS machines keep it: the first KiB of the EBDA, or the BIOS ROM (5.2.5.1). */
static paddr_t __init find_rsdp(void)
{
	uint16_t *ebda_seg = ioremap(0x40e, sizeof(*ebda_seg));
	paddr_t ebda = ebda_seg ? (paddr_t)*ebda_seg << 4 : 0;
	paddr_t pa = 0;

	if (ebda_seg)
		iounmap(ebda_seg, sizeof(*ebda_seg));
	if (ebda >= 0x400 && ebda < 0xa0000)
		pa = scan_rsdp(ebda, 1024);
	return pa ? pa : scan_rsdp(0xe0000, 0x20000);
}

/* ---- MADT (5.2.12) ---- */

static void add_cpu(uint32_t apicid, uint32_t acpiid, uint32_t flags)
{
	if (!(flags & 1))		/* not enabled */
		return;
	for (unsigned int i = 0; i < acpi_nr_cpus; i++)
		if (x86_cpu_to_apicid[i] == apicid)
			return;		/* listed both as LAPIC and x2APIC */
	if (acpi_nr_cpus >= NR_CPUS) {
		printk(XENLOG_WARNING
		       "ACPI: CPU with APIC id %u ignored: only %u CPUs are supported\n",
		       apicid, NR_CPUS);
		return;
	}
	x86_cpu_to_apicid[acpi_nr_cpus] = apicid;
	x86_cpu_to_acpiid[acpi_nr_cpus] = acpiid;
	acpi_nr_cpus++;
}

static void add_ioapic(const uint8_t *e)
{
	struct acpi_ioapic *io = &acpi.ioapic[acpi.nr_ioapics];

	if (acpi.nr_ioapics >= ACPI_MAX_IOAPICS) {
		printk(XENLOG_WARNING "ACPI: more than %u IO-APICs, one ignored\n",
		       ACPI_MAX_IOAPICS);
		return;
	}
	io->id = e[2];
	memcpy(&io->address, e + 4, 4);
	memcpy(&io->gsi_base, e + 8, 4);
	acpi.nr_ioapics++;
}

/*
 * MPS INTI flags: bits 0-1 polarity (3 = low), bits 2-3 trigger (3 = level);
 * 0 = as the bus: ISA edge, high.
 */
static void add_override(const uint8_t *e)
{
	struct acpi_override *o = &acpi.override[acpi.nr_overrides];
	uint16_t flags;

	if (acpi.nr_overrides >= ACPI_MAX_OVERRIDES)
		return;
	memcpy(&flags, e + 8, 2);
	o->isa_irq = e[3];
	memcpy(&o->gsi, e + 4, 4);
	o->active_low = (flags & 3) == 3;
	o->level = ((flags >> 2) & 3) == 3;
	acpi.nr_overrides++;
}

static void madt_entry(const uint8_t *e, unsigned int len)
{
	uint32_t v[4];

	switch (e[0]) {
	case 0:				/* processor local APIC */
		if (len < 8)
			break;
		memcpy(v, e + 4, 4);
		if (e[3] != 0xff)
			add_cpu(e[3], e[2], v[0]);
		break;
	case 1:
		if (len >= 12)
			add_ioapic(e);
		break;
	case 2:
		if (len >= 10)
			add_override(e);
		break;
	case 5:				/* LAPIC address override */
		if (len >= 12)
			memcpy(&acpi.lapic_address, e + 4, 8);
		break;
	case 9:				/* processor local x2APIC */
		if (len < 16)
			break;
		memcpy(v, e + 4, 12);	/* id, flags, ACPI uid */
		add_cpu(v[0], v[2], v[1]);
		break;
	default: /* NMI sources: LINT1 is programmed for NMI anyway (apic.c) */
		break;
	}
}

void acpi_parse_madt(const struct acpi_header *table)
{
	const uint8_t *p = (const uint8_t *)table, *end = p + table->length;
	uint32_t v[2];

	if (table->length < sizeof(*table) + 8)
		return;
	memcpy(v, p + sizeof(*table), 8);
	acpi.lapic_address = v[0];
	acpi.has_8259 = v[1] & 1;
	acpi.have_madt = true;
	for (p += sizeof(*table) + 8; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1])
		madt_entry(p, p[1]);
}

/* ---- FADT (5.2.9); offsets are the specification's ---- */

static uint32_t get32(const struct acpi_header *t, unsigned int off)
{
	uint32_t v = 0;

	if (off + 4 <= t->length)
		memcpy(&v, (const char *)t + off, 4);
	return v;
}

static uint8_t get8(const struct acpi_header *t, unsigned int off)
{
	return off < t->length ? ((const uint8_t *)t)[off] : 0;
}

/* The extended form of an address if the table has it, else the 32-bit I/O port. */
static struct acpi_gas fadt_block(const struct acpi_header *t, unsigned int off32,
				  unsigned int xoff, unsigned int bytes)
{
	struct acpi_gas g = { .space_id = ACPI_SPACE_IO, .bit_width = (uint8_t)(bytes * 8) };

	if (xoff + sizeof(g) <= t->length) {
		struct acpi_gas x;

		memcpy(&x, (const char *)t + xoff, sizeof(x));
		if (x.address)
			return x;
	}
	g.address = get32(t, off32);
	return g;
}

void acpi_parse_fadt(const struct acpi_header *table)
{
	uint32_t flags = get32(table, 112);
	struct acpi_gas tmr;

	acpi.have_fadt = true;
	acpi.facs = get32(table, 36);
	acpi.sci_int = (uint16_t)get32(table, 46);
	acpi.pm1_evt_len = get8(table, 88);
	acpi.pm1a_evt = fadt_block(table, 56, 148, acpi.pm1_evt_len);
	acpi.pm1b_evt = fadt_block(table, 60, 160, acpi.pm1_evt_len);
	acpi.pm1a_cnt = fadt_block(table, 64, 172, 2);
	acpi.pm1b_cnt = fadt_block(table, 68, 184, 2);
	tmr = fadt_block(table, 76, 208, 4);
	if (tmr.space_id == ACPI_SPACE_IO && tmr.address < 0x10000)
		acpi.pm_timer_port = (uint16_t)tmr.address;
	acpi.pm_timer_32bit = flags & (1u << 8);
	acpi.has_reset_register = (flags & (1u << 10)) && table->length >= 129;
	if (acpi.has_reset_register) {
		memcpy(&acpi.reset_register, (const char *)table + 116, sizeof(struct acpi_gas));
		acpi.reset_value = get8(table, 128);
	}
	acpi.hw_reduced = (flags & (1u << 20)) && table->length >= 268;
	if (acpi.hw_reduced) {
		memcpy(&acpi.sleep_control, (const char *)table + 244, sizeof(struct acpi_gas));
		memcpy(&acpi.sleep_status, (const char *)table + 256, sizeof(struct acpi_gas));
	}
}

void acpi_parse_mcfg(const struct acpi_header *table)
{
	const uint8_t *p = (const uint8_t *)table + sizeof(*table) + 8;
	const uint8_t *end = (const uint8_t *)table + table->length;

	for (; p + 16 <= end && acpi.nr_mcfg < ACPI_MAX_MCFG; p += 16) {
		struct acpi_mcfg *m = &acpi.mcfg[acpi.nr_mcfg];

		memcpy(&m->base, p, 8);
		memcpy(&m->segment, p + 8, 2);
		m->start_bus = p[10];
		m->end_bus = p[11];
		if (m->base && m->end_bus >= m->start_bus)
			acpi.nr_mcfg++;
	}
}

void acpi_parse_hpet(const struct acpi_header *table)
{
	struct acpi_gas g;

	if (table->length < sizeof(*table) + 4 + sizeof(g))
		return;
	memcpy(&g, (const char *)table + sizeof(*table) + 4, sizeof(g));
	if (g.space_id == ACPI_SPACE_MEMORY)
		acpi.hpet_address = g.address;
}

/* ---- \_S5, so that we can switch off without dom0 ---- */

/* An AML integer of a package: bytes taken, 0 if it is none. */
static unsigned int aml_small_int(const uint8_t *p, size_t left, uint8_t *v)
{
	if (left >= 1 && (p[0] == 0x00 || p[0] == 0x01)) {	/* ZeroOp, OneOp */
		*v = p[0];
		return 1;
	}
	if (left >= 2 && p[0] == 0x0a) {			/* BytePrefix */
		*v = p[1];
		return 2;
	}
	return 0;
}

bool acpi_find_s5(const uint8_t *aml, size_t len, uint8_t *typ_a, uint8_t *typ_b)
{
	for (size_t i = 0; i + 8 < len; i++) {
		const uint8_t *p = aml + i + 5;		/* behind NameOp, "_S5_" */
		const uint8_t *end = aml + len;
		unsigned int n;

		if (aml[i] != 0x08)
			continue;
		if (aml[i + 1] == '\\') {
			if (i + 10 > len)
				return false;
			p++;
		}
		if (memcmp(p - 4, "_S5_", 4) || *p++ != 0x12)	/* PackageOp */
			continue;
		p += 1 + (*p >> 6) + 1;			/* PkgLength, NumElements */
		if (p >= end || !(n = aml_small_int(p, (size_t)(end - p), typ_a)))
			return false;
		p += n;
		return p < end && aml_small_int(p, (size_t)(end - p), typ_b) != 0;
	}
	return false;
}

static void __init scan_dsdt(const struct acpi_header *fadt)
{
	paddr_t pa = get32(fadt, 40);
	const struct acpi_header *dsdt;
	uint64_t xdsdt = (uint64_t)get32(fadt, 144) << 32 | get32(fadt, 140);

	if (xdsdt)
		pa = xdsdt;
	if (acpi_no_s5_scan || !pa || !(dsdt = map_table(pa)))
		return;
	acpi.have_s5 = acpi_find_s5((const uint8_t *)(dsdt + 1), dsdt->length - sizeof(*dsdt),
				    &acpi.s5_typ_a, &acpi.s5_typ_b);
	acpi_put_table(dsdt);
}

/* ---- putting it together ---- */

/*
 * CPU 0 is the one we run on: its APIC id, as CPUID says, moves to the front, or
 * is put there if the table does not know it.
 */
static void __init boot_cpu_first(void)
{
	uint32_t me = apic_id(), acpiid = 0;
	unsigned int i;

	for (i = 0; i < acpi_nr_cpus && x86_cpu_to_apicid[i] != me; i++)
		;
	if (i < acpi_nr_cpus) {
		acpiid = x86_cpu_to_acpiid[i];
	} else {
		if (acpi_nr_cpus)
			printk(XENLOG_WARNING "ACPI: the boot CPU, APIC id %u, is not listed\n",
			       me);
		if (acpi_nr_cpus < NR_CPUS)
			acpi_nr_cpus++;
		i = acpi_nr_cpus - 1;
	}
	for (; i > 0; i--) {
		x86_cpu_to_apicid[i] = x86_cpu_to_apicid[i - 1];
		x86_cpu_to_acpiid[i] = x86_cpu_to_acpiid[i - 1];
	}
	x86_cpu_to_apicid[0] = me;
	x86_cpu_to_acpiid[0] = acpiid;
}

static void __init set_possible_cpus(void)
{
	boot_cpu_first();
	cpumask_clear(&cpu_possible_map);
	for (unsigned int i = 0; i < acpi_nr_cpus; i++)
		cpumask_set_cpu(i, &cpu_possible_map);
	nr_cpu_ids = acpi_nr_cpus;
}

static void __init parse_one(const char *signature, void (*parse)(const struct acpi_header *))
{
	const struct acpi_header *t = acpi_get_table(signature, 0);

	if (!t)
		return;
	parse(t);
	acpi_put_table(t);
}

static void __init parse_fadt_and_dsdt(const struct acpi_header *t)
{
	acpi_parse_fadt(t);
	scan_dsdt(t);
}

/*
 * rsdp: where the boot loader says it is, 0 = search. 0, or -ENODEV without
 * ACPI: then there is one CPU, and no IO-APIC is known.
 */
int __init acpi_tables_init(paddr_t rsdp)
{
	root.address = 0;
	acpi.lapic_address = 0xfee00000;
	acpi.has_8259 = true;
	if (!acpi_off && !(rsdp && read_rsdp(rsdp))) {
		rsdp = find_rsdp();
		if (rsdp)
			read_rsdp(rsdp);
	}
	if (!root.address) {
		set_possible_cpus();
		printk(XENLOG_WARNING "ACPI: no tables found\n");
		return -ENODEV;
	}
	parse_one("APIC", acpi_parse_madt);
	parse_one("FACP", parse_fadt_and_dsdt);
	parse_one("MCFG", acpi_parse_mcfg);
	parse_one("HPET", acpi_parse_hpet);
	set_possible_cpus();
	printk(XENLOG_INFO "ACPI: %u CPUs, %u IO-APICs, PM timer at %#x, HPET at %#lx\n",
	       acpi_nr_cpus, acpi.nr_ioapics, acpi.pm_timer_port, (unsigned long)acpi.hpet_address);
	return 0;
}
