/* SPDX-License-Identifier: MIT */
/* Message-signalled interrupts: one msi_desc for each vector that a device function uses. */
#ifndef X86_MSI_H
#define X86_MSI_H

#include <core/list.h>
#include <core/types.h>

struct pci_device;

struct msi_desc {
	struct list_head link;		/* dev->msi_list */
	struct pci_device *dev;
	bool msix, maskable, is64;
	bool masked;			/* what we want; MASKALL may add to it */
	uint8_t pos;			/* capability */
	uint16_t entry;			/* MSI-X table index */
	uint16_t irq;
	uint32_t address, data;		/* as last written, for restoring */
};

/* What map_pirq asks for. */
struct msi_request {
	uint16_t seg;
	uint8_t bus, devfn;
	int entry_nr;
	uint64_t table_base;		/* 0 = MSI, else MSI-X */
};

/*
 * Gives irq (from irq_alloc) the device's MSI, or MSI-X entry, masked where it
 * can be. pcidevs_lock held. 0; -ENODEV unknown device or no such capability;
 * -EINVAL bad entry or table; -EEXIST entry in use; -ENOMEM; -ENOSPC no vector.
 */
int msi_attach(const struct msi_request *req, unsigned int irq);
/* Takes it away again: masked, MSI disabled, vector released. pcidevs_lock held. */
void msi_detach(unsigned int irq);

/* For irq.c; desc->lock held. */
void msi_mask(struct msi_desc *m, bool mask);
bool msi_maskable(const struct msi_desc *m);
void msi_write_message(struct msi_desc *m, unsigned int cpu, uint8_t vector);
/* A guest will use it now: the function's enable bit is set. */
void msi_startup(struct msi_desc *m);

/* PHYSDEVOP_prepare_msix, release_msix: 0, -ENODEV, -EBUSY. */
int msix_prepare(uint16_t seg, uint8_t bus, uint8_t devfn, bool release);
/*
 * PHYSDEVOP_restore_msi(_ext): writes again what the device lost in a reset or
 * sleep. 0 or -errno.
 */
int msi_restore(struct pci_device *dev);
/* The device goes away. pcidevs_lock held. */
void msi_forget_device(struct pci_device *dev);
/* dom0 writes `bytes` at reg of dev's config space: false to refuse, *val may be changed. */
bool msi_config_write(struct pci_device *dev, unsigned int reg, unsigned int bytes, uint32_t *val);

#endif
