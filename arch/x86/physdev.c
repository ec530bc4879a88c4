/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_physdev_op: what a domain that has devices asks about interrupts,
 * PCI functions and port rights. One table: size to copy in, who may call,
 * whether the structure goes back. <xen/physdev.h> is the specification.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <arch/irq.h>
#include <x86/acpi.h>
#include <x86/irq.h>
#include <x86/msi.h>
#include <x86/pci.h>
#include <x86/pirq.h>
#include <x86/platform.h>
#include <xen/physdev.h>

#define IRQ_UNMASK_NOTIFY	4	/* PHYSDEVOP_IRQ_UNMASK_NOTIFY, before 3.2.2 */
#define MAX_MSI_VECTORS		32

union physdev_arg {
	struct physdev_eoi eoi;
	struct physdev_pirq_eoi_gmfn eoi_gmfn;
	struct physdev_irq_status_query status;
	struct physdev_set_iopl iopl;
	struct physdev_set_iobitmap iobitmap;
	struct physdev_apic apic;
	struct physdev_irq irq;
	struct physdev_map_pirq map;
	struct physdev_unmap_pirq unmap;
	struct physdev_manage_pci pci;
	struct physdev_manage_pci_ext pci_ext;
	struct physdev_restore_msi restore;
	struct physdev_setup_gsi gsi;
	struct physdev_get_free_pirq free_pirq;
	struct physdev_pci_mmcfg_reserved mmcfg;
	struct physdev_pci_device_add add;
	struct physdev_pci_device device;
	struct physdev_dbgp_op dbgp;
};

/* ---- interrupts that the caller has ---- */

static long op_eoi(union physdev_arg *a)
{
	return pirq_eoi(current->domain, a->eoi.irq);
}

static long op_eoi_gmfn_v1(union physdev_arg *a)
{
	return pirq_set_eoi_page(current->domain, a->eoi_gmfn.gmfn, true);
}

static long op_eoi_gmfn_v2(union physdev_arg *a)
{
	return pirq_set_eoi_page(current->domain, a->eoi_gmfn.gmfn, false);
}

/* Old guests: every pirq whose event is not masked counts as dealt with. */
static long op_unmask_notify(union physdev_arg *a __maybe_unused)
{
	struct domain *d = current->domain;

	for (unsigned int i = 0; i < d->arch.nr_pirqs; i++) {
		unsigned int port = pirq_evtchn(d, i);

		if (port && !evtchn_is_masked(d, port))
			pirq_guest_eoi(d, i);
	}
	return 0;
}

static long op_irq_status(union physdev_arg *a)
{
	const struct domain *d = current->domain;

	if (a->status.irq >= domain_nr_pirqs(d))
		return -EINVAL;
	a->status.flags = XENIRQSTAT_needs_eoi;
	if (pirq_shared(d, a->status.irq))
		a->status.flags |= XENIRQSTAT_shared;
	return 0;
}

static long op_get_free_pirq(union physdev_arg *a)
{
	int pirq = pirq_get_free(current->domain, a->free_pirq.type);

	if (pirq < 0)
		return pirq;
	a->free_pirq.pirq = (uint32_t)pirq;
	return 0;
}

/* ---- mapping ---- */

/*
 * Several MSIs of one function need consecutive vectors that move together,
 * which takes interrupt remapping: drivers are told to ask for one.
 */
static long check_multi_msi(struct physdev_map_pirq *map)
{
	if (map->table_base)
		return -EINVAL;
	if (map->entry_nr <= 0 || map->entry_nr > MAX_MSI_VECTORS)
		return -EDOM;
	return map->entry_nr == 1 ? 0 : -EOPNOTSUPP;
}

static long map_msi(struct domain *d, struct physdev_map_pirq *map, uint16_t seg)
{
	struct msi_request req = {
		.seg = seg, .bus = (uint8_t)map->bus, .devfn = (uint8_t)map->devfn,
		.entry_nr = map->entry_nr, .table_base = map->table_base,
	};

	return pirq_map_msi(d, &req, &map->pirq);
}

static long op_map_pirq(union physdev_arg *a)
{
	struct physdev_map_pirq *map = &a->map;
	struct domain *d;
	long rc;

	if (map->type == MAP_PIRQ_TYPE_MULTI_MSI && map->table_base)
		return -EINVAL;
	d = domain_by_any_id(map->domid);
	if (!d)
		return -ESRCH;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	if (rc)
		return rc;
	switch (map->type) {
	case MAP_PIRQ_TYPE_GSI:
		return pirq_map_gsi(d, map->index, &map->pirq);
	case MAP_PIRQ_TYPE_MSI:
		return map_msi(d, map, 0);
	case MAP_PIRQ_TYPE_MSI_SEG:
		map->type = MAP_PIRQ_TYPE_MSI;
		return map_msi(d, map, (uint16_t)((uint32_t)map->bus >> 16));
	case MAP_PIRQ_TYPE_MULTI_MSI:
		rc = check_multi_msi(map);
		return rc ? rc : map_msi(d, map, (uint16_t)((uint32_t)map->bus >> 16));
	default:
		return -EINVAL;
	}
}

static long op_unmap_pirq(union physdev_arg *a)
{
	struct domain *d = domain_by_any_id(a->unmap.domid);
	long rc;

	if (!d)
		return -ESRCH;
	rc = op_permitted(PRIV_TOOLS, current->domain);
	return rc ? rc : pirq_unmap(d, a->unmap.pirq);
}

/* ---- IO-APICs ---- */

static long op_setup_gsi(union physdev_arg *a)
{
	long rc;

	if (a->gsi.gsi < 0 || (unsigned int)a->gsi.gsi >= nr_gsis)
		return -EINVAL;
	rc = op_permitted(PRIV_HARDWARE, current->domain);
	if (rc)
		return rc;
	return gsi_set_trigger((unsigned int)a->gsi.gsi, a->gsi.triggering, a->gsi.polarity);
}

static long op_apic_read(union physdev_arg *a)
{
	return ioapic_guest_read(a->apic.apic_physbase, a->apic.reg, &a->apic.value);
}

static long op_apic_write(union physdev_arg *a)
{
	return ioapic_guest_write(a->apic.apic_physbase, a->apic.reg, a->apic.value);
}

/* Vectors are nobody's business but ours: any number will do. */
static long op_alloc_vector(union physdev_arg *a)
{
	a->irq.vector = a->irq.irq;
	return 0;
}

/* ---- ports ---- */

static long op_set_iopl(union physdev_arg *a)
{
	if (a->iopl.iopl > 3)
		return -EINVAL;
	current->arch.iopl = a->iopl.iopl << 12;
	return 0;
}

static long op_set_iobitmap(union physdev_arg *a)
{
	struct vcpu *v = current;

	if (a->iobitmap.nr_ports > 65536 ||
	    !guest_handle_okay(a->iobitmap.bitmap, PV_IOBITMAP_BYTES))
		return -EINVAL;
	v->arch.iobmp = a->iobitmap.bitmap.p;
	v->arch.iobmp_limit = a->iobitmap.nr_ports;
	return 0;
}

/* ---- PCI ---- */

static long op_manage_pci_add(union physdev_arg *a)
{
	return pci_add(0, a->pci.bus, a->pci.devfn, NULL);
}

static long op_manage_pci_remove(union physdev_arg *a)
{
	return pci_remove(0, a->pci.bus, a->pci.devfn);
}

static long op_manage_pci_add_ext(union physdev_arg *a)
{
	const struct physdev_manage_pci_ext *e = &a->pci_ext;
	struct pci_dev_flags flags = {
		.is_extfn = e->is_extfn, .is_virtfn = e->is_virtfn,
		.pf_bus = e->physfn.bus, .pf_devfn = e->physfn.devfn,
	};

	if (e->is_extfn > 1 || e->is_virtfn > 1)
		return -EINVAL;
	return pci_add(0, e->bus, e->devfn, &flags);
}

static long op_pci_device_add(union physdev_arg *a)
{
	const struct physdev_pci_device_add *add = &a->add;
	struct pci_dev_flags flags = {
		.is_extfn = add->flags & XEN_PCI_DEV_EXTFN,
		.is_virtfn = add->flags & XEN_PCI_DEV_VIRTFN,
		.pf_bus = add->physfn.bus,
		.pf_devfn = add->physfn.devfn,
	};

	return pci_add(add->seg, add->bus, add->devfn, &flags);
}

static long op_pci_device_remove(union physdev_arg *a)
{
	return pci_remove(a->device.seg, a->device.bus, a->device.devfn);
}

static long restore(uint16_t seg, uint8_t bus, uint8_t devfn)
{
	struct pci_device *p;
	long rc;

	spin_lock(&pcidevs_lock);
	p = pci_find(seg, bus, devfn);
	rc = p ? msi_restore(p) : -ENODEV;
	spin_unlock(&pcidevs_lock);
	return rc;
}

static long op_restore_msi(union physdev_arg *a)
{
	return restore(0, a->restore.bus, a->restore.devfn);
}

static long op_restore_msi_ext(union physdev_arg *a)
{
	return restore(a->device.seg, a->device.bus, a->device.devfn);
}

static long op_prepare_msix(union physdev_arg *a)
{
	return msix_prepare(a->device.seg, a->device.bus, a->device.devfn, false);
}

static long op_release_msix(union physdev_arg *a)
{
	return msix_prepare(a->device.seg, a->device.bus, a->device.devfn, true);
}

static long op_mmcfg_reserved(union physdev_arg *a)
{
	return pci_mmcfg_reserved(a->mmcfg.address, a->mmcfg.segment, a->mmcfg.start_bus,
				  a->mmcfg.end_bus, a->mmcfg.flags);
}

/* A USB debug port in use by us would have to be reset with care; there is none. */
static long op_dbgp(union physdev_arg *a __maybe_unused)
{
	return 0;
}

/* ---- dispatch ---- */

enum back { BACK_NO, BACK_OK, BACK_ALWAYS };

#define ROW(op, handler, field, who, copy) \
	[op] = { handler, sizeof(((union physdev_arg *)0)->field), who, copy }
static const struct {
	long (*fn)(union physdev_arg *a);
	uint8_t size;
	uint8_t priv;			/* enum op_priv; stricter checks are the handler's */
	uint8_t back;			/* enum back */
} physdev_ops[] = {
	[IRQ_UNMASK_NOTIFY] = { op_unmask_notify, 0, PRIV_ANY, BACK_NO },
	ROW(PHYSDEVOP_irq_status_query, op_irq_status, status, PRIV_ANY, BACK_OK),
	ROW(PHYSDEVOP_set_iopl, op_set_iopl, iopl, PRIV_ANY, BACK_NO),
	ROW(PHYSDEVOP_set_iobitmap, op_set_iobitmap, iobitmap, PRIV_ANY, BACK_NO),
	ROW(PHYSDEVOP_apic_read, op_apic_read, apic, PRIV_HARDWARE, BACK_ALWAYS),
	ROW(PHYSDEVOP_apic_write, op_apic_write, apic, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_alloc_irq_vector, op_alloc_vector, irq, PRIV_HARDWARE, BACK_OK),
	ROW(PHYSDEVOP_eoi, op_eoi, eoi, PRIV_ANY, BACK_NO),
	ROW(PHYSDEVOP_map_pirq, op_map_pirq, map, PRIV_ANY, BACK_ALWAYS),
	ROW(PHYSDEVOP_unmap_pirq, op_unmap_pirq, unmap, PRIV_ANY, BACK_NO),
	ROW(PHYSDEVOP_manage_pci_add, op_manage_pci_add, pci, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_manage_pci_remove, op_manage_pci_remove, pci, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_pirq_eoi_gmfn_v1, op_eoi_gmfn_v1, eoi_gmfn, PRIV_ANY, BACK_NO),
	ROW(PHYSDEVOP_restore_msi, op_restore_msi, restore, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_manage_pci_add_ext, op_manage_pci_add_ext, pci_ext, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_setup_gsi, op_setup_gsi, gsi, PRIV_ANY, BACK_NO),
	ROW(PHYSDEVOP_get_free_pirq, op_get_free_pirq, free_pirq, PRIV_ANY, BACK_OK),
	ROW(PHYSDEVOP_pci_mmcfg_reserved, op_mmcfg_reserved, mmcfg, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_pci_device_add, op_pci_device_add, add, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_pci_device_remove, op_pci_device_remove, device, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_restore_msi_ext, op_restore_msi_ext, device, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_pirq_eoi_gmfn_v2, op_eoi_gmfn_v2, eoi_gmfn, PRIV_ANY, BACK_NO),
	ROW(PHYSDEVOP_dbgp_op, op_dbgp, dbgp, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_prepare_msix, op_prepare_msix, device, PRIV_HARDWARE, BACK_NO),
	ROW(PHYSDEVOP_release_msix, op_release_msix, device, PRIV_HARDWARE, BACK_NO),
};

/* (cmd, arg) */
DEFINE_HYPERCALL(physdev_op)
{
	unsigned int cmd = (unsigned int)a1;
	union physdev_arg a;
	long rc;

	if (cmd >= ARRAY_SIZE(physdev_ops) || !physdev_ops[cmd].fn)
		return -ENOSYS;
	rc = op_permitted(physdev_ops[cmd].priv, current->domain);
	if (rc)
		return rc;
	if (raw_copy_from_guest(&a, (void *)a2, physdev_ops[cmd].size))
		return -EFAULT;
	rc = physdev_ops[cmd].fn(&a);
	if ((physdev_ops[cmd].back == BACK_ALWAYS || (physdev_ops[cmd].back == BACK_OK && !rc)) &&
	    raw_copy_to_guest((void *)a2, &a, physdev_ops[cmd].size))
		return -EFAULT;
	return rc;
}

/* (struct physdev_op *): the form before 3.2.2, which reached only these. */
DEFINE_HYPERCALL(physdev_op_compat)
{
	struct physdev_op *uop = (struct physdev_op *)a1;
	uint32_t cmd;

	if (raw_copy_from_guest(&cmd, &uop->cmd, sizeof(cmd)))
		return -EFAULT;
	switch (cmd) {
	case PHYSDEVOP_irq_status_query:
	case PHYSDEVOP_set_iopl:
	case PHYSDEVOP_set_iobitmap:
	case PHYSDEVOP_apic_read:
	case PHYSDEVOP_apic_write:
	case PHYSDEVOP_alloc_irq_vector:
		return do_physdev_op(cmd, (unsigned long)&uop->u, 0, 0, 0);
	default:
		return -EINVAL;
	}
}
