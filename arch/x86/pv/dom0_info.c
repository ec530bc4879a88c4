/* SPDX-License-Identifier: MIT */
/* What dom0 is told about the screen (<xen/xen.h>, dom0_vga_console_info). */
#include <core/lib.h>
#include <arch/frame.h>
#include <x86/boot_info.h>
#include "dom0_private.h"

#define BDA_CURSOR	0x450		/* BIOS data area: column, row of page 0 */

static void __init fill_framebuffer(const struct boot_info *bi, dom0_vga_console_info_t *info)
{
	const struct boot_video *v = &bi->video;
	uint64_t bytes = (uint64_t)v->fb_pitch * v->fb_height;

	info->video_type = bi->efi.present ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
	info->u.vesa_lfb.width = (uint16_t)v->fb_width;
	info->u.vesa_lfb.height = (uint16_t)v->fb_height;
	info->u.vesa_lfb.bytes_per_line = (uint16_t)v->fb_pitch;
	info->u.vesa_lfb.bits_per_pixel = v->fb_bpp;
	info->u.vesa_lfb.lfb_base = (uint32_t)v->fb_addr;
	info->u.vesa_lfb.ext_lfb_base = (uint32_t)(v->fb_addr >> 32);
	info->u.vesa_lfb.lfb_size = (uint32_t)((bytes + 0xffff) >> 16);
	info->u.vesa_lfb.red_pos = v->red_pos;
	info->u.vesa_lfb.red_size = v->red_size;
	info->u.vesa_lfb.green_pos = v->green_pos;
	info->u.vesa_lfb.green_size = v->green_size;
	info->u.vesa_lfb.blue_pos = v->blue_pos;
	info->u.vesa_lfb.blue_size = v->blue_size;
	if (v->fb_bpp == 32) {
		info->u.vesa_lfb.rsvd_pos = 24;
		info->u.vesa_lfb.rsvd_size = 8;
	}
	info->u.vesa_lfb.mode_attrs = 0x91;	/* supported, graphics, linear */
}

bool __init dom0_fill_console(const struct boot_info *bi, dom0_vga_console_info_t *info)
{
	const uint8_t *bda = mfn_to_virt(_mfn(0));

	memset(info, 0, sizeof(*info));
	if (bi->video.have_fb) {
		fill_framebuffer(bi, info);
		return true;
	}
	if (!bi->video.have_text)
		return false;
	info->video_type = XEN_VGATYPE_TEXT_MODE_3;
	info->u.text_mode_3.font_height = 16;
	info->u.text_mode_3.rows = bi->video.text_rows;
	info->u.text_mode_3.columns = bi->video.text_cols;
	info->u.text_mode_3.cursor_x = bda[BDA_CURSOR];
	info->u.text_mode_3.cursor_y = bda[BDA_CURSOR + 1];
	return true;
}
