/* SPDX-License-Identifier: MIT */
/*
 * Small kernel images for tests of the guest builder: an ELF file with Xen notes, as a test wants
 * it.
 */
#ifndef TESTS_TOOLS_GUEST_KERNEL_H
#define TESTS_TOOLS_GUEST_KERNEL_H

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <xen/elfnote.h>

#define KERNEL_FILE_BYTES	16384
#define KERNEL_TEXT_OFFSET	4096

struct kernel_wish {
	uint64_t virt_base, paddr, entry;	/* paddr: of the one load segment */
	uint64_t memory_bytes;			/* with its bss; the file has 12 KiB of it */
	uint64_t hypercall_page;		/* 0: no note */
	uint64_t p2m_base;			/* 0: no note */
	int mod_start_pfn;
};

/* As most tests have it. */
static const struct kernel_wish usual_kernel __attribute__((unused)) = {
	.virt_base = 0xffffffff80000000UL,
	.paddr = 0x100000,
	.entry = 0xffffffff80100010UL,
	.memory_bytes = 0x8000,
	.hypercall_page = 0xffffffff80101000UL,
};

static inline uint8_t *put_note(uint8_t *at, uint32_t type, uint64_t value)
{
	Elf64_Nhdr head = { .n_namesz = 4, .n_descsz = 8, .n_type = type };

	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), "Xen", 4);
	memcpy(at + sizeof(head) + 4, &value, 8);
	return at + sizeof(head) + 12;
}

/* Fills @file (KERNEL_FILE_BYTES). */
static inline void make_kernel(uint8_t *file, const struct kernel_wish *wish)
{
	Elf64_Ehdr head = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_entry = wish->entry, .e_phoff = sizeof(head), .e_ehsize = sizeof(head),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
	};
	Elf64_Phdr segments[2] = {
		{ .p_type = PT_LOAD, .p_offset = KERNEL_TEXT_OFFSET, .p_paddr = wish->paddr,
		  .p_filesz = KERNEL_FILE_BYTES - KERNEL_TEXT_OFFSET,
		  .p_memsz = wish->memory_bytes },
		{ .p_type = PT_NOTE, .p_offset = 1024 },
	};
	uint8_t *end = file + 1024;

	for (unsigned int i = 0; i < KERNEL_FILE_BYTES; i++)
		file[i] = i < KERNEL_TEXT_OFFSET ? 0 : (uint8_t)(i * 7 + (i >> 8));
	end = put_note(end, XEN_ELFNOTE_VIRT_BASE, wish->virt_base);
	end = put_note(end, XEN_ELFNOTE_PADDR_OFFSET, 0);
	end = put_note(end, XEN_ELFNOTE_ENTRY, wish->entry);
	if (wish->hypercall_page)
		end = put_note(end, XEN_ELFNOTE_HYPERCALL_PAGE, wish->hypercall_page);
	if (wish->p2m_base)
		end = put_note(end, XEN_ELFNOTE_INIT_P2M, wish->p2m_base);
	if (wish->mod_start_pfn)
		end = put_note(end, XEN_ELFNOTE_MOD_START_PFN, 1);
	segments[1].p_filesz = segments[1].p_memsz = (uint64_t)(end - file) - 1024;
	memcpy(file, &head, sizeof(head));
	memcpy(file + sizeof(head), segments, sizeof(segments));
}

#endif
