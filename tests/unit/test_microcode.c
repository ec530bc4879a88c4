/* SPDX-License-Identifier: MIT */
/*
 * Microcode files: the newest patch that fits is chosen, by header or by table;
 * files cut at any byte or with any byte changed are refused or give a patch
 * that lies inside of them. Buffers end where the file ends, so the address
 * sanitizer sees every byte read too far.
 *
 * LINK: arch/x86/microcode_parse.c
 */
#include "harness.h"
#include <stdlib.h>
#include <x86/microcode.h>

#define SIG	0x000906eaU
#define PF	0x02U

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

/* A patch of 1024 bytes: header, 900 bytes of data, an extended table of one entry. */
static void intel_patch(uint8_t *p, uint32_t sig, uint32_t pf, uint32_t rev, uint32_t ext_sig)
{
	uint32_t sum = 0, w;

	memset(p, 0, 1024);
	put32(p, 1);
	put32(p + 4, rev);
	put32(p + 12, sig);
	put32(p + 20, 1);
	put32(p + 24, pf);
	put32(p + 28, 900);
	put32(p + 32, 1024);
	memset(p + 48, 0x5a, 900);
	for (unsigned int i = 0; i < 948; i += 4) {
		memcpy(&w, p + i, 4);
		sum += w;
	}
	put32(p + 16, -sum);
	put32(p + 948, 1);
	put32(p + 968, ext_sig);
	put32(p + 972, PF);
}

static void intel_newest(void **state __maybe_unused)
{
	uint8_t *f = malloc(4096);
	const uint8_t *patch = NULL;
	uint32_t rev = 0;

	intel_patch(f, SIG, PF, 5, 0);
	intel_patch(f + 1024, 0x1234, PF, 9, 0);	/* another CPU */
	intel_patch(f + 2048, 0x1234, PF, 8, SIG);	/* ours by the table */
	intel_patch(f + 3072, SIG, 0x10, 20, 0);	/* another platform */
	assert_int_equal(microcode_find_intel(f, 4096, SIG, PF, 1, &patch, &rev), 0);
	assert_int_equal(rev, 8);
	assert_ptr_equal(patch, f + 2048 + 48);
	assert_int_equal(microcode_find_intel(f, 4096, SIG, PF, 8, &patch, &rev), -ENOENT);
	assert_int_equal(microcode_find_intel(f, 4096, 7, PF, 0, &patch, &rev), -ENOENT);
	assert_int_equal(microcode_find_intel(f, 1000, SIG, PF, 0, &patch, &rev), -EINVAL);
	f[100] ^= 1;
	assert_int_equal(microcode_find_intel(f, 4096, SIG, PF, 0, &patch, &rev), -EINVAL);
	free(f);
}

/* A container: one CPU called 0xa1, patches 3 and 7 for it and 9 for another. */
static size_t amd_file(uint8_t *f)
{
	static const struct {
		uint32_t id;
		uint16_t cpu;
	} p[] = { { 3, 0xa1 }, { 7, 0xa1 }, { 9, 0xa2 } };
	size_t off = 12 + 32;

	memset(f, 0, 1024);
	put32(f, 0x00414d44);
	put32(f + 8, 32);
	put32(f + 12, SIG);
	put32(f + 24, 0xa1);
	for (unsigned int i = 0; i < 3; i++, off += 8 + 96) {
		put32(f + off, 1);
		put32(f + off + 4, 96);
		put32(f + off + 8 + 4, p[i].id);
		put32(f + off + 8 + 24, p[i].cpu);
	}
	return off;
}

static void amd_newest(void **state __maybe_unused)
{
	uint8_t *f = malloc(1024);
	size_t len = amd_file(f);
	const uint8_t *patch = NULL;
	uint32_t rev = 0;

	assert_int_equal(microcode_find_amd(f, len, SIG, 1, &patch, &rev), 0);
	assert_int_equal(rev, 7);
	assert_ptr_equal(patch, f + 44 + 104 + 8);
	assert_int_equal(microcode_find_amd(f, len, SIG, 7, &patch, &rev), -ENOENT);
	assert_int_equal(microcode_find_amd(f, len, 1, 0, &patch, &rev), -ENOENT);
	free(f);
}

static void check_inside(int rc, const uint8_t *patch, const uint8_t *f, size_t len)
{
	if (!rc)
		assert_true(patch >= f && patch < f + len);
	else
		assert_true(rc == -EINVAL || rc == -ENOENT);
}

static void cut_and_changed(void **state __maybe_unused)
{
	static uint8_t intel[1024], amd[1024];
	size_t amd_len = amd_file(amd);
	const uint8_t *patch = NULL;
	uint32_t rev;
	int rc;

	intel_patch(intel, SIG, PF, 5, SIG);
	for (size_t len = 0; len <= 1024; len++) {
		uint8_t *f = malloc(len + 1);

		memcpy(f + 1, intel, len);
		rc = microcode_find_intel(f + 1, len, SIG, PF, 0, &patch, &rev);
		check_inside(rc, patch, f + 1, len);
		memcpy(f + 1, amd, len);
		rc = microcode_find_amd(f + 1, min(len, amd_len), SIG, 0, &patch, &rev);
		check_inside(rc, patch, f + 1, len);
		free(f);
	}
	for (unsigned int i = 0; i < amd_len; i++)
		for (unsigned int v = 0; v < 256; v += 5) {
			uint8_t *f = malloc(amd_len);

			memcpy(f, amd, amd_len);
			f[i] = (uint8_t)v;
			rc = microcode_find_amd(f, amd_len, SIG, 0, &patch, &rev);
			check_inside(rc, patch, f, amd_len);
			free(f);
		}
}

static void early_cpio(void **state __maybe_unused)
{
	/* 13 fields of 8 digits; file size and name size matter */
	static const char head[] = "070701"
		"00000001" "000081a4" "00000000" "00000000" "00000001" "00000000" "00000005"
		"00000000" "00000000" "00000000" "00000000" "00000004" "00000000";
	size_t size = 0, len = sizeof(head) - 1 + 4 + 2 + 5;
	uint8_t *f;

	assert_int_equal(sizeof(head) - 1, 110);
	for (size_t cut = 0; cut <= len; cut++) {
		const uint8_t *found;

		f = calloc(1, cut + 1);
		memcpy(f + 1, head, min(cut, sizeof(head) - 1));
		for (size_t i = 110; i < cut; i++)
			f[1 + i] = (uint8_t)"abc\0\0\0hello"[i - 110];
		found = cpio_find(f + 1, cut, "abc", &size);
		assert_int_equal(found != NULL, cut == len);
		if (found) {
			assert_int_equal(size, 5);
			assert_memory_equal(found, "hello", 5);
			assert_null(cpio_find(f + 1, cut, "abd", &size));
		}
		free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(intel_newest),
		host_test(amd_newest),
		host_test(cut_and_changed),
		host_test(early_cpio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
