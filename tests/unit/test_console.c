/* SPDX-License-Identifier: MIT */
/*
 * printk from where no lock may be taken: an NMI or #MC that hit the console's own code, or another
 * CPU that will not let go of it. (That a lock is not taken twice, the host's locks check.)
 *
 * LINK: xen-core/console.c xen-core/console_late.c xen-core/console_ring.c xen-core/softirq.c
 */
#include "harness.h"
#include <core/console.h>
#include <core/softirq.h>

static char out[16384];
static void (*nmi)(void);		/* what hits the device's code next */

static void say_in_nmi(const char *fmt, unsigned int n)
{
	host_cpus[host_this_cpu].nmi_depth++;
	printk(fmt, n);
	host_cpus[host_this_cpu].nmi_depth--;
}

static void dev_puts(const char *s, size_t n)
{
	void (*hit)(void) = nmi;
	size_t at;

	nmi = NULL;
	if (hit)
		hit();
	at = strlen(out);
	memcpy(out + at, s, n);
	out[at + n] = '\0';
}

static struct console_dev dev = { .name = "com1", .puts = dev_puts };

static void fresh(void)
{
	static bool registered;

	if (!registered)
		console_register(&dev);
	registered = true;
	out[0] = '\0';
	nmi = NULL;
}

static void one(void) { say_in_nmi("bank %u\n", 1); }
static void two(void)
{
	one();
	host_this_cpu = 1;		/* meanwhile on another CPU */
	say_in_nmi("bank %u\n", 2);
	host_this_cpu = 0;
}

/* In the middle of a line that is being written: said when that is out, each on its own line. */
static void test_hits_the_console(void **state __maybe_unused)
{
	fresh();
	nmi = one;
	printk("hello\n");
	assert_string_equal(out, "(KRY) hello\n(KRY) bank 1\n");
	out[0] = '\0';
	nmi = two;
	printk("half a");
	assert_string_equal(out, "(KRY) half a\n(KRY) bank 1\n(KRY) bank 2\n");
}

/* Elsewhere: it waits for the softirq, and nothing is said twice. */
static void test_softirq(void **state __maybe_unused)
{
	fresh();
	one();
	assert_string_equal(out, "");
	assert_true(this_softirq_pending() & (1UL << CONSOLE_SOFTIRQ));
	printk("next\n");
	assert_string_equal(out, "(KRY) next\n(KRY) bank 1\n");
	assert_false(console_late_pending());
}

/* More than there is room for is counted; a long one is broken, not cut. */
static void test_full(void **state __maybe_unused)
{
	char text[400];

	fresh();
	memset(text, 'x', sizeof(text) - 2);
	text[398] = '\n';
	text[399] = '\0';
	host_cpus[0].nmi_depth++;
	printk("%s", text);
	host_cpus[0].nmi_depth--;
	console_write("", 0, false);
	assert_int_equal(strlen(out), 398 + 3 * 7);
	out[0] = '\0';
	for (unsigned int i = 0; i < 40; i++)
		say_in_nmi("line %u\n", i);
	console_write("", 0, false);
	assert_non_null(strstr(out, "(KRY) line 31\n(KRY) 8 messages of NMI or #MC handlers were lost\n"));
	assert_null(strstr(out, "line 32"));
	out[0] = '\0';
	one();
	console_write("", 0, false);
	assert_string_equal(out, "(KRY) bank 1\n");
}

static void dies(void)
{
	host_cpus[0].nmi_depth++;
	printk("bank 9\n");
	console_force_unlock();
	printk("Panic\n");
}

/* The handler panics while what it hit holds the lock: what it said before comes first. */
static void test_panic(void **state __maybe_unused)
{
	fresh();
	nmi = dies;
	printk("hello\n");
	assert_true(!strncmp(out, "(KRY) bank 9\n(KRY) Panic\n", 25));
	host_locks_reset();		/* that of the line that never ended */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_hits_the_console),
		host_test(test_softirq),
		host_test(test_full),
		host_test(test_panic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
