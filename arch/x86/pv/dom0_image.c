/* SPDX-License-Identifier: MIT */
/*
 * Kernel files: finding the payload of a Linux bzImage, and what an ELF file and
 * its Xen notes (<xen/elfnote.h>) ask of the builder. The bytes come from a disk, so
 * every offset is checked against the file before it is used.
 */
#include <core/errno.h>
#include <core/lib.h>
#include "dom0_private.h"
#include <xen/elfnote.h>

struct elf64_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
#define EM_X86_64	62

struct elf64_phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
#define PT_LOAD		1
#define PT_NOTE		4

struct elf64_shdr {
	uint32_t name, type;
	uint64_t flags, addr, offset, size;
	uint32_t link, info;
	uint64_t addralign, entsize;
};
#define SHT_NOTE	7

struct elf_note {
	uint32_t namesz, descsz, type;
};

/* Linux's Documentation/x86/boot.rst, protocol 2.08 on */
#define BZ_SETUP_SECTS	0x1f1
#define BZ_MAGIC	0x202
#define BZ_VERSION	0x206
#define BZ_PAYLOAD_OFFSET 0x248
#define BZ_PAYLOAD_LENGTH 0x24c

static bool in_file(size_t size, uint64_t offset, uint64_t len)
{
	return offset <= size && len <= size - offset;
}

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

int bzimage_payload(const uint8_t *image, size_t size, const uint8_t **payload, size_t *len)
{
	uint64_t start;
	unsigned int sects;

	if (size < BZ_PAYLOAD_LENGTH + 4 || memcmp(image + BZ_MAGIC, "HdrS", 4))
		return -ENOEXEC;
	if (image[BZ_VERSION] + (image[BZ_VERSION + 1] << 8) < 0x208)
		return -EINVAL;
	sects = image[BZ_SETUP_SECTS] ? image[BZ_SETUP_SECTS] : 4;
	start = (sects + 1) * 512UL + load32(image + BZ_PAYLOAD_OFFSET);
	*len = load32(image + BZ_PAYLOAD_LENGTH);
	if (*len < 8 || !in_file(size, start, *len))
		return -EINVAL;
	*payload = image + start;
	return 0;
}

/* A note's number: notes hold 1 to 8 bytes, little-endian. */
static uint64_t note_number(const uint8_t *desc, uint32_t size)
{
	uint64_t v = 0;

	memcpy(&v, desc, min(size, (uint32_t)sizeof(v)));
	return v;
}

static void note_string(char *dst, size_t size, const uint8_t *desc, uint32_t len)
{
	size_t n = strnlen((const char *)desc, min((size_t)len, size - 1));

	memcpy(dst, desc, n);
	dst[n] = '\0';
}

static void take_note(struct kernel_image *k, uint32_t type, const uint8_t *desc, uint32_t size)
{
	switch (type) {
	case XEN_ELFNOTE_ENTRY:
		k->entry = note_number(desc, size);
		break;
	case XEN_ELFNOTE_HYPERCALL_PAGE:
		k->hypercall_page = note_number(desc, size);
		break;
	case XEN_ELFNOTE_VIRT_BASE:
		k->virt_base = note_number(desc, size);
		break;
	case XEN_ELFNOTE_PADDR_OFFSET:
		k->paddr_offset = note_number(desc, size);
		break;
	case XEN_ELFNOTE_INIT_P2M:
		k->p2m_base = note_number(desc, size);
		break;
	case XEN_ELFNOTE_MOD_START_PFN:
		k->mod_start_pfn = note_number(desc, size) != 0;
		break;
	case XEN_ELFNOTE_PAE_MODE:
		k->pae = size && (desc[0] == 'y' || desc[0] == 'b');
		break;
	case XEN_ELFNOTE_SUPPORTED_FEATURES:
		k->has_supported = true;
		k->supported |= (uint32_t)note_number(desc, size);
		break;
	case XEN_ELFNOTE_GUEST_OS:
		note_string(k->os, sizeof(k->os), desc, size);
		break;
	case XEN_ELFNOTE_GUEST_VERSION:
		note_string(k->version, sizeof(k->version), desc, size);
		break;
	}
}

/* All Xen notes in one note segment or section. */
static void parse_notes(struct kernel_image *k, const uint8_t *p, uint64_t len)
{
	struct elf_note n;

	while (len >= sizeof(n)) {
		uint64_t name_size, desc_size;

		memcpy(&n, p, sizeof(n));
		name_size = ROUNDUP((uint64_t)n.namesz, 4);
		desc_size = ROUNDUP((uint64_t)n.descsz, 4);
		/* The last note's padding may be missing. */
		if (name_size + n.descsz > len - sizeof(n))
			return;
		if (n.namesz == 4 && !memcmp(p + sizeof(n), "Xen", 4)) {
			k->has_notes = true;
			take_note(k, n.type, p + sizeof(n) + name_size, n.descsz);
		}
		if (sizeof(n) + name_size + desc_size >= len)
			return;
		p += sizeof(n) + name_size + desc_size;
		len -= sizeof(n) + name_size + desc_size;
	}
}

static struct elf64_header elf_header(const uint8_t *elf)
{
	struct elf64_header h;

	memcpy(&h, elf, sizeof(h));
	return h;
}

static struct elf64_phdr elf_phdr(const uint8_t *elf, const struct elf64_header *h, unsigned int i)
{
	struct elf64_phdr ph;

	memcpy(&ph, elf + h->phoff + (size_t)i * h->phentsize, sizeof(ph));
	return ph;
}

/* Old kernels have notes in sections only. */
static void parse_note_sections(struct kernel_image *k, const struct elf64_header *h)
{
	if (h->shentsize < sizeof(struct elf64_shdr) ||
	    !in_file(k->size, h->shoff, (uint64_t)h->shnum * h->shentsize))
		return;
	for (unsigned int i = 0; i < h->shnum; i++) {
		struct elf64_shdr sh;

		memcpy(&sh, k->elf + h->shoff + (size_t)i * h->shentsize, sizeof(sh));
		if (sh.type == SHT_NOTE && in_file(k->size, sh.offset, sh.size))
			parse_notes(k, k->elf + sh.offset, sh.size);
	}
}

/* Checks all load segments and finds the range that they cover, physical. */
static const char *load_range(const struct kernel_image *k, const struct elf64_header *h,
			      uint64_t *start, uint64_t *end)
{
	*start = ~0ULL;
	*end = 0;
	for (unsigned int i = 0; i < h->phnum; i++) {
		struct elf64_phdr ph = elf_phdr(k->elf, h, i);

		if (ph.type != PT_LOAD || !ph.memsz)
			continue;
		if (!in_file(k->size, ph.offset, ph.filesz) || ph.filesz > ph.memsz)
			return "a load segment reaches past the end of the file";
		if (ph.paddr + ph.memsz < ph.paddr || ph.memsz > GB(4))
			return "a load segment is too large";
		*start = min(*start, ph.paddr);
		*end = max(*end, ph.paddr + ph.memsz);
	}
	return *start < *end ? NULL : "it has no load segment";
}

static const char *check_header(const uint8_t *elf, size_t size, struct elf64_header *h)
{
	if (size < sizeof(*h) || memcmp(elf, "\177ELF", 4))
		return "it is neither a bzImage nor an ELF file";
	*h = elf_header(elf);
	if (h->ident[4] != 2 || h->ident[5] != 1 || h->machine != EM_X86_64)
		return "it is not a 64-bit x86 kernel";
	if (!h->phnum || h->phentsize < sizeof(struct elf64_phdr) ||
	    !in_file(size, h->phoff, (uint64_t)h->phnum * h->phentsize))
		return "its program headers are damaged";
	return NULL;
}

int kernel_parse_elf(struct kernel_image *k, const uint8_t *elf, size_t size, const char **why)
{
	struct elf64_header h;
	uint64_t start, end, offset;

	*why = check_header(elf, size, &h);
	if (*why)
		return -EINVAL;
	k->elf = elf;
	k->size = size;
	k->virt_base = k->p2m_base = k->hypercall_page = UNSET_ADDR;
	k->paddr_offset = 0;
	k->entry = h.entry;
	for (unsigned int i = 0; i < h.phnum; i++) {
		struct elf64_phdr ph = elf_phdr(elf, &h, i);

		if (ph.type == PT_NOTE && in_file(size, ph.offset, ph.filesz))
			parse_notes(k, elf + ph.offset, ph.filesz);
	}
	if (!k->has_notes)
		parse_note_sections(k, &h);
	if (!k->has_notes) {
		*why = "it has no Xen ELF notes: not built for Xen PV";
		return -EINVAL;
	}
	*why = load_range(k, &h, &start, &end);
	if (*why)
		return -EINVAL;
	if (k->virt_base == UNSET_ADDR)
		k->virt_base = 0;
	offset = k->virt_base - k->paddr_offset;
	k->kernel_start = start + offset;
	k->kernel_end = end + offset;
	if (k->kernel_start < k->virt_base || k->kernel_end < k->kernel_start ||
	    k->kernel_end - k->virt_base > GB(2))
		*why = "its segments do not lie in the 2 GiB from VIRT_BASE on";
	else if (k->entry < k->kernel_start || k->entry >= k->kernel_end)
		*why = "its entry point lies outside of it";
	else if (k->virt_base & (MB(4) - 1))
		*why = "VIRT_BASE is not a multiple of 4 MiB";
	return *why ? -EINVAL : 0;
}

bool kernel_segment(const struct kernel_image *k, unsigned int n, unsigned long *va,
		    const uint8_t **data, size_t *filesz, size_t *memsz)
{
	struct elf64_header h = elf_header(k->elf);

	for (unsigned int i = 0; i < h.phnum; i++) {
		struct elf64_phdr ph = elf_phdr(k->elf, &h, i);

		if (ph.type != PT_LOAD || !ph.memsz || n--)
			continue;
		*va = ph.paddr + k->virt_base - k->paddr_offset;
		*data = k->elf + ph.offset;
		*filesz = ph.filesz;
		*memsz = ph.memsz;
		return true;
	}
	return false;
}
