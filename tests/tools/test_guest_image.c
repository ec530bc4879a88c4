/* SPDX-License-Identifier: MIT */
/*
 * Kernel images: every packing that Linux has, ELF files and their notes, and what is refused why.
 */
/* LINK: dom0-tools/libs/guest/elf.c dom0-tools/libs/guest/unpack.c dom0-tools/libs/guest/layout.c */
/* LINK: dom0-tools/libs/guest/image.c dom0-tools/libs/util/core.c dom0-tools/libs/util/file.c */
/* LIBS: -llzma -lzstd -lz -llz4 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../dom0-tools/libs/guest/private.h"
#include <guest_kernel.h>
#include <packed_kernel.h>

#define BASE 0xffffffff80000000UL

static const struct kernel_wish wish = {
	.virt_base = BASE, .paddr = 0x1000000, .entry = BASE + 0x1000200, .memory_bytes = 0x100000,
	.hypercall_page = BASE + 0x1001000, .p2m_base = 0x8000000000UL, .mod_start_pfn = 1,
};
static uint8_t kernel[KERNEL_FILE_BYTES], image[PACK_ROOM];
static char path[] = "/tmp/test_guest_image.XXXXXX";

static int setup(void **state)
{
	(void)state;
	make_kernel(kernel, &wish);
	return 0;
}

static void write_image(const void *bytes, size_t length)
{
	assert_int_equal(tools_write_file(path, bytes, length, 0600), 0);
}

static void test_packings(void **state)
{
	(void)state;
	for (enum packing packing = PACK_XZ; packing < PACKINGS; packing++) {
		struct tools_error error = { 0 };
		struct guest_image out;

		write_image(image, make_bzimage(image, kernel, sizeof(kernel), packing));
		assert_int_equal(guest_image_load_kernel(path, &out, &error), 0);
		assert_int_equal(out.length, sizeof(kernel));
		assert_int_equal(out.fd, -1);
		assert_memory_equal(out.bytes, kernel, sizeof(kernel));
		guest_image_free(&out);
		assert_null(out.bytes);
	}
}

static void test_plain_files(void **state)
{
	struct tools_error error = { 0 };
	struct guest_image out;

	(void)state;
	write_image(kernel, sizeof(kernel));
	assert_int_equal(guest_image_load_kernel(path, &out, &error), 0);
	assert_true(out.fd >= 0);
	assert_memory_equal(out.bytes, kernel, sizeof(kernel));
	guest_image_free(&out);
	/* gzip alone, as distributions' vmlinux.gz */
	write_image(image, pack_gzip(kernel, sizeof(kernel), image));
	assert_int_equal(guest_image_load_kernel(path, &out, &error), 0);
	assert_memory_equal(out.bytes, kernel, sizeof(kernel));
	guest_image_free(&out);
	/* a ramdisk is taken as it is */
	assert_int_equal(guest_image_load_ramdisk(path, &out, &error), 0);
	guest_image_free(&out);
	unlink(path);
	assert_int_equal(guest_image_load_kernel(path, &out, &error), -ENOENT);
	assert_string_equal(error.code, "no-image");
	guest_image_free(&out);
	write_image("", 0);
	assert_int_equal(guest_image_load_ramdisk(path, &out, &error), -EINVAL);
	assert_int_equal(guest_image_load_ramdisk("/tmp", &out, &error), -EINVAL);
	assert_int_equal(guest_image_load_ramdisk("/dev/null", &out, &error), -EINVAL);
}

static void test_damaged(void **state)
{
	struct tools_error error;
	struct guest_image out;
	size_t length;

	(void)state;
	for (enum packing packing = PACK_XZ; packing < PACKINGS; packing++) {
		length = make_bzimage(image, kernel, sizeof(kernel), packing);
		image[length - 4]++;			/* another size */
		write_image(image, length);
		assert_int_equal(guest_image_load_kernel(path, &out, &error), -EINVAL);
		assert_string_equal(error.code, "bad-image");
		length = make_bzimage(image, kernel, sizeof(kernel), packing);
		write_image(image, length - 100);	/* cut off */
		assert_int_equal(guest_image_load_kernel(path, &out, &error), -EINVAL);
	}
	length = make_bzimage(image, kernel, sizeof(kernel), PACK_LZ4);
	image[BZ_SETUP_BYTES + 0x40] = 'B';		/* an unknown packing */
	write_image(image, length);
	assert_int_equal(guest_image_load_kernel(path, &out, &error), -EOPNOTSUPP);
	length = make_bzimage(image, kernel, sizeof(kernel), PACK_XZ);
	memset(image + length - 4, 0xff, 4);		/* 4 GiB */
	write_image(image, length);
	assert_int_equal(guest_image_load_kernel(path, &out, &error), -EFBIG);
	image[0x207] = 1;				/* a protocol without payload */
	write_image(image, length);
	assert_int_equal(guest_image_load_kernel(path, &out, &error), -EINVAL);
}

static void test_notes(void **state)
{
	struct guest_segment segment;
	struct guest_elf elf;
	const char *why;

	(void)state;
	assert_int_equal(guest_elf_parse(kernel, sizeof(kernel), &elf, &why), 0);
	assert_true(elf.virt_base == BASE && elf.p2m_base == 0x8000000000UL && elf.mod_start_pfn);
	assert_true(elf.start == BASE + 0x1000000 && elf.end == BASE + 0x1100000);
	assert_true(guest_elf_segment(&elf, 0, &segment));
	assert_int_equal(segment.file_bytes, KERNEL_FILE_BYTES - KERNEL_TEXT_OFFSET);
	assert_int_equal(segment.memory_bytes, 0x100000);
	assert_false(guest_elf_segment(&elf, 1, &segment));
}

/* A kernel that differs from the good one in one wish. */
static void refuse(const struct kernel_wish *bad, const char *word)
{
	struct guest_elf elf;
	const char *why;

	make_kernel(kernel, bad);
	assert_int_equal(guest_elf_parse(kernel, sizeof(kernel), &elf, &why), -EINVAL);
	assert_non_null(strstr(why, word));
}

static void test_refused(void **state)
{
	struct kernel_wish bad = wish;
	struct guest_elf elf;
	const char *why;

	(void)state;
	bad.entry = BASE;
	refuse(&bad, "entry");
	bad = wish;
	bad.hypercall_page = BASE + 0x2000000;
	refuse(&bad, "hypercall page");
	bad = wish;
	bad.virt_base = BASE + 123;
	refuse(&bad, "VIRT_BASE");
	bad = wish;
	bad.memory_bytes = 5UL << 30;
	refuse(&bad, "too large");
	bad = wish;
	bad.paddr = ~0UL - 0x1000;
	refuse(&bad, "too large");
	bad = wish;
	bad.paddr = 3UL << 30;
	refuse(&bad, "2 GiB");
	bad = wish;
	bad.memory_bytes = 100;
	refuse(&bad, "past the end");
	make_kernel(kernel, &wish);
	for (size_t length = 0; length < 2048; length++)
		assert_int_equal(guest_elf_parse(kernel, length, &elf, &why), -EINVAL);
	memset(kernel + 1024, 0, 512);
	assert_int_equal(guest_elf_parse(kernel, sizeof(kernel), &elf, &why), -EINVAL);
	assert_non_null(strstr(why, "notes"));
}

static void test_layout(void **state)
{
	struct tools_error error = { 0 };
	struct guest_layout layout;
	struct guest_elf elf;
	const char *why;

	(void)state;
	assert_int_equal(guest_elf_parse(kernel, sizeof(kernel), &elf, &why), 0);
	assert_int_equal(guest_lay_out(&elf, 32 << 8, 12345, &layout, &error), 0);
	assert_true(layout.outer_p2m);
	assert_true(layout.start_info == BASE + 0x1100000);
	assert_true(layout.store == layout.start_info + 0x1000);
	assert_true(layout.console == layout.store + 0x1000);
	assert_true(layout.tables == layout.console + 0x1000);
	/* 20 MiB from 16 MiB and a bit: L4, L3, L2, ten L1 */
	assert_int_equal(layout.nr_tables, 13);
	assert_true(layout.v_end == BASE + 0x1400000);
	assert_int_equal(layout.ramdisk_pfn, 0x1400);
	assert_int_equal(layout.p2m_pfn, 0x1404);
	assert_int_equal(layout.nr_p2m_pages, 16);
	assert_int_equal(layout.nr_p2m_tables, 3);
	assert_int_equal(layout.used, 0x1404 + 19);
	assert_int_equal(layout.written[0].first, 0x1000);
	assert_int_equal(layout.written[0].end, 0x1003);
	assert_int_equal(layout.cleared.end, 0x1100);
	assert_int_equal(guest_lay_out(&elf, 20 << 8, 12345, &layout, &error), -E2BIG);
	assert_int_equal(guest_lay_out(&elf, 1UL << 40, 0, &layout, &error), -EINVAL);
	assert_int_equal(guest_lay_out(&elf, 32 << 8, ~0UL, &layout, &error), -E2BIG);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(test_##name, setup)
	const struct CMUnitTest tests[] = {
		CASE(packings), CASE(plain_files), CASE(damaged), CASE(notes), CASE(refused),
		CASE(layout),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	close(fd);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
