/* SPDX-License-Identifier: MIT */
/*
 * Inside the builder: elf.c and unpack.c read images, layout.c decides what lies where, memory.c
 * has the guest's memory, build.c does it all in order. Only image.c and memory.c reach the system.
 */
#ifndef TOOLS_LIBS_GUEST_PRIVATE_H
#define TOOLS_LIBS_GUEST_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tools/guest.h>

#define PAGE_BITS	12
#define PAGE_BYTES	4096UL
#define MIB(n)		((uint64_t)(n) << 20)
#define GIB(n)		((uint64_t)(n) << 30)
#define UNSET_ADDRESS	(~(uint64_t)0)

static inline uint64_t pages_of(uint64_t bytes)
{
	return (bytes >> PAGE_BITS) + !!(bytes & (PAGE_BYTES - 1));
}

/* ---- elf.c: what a kernel asks for. No memory is allocated, the bytes stay the caller's. ---- */
struct guest_elf {
	const uint8_t *bytes;
	size_t length;
	uint64_t virt_base, paddr_offset, entry;
	uint64_t hypercall_page, p2m_base;	/* or UNSET_ADDRESS */
	bool mod_start_pfn, has_notes;
	uint64_t start, end;			/* virtual, of all load segments */
	uint64_t file_end;			/* behind it the file has none but zeros */
	char os[16], version[16];
};

struct guest_segment {
	uint64_t vaddr;
	uint64_t offset, file_bytes;		/* in the file */
	uint64_t memory_bytes;			/* at least as many */
};

/* 0, or -EINVAL with *why a phrase. All that is kept has been checked against @length. */
int guest_elf_parse(const void *bytes, size_t length, struct guest_elf *elf, const char **why);
/* The nth load segment; false: there are fewer. */
bool guest_elf_segment(const struct guest_elf *elf, unsigned int n, struct guest_segment *segment);

/* ---- unpack.c ---- */
/*
 * The packed part of @bytes: a bzImage's payload or all of a gzip file. 0; -ENOEXEC: nothing is
 * packed here; -EINVAL: damaged.
 */
int guest_packed_part(const void *bytes, size_t length, const uint8_t **part, size_t *part_length);
/* Unpacks into malloc()ed memory. -EINVAL, -EOPNOTSUPP, -EFBIG, -ENOMEM with *why a phrase. */
int guest_unpack(const uint8_t *part, size_t length, uint8_t **out, size_t *out_length,
		 const char **why);

/* ---- layout.c ---- */
struct guest_range {
	xen_pfn_t first, end;
};

/* Virtual addresses in the initial mapping, of which pfn 0 is v_start. */
struct guest_layout {
	uint64_t nr_pages;
	uint64_t v_start, v_end;
	uint64_t ramdisk;		/* 0: not mapped */
	uint64_t p2m;			/* may lie outside of the initial mapping */
	uint64_t start_info, store, console, tables, stack;
	uint64_t nr_tables;
	xen_pfn_t ramdisk_pfn, p2m_pfn;
	uint64_t nr_p2m_pages;		/* of the list itself */
	uint64_t nr_p2m_tables;		/* of an outer list, behind it */
	bool outer_p2m;
	/*
	 * What the builder has to write, in ascending order: the kernel's bytes; from behind the
	 * kernel to the page tables; ramdisk and frame list behind the initial mapping.
	 */
	struct guest_range written[3];
	/* The kernel's bss behind its bytes: to be cleared, but not worth mapping. */
	struct guest_range cleared;
	xen_pfn_t used;			/* no pfn from here on has a purpose yet */
};

/* -EINVAL: the kernel's wishes contradict; -E2BIG: does not fit into @nr_pages. */
int guest_lay_out(const struct guest_elf *elf, uint64_t nr_pages, uint64_t ramdisk_bytes,
		  struct guest_layout *layout, struct tools_error *error);

static inline xen_pfn_t guest_pfn(const struct guest_layout *layout, uint64_t vaddr)
{
	return (vaddr - layout->v_start) >> PAGE_BITS;
}

/* ---- memory.c: the guest's frames and our view of those that the builder writes ---- */
struct guest_memory {
	struct ctl *ctl;
	struct foreignmemory *fm;
	domid_t domid;
	const struct guest_layout *layout;
	xen_pfn_t *p2m;			/* layout->nr_pages frames */
	uint8_t *view;			/* the written ranges, then the shared info */
	size_t view_pages;
};

int guest_memory_populate(struct guest_memory *memory, struct tools_error *error);
/* @shared_info: the frame that is mapped too. */
int guest_memory_map(struct guest_memory *memory, xen_pfn_t shared_info, struct tools_error *error);
void guest_memory_unmap(struct guest_memory *memory);
void guest_memory_free(struct guest_memory *memory);
/* Fills layout->cleared with zeros. */
int guest_memory_clear(struct guest_memory *memory, struct tools_error *error);
/* A pfn of one of the written ranges. */
void *guest_memory_page(const struct guest_memory *memory, xen_pfn_t pfn);
void *guest_memory_shared_info(const struct guest_memory *memory);

/* ---- tables.c: the initial page tables, and the frame list ---- */
void guest_fill_tables(const struct guest_memory *memory);

#endif
