/* SPDX-License-Identifier: MIT */
/* Multiboot 1: QEMU's -kernel, GRUB's `multiboot` command. */
#include "boot_parse.h"
#include "multiboot.h"

static void __init parse_memory(struct boot_info *bi, const struct mb1_info *info)
{
	uint32_t at = info->mmap_addr;
	uint32_t end = info->mmap_addr + info->mmap_length;

	if (!(info->flags & MB1_INFO_MMAP)) {
		if (info->flags & MB1_INFO_MEMORY) {
			e820_add(bi, 0, (uint64_t)info->mem_lower << 10, E820_RAM);
			e820_add(bi, MB(1), (uint64_t)info->mem_upper << 10, E820_RAM);
		}
		return;
	}
	while (at + sizeof(struct mb1_mmap) <= end) {
		const struct mb1_mmap *m = boot_ptr(at);

		e820_add(bi, m->addr, m->len, m->type);
		at += m->size + (uint32_t)sizeof(m->size);
	}
}

static void __init parse_modules(struct boot_info *bi, const struct mb1_info *info, bool has_name)
{
	const struct mb1_module *mod = boot_ptr(info->mods_addr);

	if (!(info->flags & MB1_INFO_MODULES))
		return;
	for (uint32_t i = 0; i < info->mods_count; i++)
		boot_add_module(bi, mod[i].start, mod[i].end,
				mod[i].string ? boot_ptr(mod[i].string) : "", has_name);
}

static void __init parse_video(struct boot_info *bi, const struct mb1_info *info)
{
	struct boot_video *v = &bi->video;

	if (!(info->flags & MB1_INFO_FRAMEBUFFER)) {
		v->have_text = true;	/* a PC BIOS leaves 80x25 */
		v->text_cols = 80;
		v->text_rows = 25;
		return;
	}
	if (info->fb_type == MB_FB_TYPE_TEXT) {
		v->have_text = true;
		v->text_cols = (uint16_t)info->fb_width;
		v->text_rows = (uint16_t)info->fb_height;
	} else if (info->fb_type == MB_FB_TYPE_RGB) {
		v->have_fb = true;
		v->fb_addr = info->fb_addr;
		v->fb_pitch = info->fb_pitch;
		v->fb_width = info->fb_width;
		v->fb_height = info->fb_height;
		v->fb_bpp = info->fb_bpp;
		v->red_pos = info->red_pos;
		v->red_size = info->red_size;
		v->green_pos = info->green_pos;
		v->green_size = info->green_size;
		v->blue_pos = info->blue_pos;
		v->blue_size = info->blue_size;
	}
}

void __init multiboot1_parse(struct boot_info *bi, unsigned long info_phys)
{
	const struct mb1_info *info = boot_ptr(info_phys);
	bool has_name;

	if (info->flags & MB1_INFO_LOADER)
		strlcpy(bi->loader_name, boot_ptr(info->loader_name), sizeof(bi->loader_name));
	has_name = loader_adds_name(bi->loader_name);
	if (info->flags & MB1_INFO_CMDLINE)
		boot_copy_cmdline(bi->cmdline, sizeof(bi->cmdline), boot_ptr(info->cmdline),
				  has_name);
	parse_memory(bi, info);
	parse_modules(bi, info, has_name);
	parse_video(bi, info);
}
