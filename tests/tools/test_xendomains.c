/* SPDX-License-Identifier: MIT */
/*
 * The script that starts and stops guests with the host, with a kl that keeps its domains in files:
 * what is asked of it, in which order, and that a dead domain whose memory somebody holds is waited
 * for by nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test-xendomains-XXXXXX";

/*
 * A domain is a file in domains/ with its state, as `kl list` has it; create takes the name from
 * the file's own. It says what it was told, but for list.
 */
static const char fake_kl[] =
	"#!/bin/sh\n"
	"cd \"${0%/*}\" || exit 1\n"
	"[ \"$1\" = list ] || echo \"$*\" >>told\n"
	"row() { echo \"$1   $2  64  1  $(cat domains/$1)  0.1\"; }\n"
	"case $1 in\n"
	"list)\n"
	"	[ -z \"$2\" ] || [ -e domains/$2 ] || exit 1\n"
	"	echo 'Name   ID   Mem VCPUs  State  Time(s)'\n"
	"	[ -n \"$2\" ] || echo 'Domain-0   0  640  2  r-----  12.5'\n"
	"	for f in ${2:-$(ls domains)}; do row $f 7; done ;;\n"
	"create) echo -b---- >domains/$(sed -n 's/name = \"\\(.*\\)\"/\\1/p' $3) ;;\n"
	"shutdown) [ \"$2\" = -F ] || rm domains/$2 ;;\n"
	"destroy) rm domains/$2 ;;\n"
	"esac\n";

static void sh(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Runs the script; what kl was told since the last time must be @told. */
static void xendomains(const char *verb, const char *told)
{
	char text[1024] = "", path[128];
	FILE *f;

	sh("cd %s && : >told && KL=%s/kl timeout 30 ./xendomains %s >said 2>&1", folder, folder,
	   verb);
	snprintf(path, sizeof(path), "%s/told", folder);
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	assert_string_equal(text, told);
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	sh("mkdir %s/auto %s/domains", folder, folder);
	put("capabilities", "control_d\n");
	put("kl", fake_kl);
	put("auto/10-dns", "name = \"dns\"\n");
	put("auto/20-web", "name = \"web\"\n");
	/* Its own places in place of the host's. */
	sh("sed 's,/proc/xen/capabilities,%s/capabilities,; s,/run/xen/xendomains,%s/record,; s,/etc/xen/auto,%s/auto,;"
	   " s,/etc/default/xendomains,%s/settings,g; s,mkdir -p /run/xen,:,' packaging/scripts/xendomains >%s/xendomains",
	   folder, folder, folder, folder, folder);
	sh("chmod 755 %s/xendomains %s/kl", folder, folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sh("rm -rf %s", folder);
	return 0;
}

static void test_order(void **state)
{
	char told[256];

	(void)state;
	snprintf(told, sizeof(told), "create -q %s/auto/10-dns\ncreate -q %s/auto/20-web\n", folder,
		 folder);
	xendomains("start", told);
	xendomains("start", "");
	put("domains/hand", "-b----\n");
	xendomains("stop", "shutdown hand\nshutdown web\nshutdown dns\n");
}

/* A name is no pattern. */
static void test_names(void **state)
{
	(void)state;
	put("domains/web", "-b----\n");
	put("domains/dns", "-b----\n");
	put("domains/w.b", "-b----\n");
	xendomains("start", "");
	xendomains("stop", "shutdown w.b\nshutdown web\nshutdown dns\n");
}

/* Dead, but its memory is held: it is neither to be ended nor in the way of the new one. */
static void test_held(void **state)
{
	char told[256];

	(void)state;
	put("domains/dns", "-b----\n");
	put("domains/web", "-----d\n");
	snprintf(told, sizeof(told), "create -q %s/auto/20-web\n", folder);
	xendomains("start", told);
	put("domains/web", "-----d\n");
	put("domains/other", "--p--d\n");
	xendomains("stop", "shutdown dns\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_order), T(test_names), T(test_held) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
