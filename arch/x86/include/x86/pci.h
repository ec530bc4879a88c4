/* SPDX-License-Identifier: MIT */
/* PCI functions that dom0 told us of, and what we keep for their message-signalled interrupts. */
#ifndef X86_PCI_H
#define X86_PCI_H

#include <core/list.h>
#include <core/types.h>
#include <arch/spinlock.h>

#define PCI_COMMAND		0x04
#define PCI_COMMAND_MEMORY	0x2
#define PCI_STATUS		0x06
#define PCI_STATUS_CAP_LIST	0x10
#define PCI_HEADER_TYPE		0x0e
#define PCI_BAR(n)		(0x10 + 4 * (n))
#define PCI_CAPABILITY_LIST	0x34
#define PCI_CAP_ID_MSI		0x05
#define PCI_CAP_ID_MSIX		0x11

struct pci_device {
	struct list_head link;
	uint16_t seg;
	uint8_t bus, devfn;
	bool is_virtfn, is_extfn;
	uint8_t pf_bus, pf_devfn;	/* of a virtual function */
	uint8_t msi_pos, msix_pos;	/* capability offsets, 0 = none */
	struct list_head msi_list;	/* struct msi_desc */

	/* MSI-X */
	unsigned int msix_nr;		/* table entries */
	paddr_t msix_table;		/* machine address; valid while msix_users */
	void *msix_map;			/* the table, mapped while msix_users */
	unsigned int msix_users;	/* vectors in use, plus prepare_msix */
	bool msix_prepared;
	bool host_maskall, guest_maskall;
};

/* Guards the list and all fields above, and serialises mapping of pirqs. */
extern spinlock_t pcidevs_lock;

/* pcidevs_lock held. NULL if dom0 never announced it. */
struct pci_device *pci_find(uint16_t seg, uint8_t bus, uint8_t devfn);
struct pci_dev_flags { bool is_extfn, is_virtfn; uint8_t pf_bus, pf_devfn; };
/* 0; -ENODEV no such function; -ENOMEM. Adding twice updates the flags. */
int pci_add(uint16_t seg, uint8_t bus, uint8_t devfn, const struct pci_dev_flags *flags);
int pci_remove(uint16_t seg, uint8_t bus, uint8_t devfn);	/* 0 or -ENODEV */
/* Offset of a capability, 0 = none. */
unsigned int pci_find_cap(uint16_t seg, uint8_t bus, uint8_t devfn, uint8_t id);
/* PHYSDEVOP_pci_mmcfg_reserved: 0, -ENODEV if the tables do not name such a window. */
int pci_mmcfg_reserved(uint64_t address, uint16_t seg, uint8_t start, uint8_t end, uint32_t flags);

static inline uint32_t pci_read(const struct pci_device *p, unsigned int reg, unsigned int len);
static inline void pci_write(const struct pci_device *p, unsigned int reg, unsigned int len,
			     uint32_t v);

#include <x86/platform.h>
static inline uint32_t pci_read(const struct pci_device *p, unsigned int reg, unsigned int len)
{
	return pci_conf_read(p->seg, p->bus, p->devfn, reg, len);
}
static inline void pci_write(const struct pci_device *p, unsigned int reg, unsigned int len,
			     uint32_t v)
{
	pci_conf_write(p->seg, p->bus, p->devfn, reg, len, v);
}

#endif
