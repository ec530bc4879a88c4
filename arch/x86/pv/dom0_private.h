/* SPDX-License-Identifier: MIT */
/* What the parts of dom0's builder share: dom0_build.c says how they fit together. */
#ifndef PV_DOM0_PRIVATE_H
#define PV_DOM0_PRIVATE_H

#include <core/domain.h>
#include <core/types.h>

struct boot_info;

#define UNSET_ADDR	(~0UL)

/* A kernel as its ELF file and its Xen notes describe it. */
struct kernel_image {
	const uint8_t *elf;		/* the ELF file */
	size_t size;
	void *buffer;			/* unpacked copy that holds it, or NULL */
	unsigned long buffer_pages;

	unsigned long entry;		/* first instruction, virtual */
	unsigned long virt_base;	/* where pfn 0 is mapped at first */
	unsigned long paddr_offset;
	unsigned long kernel_start, kernel_end;	/* virtual, of all load segments */
	unsigned long hypercall_page;	/* UNSET_ADDR: none */
	unsigned long p2m_base;		/* UNSET_ADDR: inside the initial mapping */
	bool mod_start_pfn;		/* the initrd need not be mapped */
	bool has_notes, pae, has_supported;
	uint32_t supported;		/* features of submap 0 */
	char os[32], version[32];
};

/* ---- dom0_image.c: pure parsing, tested on the host ---- */
/*
 * Payload of a bzImage: 0, or -ENOEXEC if it is none (an ELF file perhaps),
 * -EINVAL if it is damaged.
 */
int bzimage_payload(const uint8_t *image, size_t size, const uint8_t **payload, size_t *len);
/* Fills k from an ELF64 file; 0 or -EINVAL, *why being a line that says what is wrong. */
int kernel_parse_elf(struct kernel_image *k, const uint8_t *elf, size_t size, const char **why);
/* The n-th load segment: false past the end. Parsed before, so it lies inside the file. */
bool kernel_segment(const struct kernel_image *k, unsigned int n, unsigned long *va,
		    const uint8_t **data, size_t *filesz, size_t *memsz);

/* ---- dom0_unpack.c ---- */
/* Bytes that a payload unpacks to, as its last four bytes say. */
size_t unpacked_size(const uint8_t *payload, size_t len);
/*
 * Unpacks to exactly `out_len` bytes: 0, -EOPNOTSUPP (*why names what is
 * known), -EINVAL damaged, -ENOMEM.
 */
int unpack(const uint8_t *payload, size_t len, uint8_t *out, size_t out_len, const char **why);

/* ---- dom0_pages.c: contiguous pages that are no power of two ---- */
void *alloc_boot_pages(unsigned long nr);	/* NULL if there are none */
void free_boot_pages(void *v, unsigned long nr);

/* ---- dom0_params.c ---- */
/* Pages for dom0 out of `avail`, by dom0_mem=; *max its limit. */
unsigned long dom0_nr_pages(unsigned long avail, unsigned long *max);
unsigned int dom0_max_vcpus(void);
bool dom0_is_pinned(void);

/* ---- dom0_caps.c ---- */
void dom0_grant_hardware(struct domain *d);

/* ---- dom0_info.c ---- */
struct dom0_vga_console_info;
/* Describes the screen; false if there is none to describe. */
bool dom0_fill_console(const struct boot_info *bi, struct dom0_vga_console_info *info);

#endif
