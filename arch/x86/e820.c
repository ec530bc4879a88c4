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
#include <x86/layout.h>
#include <x86/mm.h>

struct e820_entry host_e820[BOOT_MAX_E820] __ro_after_init;
unsigned int host_e820_nr __ro_after_init;
paddr_t trampoline_phys __ro_after_init;

extern char _start[], _end[];

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

	if (host_e820_nr == BOOT_MAX_E820)
		return;
	host_e820[host_e820_nr++] = (struct e820_entry){ start, end - start, E820_RESERVED };
	host_e820_nr = e820_sanitise(host_e820, host_e820_nr, BOOT_MAX_E820, &ignored);
}

static const char *__init type_name(uint32_t type)
{
	static const char *const names[] __initconst = {
		[E820_RAM] = "usable", [E820_RESERVED] = "reserved", [E820_ACPI] = "ACPI data",
		[E820_NVS] = "ACPI NVS", [E820_UNUSABLE] = "unusable",
	};

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "reserved";
}

/* The highest run of TRAMPOLINE_PAGES free pages below 640 KiB; the first page is left alone. */
static void __init choose_trampoline(void)
{
	const paddr_t len = TRAMPOLINE_PAGES * PAGE_SIZE;

	for (paddr_t p = 0xa0000 - len; p >= PAGE_SIZE; p -= PAGE_SIZE)
		if (e820_all_mapped(p, p + len, E820_RAM)) {
			trampoline_phys = p;
			return;
		}
	printk(XENLOG_WARNING "No free memory below 640 KiB: only the boot CPU can be used\n");
}

/*
 * Gives [start, end) to the boot allocator except for what is in use: the image
 * and the modules. Recursion is one level per piece in use.
 */
static void __init add_free(paddr_t start, paddr_t end, unsigned int skip)
{
	const struct boot_info *bi = &boot_info;

	for (; skip <= bi->nr_modules; skip++) {
		paddr_t s, e;

		if (skip == bi->nr_modules) {
			s = (paddr_t)_start + image_phys_offset;
			e = (paddr_t)_end + image_phys_offset;
		} else {
			s = bi->modules[skip].start;
			e = s + bi->modules[skip].size;
		}
		s &= PAGE_MASK;
		e = ROUNDUP(e, PAGE_SIZE);
		if (e <= start || s >= end)
			continue;
		if (start < s)
			add_free(start, s, skip + 1);
		start = e;
		if (start >= end)
			return;
	}
	if (start < end)
		boot_allocator_add(start, end);
}

static void __init boot_memory_init(const struct boot_info *bi)
{
	unsigned long total = 0;

	choose_trampoline();
	for (unsigned int i = 0; i < bi->nr_e820; i++) {
		const struct e820_entry *e = &bi->e820[i];
		paddr_t start = ROUNDUP(e->addr, PAGE_SIZE);
		paddr_t end = (e->addr + e->size) & PAGE_MASK;

		if (e->type != E820_RAM)
			continue;
		total += e->size;
		/* The first MiB stays I/O memory (dom0 maps it); the direct map ends somewhere too. */
		start = max(start, (paddr_t)MB(1));
		end = min(end, (paddr_t)(DIRECTMAP_END - DIRECTMAP_START));
		if (start >= end)
			continue;
		max_page = max(max_page, (unsigned long)PFN_DOWN(end));
		add_free(start, end, 0);
	}
	printk(XENLOG_INFO "RAM: %lu MiB\n", total >> 20);
}

void __init e820_init(struct boot_info *bi)
{
	unsigned int overlaps;

	bi->nr_e820 = e820_sanitise(bi->e820, bi->nr_e820, BOOT_MAX_E820, &overlaps);
	if (overlaps)
		printk(XENLOG_WARNING "Memory map overlaps at %u place%s: the firmware is wrong; "
		       "using the safer type there\n", overlaps, overlaps > 1 ? "s" : "");
	printk(XENLOG_INFO "Memory map:\n");
	for (unsigned int i = 0; i < bi->nr_e820; i++) {
		const struct e820_entry *e = &bi->e820[i];

		printk(XENLOG_INFO " [%016lx, %016lx] %s\n", (unsigned long)e->addr,
		       (unsigned long)(e->addr + e->size - 1), type_name(e->type));
		host_e820[i] = *e;
	}
	host_e820_nr = bi->nr_e820;
	boot_memory_init(bi);
}
