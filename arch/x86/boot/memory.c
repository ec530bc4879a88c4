/* SPDX-License-Identifier: MIT */
/*
 * From the loader's memory map to the boot allocator: all RAM above 1 MiB but the
 * image and the modules. The first MiB is I/O memory by the ABI; a few pages of it
 * are kept for starting CPUs.
 */
#include <core/lib.h>
#include <core/mm.h>
#include <x86/boot_info.h>
#include <x86/layout.h>

paddr_t trampoline_phys __ro_after_init;

extern char _start[], _end[];

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
		/*
		 * The first MiB stays I/O memory (dom0 maps it); the direct map
		 * ends somewhere too.
		 */
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
	e820_say_left_out("The firmware's");
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
