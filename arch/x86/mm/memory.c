/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_memory_op, what only the machine can answer: memory maps, where
 * the machine-to-physical table is; and what tools ask about frames.
 */
#include "private.h"

#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/memory.h>
#include <core/xmalloc.h>
#include <x86/boot_info.h>
#include <x86/cpufeature.h>
#include <x86/rangeset.h>

/* Entries in XENMEM_set_memory_map, as the ABI's other side allows. */
#define MAX_GUEST_E820	1024U
#define M2P_CHUNK	(1UL << 21)

mfn_t hyp_va_to_mfn(unsigned long va)
{
	pte_t e = idle_l4[l4_index(va)];

	if (!pte_present(e))
		return INVALID_MFN;
	e = ((pte_t *)mfn_to_virt(pte_mfn(e)))[l3_index(va)];
	if (!pte_present(e))
		return INVALID_MFN;
	if (e.pte & PTE_PSE)
		return mfn_add(pte_mfn(e), PFN_DOWN(va & ((1UL << 30) - 1)));
	e = ((pte_t *)mfn_to_virt(pte_mfn(e)))[l2_index(va)];
	if (!pte_present(e))
		return INVALID_MFN;
	if (e.pte & PTE_PSE)
		return mfn_add(pte_mfn(e), PFN_DOWN(va & ((1UL << 21) - 1)));
	e = ((pte_t *)mfn_to_virt(pte_mfn(e)))[l1_index(va)];
	return pte_present(e) ? pte_mfn(e) : INVALID_MFN;
}

/* ---- The machine-to-physical table ---- */

static long machphys_mfn_list(unsigned long arg)
{
	const unsigned long bytes = max_page * sizeof(unsigned long);
	struct xen_machphys_mfn_list list;
	xen_pfn_t last = 0;
	unsigned int i;

	if (raw_copy_from_guest(&list, (const void *)arg, sizeof(list)))
		return -EFAULT;
	for (i = 0; i < list.max_extents && i * M2P_CHUNK < bytes; i++) {
		const mfn_t mfn = hyp_va_to_mfn(RW_M2P_START + i * M2P_CHUNK);

		/* A chunk that describes no memory is not there: the one before stands in. */
		if (!mfn_eq(mfn, INVALID_MFN))
			last = mfn_x(mfn);
		if (copy_to_guest_offset(list.extent_start, i, &last, 1))
			return -EFAULT;
	}
	list.nr_extents = i;
	return raw_copy_to_guest((void *)arg, &list, sizeof(list)) ? -EFAULT : 0;
}

static long machphys_mapping(unsigned long arg)
{
	struct xen_machphys_mapping m = {
		.v_start = RO_M2P_START,
		.v_end = MACH2PHYS_VIRT_END,
		.max_mfn = MACH2PHYS_NR_ENTRIES - 1,
	};

	/* Only who owns the hardware may know how much memory the host has. */
	if (current->domain->is_hardware)
		m.max_mfn = max_page - 1;
	return raw_copy_to_guest((void *)arg, &m, sizeof(m)) ? -EFAULT : 0;
}

/* ---- A domain's own memory map, which its builder sets ---- */

static long set_memory_map(unsigned long arg)
{
	struct xen_foreign_memory_map fmap;
	struct e820_entry *e820, *old;
	struct domain *d;
	size_t bytes;

	if (raw_copy_from_guest(&fmap, (const void *)arg, sizeof(fmap)))
		return -EFAULT;
	if (fmap.map.nr_entries > MAX_GUEST_E820)
		return -EINVAL;
	d = domain_by_any_id(fmap.domid);
	if (!d)
		return -ESRCH;
	if (mm_permitted(d))
		return -EPERM;

	bytes = fmap.map.nr_entries * sizeof(*e820);
	e820 = xmalloc_bytes(max(bytes, sizeof(*e820)), sizeof(uint64_t));
	if (!e820)
		return -ENOMEM;
	if (raw_copy_from_guest(e820, fmap.map.buffer.p, bytes)) {
		xfree(e820);
		return -EFAULT;
	}
	spin_lock(&d->arch.e820_lock);
	old = d->arch.e820;
	d->arch.e820 = e820;
	d->arch.nr_e820 = fmap.map.nr_entries;
	spin_unlock(&d->arch.e820_lock);
	xfree(old);
	return 0;
}

static long memory_map(unsigned long arg)
{
	struct arch_domain *a = &current->domain->arch;
	struct xen_memory_map map;
	long rc = -ENOSYS;

	if (raw_copy_from_guest(&map, (const void *)arg, sizeof(map)))
		return -EFAULT;
	spin_lock(&a->e820_lock);
	if (a->nr_e820 && a->e820) {
		map.nr_entries = min(map.nr_entries, a->nr_e820);
		rc = 0;
		if (raw_copy_to_guest(map.buffer.p, a->e820, map.nr_entries * sizeof(*a->e820)) ||
		    raw_copy_to_guest((void *)arg, &map, sizeof(map)))
			rc = -EFAULT;
	}
	spin_unlock(&a->e820_lock);
	return rc;
}

/* ---- The host's memory map, for the hardware domain ---- */

struct map_out {
	void *buffer;			/* guest's; NULL: only count */
	unsigned int n, room;
};

static long put_region(struct map_out *o, uint64_t addr, uint64_t size, uint32_t type)
{
	const struct e820_entry e = { addr, size, type };

	if (o->buffer) {
		if (o->n >= o->room)
			return -EINVAL;
		if (raw_copy_to_guest((struct e820_entry *)o->buffer + o->n, &e, sizeof(e)))
			return -EFAULT;
	}
	o->n++;
	return 0;
}

/* One past the last frame from s on, below end, that is like s: all in `caps`, or none. */
static unsigned long same_until(struct rangeset *caps, bool in, unsigned long s, unsigned long end)
{
	/* [s, good] is alike; [s, bad] is not, or bad is the end */
	unsigned long good = s, bad = end;

	while (bad - good > 1) {
		unsigned long mid = good + (bad - good) / 2;

		if (in ? rangeset_contains(caps, s, mid) : !rangeset_overlaps(caps, s, mid))
			good = mid;
		else
			bad = mid;
	}
	return good + 1;
}

/*
 * Frames [s, end) are in no region of the map: those that the domain may not
 * touch become reserved.
 */
static long put_hole(struct map_out *o, struct rangeset *caps, unsigned long s, unsigned long end)
{
	while (s < end) {
		const bool in = rangeset_contains(caps, s, s);
		const unsigned long next = same_until(caps, in, s, end);
		long rc = in ? 0 : put_region(o, (uint64_t)s << PAGE_SHIFT,
					      (uint64_t)(next - s) << PAGE_SHIFT, E820_RESERVED);

		if (rc)
			return rc;
		s = next;
	}
	return 0;
}

static long machine_memory_map(unsigned long arg)
{
	const unsigned long top = 1UL << (boot_cpu.phys_bits - PAGE_SHIFT);
	struct rangeset *caps = current->domain->arch.iomem_caps;
	struct xen_memory_map map;
	struct map_out o = { 0 };
	unsigned long next = 0;
	long rc = op_permitted(PRIV_TOOLS, current->domain);

	if (rc)
		return rc;
	if (raw_copy_from_guest(&map, (const void *)arg, sizeof(map)))
		return -EFAULT;
	o.buffer = map.buffer.p;
	o.room = map.nr_entries;
	if (o.buffer && o.room < host_e820_nr + 1)
		return -EINVAL;

	for (unsigned int i = 0; i < host_e820_nr; i++) {
		const struct e820_entry *e = &host_e820[i];

		rc = caps ? put_hole(&o, caps, next, PFN_DOWN(e->addr)) : 0;
		if (!rc)
			rc = put_region(&o, e->addr, e->size, e->type);
		if (rc)
			return rc;
		next = PFN_UP(e->addr + e->size);
	}
	/* Above the map, up to the last range that may be touched: beyond is nothing. */
	while (caps && next < top && rangeset_overlaps(caps, next, top - 1)) {
		unsigned long end = same_until(caps, rangeset_contains(caps, next, next), next,
					       top);

		rc = put_hole(&o, caps, next, end);
		if (rc)
			return rc;
		next = end;
	}

	map.nr_entries = o.n;
	return raw_copy_to_guest((void *)arg, &map, sizeof(map)) ? -EFAULT : 0;
}

/* ---- Physical maps: PV guests keep their own ---- */

static long no_physmap(unsigned long arg, size_t size, domid_t (*domid)(const void *))
{
	union {
		struct xen_add_to_physmap one;
		struct xen_add_to_physmap_batch batch;
		struct xen_remove_from_physmap remove;
	} a;

	if (raw_copy_from_guest(&a, (const void *)arg, size))
		return -EFAULT;
	return domain_by_any_id(domid(&a)) ? -EACCES : -ESRCH;
}

static domid_t add_domid(const void *a) { return ((const struct xen_add_to_physmap *)a)->domid; }
static domid_t batch_domid(const void *a)
{
	return ((const struct xen_add_to_physmap_batch *)a)->domid;
}
static domid_t remove_domid(const void *a)
{
	return ((const struct xen_remove_from_physmap *)a)->domid;
}

long arch_memory_op(unsigned long cmd, unsigned long arg)
{
	switch (cmd & MEMOP_CMD_MASK) {
	case XENMEM_machphys_mfn_list:
		return machphys_mfn_list(arg);
	case XENMEM_machphys_mapping:
		return machphys_mapping(arg);
	case XENMEM_set_memory_map:
		return set_memory_map(arg);
	case XENMEM_memory_map:
		return memory_map(arg);
	case XENMEM_machine_memory_map:
		return machine_memory_map(arg);
	case XENMEM_add_to_physmap:
		return no_physmap(arg, sizeof(struct xen_add_to_physmap), add_domid);
	case XENMEM_add_to_physmap_batch:
		return no_physmap(arg, sizeof(struct xen_add_to_physmap_batch), batch_domid);
	case XENMEM_remove_from_physmap:
		return no_physmap(arg, sizeof(struct xen_remove_from_physmap), remove_domid);
	case XENMEM_machphys_compat_mfn_list:
		return -EOPNOTSUPP;
	case XENMEM_get_sharing_freed_pages:
	case XENMEM_get_sharing_shared_pages:
		return 0;
	default:
		return -ENOSYS;
	}
}

/* ---- Frames, as the tools see them ---- */

bool is_iomem_page(mfn_t mfn)
{
	return !mfn_valid(mfn) || page_get_owner(mfn_to_page(mfn)) == dom_io;
}

unsigned int page_frame_info(struct domain *d, mfn_t mfn)
{
	static const unsigned int names[8] = {
		[1] = XEN_DOMCTL_PFINFO_L1TAB, [2] = XEN_DOMCTL_PFINFO_L2TAB,
		[3] = XEN_DOMCTL_PFINFO_L3TAB, [4] = XEN_DOMCTL_PFINFO_L4TAB,
	};
	struct page_info *pg = get_page_from_gfn(d, _gfn(mfn_x(mfn)));
	unsigned int info = XEN_DOMCTL_PFINFO_XTAB;

	if (!pg)
		return info;
	if (!(pg->count_info & (PGC_xen_heap | PGC_extra))) {
		const unsigned long t = read_once(pg->type_info);

		info = names[level_of(t)];
		if (t & PGT_pinned)
			info |= XEN_DOMCTL_PFINFO_LPINTAB;
		else if (!(t & PGT_validated))
			info = XEN_DOMCTL_PFINFO_NOTAB;
	}
	put_page(pg);
	return info;
}
