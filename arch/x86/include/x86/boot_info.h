/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told us, in one form for multiboot1, multiboot2 and EFI.
 * Filled by boot/, in init memory; pointers are direct-map or image addresses.
 */
#ifndef X86_BOOT_INFO_H
#define X86_BOOT_INFO_H

#include <core/types.h>

#define BOOT_MAX_MODULES	16
#define BOOT_MAX_E820		256

struct boot_module {
	paddr_t start;
	size_t size;
	char cmdline[1024];
};

struct e820_entry {
	uint64_t addr, size;
	uint32_t type;			/* E820_* */
} __packed;
#define E820_RAM	1
#define E820_RESERVED	2
#define E820_ACPI	3
#define E820_NVS	4
#define E820_UNUSABLE	5

struct boot_video {
	bool have_fb, have_text;
	paddr_t fb_addr;
	uint32_t fb_pitch, fb_width, fb_height;
	uint8_t fb_bpp, red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
	uint16_t text_cols, text_rows;
};

struct boot_efi {
	bool present;
	paddr_t system_table;
	void *memmap;			/* EFI memory descriptors, copied */
	size_t memmap_size, desc_size;
	uint32_t desc_version;
	uint32_t fw_revision;
	uint64_t fw_vendor;
};

struct boot_info {
	char cmdline[2048];
	char loader_name[64];
	unsigned int nr_modules, modules_left_out;
	struct boot_module modules[BOOT_MAX_MODULES];	/* 0: kernel, 1: initrd */
	unsigned int nr_e820;
	struct e820_entry e820[BOOT_MAX_E820];		/* sorted, without overlaps */
	paddr_t acpi_rsdp;				/* 0 = search */
	struct boot_video video;
	struct boot_efi efi;
};

extern struct boot_info boot_info;		/* init memory */

/* Fills boot_info from what the loader left; panics on a magic that is none. */
void boot_info_parse(unsigned long magic, unsigned long info_phys);
/* One line about modules that had no room in bi, if there are any. */
void boot_say_left_out(const struct boot_info *bi);
/*
 * Sorts bi's memory map, makes host_e820 and max_page of it, and gives the boot
 * allocator all RAM above 1 MiB but image and modules.
 */
void e820_init(struct boot_info *bi);
/*
 * Last, when dom0 is built: write-protects __ro_after_init, gives the image's init parts (and
 * boot_info with them) to the heap.
 */
void free_init_memory(void);

/* ---- e820.c ---- */
/* Sorts and removes overlaps (the more restrictive type wins), merges. Returns the new count. */
unsigned int e820_sanitise(struct e820_entry *map, unsigned int nr, unsigned int max,
			   unsigned int *overlaps);
/* Hides [start, end) from dom0's map as reserved: interrupt controllers and the like. */
void host_e820_reserve(paddr_t start, paddr_t end);
void e820_add(struct boot_info *bi, uint64_t addr, uint64_t size, uint32_t type);
/* Another map is to be used instead of what was added so far. */
void e820_start_again(struct boot_info *bi);
/* One line about what had no room since the last call, if anything; `whose` map it is. */
void e820_say_left_out(const char *whose);
/* Is all of [start, end) of that type in the boot map? */
bool e820_all_mapped(paddr_t start, paddr_t end, uint32_t type);

/* Below 1 MiB: TRAMPOLINE_PAGES pages for starting CPUs; 0 if there was no room. */
extern paddr_t trampoline_phys;
#define TRAMPOLINE_PAGES	4

/* The host's memory map as dom0 shall see it; kept after boot. */
extern struct e820_entry host_e820[BOOT_MAX_E820];
extern unsigned int host_e820_nr;

#endif
