/* SPDX-License-Identifier: MIT */
/*
 * Leaving the firmware. GRUB hands us over with boot services still on (our
 * header asks for it), for only then is the memory map certain: we take it,
 * call ExitBootServices, and later turn it into an e820.
 *
 * efi_leave_boot_services() runs in the firmware's page tables at the address
 * where the image was loaded, not where it was linked: no pointer constants, no
 * tables of strings, no printk before that is over.
 */
#include "boot_parse.h"
#include "multiboot.h"
#include <x86/efi.h>

/* Room for about 1300 descriptors. */
static uint8_t efi_map[65536] __section(".bss.init") __aligned(16);

void efi_leave_boot_services(unsigned long magic, const struct mb2_info *info);

/* Prints an ASCII message by the firmware and stops: there is nothing to return to. */
static void __init __noreturn efi_die(const struct efi_system_table *st, const char *msg)
{
	uint16_t wide[2] = { 0, 0 };

	for (; st && *msg; msg++) {
		wide[0] = (uint8_t)*msg;
		st->con_out->output_string(st->con_out, wide);
	}
	for (;;)
		__asm__ __volatile__("cli; hlt");
}

static uint64_t __init find_u64_tag(const struct mb2_info *info, uint32_t type)
{
	uint32_t at = sizeof(*info);

	while (at + sizeof(struct mb2_tag) <= info->total_size) {
		const struct mb2_tag *tag = (const void *)((const char *)info + at);

		if (tag->type == type)
			return ((const struct mb2_u64 *)tag)->value;
		if (tag->type == MB2_TAG_END || tag->size < sizeof(*tag))
			break;
		at += ROUNDUP(tag->size, 8U);
	}
	return 0;
}

/*
 * Called by head.S on the firmware's stack with the multiboot2 information.
 * Returns with boot services ended and the map in efi_map.
 */
void __init efi_leave_boot_services(unsigned long magic, const struct mb2_info *info)
{
	struct boot_efi *efi = &boot_info.efi;
	struct efi_system_table *st;
	efi_status_t status = EFI_INVALID_PARAMETER;
	uint64_t handle, key, size, desc_size;
	uint32_t version;

	if (magic != MB2_BOOT_MAGIC)
		efi_die(NULL, "");
	st = (struct efi_system_table *)find_u64_tag(info, MB2_TAG_EFI64);
	handle = find_u64_tag(info, MB2_TAG_EFI64_IH);
	if (!st || !handle)
		efi_die(st, "Krypton: the loader passed no EFI system table or image handle\r\n");
	/* The map may change under our hands: the specification says to try again then. */
	for (int tries = 0; tries < 8 && status != 0; tries++) {
		size = sizeof(efi_map);
		status = st->boot->get_memory_map(&size, efi_map, &key, &desc_size, &version);
		if (status == EFI_BUFFER_TOO_SMALL)
			efi_die(st, "Krypton: the EFI memory map is too large\r\n");
		if (!status)
			status = st->boot->exit_boot_services((void *)handle, key);
	}
	if (status)
		efi_die(st, "Krypton: ExitBootServices failed\r\n");
	efi->present = true;
	efi->system_table = (paddr_t)st;
	efi->memmap_size = size;
	efi->desc_size = desc_size;
	efi->desc_version = version;
}

static uint32_t __init efi_to_e820(const struct efi_memory_desc *d)
{
	switch (d->type) {
	case EFI_LOADER_CODE:
	case EFI_LOADER_DATA:
	case EFI_BOOT_CODE:
	case EFI_BOOT_DATA:
	case EFI_CONVENTIONAL:
		return d->attribute & EFI_MEMORY_WB ? E820_RAM : E820_RESERVED;
	case EFI_ACPI_RECLAIM:
		return E820_ACPI;
	case EFI_ACPI_NVS:
		return E820_NVS;
	case EFI_UNUSABLE:
		return E820_UNUSABLE;
	default:
		return E820_RESERVED;
	}
}

void __init efi_fill_boot_info(struct boot_info *bi)
{
	struct boot_efi *efi = &bi->efi;

	/* The loader ended boot services itself: its copy of the map is all there is. */
	if (efi->memmap) {
		efi->memmap_size = min(efi->memmap_size, sizeof(efi_map));
		memcpy(efi_map, efi->memmap, efi->memmap_size);
	}
	efi->memmap = efi_map;
	if (efi->desc_size < sizeof(struct efi_memory_desc))
		return;
	e820_start_again(bi);
	for (size_t at = 0; at + efi->desc_size <= efi->memmap_size; at += efi->desc_size) {
		const struct efi_memory_desc *d = (const void *)(efi_map + at);

		e820_add(bi, d->phys, d->pages << PAGE_SHIFT, efi_to_e820(d));
	}
}
