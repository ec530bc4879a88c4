/* SPDX-License-Identifier: MIT */
/*
 * The machine's memory map: made orderly once, then the source of what the heap
 * gets, of what is mapped, and of what dom0 is told (host_e820).
 *
 * Firmware maps come unsorted and now and then overlap. Where they do, the more
 * restrictive type wins: using less memory is safe, using a device's is not.
 */
#include <core/lib.h>
#include <x86/boot_info.h>

struct e820_entry host_e820[BOOT_MAX_E820] __ro_after_init;
unsigned int host_e820_nr __ro_after_init;

/* What there was no room for. */
static struct {
	unsigned int nr;
	uint64_t from, ram;		/* lowest address; bytes */
} left_out __section(".bss.init");

static void __init leave_out(uint64_t addr, uint64_t size, uint32_t type)
{
	left_out.from = left_out.nr ? min(left_out.from, addr) : addr;
	left_out.nr++;
	if (type == E820_RAM)
		left_out.ram += size;
}

void __init e820_say_left_out(const char *whose)
{
	if (!left_out.nr)
		return;
	printk(XENLOG_ERR "%s memory map has over %u entries: %u left out, at %#lx and above; "
	       "%lu MiB of RAM there will not be used\n", whose, BOOT_MAX_E820, left_out.nr,
	       (unsigned long)left_out.from, (unsigned long)(left_out.ram >> 20));
	left_out.nr = 0;
	left_out.ram = 0;
}

void __init e820_start_again(struct boot_info *bi)
{
	bi->nr_e820 = 0;
	left_out.nr = 0;
	left_out.ram = 0;
}

void __init e820_add(struct boot_info *bi, uint64_t addr, uint64_t size, uint32_t type)
{
	struct e820_entry *last = bi->nr_e820 ? &bi->e820[bi->nr_e820 - 1] : NULL;

	if (!size || addr + size < addr)
		return;
	if (type == 0 || type > E820_UNUSABLE)
		type = E820_RESERVED;
	if (last && last->type == type && last->addr + last->size == addr) {
		last->size += size;
		return;
	}
	if (bi->nr_e820 < BOOT_MAX_E820)
		bi->e820[bi->nr_e820++] = (struct e820_entry){ addr, size, type };
	else
		leave_out(addr, size, type);
}

/* Which of two types a piece claimed by both gets. */
static unsigned int __init type_rank(uint32_t type)
{
	switch (type) {
	case E820_RAM:
		return 1;
	case E820_ACPI:
		return 2;
	case E820_NVS:
		return 3;
	case E820_UNUSABLE:
		return 5;
	default:
		return 4;
	}
}

static void __init sort_entries(struct e820_entry *map, unsigned int nr)
{
	for (unsigned int i = 1; i < nr; i++) {
		struct e820_entry e = map[i];
		unsigned int j = i;

		for (; j && map[j - 1].addr > e.addr; j--)
			map[j] = map[j - 1];
		map[j] = e;
	}
}

/* Strongest type that covers `at` (0 none), and in *next the next address where that may change. */
static uint32_t __init type_at(const struct e820_entry *map, unsigned int nr, uint64_t at,
			       uint64_t *next, unsigned int *claims)
{
	uint32_t type = 0;

	*next = ~0ULL;
	*claims = 0;
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t end = map[i].addr + map[i].size;

		if (map[i].addr > at) {
			*next = min(*next, map[i].addr + 0);
			break;		/* sorted */
		}
		if (end <= at)
			continue;
		*next = min(*next, end);
		(*claims)++;
		if (!type || type_rank(map[i].type) > type_rank(type))
			type = map[i].type;
	}
	return type;
}

unsigned int __init e820_sanitise(struct e820_entry *map, unsigned int nr, unsigned int max,
				  unsigned int *overlaps)
{
	static struct e820_entry out[BOOT_MAX_E820] __section(".bss.init");
	unsigned int n = 0, claims;
	uint64_t at, next;

	*overlaps = 0;
	if (!nr)
		return 0;
	sort_entries(map, nr);
	for (at = map[0].addr; at != ~0ULL; at = next) {
		uint32_t type = type_at(map, nr, at, &next, &claims);

		if (claims > 1)
			(*overlaps)++;
		if (!type || next == ~0ULL)
			continue;
		if (n && out[n - 1].type == type && out[n - 1].addr + out[n - 1].size == at)
			out[n - 1].size += next - at;
		else if (n < min(max, (unsigned int)BOOT_MAX_E820))
			out[n++] = (struct e820_entry){ at, next - at, type };
		else
			leave_out(at, next - at, type);
	}
	memcpy(map, out, n * sizeof(*map));
	return n;
}

bool __init e820_all_mapped(paddr_t start, paddr_t end, uint32_t type)
{
	const struct boot_info *bi = &boot_info;

	for (unsigned int i = 0; i < bi->nr_e820 && start < end; i++) {
		const struct e820_entry *e = &bi->e820[i];

		if (e->type == type && e->addr <= start && e->addr + e->size > start)
			start = e->addr + e->size;
	}
	return start >= end;
}

void __init host_e820_reserve(paddr_t start, paddr_t end)
{
	unsigned int ignored;

	if (host_e820_nr < BOOT_MAX_E820) {
		host_e820[host_e820_nr++] =
			(struct e820_entry){ start, end - start, E820_RESERVED };
		host_e820_nr = e820_sanitise(host_e820, host_e820_nr, BOOT_MAX_E820, &ignored);
	} else {
		leave_out(start, end - start, E820_RESERVED);
	}
	e820_say_left_out("dom0's");
}
