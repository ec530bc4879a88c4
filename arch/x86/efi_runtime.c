/* SPDX-License-Identifier: MIT */
/*
 * The firmware's runtime services. Their memory is mapped at its physical
 * address in a table of its own (efi_l4), whose other half is the hypervisor's
 * slots, so that code, stack and heap stay where they are during a call. We never
 * tell the firmware of other addresses (SetVirtualAddressMap).
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/xmalloc.h>
#include <x86/asm.h>
#include <x86/boot_info.h>
#include <x86/context.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <xen/platform.h>
#include "efi_private.h"

struct efi_runtime_services *efi_rs __ro_after_init;
uint32_t efi_rs_revision __ro_after_init;
bool efi_booted __ro_after_init;

static bool opt_efi_rs __initdata = true;
boolean_param("efi-rs", opt_efi_rs);

static pte_t *efi_l4 __ro_after_init;
static DEFINE_SPINLOCK(efi_lock, LOCK_ANY);

/* What efi_get_info answers, copied from the firmware's tables. */
static struct {
	uint32_t version, fw_revision;
	paddr_t tables;
	uint32_t nr_tables;
	uint16_t vendor[64];
	uint8_t *map;
	size_t map_size, desc_size;
} info __ro_after_init;

/*
 * Guests' translations may be global and at the firmware's addresses: turning
 * CR4.PGE off and on drops them. The vcpu's FPU registers are saved, for the
 * firmware may use them.
 */
void efi_enter(struct efi_state *s)
{
	struct vcpu *v = loaded_vcpu_here();

	s->flags = local_irq_save();
	spin_lock(&efi_lock);
	if (v && !is_idle_vcpu(v))
		fpu_save(v);
	s->cr3 = read_cr3();
	s->cr4 = read_cr4();
	write_cr4(s->cr4 & ~CR4_PGE);
	write_cr3(mfn_to_paddr(virt_to_mfn(efi_l4)));
}

void efi_leave(const struct efi_state *s)
{
	struct vcpu *v = loaded_vcpu_here();

	write_cr3(s->cr3);
	write_cr4(s->cr4);
	if (v && !is_idle_vcpu(v))
		fpu_load(v);
	spin_unlock(&efi_lock);
	local_irq_restore(s->flags);
}

/* One page at its physical address. 0 or -ENOMEM. */
static int __init map_identity(unsigned long pa)
{
	pte_t *table = efi_l4;

	for (unsigned int shift = 39; shift > 12; shift -= 9) {
		pte_t *e = &table[(pa >> shift) & 511];

		if (!pte_present(*e)) {
			pte_t *next = alloc_xenheap_page();

			if (!next)
				return -ENOMEM;
			*e = pte_make(virt_to_mfn(next), PTE_PRESENT | PTE_RW);
		}
		table = mfn_to_virt(pte_mfn(*e));
	}
	/* Firmware mixes code and data: nothing can be said about execution. */
	table[l1_index(pa)] = pte_make(paddr_to_mfn(pa), PTE_PRESENT | PTE_RW);
	return 0;
}

static int __init map_runtime_regions(const struct boot_efi *efi)
{
	for (size_t at = 0; at + efi->desc_size <= efi->memmap_size; at += efi->desc_size) {
		const struct efi_memory_desc *d = (const void *)((uint8_t *)efi->memmap + at);

		if (!(d->attribute & EFI_MEMORY_RUNTIME) || d->phys >> 47)
			continue;
		for (uint64_t i = 0; i < d->pages; i++)
			if (map_identity(d->phys + (i << PAGE_SHIFT)))
				return -ENOMEM;
	}
	return 0;
}

static void __init read_system_table(const struct efi_system_table *st)
{
	const uint16_t *vendor;
	struct efi_state s;

	if (map_identity((unsigned long)st & PAGE_MASK))
		panic("Out of memory for the EFI system table\n");
	efi_enter(&s);
	info.version = st->hdr.revision;
	info.fw_revision = st->fw_revision;
	info.tables = (paddr_t)st->tables;
	info.nr_tables = (uint32_t)st->nr_tables;
	efi_rs = st->runtime;
	vendor = (const uint16_t *)st->fw_vendor;
	efi_leave(&s);

	/* Not every firmware keeps the string in runtime memory. */
	if (vendor && (map_identity((unsigned long)vendor & PAGE_MASK) ||
		       map_identity(((unsigned long)vendor & PAGE_MASK) + PAGE_SIZE)))
		panic("Out of memory for the EFI vendor string\n");
	efi_enter(&s);
	for (unsigned int i = 0; vendor && i < ARRAY_SIZE(info.vendor) - 1 && vendor[i]; i++)
		info.vendor[i] = vendor[i];
	if (efi_rs)
		efi_rs_revision = efi_rs->hdr.revision;
	efi_leave(&s);
}

void __init efi_runtime_init(void)
{
	const struct boot_efi *efi = &boot_info.efi;

	if (!efi->present || !efi->system_table || !efi->memmap_size ||
	    efi->desc_size < sizeof(struct efi_memory_desc))
		return;
	info.map = xmalloc_bytes(efi->memmap_size, 16);
	efi_l4 = alloc_xenheap_page();
	if (!info.map || !efi_l4)
		panic("Out of memory for the EFI memory map\n");
	memcpy(info.map, efi->memmap, efi->memmap_size);
	info.map_size = efi->memmap_size;
	info.desc_size = efi->desc_size;
	init_guest_l4_slots(efi_l4);
	if (map_runtime_regions(efi))
		panic("Out of memory for the EFI runtime regions\n");
	read_system_table((const struct efi_system_table *)efi->system_table);
	efi_booted = true;
	if (!opt_efi_rs)
		efi_rs = NULL;
	printk(XENLOG_INFO "EFI %u.%u, %u tables, runtime services %s\n", info.version >> 16,
	       info.version & 0xffff, info.nr_tables, efi_rs ? "used" : "not used");
}

static int memory_info(uint64_t addr, union xenpf_efi_info *out)
{
	for (size_t at = 0; at + info.desc_size <= info.map_size; at += info.desc_size) {
		const struct efi_memory_desc *d = (const void *)(info.map + at);
		uint64_t end = d->phys + (d->pages << PAGE_SHIFT);

		if (addr < d->phys || addr >= end)
			continue;
		out->mem.type = d->type;
		out->mem.attr = d->attribute;
		if (addr + out->mem.size < addr || addr + out->mem.size > end)
			out->mem.size = end - addr;
		return 0;
	}
	return -ESRCH;
}

static int vendor_info(union xenpf_efi_info *out)
{
	size_t n = 0;

	while (info.vendor[n])
		n++;
	n = min((n + 1) * sizeof(info.vendor[0]), (size_t)(out->vendor.bufsz & ~1u));
	out->vendor.revision = info.fw_revision;
	return raw_copy_to_guest(out->vendor.name.p, info.vendor, n) ? -EFAULT : 0;
}

/* XENPF_firmware_info, type XEN_FW_EFI_INFO: 0 or the errnos of <xen/platform.h>. */
int efi_get_info(uint32_t idx, union xenpf_efi_info *out)
{
	if (!efi_booted)
		return -ENOSYS;
	switch (idx) {
	case XEN_FW_EFI_VERSION:
		out->version = info.version;
		return 0;
	case XEN_FW_EFI_RT_VERSION:
		if (!efi_rs)
			return -EOPNOTSUPP;
		out->version = efi_rs_revision;
		return 0;
	case XEN_FW_EFI_CONFIG_TABLE:
		out->cfg.addr = info.tables;
		out->cfg.nent = info.nr_tables;
		return 0;
	case XEN_FW_EFI_VENDOR:
		return vendor_info(out);
	case XEN_FW_EFI_MEM_INFO:
		return memory_info(out->mem.addr, out);
	case XEN_FW_EFI_PCI_ROM:
		return -ESRCH;
	case XEN_FW_EFI_APPLE_PROPERTIES:
		return -ENODATA;
	default:
		return -EINVAL;
	}
}

/* Returns only if the firmware does not know how. */
void efi_reset(bool warm)
{
	struct efi_state s;

	if (!efi_rs)
		return;
	efi_enter(&s);
	efi_rs->reset_system(warm ? 1 : 0, 0, 0, NULL);
	efi_leave(&s);
}
