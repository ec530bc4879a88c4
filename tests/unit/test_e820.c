/* SPDX-License-Identifier: MIT */
/*
 * The memory map: sorted, without overlaps, the safer type where two claim a
 * piece. Random maps are compared with a model that asks for each address on
 * its own.
 *
 * LINK: arch/x86/e820.c
 */
#include "harness.h"
#include <stdlib.h>
#include <x86/boot_info.h>

struct boot_info boot_info;

static char said[512];

void vprintk(const char *fmt, va_list ap)
{
	size_t n = strlen(said);

	vsnprintf(said + n, sizeof(said) - n, fmt, ap);
}

/* What e820_say_left_out() says is one line with each of the texts, or nothing. */
static void says_left_out(const char *whose, const char *a, const char *b)
{
	said[0] = '\0';
	e820_say_left_out(whose);
	if (!a) {
		assert_string_equal(said, "");
		return;
	}
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	assert_non_null(strstr(said, whose));
	assert_non_null(strstr(said, a));
	assert_non_null(strstr(said, b));
	said[0] = '\0';
	e820_say_left_out(whose);
	assert_string_equal(said, "");
}

static struct e820_entry map[BOOT_MAX_E820];
static unsigned int overlaps;

static void sorts_and_merges(void **state __maybe_unused)
{
	static const struct e820_entry in[] = {
		{ 0x5000, 0x1000, E820_RAM }, { 0x0000, 0x1000, E820_RAM },
		{ 0x1000, 0x1000, E820_RAM }, { 0x4000, 0x1000, E820_RESERVED },
	};
	unsigned int n;

	memcpy(map, in, sizeof(in));
	n = e820_sanitise(map, ARRAY_SIZE(in), BOOT_MAX_E820, &overlaps);
	assert_int_equal(n, 3);
	assert_int_equal(overlaps, 0);
	assert_int_equal(map[0].addr, 0);
	assert_int_equal(map[0].size, 0x2000);
	assert_int_equal(map[1].type, E820_RESERVED);
	assert_int_equal(map[2].addr, 0x5000);
}

static void safer_type_wins(void **state __maybe_unused)
{
	static const struct e820_entry in[] = {
		{ 0x0000, 0x10000, E820_RAM }, { 0x4000, 0x2000, E820_RESERVED },
		{ 0x5000, 0x3000, E820_ACPI }, { 0x7000, 0x1000, E820_UNUSABLE },
	};
	static const struct e820_entry want[] = {
		{ 0x0000, 0x4000, E820_RAM }, { 0x4000, 0x2000, E820_RESERVED },
		{ 0x6000, 0x1000, E820_ACPI }, { 0x7000, 0x1000, E820_UNUSABLE },
		{ 0x8000, 0x8000, E820_RAM },
	};

	memcpy(map, in, sizeof(in));
	assert_int_equal(e820_sanitise(map, ARRAY_SIZE(in), BOOT_MAX_E820, &overlaps),
			 ARRAY_SIZE(want));
	assert_true(overlaps > 0);
	assert_memory_equal(map, want, sizeof(want));
}

static unsigned int rank(uint32_t type)
{
	static const unsigned int ranks[] = { 0, 1, 4, 2, 3, 5 };

	return ranks[type];
}

static uint32_t model_type(const struct e820_entry *m, unsigned int n, uint64_t at)
{
	uint32_t type = 0;

	for (unsigned int i = 0; i < n; i++)
		if (m[i].addr <= at && at < m[i].addr + m[i].size && rank(m[i].type) > rank(type))
			type = m[i].type;
	return type;
}

/* Pieces of whole units in a small space, so that each address can be asked about. */
static void random_maps(void **state __maybe_unused)
{
	struct e820_entry in[24];

	srand(820);
	for (unsigned int round = 0; round < 2000; round++) {
		unsigned int nr = (unsigned int)rand() % ARRAY_SIZE(in), n;

		for (unsigned int i = 0; i < nr; i++)
			in[i] = (struct e820_entry){ (uint64_t)(rand() % 64),
				(uint64_t)(rand() % 20 + 1), (uint32_t)(rand() % 5 + 1) };
		memcpy(map, in, sizeof(in));
		n = e820_sanitise(map, nr, BOOT_MAX_E820, &overlaps);
		for (uint64_t at = 0; at < 90; at++)
			assert_int_equal(model_type(map, n, at), model_type(in, nr, at));
		for (unsigned int i = 1; i < n; i++) {
			assert_true(map[i].addr >= map[i - 1].addr + map[i - 1].size);
			assert_false(map[i].addr == map[i - 1].addr + map[i - 1].size &&
				     map[i].type == map[i - 1].type);
		}
	}
}

/* A result that does not fit is cut, not written past the end. */
static void full_map(void **state __maybe_unused)
{
	for (unsigned int i = 0; i < BOOT_MAX_E820; i++)
		map[i] = (struct e820_entry){ 0x2000ULL * i, 0x1000, E820_RAM };
	assert_int_equal(e820_sanitise(map, BOOT_MAX_E820, 16, &overlaps), 16);
	says_left_out("A", "240 left out, at 0x20000 and above", "0 MiB");
	assert_int_equal(e820_sanitise(map, 0, 16, &overlaps), 0);
	says_left_out("A", NULL, NULL);
}

static void adds_pieces(void **state __maybe_unused)
{
	struct boot_info *bi = &boot_info;

	bi->nr_e820 = 0;
	e820_add(bi, 0, 0, E820_RAM);			/* empty */
	e820_add(bi, ~0ULL - 5, 10, E820_RAM);		/* wraps */
	assert_int_equal(bi->nr_e820, 0);
	e820_add(bi, 0x1000, 0x1000, E820_RAM);
	e820_add(bi, 0x2000, 0x1000, E820_RAM);
	e820_add(bi, 0x3000, 0x1000, 77);		/* unknown: reserved */
	assert_int_equal(bi->nr_e820, 2);
	assert_int_equal(bi->e820[0].size, 0x2000);
	assert_int_equal(bi->e820[1].type, E820_RESERVED);
	for (unsigned int i = 0; i < BOOT_MAX_E820 + 8; i++)
		e820_add(bi, 0x100000 + 0x2000ULL * i, 0x1000, E820_RAM);
	assert_int_equal(bi->nr_e820, BOOT_MAX_E820);
	e820_add(bi, 0x80000, 64 << 20, E820_RAM);
	e820_add(bi, 0x10000000, 64 << 20, E820_RESERVED);
	says_left_out("B", "12 left out, at 0x80000 and above", "; 64 MiB of RAM");
	e820_add(bi, 0x10000000, 0x1000, E820_RAM);
	e820_start_again(bi);		/* another map replaces it */
	says_left_out("B", NULL, NULL);
	assert_int_equal(bi->nr_e820, 0);
}

static void all_mapped(void **state __maybe_unused)
{
	struct boot_info *bi = &boot_info;

	bi->nr_e820 = 0;
	e820_add(bi, 0x1000, 0x2000, E820_RAM);
	e820_add(bi, 0x3000, 0x1000, E820_RESERVED);
	e820_add(bi, 0x4000, 0x1000, E820_RAM);
	assert_true(e820_all_mapped(0x1000, 0x3000, E820_RAM));
	assert_false(e820_all_mapped(0x1000, 0x5000, E820_RAM));
	assert_false(e820_all_mapped(0x0fff, 0x2000, E820_RAM));
}

/* What dom0 must not touch is cut out of what it is told. */
static void host_reserve(void **state __maybe_unused)
{
	host_e820[0] = (struct e820_entry){ 0, 0x10000, E820_RAM };
	host_e820_nr = 1;
	host_e820_reserve(0x4000, 0x5000);
	assert_int_equal(host_e820_nr, 3);
	assert_int_equal(host_e820[1].addr, 0x4000);
	assert_int_equal(host_e820[1].type, E820_RESERVED);
	host_e820_reserve(0xfee00000, 0xfee01000);
	assert_int_equal(host_e820_nr, 4);
	says_left_out("C", NULL, NULL);
	for (unsigned int i = 0; i < BOOT_MAX_E820; i++)
		host_e820[i] = (struct e820_entry){ 0x2000ULL * i, 0x1000, E820_RAM };
	host_e820_nr = BOOT_MAX_E820;
	said[0] = '\0';
	host_e820_reserve(0xfee00000, 0xfee01000);
	assert_int_equal(host_e820_nr, BOOT_MAX_E820);
	assert_non_null(strstr(said, "dom0's memory map"));
	assert_non_null(strstr(said, "1 left out, at 0xfee00000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(sorts_and_merges),
		host_test(safer_type_wins),
		host_test(random_maps),
		host_test(full_map),
		host_test(adds_pieces),
		host_test(all_mapped),
		host_test(host_reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
