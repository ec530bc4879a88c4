/* SPDX-License-Identifier: MIT */
/* Who holds a zombie: what either hypervisor prints is understood, among other people's lines. */
/* LINK: dom0-tools/libs/light/holders.c dom0-tools/libs/util/core.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../../dom0-tools/libs/light/domain.h"

static struct light light;
static struct light_destroy report;
static char ring[8192], pressed[8];
static const char *answer[128];		/* to a key */
static int domains, fail;

int ctl_readconsole(struct ctl *ctl, char *buffer, uint32_t bytes, bool clear, bool incremental,
		    uint32_t *index)
{
	size_t n = strlen(ring) - *index;

	(void)ctl;
	assert_false(clear);
	assert_true(incremental);
	n = n < bytes ? n : bytes;
	n = n < 11 ? n : 11;	/* a few at a time, as a ring that has wrapped gives */
	memcpy(buffer, ring + *index, n);
	*index += n;
	return fail ? fail : (int)n;
}

int ctl_debug_keys(struct ctl *ctl, const char *keys)
{
	(void)ctl;
	strcat(pressed, keys);
	if (answer[(unsigned char)*keys])
		strcat(ring, answer[(unsigned char)*keys]);
	return 0;
}

int ctl_getdomaininfolist(struct ctl *ctl, domid_t first, unsigned int max,
			  struct xen_domctl_getdomaininfo *list)
{
	(void)ctl, (void)first, (void)list;
	return domains < (int)max ? domains : (int)max;
}

static int setup(void **state)
{
	(void)state;
	memset(&report, 0, sizeof(report));
	memset(answer, 0, sizeof(answer));
	/* What the console said before is not what it says now. */
	strcpy(ring, "'Z' pressed\ndying d5: 9 grants mapped by d9, first reference 9\n");
	pressed[0] = 0;
	domains = 3;
	fail = 0;
	return 0;
}

static void holder(unsigned int i, uint32_t domid, bool mapping, unsigned int count,
		   const char *words)
{
	char text[96];

	assert_true(i < report.n_holders);
	assert_int_equal(report.holders[i].domid, domid);
	assert_int_equal(report.holders[i].mapping, mapping);
	assert_int_equal(report.holders[i].count, count);
	light_holder_text(&report.holders[i], text, sizeof(text));
	assert_string_equal(text, words);
}

static void test_krypton(void **state)
{
	(void)state;
	answer['Z'] = "(XEN) 'Z' pressed -> what holds dying domains\n"
		      "(XEN) dying d4: 7 pages\n"
		      "(XEN) dying d4: 7 mappings by d0\n"
		      "(XEN) d1: dying d5: grants\n"
		      "(XEN) dying d5: 4 pages\n"
		      "(XEN) dying d5: 2 grants mapped by d0, first reference 8\n"
		      "(XEN) dying d5: 1 grants mapped by d2, first reference 11\n"
		      "(XEN) dying d55: 1 mappings by d1\n"
		      "(d7) dying d5: 8 mappings by d6\n"	/* a guest's own words */
		      "(XEN) dying d5: 1 mappings by d0\n";
	assert_int_equal(light_holders(&light, 5, &report), 0);
	assert_string_equal(pressed, "Z");
	assert_true(report.holders_complete);
	assert_int_equal(report.n_holders, 3);
	holder(0, 0, false, 2, "2 grants (from reference 8 on) mapped by domain 0");
	holder(1, 2, false, 1, "1 grant (reference 11) mapped by domain 2");
	holder(2, 0, true, 1, "1 page mapped by domain 0");
}

static void test_xen(void **state)
{
	(void)state;
	answer['Z'] = "(d7) 'Z' pressed -> not by the hypervisor\n";
	answer['g'] = "(XEN) gnttab_usage_print_all [ key 'g' pressed\n"
		      "(XEN)       -------- active --------       -------- shared --------\n"
		      "(XEN) [ref] localdom mfn      pin          localdom gmfn     flags\n"
		      "(XEN) grant-table for remote d0 (v1)\n"
		      "(XEN)   1 frames (64 max), 3 maptrack frames (1024 max)\n"
		      "(XEN) [0x003]      5 0x12345 0x00000001          5 0x012345 0x19\n"
		      "(XEN) grant-table for remote d5 (v1)\n"
		      "(XEN)   1 frames (64 max), 0 maptrack frames (1024 max)\n"
		      "(XEN) [0x008]      0 0x12345 0x00000001          0 0x012345 0x19\n"
		      "(XEN) [0x00a]      0 0x12346 0x00000101          0 0x012346 0x19\n"
		      "(XEN) [0x00b]      3 0x12347 0x00000001          3 0x012347 0x19\n"
		      "(XEN) grant-table for remote d6 (v1)\n"
		      "(XEN) [0x001]      7 0x22345 0x00000001          7 0x022345 0x19\n";
	assert_int_equal(light_holders(&light, 5, &report), 0);
	assert_string_equal(pressed, "Zg");
	assert_false(report.holders_complete);
	assert_int_equal(report.n_holders, 2);
	holder(0, 0, false, 2, "2 grants (from reference 8 on) mapped by domain 0");
	holder(1, 3, false, 1, "1 grant (reference 11) mapped by domain 3");
}

static void test_tells_nothing(void **state)
{
	(void)state;
	assert_int_equal(light_holders(&light, 5, &report), -EOPNOTSUPP);
	assert_int_equal(report.n_holders, 0);
	assert_false(report.holders_complete);
	/* With many domains Xen's long list is not asked for. */
	pressed[0] = 0;
	domains = 200;
	assert_int_equal(light_holders(&light, 5, &report), -EOPNOTSUPP);
	assert_string_equal(pressed, "Z");
	fail = -EPERM;
	assert_int_equal(light_holders(&light, 5, &report), -EPERM);
}

static void test_many(void **state)
{
	char text[4096] = "'Z' pressed\n";

	(void)state;
	for (unsigned int i = 0; i < 3 * LIGHT_MAX_HOLDERS; i++)
		sprintf(text + strlen(text),
			"dying d5: 1 grants mapped by d%u, first reference 8\n", i);
	answer['Z'] = text;
	assert_int_equal(light_holders(&light, 5, &report), 0);
	assert_int_equal(report.n_holders, LIGHT_MAX_HOLDERS);
	assert_false(report.holders_complete);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_krypton, setup),
		cmocka_unit_test_setup(test_xen, setup),
		cmocka_unit_test_setup(test_tells_nothing, setup),
		cmocka_unit_test_setup(test_many, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
