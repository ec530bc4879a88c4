/* SPDX-License-Identifier: MIT */
/*
 * What a boot loader passes: modules beyond those that there is room for, and the words of a command
 * line that are not arguments.
 *
 * LINK: arch/x86/boot/boot_info.c
 */
#include "harness.h"
#include "../../arch/x86/boot/boot_parse.h"

static char said[256];

void vprintk(const char *fmt, va_list ap)
{
	vsnprintf(said, sizeof(said), fmt, ap);
}

/* The first ones are used, of the others it is said how many there are; empty ones do not count. */
static void test_modules_left_out(void **state __maybe_unused)
{
	struct boot_info *bi = &boot_info;

	for (unsigned int i = 0; i < BOOT_MAX_MODULES; i++) {
		boot_add_module(bi, 0x1000 * i + 1, 0x1000 * i + 2, "file argument", true);
		boot_add_module(bi, 0x1000, 0x1000, "empty", true);
	}
	boot_say_left_out(bi);
	assert_string_equal(said, "");
	for (unsigned int i = 0; i < 3; i++)
		boot_add_module(bi, 0x5000000, 0x5001000, "late", false);
	assert_int_equal(bi->nr_modules, BOOT_MAX_MODULES);
	assert_int_equal(bi->modules[BOOT_MAX_MODULES - 1].start, 0x1000 * 15 + 1);
	assert_string_equal(bi->modules[0].cmdline, "argument");
	boot_say_left_out(bi);
	assert_non_null(strstr(said, "passed 19 modules, of which only the first 16 are used: the other 3 "));
}

static void test_cmdline(void **state __maybe_unused)
{
	static const struct { const char *in; bool has_name; const char *out; } cases[] = {
		{ "", true, "" }, { "  ", false, "" }, { "krypton", true, "" },
		{ " krypton  a=b c", true, "a=b c" }, { "a=b c", false, "a=b c" },
		{ "placeholder a=b", false, "a=b" }, { "placeholder", false, "" },
		{ "placeholders a=b", false, "placeholders a=b" },
		{ "k placeholder  root=x", true, "root=x" },
	};
	char out[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		boot_copy_cmdline(out, sizeof(out), cases[i].in, cases[i].has_name);
		assert_string_equal(out, cases[i].out);
	}
	boot_copy_cmdline(out, 4, "abcdef", false);
	assert_string_equal(out, "abc");
	assert_false(loader_adds_name("GRUB 2.06"));
	assert_true(loader_adds_name("GRUB 0.97"));
	assert_true(loader_adds_name("qemu"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_modules_left_out),
		host_test(test_cmdline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
