/* SPDX-License-Identifier: MIT */
/* What the loader-specific parsers share. They run on the early tables: 4 GiB of direct map. */
#ifndef BOOT_PARSE_H
#define BOOT_PARSE_H

#include <core/lib.h>
#include <x86/boot_info.h>
#include <x86/layout.h>

static inline void *boot_ptr(uint64_t pa)
{
	return (void *)(DIRECTMAP_START + pa);
}

void multiboot1_parse(struct boot_info *bi, unsigned long info_phys);
void multiboot2_parse(struct boot_info *bi, unsigned long info_phys);
/* Adds a module; the string's first word (file name) is dropped if has_name. */
void boot_add_module(struct boot_info *bi, uint64_t start, uint64_t end, const char *string,
		     bool has_name);
/* Copies a command line without file name and without GRUB's "placeholder". */
void boot_copy_cmdline(char *dst, size_t size, const char *src, bool has_name);
/* Does this loader put the file name first? (GRUB 2 does not.) */
bool loader_adds_name(const char *loader);
/* The map that efi_leave_boot_services() took, as e820. */
void efi_fill_boot_info(struct boot_info *bi);

#endif
