/* SPDX-License-Identifier: MIT */
/*
 * The VGA text screen while booting: 80 columns, scrolling. dom0 takes the
 * screen over when it starts, unless vga=keep (or vga=text-80x25,keep).
 */
#include <core/console.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <x86/boot_info.h>
#include <x86/console_dev.h>
#include <x86/layout.h>
#include <x86/mm.h>

#define TEXT_BASE	0xb8000
#define ATTR		0x0700

static volatile uint16_t *screen;
static unsigned int cols = 80, rows = 25, x, y;
static bool opt_keep;

static int __init param_vga(const char *s)
{
	if (strstr(s, "keep"))
		opt_keep = true;
	return 0;
}
custom_param("vga", param_vga);

static void newline(void)
{
	x = 0;
	if (++y < rows)
		return;
	y = rows - 1;
	for (unsigned int i = 0; i < cols * (rows - 1); i++)
		screen[i] = screen[i + cols];
	for (unsigned int i = 0; i < cols; i++)
		screen[cols * (rows - 1) + i] = ATTR | ' ';
}

static void vga_puts(const char *s, size_t n)
{
	for (; n; n--, s++) {
		if (*s == '\n') {
			newline();
			continue;
		}
		if ((unsigned char)*s < ' ')
			continue;
		screen[y * cols + x] = (uint16_t)(ATTR | (unsigned char)*s);
		if (++x == cols)
			newline();
	}
}

static struct console_dev vga_dev = { .name = "vga", .puts = vga_puts };

void __init vga_init(const struct boot_video *video)
{
	/*
	 * A graphics mode has no text; without a word from the boot loader the
	 * PC's default holds.
	 */
	if (video->have_fb)
		return;
	screen = ioremap(TEXT_BASE, 80 * 50 * 2);
	if (!screen)
		return;
	if (video->have_text && video->text_cols == 80 && video->text_rows <= 50)
		rows = video->text_rows;
	for (unsigned int i = 0; i < cols * rows; i++)
		screen[i] = ATTR | ' ';
	vga_dev.boot_only = !opt_keep;
	console_register(&vga_dev);
}
