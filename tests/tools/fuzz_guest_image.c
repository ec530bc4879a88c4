/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what reads guests' kernels: ELF headers, notes and segments, the layout that follows from
 * them, and packed payloads. What is accepted must keep its promises; the sanitizers watch the
 * rest.
 */
/* LINK: dom0-tools/libs/guest/elf.c dom0-tools/libs/guest/unpack.c dom0-tools/libs/guest/layout.c */
/* LINK: dom0-tools/libs/util/core.c */
/* LIBS: -llzma -lzstd -lz -llz4 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../dom0-tools/libs/guest/private.h"
#include <guest_kernel.h>
#include <fuzz.h>
#include <packed_kernel.h>

#define BASE		0xffffffff80000000UL
#define SMALL		2048U	/* of the kernel, packed: keeps a case cheap */
#define PACKED_EVERY	16U	/* of so many cases one unpacks */

static unsigned long accepted;

/* A number that code is likely to get wrong. */
static uint64_t nasty(void)
{
	static const uint64_t values[] = {
		0, 1, 4, 0x1000, 0xfff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000ULL,
		0x7fffffffffffffffULL, 0x8000000000000000ULL, ~0ULL, BASE, BASE + 0x1000000,
		0xffff800000000000ULL, 0x00007ffffffff000ULL, 0x8000000000ULL, KERNEL_FILE_BYTES,
	};
	uint64_t value = values[dice64() % (sizeof(values) / sizeof(values[0]))];

	switch (dice64() % 4) {
	case 0:
		return value + dice64() % 9 - 4;
	case 1:
		return dice64();
	default:
		return value;
	}
}

static void mutate(uint8_t *bytes, size_t from, size_t to, unsigned int times)
{
	while (times--) {
		size_t at = from + dice64() % (to - from - 8);
		uint64_t value = nasty();

		switch (dice64() % 4) {
		case 0:
			bytes[at] ^= 1 << dice64() % 8;
			break;
		case 1:
			memcpy(bytes + (at & ~7UL), &value, 8);
			break;
		default:
			memcpy(bytes + at, &value, 1UL << dice64() % 4);
			break;
		}
	}
}

static void check_layout(const struct guest_elf *elf)
{
	uint64_t nr_pages = dice64() % 3 ? 1 + dice64() % 20000 : nasty();
	uint64_t ramdisk = dice64() % 3 ? dice64() % 5000000 : nasty();
	struct guest_layout layout;
	struct tools_error error;

	if (guest_lay_out(elf, nr_pages, ramdisk, &layout, &error))
		return;
	accepted++;
	check(layout.v_end > layout.stack && layout.stack > layout.tables, "order of addresses");
	check(layout.start_info >= elf->end, "start info behind the kernel");
	check(layout.used == layout.written[2].end && layout.used <= nr_pages, "pages in use");
	for (unsigned int i = 0; i < 3; i++)
		check(layout.written[i].first <= layout.written[i].end &&
		      (!i || layout.written[i - 1].end <= layout.written[i].first), "ranges");
	check(layout.cleared.first == layout.written[0].end &&
	      layout.cleared.end == layout.written[1].first, "what is cleared");
	check(guest_pfn(&layout, layout.v_end) <= nr_pages, "the initial mapping is populated");
	check(!ramdisk || layout.ramdisk_pfn + pages_of(ramdisk) <= nr_pages, "ramdisk");
	check(layout.p2m_pfn + layout.nr_p2m_pages + layout.nr_p2m_tables <= nr_pages,
	      "frame list");
}

static void fuzz_elf(void)
{
	static uint8_t file[KERNEL_FILE_BYTES];
	const struct kernel_wish wish = {
		.virt_base = dice64() % 4 ? BASE : nasty(),
		.paddr = dice64() % 4 ? 0x1000000 : nasty(),
		.entry = BASE + 0x1000000, .memory_bytes = dice64() % 4 ? 0x100000 : nasty(),
		.hypercall_page = dice64() % 2 ? BASE + 0x1000000 : 0,
		.p2m_base = dice64() % 2 ? nasty() : 0, .mod_start_pfn = dice64() % 2,
	};
	size_t length = dice64() % 8 ? sizeof(file) : dice64() % sizeof(file);
	struct guest_segment segment;
	struct guest_elf elf;
	const char *why = NULL;
	uint8_t *copy;

	make_kernel(file, &wish);
	mutate(file, 0, sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), (unsigned int)(dice64() % 3));
	mutate(file, 1024, 1024 + 200, (unsigned int)(dice64() % 3));
	/* A copy of exactly that length: reads past its end are seen. */
	copy = malloc(length ? length : 1);
	memcpy(copy, file, length);
	if (guest_elf_parse(copy, length, &elf, &why)) {
		check(why != NULL, "a refusal has a reason");
		free(copy);
		return;
	}
	for (unsigned int i = 0; guest_elf_segment(&elf, i, &segment); i++) {
		check(segment.offset <= length && segment.file_bytes <= length - segment.offset,
		      "segment inside the file");
		check(segment.vaddr >= elf.start && segment.vaddr <= elf.end &&
		      segment.memory_bytes <= elf.end - segment.vaddr &&
		      segment.file_bytes <= segment.memory_bytes, "segment inside the kernel");
		check(!segment.file_bytes ||
		      segment.vaddr + segment.file_bytes <= elf.file_end, "bytes before file_end");
	}
	check_layout(&elf);
	free(copy);
}

static void fuzz_packed(void)
{
	static uint8_t images[PACKINGS][PACK_ROOM], elf[KERNEL_FILE_BYTES];
	static size_t lengths[PACKINGS];
	enum packing packing = dice64() % PACKINGS;
	size_t length, part_length, out_length;
	uint8_t *copy, *out;
	const uint8_t *part;
	const char *why;

	if (!lengths[packing]) {
		make_kernel(elf,
			    &(struct kernel_wish){ .virt_base = BASE, .memory_bytes = 0x4000 });
		lengths[packing] = make_bzimage(images[packing], elf, SMALL, packing);
	}
	length = lengths[packing] - (dice64() % 8 ? 0 : dice64() % lengths[packing]);
	copy = malloc(length ? length : 1);
	memcpy(copy, images[packing], length);
	if (length > BZ_SETUP_BYTES + 0x40 + 24) {
		mutate(copy, BZ_SETUP_BYTES + 0x40, length - 4, 1 + (unsigned int)(dice64() % 4));
		if (dice64() % 4 == 0)
			mutate(copy, 0x1f1, 0x258, 1);
		if (dice64() % 64 == 0)
			copy[length - 2] = (uint8_t)dice64();
	}
	if (!guest_packed_part(copy, length, &part, &part_length)) {
		check(part >= copy && part_length <= (size_t)(copy + length - part),
		      "payload inside the file");
		if (!guest_unpack(part, part_length, &out, &out_length, &why)) {
			accepted++;
			free(out);
		}
	}
	free(copy);
}

int main(void)
{
	unsigned long count = dice_cases();

	for (unsigned long i = 0; i < count; i++) {
		if (i % PACKED_EVERY)
			fuzz_elf();
		else
			fuzz_packed();
	}
	printf("%lu accepted; %lu passed, %lu failed\n", accepted, count - failed, failed);
	return failed != 0;
}
