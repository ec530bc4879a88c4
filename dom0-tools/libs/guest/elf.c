/* SPDX-License-Identifier: MIT */
/*
 * What a guest's kernel asks for: its load segments and Xen notes. The bytes come from a disk or
 * from the guest itself: every offset is checked against the length before it is used, and no sum
 * wraps. Sources: <elf.h>, <xen/elfnote.h>.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include "private.h"
#include <xen/elfnote.h>

static bool inside(size_t length, uint64_t offset, uint64_t bytes)
{
	return offset <= length && bytes <= length - offset;
}

/* ---- notes ---- */

/* Numbers have 1 to 8 bytes, little-endian. */
static uint64_t note_number(const uint8_t *value, uint32_t bytes)
{
	uint64_t number = 0;

	memcpy(&number, value, bytes < sizeof(number) ? bytes : sizeof(number));
	return number;
}

static void note_string(char *out, size_t room, const uint8_t *value, uint32_t bytes)
{
	size_t length = strnlen((const char *)value, bytes < room - 1 ? bytes : room - 1);

	memcpy(out, value, length);
	out[length] = '\0';
}

static void take_note(struct guest_elf *elf, uint32_t type, const uint8_t *value, uint32_t bytes)
{
	switch (type) {
	case XEN_ELFNOTE_ENTRY:
		elf->entry = note_number(value, bytes);
		break;
	case XEN_ELFNOTE_HYPERCALL_PAGE:
		elf->hypercall_page = note_number(value, bytes);
		break;
	case XEN_ELFNOTE_VIRT_BASE:
		elf->virt_base = note_number(value, bytes);
		break;
	case XEN_ELFNOTE_PADDR_OFFSET:
		elf->paddr_offset = note_number(value, bytes);
		break;
	case XEN_ELFNOTE_INIT_P2M:
		elf->p2m_base = note_number(value, bytes);
		break;
	case XEN_ELFNOTE_MOD_START_PFN:
		elf->mod_start_pfn = note_number(value, bytes) != 0;
		break;
	case XEN_ELFNOTE_GUEST_OS:
		note_string(elf->os, sizeof(elf->os), value, bytes);
		break;
	case XEN_ELFNOTE_GUEST_VERSION:
		note_string(elf->version, sizeof(elf->version), value, bytes);
		break;
	}
}

static uint64_t align4(uint32_t bytes)
{
	return ((uint64_t)bytes + 3) & ~3ULL;
}

/* All Xen notes of one segment or section. */
static void parse_notes(struct guest_elf *elf, const uint8_t *at, uint64_t left)
{
	Elf64_Nhdr head;

	while (left >= sizeof(head)) {
		uint64_t name, all;

		memcpy(&head, at, sizeof(head));
		name = align4(head.n_namesz);
		/* The last note's padding may be missing. */
		if (name + head.n_descsz > left - sizeof(head))
			return;
		if (head.n_namesz == 4 && !memcmp(at + sizeof(head), "Xen", 4)) {
			elf->has_notes = true;
			take_note(elf, head.n_type, at + sizeof(head) + name, head.n_descsz);
		}
		all = sizeof(head) + name + align4(head.n_descsz);
		if (all >= left)
			return;
		at += all;
		left -= all;
	}
}

/* Older kernels and GRUB have their notes in sections only. */
static void parse_note_sections(struct guest_elf *elf, const Elf64_Ehdr *head)
{
	if (head->e_shentsize < sizeof(Elf64_Shdr) ||
	    !inside(elf->length, head->e_shoff, (uint64_t)head->e_shnum * head->e_shentsize))
		return;
	for (unsigned int i = 0; i < head->e_shnum; i++) {
		Elf64_Shdr section;

		memcpy(&section, elf->bytes + head->e_shoff + (size_t)i * head->e_shentsize,
		       sizeof(section));
		if (section.sh_type == SHT_NOTE &&
		    inside(elf->length, section.sh_offset, section.sh_size))
			parse_notes(elf, elf->bytes + section.sh_offset, section.sh_size);
	}
}

/* ---- headers and segments ---- */

static Elf64_Ehdr header(const struct guest_elf *elf)
{
	Elf64_Ehdr head;

	memcpy(&head, elf->bytes, sizeof(head));
	return head;
}

static Elf64_Phdr program_header(const struct guest_elf *elf, const Elf64_Ehdr *head,
				 unsigned int i)
{
	Elf64_Phdr program;

	memcpy(&program, elf->bytes + head->e_phoff + (size_t)i * head->e_phentsize,
	       sizeof(program));
	return program;
}

static const char *check_header(const struct guest_elf *elf)
{
	Elf64_Ehdr head;

	if (elf->length < sizeof(head) || memcmp(elf->bytes, ELFMAG, SELFMAG))
		return "it is neither a bzImage nor an ELF file";
	head = header(elf);
	if (head.e_ident[EI_CLASS] == ELFCLASS32)
		return "it is a 32-bit kernel; only 64-bit PV kernels are built";
	if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB ||
	    head.e_machine != EM_X86_64)
		return "it is not a 64-bit x86 kernel";
	if (!head.e_phnum || head.e_phentsize < sizeof(Elf64_Phdr) ||
	    !inside(elf->length, head.e_phoff, (uint64_t)head.e_phnum * head.e_phentsize))
		return "its program headers are damaged";
	return NULL;
}

/* How many of @length bytes are left without the zeros at the end (in steps of 64). */
static uint64_t without_zeros(const uint8_t *bytes, uint64_t length)
{
	while (length >= 64) {
		uint64_t words[8], any = 0;

		memcpy(words, bytes + length - sizeof(words), sizeof(words));
		for (unsigned int i = 0; i < 8; i++)
			any |= words[i];
		if (any)
			break;
		length -= sizeof(words);
	}
	return length;
}

/* Checks every load segment; the physical range that they cover, and of their bytes in the file. */
static const char *load_range(const struct guest_elf *elf, const Elf64_Ehdr *head, uint64_t *start,
			      uint64_t *file_end, uint64_t *end)
{
	*start = UNSET_ADDRESS;
	*file_end = *end = 0;
	for (unsigned int i = 0; i < head->e_phnum; i++) {
		Elf64_Phdr program = program_header(elf, head, i);

		if (program.p_type != PT_LOAD || !program.p_memsz)
			continue;
		if (!inside(elf->length, program.p_offset, program.p_filesz) ||
		    program.p_filesz > program.p_memsz)
			return "a load segment reaches past the end of the file";
		if (program.p_memsz > GIB(4) || program.p_paddr + program.p_memsz < program.p_paddr)
			return "a load segment is too large";
		if (program.p_paddr < *start)
			*start = program.p_paddr;
		if (program.p_paddr + program.p_memsz > *end)
			*end = program.p_paddr + program.p_memsz;
		/* Linux has its bss in the file: thousands of empty pages. */
		program.p_filesz = without_zeros(elf->bytes + program.p_offset, program.p_filesz);
		if (program.p_filesz && program.p_paddr + program.p_filesz > *file_end)
			*file_end = program.p_paddr + program.p_filesz;
	}
	if (*file_end < *start)
		*file_end = *start;
	return *start < *end ? NULL : "it has no load segment";
}

static const char *check_addresses(const struct guest_elf *elf)
{
	if (elf->virt_base & (PAGE_BYTES - 1))
		return "VIRT_BASE is not a multiple of 4 KiB";
	if (elf->start < elf->virt_base || elf->end < elf->start ||
	    elf->end - elf->virt_base > GIB(2))
		return "its segments do not lie in the 2 GiB from VIRT_BASE on";
	if (elf->entry < elf->start || elf->entry >= elf->end)
		return "its entry point lies outside of it";
	if (elf->hypercall_page != UNSET_ADDRESS &&
	    (elf->hypercall_page < elf->start || elf->hypercall_page >= elf->end ||
	     elf->hypercall_page & (PAGE_BYTES - 1)))
		return "its hypercall page lies outside of it";
	return NULL;
}

int guest_elf_parse(const void *bytes, size_t length, struct guest_elf *elf, const char **why)
{
	uint64_t start, file_end, end;
	Elf64_Ehdr head;

	memset(elf, 0, sizeof(*elf));
	elf->bytes = bytes;
	elf->length = length;
	elf->hypercall_page = elf->p2m_base = UNSET_ADDRESS;
	*why = check_header(elf);
	if (*why)
		return -EINVAL;
	head = header(elf);
	elf->entry = head.e_entry;
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr program = program_header(elf, &head, i);

		if (program.p_type == PT_NOTE &&
		    inside(length, program.p_offset, program.p_filesz))
			parse_notes(elf, elf->bytes + program.p_offset, program.p_filesz);
	}
	if (!elf->has_notes)
		parse_note_sections(elf, &head);
	if (!elf->has_notes)
		*why = "it has no Xen ELF notes: it was not built for Xen PV";
	else
		*why = load_range(elf, &head, &start, &file_end, &end);
	if (*why)
		return -EINVAL;
	/* Unsigned sums that wrap are how a negative offset is written. */
	elf->start = start + (elf->virt_base - elf->paddr_offset);
	elf->file_end = file_end + (elf->virt_base - elf->paddr_offset);
	elf->end = end + (elf->virt_base - elf->paddr_offset);
	*why = check_addresses(elf);
	return *why ? -EINVAL : 0;
}

bool guest_elf_segment(const struct guest_elf *elf, unsigned int n, struct guest_segment *segment)
{
	Elf64_Ehdr head = header(elf);

	for (unsigned int i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr program = program_header(elf, &head, i);

		if (program.p_type != PT_LOAD || !program.p_memsz || n--)
			continue;
		segment->vaddr = program.p_paddr + (elf->virt_base - elf->paddr_offset);
		segment->offset = program.p_offset;
		segment->file_bytes = program.p_filesz;
		segment->memory_bytes = program.p_memsz;
		if (segment->vaddr + segment->file_bytes > elf->file_end)
			segment->file_bytes = segment->vaddr < elf->file_end ?
					      elf->file_end - segment->vaddr : 0;
		return true;
	}
	return false;
}
