/* SPDX-License-Identifier: MIT */
/* Multiboot 2: GRUB's `multiboot2` command, on BIOS and UEFI. One function a tag. */
#include "boot_parse.h"
#include "multiboot.h"
#include <arch/frame.h>

static void __init tag_mmap(struct boot_info *bi, const struct mb2_tag *tag)
{
	const struct mb2_mmap *t = (const void *)tag;

	if (t->entry_size < sizeof(struct mb2_mmap_entry))
		return;
	for (size_t at = sizeof(*t); at + t->entry_size <= tag->size; at += t->entry_size) {
		const struct mb2_mmap_entry *e = (const void *)((const char *)tag + at);

		e820_add(bi, e->addr, e->len, e->type);
	}
}

static void __init tag_framebuffer(struct boot_info *bi, const struct mb2_tag *tag)
{
	const struct mb2_framebuffer *t = (const void *)tag;
	struct boot_video *v = &bi->video;

	if (t->type == MB_FB_TYPE_TEXT) {
		v->have_text = true;
		v->text_cols = (uint16_t)t->width;
		v->text_rows = (uint16_t)t->height;
	} else if (t->type == MB_FB_TYPE_RGB) {
		v->have_fb = true;
		v->fb_addr = t->addr;
		v->fb_pitch = t->pitch;
		v->fb_width = t->width;
		v->fb_height = t->height;
		v->fb_bpp = t->bpp;
		v->red_pos = t->red_pos;
		v->red_size = t->red_size;
		v->green_pos = t->green_pos;
		v->green_size = t->green_size;
		v->blue_pos = t->blue_pos;
		v->blue_size = t->blue_size;
	}
}

/* A copy of the RSDP: its address is known only by where the tag lies. */
static uint8_t rsdp_copy[36] __aligned(16);

static void __init tag_acpi(struct boot_info *bi, const struct mb2_tag *tag)
{
	const struct mb2_blob *t = (const void *)tag;
	size_t len = tag->size - sizeof(*tag);

	if (len > sizeof(rsdp_copy))
		len = sizeof(rsdp_copy);
	memcpy(rsdp_copy, t->data, len);
	bi->acpi_rsdp = (unsigned long)rsdp_copy + image_phys_offset;
}

/* Boot services were ended by the loader: the map is what the firmware said then. */
static void __init tag_efi_mmap(struct boot_info *bi, const struct mb2_tag *tag)
{
	const struct mb2_efi_mmap *t = (const void *)tag;

	bi->efi.memmap = (void *)t->map;
	bi->efi.memmap_size = tag->size - sizeof(*t);
	bi->efi.desc_size = t->desc_size;
	bi->efi.desc_version = t->desc_version;
}

static void __init parse_tag(struct boot_info *bi, const struct mb2_tag *tag)
{
	switch (tag->type) {
	case MB2_TAG_MMAP:
		tag_mmap(bi, tag);
		break;
	case MB2_TAG_MEMINFO:
		break;
	case MB2_TAG_FRAMEBUFFER:
		tag_framebuffer(bi, tag);
		break;
	case MB2_TAG_ACPI_OLD:
		if (!bi->acpi_rsdp)
			tag_acpi(bi, tag);
		break;
	case MB2_TAG_ACPI_NEW:
		tag_acpi(bi, tag);
		break;
	case MB2_TAG_EFI64:
		bi->efi.present = true;
		bi->efi.system_table = ((const struct mb2_u64 *)tag)->value;
		break;
	case MB2_TAG_EFI_MMAP:
		if (!bi->efi.memmap_size)
			tag_efi_mmap(bi, tag);
		break;
	}
}

/* Calls fn for each tag of a type (0: every one). */
static void __init for_each_tag(struct boot_info *bi, unsigned long info_phys, uint32_t type,
				void (*fn)(struct boot_info *, const struct mb2_tag *))
{
	const struct mb2_info *info = boot_ptr(info_phys);
	uint32_t at = sizeof(*info);

	while (at + sizeof(struct mb2_tag) <= info->total_size) {
		const struct mb2_tag *tag = (const void *)((const char *)info + at);

		if (tag->type == MB2_TAG_END || tag->size < sizeof(*tag))
			break;
		if (!type || tag->type == type)
			fn(bi, tag);
		at += ROUNDUP(tag->size, 8U);
	}
}

static void __init tag_loader(struct boot_info *bi, const struct mb2_tag *tag)
{
	strlcpy(bi->loader_name, ((const struct mb2_string *)tag)->string,
		sizeof(bi->loader_name));
}

static void __init tag_cmdline(struct boot_info *bi, const struct mb2_tag *tag)
{
	boot_copy_cmdline(bi->cmdline, sizeof(bi->cmdline),
			  ((const struct mb2_string *)tag)->string,
			  loader_adds_name(bi->loader_name));
}

static void __init tag_module(struct boot_info *bi, const struct mb2_tag *tag)
{
	const struct mb2_module *m = (const void *)tag;

	boot_add_module(bi, m->start, m->end, m->string, loader_adds_name(bi->loader_name));
}

void __init multiboot2_parse(struct boot_info *bi, unsigned long info_phys)
{
	/* The loader's name says how to read the strings, so it comes first. */
	for_each_tag(bi, info_phys, MB2_TAG_LOADER_NAME, tag_loader);
	for_each_tag(bi, info_phys, MB2_TAG_CMDLINE, tag_cmdline);
	for_each_tag(bi, info_phys, MB2_TAG_MODULE, tag_module);
	for_each_tag(bi, info_phys, 0, parse_tag);
}
