/* SPDX-License-Identifier: MIT */
/*
 * Kernel files: a small ELF kernel and a small bzImage are understood; cut at
 * every length, or with random bytes, they are refused or understood, but
 * never read past their end (each copy is a malloc of its exact size, so that
 * the address sanitizer sees it).
 *
 * LINK: arch/x86/pv/dom0_image.c
 */
#include "harness.h"
#include <stdlib.h>
#include <xen/elfnote.h>
#include "../../arch/x86/pv/dom0_private.h"

#define BASE		0xffffffff80000000UL
#define ENTRY		(BASE + 0x1000010UL)
#define PHDRS_AT	64U
#define NOTES_AT	256U
#define CODE_AT		1024U
#define FILE_SIZE	2048U

static uint8_t file[FILE_SIZE];
static unsigned int notes_end;

static void put(unsigned int at, unsigned int bytes, uint64_t v)
{
	memcpy(file + at, &v, bytes);
}

static void note(uint32_t type, uint64_t value, unsigned int bytes)
{
	put(notes_end, 4, 4);
	put(notes_end + 4, 4, bytes);
	put(notes_end + 8, 4, type);
	memcpy(file + notes_end + 12, "Xen", 4);
	put(notes_end + 16, bytes, value);
	notes_end += 16 + ROUNDUP(bytes, 4u);
}

static void phdr(unsigned int n, uint32_t type, uint64_t offset, uint64_t pa, uint64_t filesz,
		 uint64_t memsz)
{
	unsigned int at = PHDRS_AT + n * 56;

	put(at, 4, type);
	put(at + 8, 8, offset);
	put(at + 16, 8, BASE + pa);
	put(at + 24, 8, pa);
	put(at + 32, 8, filesz);
	put(at + 40, 8, memsz);
}

static void build_elf(void)
{
	memset(file, 0, sizeof(file));
	memcpy(file, "\177ELF\2\1\1", 7);
	put(16, 2, 2);
	put(18, 2, 62);
	put(24, 8, ENTRY);
	put(32, 8, PHDRS_AT);
	put(54, 2, 56);
	put(56, 2, 2);
	notes_end = NOTES_AT;
	note(XEN_ELFNOTE_VIRT_BASE, BASE, 8);
	note(XEN_ELFNOTE_ENTRY, ENTRY, 8);
	note(XEN_ELFNOTE_INIT_P2M, 0x8000000000, 8);
	note(XEN_ELFNOTE_MOD_START_PFN, 1, 4);
	note(XEN_ELFNOTE_SUPPORTED_FEATURES, 0x8801, 4);
	note(XEN_ELFNOTE_GUEST_OS, 0x78756e696cUL, 6);	/* "linux" */
	note(XEN_ELFNOTE_PAE_MODE, 0x736579, 4);	/* "yes" */
	phdr(0, 1, CODE_AT, 0x1000000, 1024, 0x3000);
	phdr(1, 4, NOTES_AT, 0, notes_end - NOTES_AT, notes_end - NOTES_AT);
}

/* Parses an exact copy of the first len bytes, and walks what was accepted. */
static int parse_copy(size_t len, struct kernel_image *k)
{
	uint8_t *copy = malloc(len ? len : 1);
	const char *why = NULL;
	unsigned long va, sum = 0;
	const uint8_t *data;
	size_t filesz, memsz;
	int rc;

	memcpy(copy, file, len);
	memset(k, 0, sizeof(*k));
	rc = kernel_parse_elf(k, copy, len, &why);
	assert_int_equal(rc != 0, why != NULL);
	for (unsigned int n = 0; !rc && kernel_segment(k, n, &va, &data, &filesz, &memsz); n++) {
		assert_true(va >= k->kernel_start && va + memsz <= k->kernel_end);
		assert_true(filesz <= memsz);
		for (size_t i = 0; i < filesz; i++)
			sum += data[i];
	}
	(void)sum;
	free(copy);
	return rc;
}

static void good_kernel(void **state __maybe_unused)
{
	struct kernel_image k;

	build_elf();
	assert_int_equal(parse_copy(FILE_SIZE, &k), 0);
	assert_int_equal(k.entry, ENTRY);
	assert_int_equal(k.virt_base, BASE);
	assert_int_equal(k.p2m_base, 0x8000000000);
	assert_int_equal(k.kernel_start, BASE + 0x1000000);
	assert_int_equal(k.kernel_end, BASE + 0x1003000);
	assert_true(k.mod_start_pfn);
	assert_true(k.pae);
	assert_int_equal(k.supported, 0x8801);
	assert_string_equal(k.os, "linux");
	assert_int_equal(k.hypercall_page, UNSET_ADDR);
}

static void refused_kernels(void **state __maybe_unused)
{
	struct kernel_image k;

	build_elf();
	put(18, 2, 3);			/* i386 */
	assert_int_equal(parse_copy(FILE_SIZE, &k), -EINVAL);
	build_elf();
	phdr(1, 0, 0, 0, 0, 0);		/* no notes */
	assert_int_equal(parse_copy(FILE_SIZE, &k), -EINVAL);
	build_elf();
	phdr(0, 0, 0, 0, 0, 0);		/* nothing to load */
	assert_int_equal(parse_copy(FILE_SIZE, &k), -EINVAL);
	build_elf();
	phdr(0, 1, CODE_AT, 0x1000000, 1025, 0x3000);	/* a byte past the end */
	assert_int_equal(parse_copy(FILE_SIZE, &k), -EINVAL);
	build_elf();
	phdr(0, 1, CODE_AT, 0x1000000, 1024, 1000);	/* file larger than memory */
	assert_int_equal(parse_copy(FILE_SIZE, &k), -EINVAL);
	build_elf();
	put(NOTES_AT + 24 + 16, 8, BASE);		/* entry outside */
	assert_int_equal(parse_copy(FILE_SIZE, &k), -EINVAL);
}

static void cut_kernels(void **state __maybe_unused)
{
	struct kernel_image k;

	build_elf();
	for (size_t len = 0; len < FILE_SIZE; len++)
		assert_int_equal(parse_copy(len, &k), -EINVAL);
}

static void damaged_kernels(void **state __maybe_unused)
{
	struct kernel_image k;

	srand(62);
	for (unsigned int round = 0; round < 20000; round++) {
		build_elf();
		for (unsigned int n = (unsigned int)rand() % 8 + 1; n; n--)
			file[(unsigned int)rand() % (notes_end + 16)] = (uint8_t)rand();
		(void)parse_copy(FILE_SIZE - (unsigned int)rand() % 64, &k);
	}
}

/* ---- bzImage ---- */

static void build_bzimage(void)
{
	memset(file, 0, sizeof(file));
	memcpy(file + 0x202, "HdrS", 4);
	put(0x206, 2, 0x20f);
	file[0x1f1] = 1;		/* set-up: 2 sectors */
	put(0x248, 4, 16);
	put(0x24c, 4, 512);
}

static void bzimages(void **state __maybe_unused)
{
	const uint8_t *payload;
	size_t len;

	build_bzimage();
	assert_int_equal(bzimage_payload(file, FILE_SIZE, &payload, &len), 0);
	assert_ptr_equal(payload, file + 1024 + 16);
	assert_int_equal(len, 512);
	for (size_t size = 0; size < 1024 + 16 + 512; size++)
		assert_true(bzimage_payload(file, size, &payload, &len) < 0);
	assert_int_equal(bzimage_payload(file, 1024 + 16 + 512, &payload, &len), 0);
	put(0x206, 2, 0x207);
	assert_int_equal(bzimage_payload(file, FILE_SIZE, &payload, &len), -EINVAL);
	build_bzimage();
	put(0x248, 4, ~0u);
	assert_int_equal(bzimage_payload(file, FILE_SIZE, &payload, &len), -EINVAL);
	build_bzimage();
	put(0x24c, 4, ~0u);
	assert_int_equal(bzimage_payload(file, FILE_SIZE, &payload, &len), -EINVAL);
	build_elf();
	assert_int_equal(bzimage_payload(file, FILE_SIZE, &payload, &len), -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(good_kernel),
		host_test(refused_kernels),
		host_test(cut_kernels),
		host_test(damaged_kernels),
		host_test(bzimages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
