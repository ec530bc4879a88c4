/* SPDX-License-Identifier: MIT */
/*
 * Constants and structures of the Multiboot specification 0.6.96 and of the
 * Multiboot2 specification 2.0, as far as we use them. Used by assembly too.
 */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#define MB1_HEADER_MAGIC	0x1badb002
#define MB1_HEADER_ALIGN_MODULES 1
#define MB1_HEADER_MEMORY_INFO	2
#define MB1_BOOT_MAGIC		0x2badb002

#define MB2_HEADER_MAGIC	0xe85250d6
#define MB2_ARCH_I386		0
#define MB2_BOOT_MAGIC		0x36d76289

/* Tags in our header */
#define MB2_HDR_END		0
#define MB2_HDR_INFO_REQUEST	1
#define MB2_HDR_CONSOLE		4
#define MB2_HDR_FRAMEBUFFER	5
#define MB2_HDR_MODULE_ALIGN	6
#define MB2_HDR_EFI_BS		7
#define MB2_HDR_ENTRY_EFI64	9
#define MB2_HDR_RELOCATABLE	10
#define MB2_HDR_OPTIONAL	1

/* Tags in the loader's information */
#define MB2_TAG_END		0
#define MB2_TAG_CMDLINE		1
#define MB2_TAG_LOADER_NAME	2
#define MB2_TAG_MODULE		3
#define MB2_TAG_MEMINFO		4
#define MB2_TAG_MMAP		6
#define MB2_TAG_FRAMEBUFFER	8
#define MB2_TAG_EFI64		12
#define MB2_TAG_ACPI_OLD	14
#define MB2_TAG_ACPI_NEW	15
#define MB2_TAG_EFI_MMAP	17
#define MB2_TAG_EFI_BS		18
#define MB2_TAG_EFI64_IH	20

#define MB_FB_TYPE_RGB		1
#define MB_FB_TYPE_TEXT		2

#ifndef __ASSEMBLY__
#include <core/types.h>

/* Multiboot 1 information; `flags` says which fields are valid. */
struct mb1_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t loader_name;
	uint32_t apm_table;
	uint32_t vbe[4];
	uint64_t fb_addr;
	uint32_t fb_pitch, fb_width, fb_height;
	uint8_t fb_bpp, fb_type;
	uint8_t red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
} __packed;
#define MB1_INFO_MEMORY		(1u << 0)
#define MB1_INFO_CMDLINE	(1u << 2)
#define MB1_INFO_MODULES	(1u << 3)
#define MB1_INFO_MMAP		(1u << 6)
#define MB1_INFO_LOADER		(1u << 9)
#define MB1_INFO_FRAMEBUFFER	(1u << 12)

struct mb1_module {
	uint32_t start, end, string, reserved;
};

struct mb1_mmap {
	uint32_t size;			/* of what follows */
	uint64_t addr, len;
	uint32_t type;
} __packed;

struct mb2_info {
	uint32_t total_size, reserved;
};

struct mb2_tag {
	uint32_t type, size;
};

struct mb2_string {
	struct mb2_tag tag;
	char string[];
};

struct mb2_module {
	struct mb2_tag tag;
	uint32_t start, end;
	char string[];
};

struct mb2_meminfo {
	struct mb2_tag tag;
	uint32_t lower, upper;
};

struct mb2_mmap {
	struct mb2_tag tag;
	uint32_t entry_size, entry_version;
	uint8_t entries[];		/* struct mb2_mmap_entry, entry_size apart */
};

struct mb2_mmap_entry {
	uint64_t addr, len;
	uint32_t type, zero;
};

struct mb2_framebuffer {
	struct mb2_tag tag;
	uint64_t addr;
	uint32_t pitch, width, height;
	uint8_t bpp, type;
	uint16_t reserved;
	uint8_t red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
};

struct mb2_u64 {
	struct mb2_tag tag;
	uint64_t value;
};

struct mb2_blob {
	struct mb2_tag tag;
	uint8_t data[];
};

struct mb2_efi_mmap {
	struct mb2_tag tag;
	uint32_t desc_size, desc_version;
	uint8_t map[];
};
#endif

#endif
