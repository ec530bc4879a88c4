/* SPDX-License-Identifier: MIT */
/*
 * From the loader's structures to struct boot_info, the only form that the rest
 * knows. Everything is copied: the loader's memory may be reused afterwards,
 * modules excepted.
 */
#include "boot_parse.h"
#include "multiboot.h"

struct boot_info boot_info __section(".bss.init");

bool __init loader_adds_name(const char *loader)
{
	return strncmp(loader, "GRUB", 4) || (loader[4] == ' ' && loader[5] == '0');
}

void __init boot_copy_cmdline(char *dst, size_t size, const char *src, bool has_name)
{
	static const char placeholder[] = "placeholder";
	size_t n = sizeof(placeholder) - 1;

	while (*src == ' ')
		src++;
	if (has_name)
		while (*src && *src != ' ')
			src++;
	while (*src == ' ')
		src++;
	if (!strncmp(src, placeholder, n) && (src[n] == ' ' || !src[n]))
		src += n;
	while (*src == ' ')
		src++;
	strlcpy(dst, src, size);
}

void __init boot_add_module(struct boot_info *bi, uint64_t start, uint64_t end, const char *string,
			    bool has_name)
{
	struct boot_module *m = &bi->modules[bi->nr_modules];

	if (end <= start)
		return;
	if (bi->nr_modules == BOOT_MAX_MODULES) {
		bi->modules_left_out++;
		return;
	}
	m->start = start;
	m->size = end - start;
	boot_copy_cmdline(m->cmdline, sizeof(m->cmdline), string, has_name);
	bi->nr_modules++;
}

void __init boot_say_left_out(const struct boot_info *bi)
{
	if (bi->modules_left_out)
		printk(XENLOG_ERR "The boot loader passed %u modules, of which only the first %u "
		       "are used: the other %u are ignored\n", bi->nr_modules + bi->modules_left_out,
		       bi->nr_modules, bi->modules_left_out);
}

void __init boot_info_parse(unsigned long magic, unsigned long info_phys)
{
	struct boot_info *bi = &boot_info;

	if (magic == MB2_BOOT_MAGIC)
		multiboot2_parse(bi, info_phys);
	else if (magic == MB1_BOOT_MAGIC)
		multiboot1_parse(bi, info_phys);
	else
		panic("Not started by a Multiboot loader (magic %#lx)\n", magic);
	if (bi->efi.memmap_size)
		efi_fill_boot_info(bi);
	if (!bi->nr_e820)
		panic("The boot loader gave no memory map; Krypton needs one\n");
}
