/* SPDX-License-Identifier: MIT */
/* The pieces of the UEFI specification 2.9 that we use: tables, memory descriptors, a few calls. */
#ifndef X86_EFI_H
#define X86_EFI_H

#include <core/types.h>

#define EFIAPI		__attribute__((ms_abi))
typedef uint64_t efi_status_t;
#define EFI_ERROR_BIT		(1ULL << 63)
#define EFI_INVALID_PARAMETER	(EFI_ERROR_BIT | 2)
#define EFI_UNSUPPORTED		(EFI_ERROR_BIT | 3)
#define EFI_BUFFER_TOO_SMALL	(EFI_ERROR_BIT | 5)

typedef struct { uint8_t b[16]; } efi_guid_t;

struct efi_table_header {
	uint64_t signature;
	uint32_t revision, header_size, crc32, reserved;
};

enum efi_memory_type {
	EFI_RESERVED, EFI_LOADER_CODE, EFI_LOADER_DATA, EFI_BOOT_CODE, EFI_BOOT_DATA,
	EFI_RUNTIME_CODE, EFI_RUNTIME_DATA, EFI_CONVENTIONAL, EFI_UNUSABLE, EFI_ACPI_RECLAIM,
	EFI_ACPI_NVS, EFI_MMIO, EFI_MMIO_PORT, EFI_PAL_CODE, EFI_PERSISTENT
};
#define EFI_MEMORY_UC		(1ULL << 0)
#define EFI_MEMORY_WB		(1ULL << 3)
#define EFI_MEMORY_RUNTIME	(1ULL << 63)

struct efi_memory_desc {
	uint32_t type, pad;
	uint64_t phys, virt, pages, attribute;
};

struct efi_text_output {
	void *reset;
	efi_status_t (EFIAPI *output_string)(struct efi_text_output *self, const uint16_t *s);
};

/* Boot services up to what we call; the rest is named by its place. */
struct efi_boot_services {
	struct efi_table_header hdr;
	void *raise_tpl, *restore_tpl, *allocate_pages, *free_pages;
	efi_status_t (EFIAPI *get_memory_map)(uint64_t *size, void *map, uint64_t *key,
					      uint64_t *desc_size, uint32_t *desc_version);
	void *before_exit[21];		/* allocate_pool ... unload_image */
	efi_status_t (EFIAPI *exit_boot_services)(void *image, uint64_t key);
};

struct efi_time {
	uint16_t year;
	uint8_t month, day, hour, minute, second, pad1;
	uint32_t nanosecond;
	int16_t timezone;
	uint8_t daylight, pad2;
};

struct efi_time_caps {
	uint32_t resolution, accuracy;
	uint8_t sets_to_zero;
};

struct efi_runtime_services {
	struct efi_table_header hdr;
	efi_status_t (EFIAPI *get_time)(struct efi_time *t, struct efi_time_caps *caps);
	efi_status_t (EFIAPI *set_time)(struct efi_time *t);
	efi_status_t (EFIAPI *get_wakeup_time)(uint8_t *enabled, uint8_t *pending,
					       struct efi_time *t);
	efi_status_t (EFIAPI *set_wakeup_time)(uint8_t enable, struct efi_time *t);
	void *set_virtual_address_map, *convert_pointer;
	efi_status_t (EFIAPI *get_variable)(uint16_t *name, efi_guid_t *vendor, uint32_t *attr,
					    uint64_t *size, void *data);
	efi_status_t (EFIAPI *get_next_variable)(uint64_t *size, uint16_t *name,
						 efi_guid_t *vendor);
	efi_status_t (EFIAPI *set_variable)(uint16_t *name, efi_guid_t *vendor, uint32_t attr,
					    uint64_t size, void *data);
	efi_status_t (EFIAPI *get_next_high_count)(uint32_t *count);
	void (EFIAPI *reset_system)(uint32_t type, efi_status_t status, uint64_t size, void *data);
	void *update_capsule, *query_capsule_caps;
	efi_status_t (EFIAPI *query_variable_info)(uint32_t attr, uint64_t *max, uint64_t *remain,
						   uint64_t *max_one);
};

struct efi_config_table {
	efi_guid_t guid;
	uint64_t table;
};

struct efi_system_table {
	struct efi_table_header hdr;
	uint64_t fw_vendor;
	uint32_t fw_revision, pad;
	uint64_t con_in_handle, con_in, con_out_handle;
	struct efi_text_output *con_out;
	uint64_t stderr_handle, stderr_out;
	struct efi_runtime_services *runtime;
	struct efi_boot_services *boot;
	uint64_t nr_tables;
	struct efi_config_table *tables;
};

#endif
