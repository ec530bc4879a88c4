/* SPDX-License-Identifier: MIT */
/*
 * Page types, and page tables on their way into a migration stream and out of it: entries of a PV
 * guest name machine frames, which mean nothing on another host, so they travel as guest frames.
 * Pure functions on one page; how frames are found is the caller's.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <tools/stream.h>
#include <xen/xen.h>
#include <xen/domctl.h>

#define ENTRIES	      512U
#define PTE_PRESENT   1ULL
#define PTE_SUPERPAGE 0x80ULL		    /* levels 2 to 4; in level 1 it is PAT */
#define PTE_FRAME     0x000ffffffffff000ULL /* bits 12-51 */
#define L4_SHIFT      39

/* Xen's slots of a level 4 table: the first, the first behind (<xen/arch-x86/xen-x86_64.h>). */
#define XEN_SLOT_FIRST ((unsigned int)(__HYPERVISOR_VIRT_START >> L4_SHIFT & (ENTRIES - 1)))
#define XEN_SLOT_END   ((unsigned int)(__HYPERVISOR_VIRT_END >> L4_SHIFT & (ENTRIES - 1)))

bool stream_type_known(uint32_t type)
{
	uint32_t level = type & XEN_DOMCTL_PFINFO_LTABTYPE_MASK;

	if (type & ~XEN_DOMCTL_PFINFO_LTAB_MASK)
		return false;
	if (!stream_type_has_data(type))
		return type == XEN_DOMCTL_PFINFO_XTAB || type == XEN_DOMCTL_PFINFO_XALLOC ||
		       type == XEN_DOMCTL_PFINFO_BROKEN;
	return level != XEN_DOMCTL_PFINFO_NOTAB || !(type & XEN_DOMCTL_PFINFO_LPINTAB);
}

bool stream_type_has_data(uint32_t type)
{
	return (type & XEN_DOMCTL_PFINFO_LTABTYPE_MASK) <= XEN_DOMCTL_PFINFO_L4TAB;
}

bool stream_type_populated(uint32_t type)
{
	return stream_type_has_data(type) || type == XEN_DOMCTL_PFINFO_XALLOC;
}

unsigned int stream_type_level(uint32_t type)
{
	if (!stream_type_has_data(type))
		return 0;
	return (type & XEN_DOMCTL_PFINFO_LTABTYPE_MASK) >> XEN_DOMCTL_PFINFO_LTAB_SHIFT;
}

bool stream_type_pinned(uint32_t type)
{
	return stream_type_level(type) && (type & XEN_DOMCTL_PFINFO_LPINTAB);
}

static uint64_t entry(const void *table, unsigned int index)
{
	uint64_t value;

	memcpy(&value, (const uint8_t *)table + index * sizeof(value), sizeof(value));
	return value;
}

static void set_entry(void *table, unsigned int index, uint64_t value)
{
	memcpy((uint8_t *)table + index * sizeof(value), &value, sizeof(value));
}

static bool is_xens(unsigned int level, unsigned int index)
{
	return level == 4 && index >= XEN_SLOT_FIRST && index < XEN_SLOT_END;
}

/* The level; 0: @out has the page as it was; -EINVAL: such a page has no bytes. */
static int table_level(const void *table, void *out, uint32_t type, uint64_t pfn,
		       struct tools_error *error)
{
	unsigned int level = stream_type_level(type);

	if (!stream_type_known(type) || !stream_type_has_data(type))
		return tools_fail(error, -EINVAL, "bad-page",
				  "pfn 0x%" PRIx64 ": a page of type 0x%x has no contents", pfn,
				  type >> 28);
	if (!level && out != table)
		memmove(out, table, STREAM_PAGE_BYTES);
	return (int)level;
}

/* An entry that cannot travel, in a guest that stands still or not. 1: clear it. */
static int foreign_entry(enum stream_foreign foreign, bool superpage, unsigned int level,
			 unsigned int index, uint64_t pte, uint64_t pfn, struct tools_error *error)
{
	uint64_t mfn = (pte & PTE_FRAME) >> 12;

	if (foreign == STREAM_FOREIGN_ZERO)
		return 1;
	tools_fail(error, -ERANGE, superpage ? "superpage" : "foreign-mapping",
		   "page table pfn 0x%" PRIx64 " (level %u), entry %u: %s mfn 0x%" PRIx64 "%s", pfn,
		   level, index, superpage ? "a superpage at" : "maps", mfn,
		   superpage ? "" : ", which is not memory of this domain");
	if (foreign == STREAM_FOREIGN_DEFER)
		return -EAGAIN;
	return superpage ? -E2BIG : -ERANGE;
}

int stream_table_to_pfns(const void *table, void *out, uint32_t type, uint64_t pfn,
			 enum stream_foreign foreign, const struct stream_lookup *mfn_to_pfn,
			 struct tools_error *error)
{
	int level = table_level(table, out, type, pfn, error), cleared = 0, rc;

	if (level <= 0)
		return level;
	for (unsigned int i = 0; i < ENTRIES; i++) {
		uint64_t pte = entry(table, i), frame = STREAM_NO_FRAME;
		bool superpage = level > 1 && (pte & PTE_SUPERPAGE);

		if (!pte) {
			set_entry(out, i, 0);
			continue;
		}
		if (is_xens((unsigned int)level, i)) {
			pte = 0;
		} else if (pte & PTE_PRESENT) {
			if (!superpage)
				frame = mfn_to_pfn->find(mfn_to_pfn->cookie,
							 (pte & PTE_FRAME) >> 12);
			if (frame > PTE_FRAME >> 12) {
				rc = foreign_entry(foreign, superpage, (unsigned int)level, i, pte,
						   pfn, error);
				if (rc < 0)
					return rc;
				pte = 0;
				cleared++;
			} else {
				pte = (pte & ~PTE_FRAME) | frame << 12;
			}
		}
		set_entry(out, i, pte);
	}
	return cleared;
}

int stream_table_to_mfns(const void *table, void *out, uint32_t type, uint64_t pfn,
			 const struct stream_lookup *pfn_to_mfn, struct tools_error *error)
{
	int level = table_level(table, out, type, pfn, error);

	if (level <= 0)
		return level;
	for (unsigned int i = 0; i < ENTRIES; i++) {
		uint64_t pte = entry(table, i), frame, target = (pte & PTE_FRAME) >> 12;

		if (is_xens((unsigned int)level, i)) {
			pte = 0;
		} else if (pte & PTE_PRESENT) {
			frame = pfn_to_mfn->find(pfn_to_mfn->cookie, target);
			if (frame > PTE_FRAME >> 12)
				return tools_fail(error, -ERANGE, "bad-page-table",
						  "page table pfn 0x%" PRIx64
						  " (level %d), entry %u: "
						  "pfn 0x%" PRIx64 " has no memory",
						  pfn, level, i, target);
			pte = (pte & ~PTE_FRAME) | frame << 12;
		}
		set_entry(out, i, pte);
	}
	return 0;
}
