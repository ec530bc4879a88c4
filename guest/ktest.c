/* SPDX-License-Identifier: MIT */
/* Test reports: see ktest.h. */
#include <guest/console.h>
#include <guest/ktest.h>
#include <guest/string.h>

#define MAX_SHOWN	20	/* failures printed by quiet checks */

static unsigned int checks, failures;

static void report(bool cond, const char *name, long got, long want)
{
	checks++;
	failures += !cond;
	if (cond)
		printk("ok - %s\n", name);
	else
		printk("not ok - %s: got %ld (%lx), want %ld (%lx)\n", name, got,
		       (unsigned long)got,
		       want, (unsigned long)want);
}

#define FORMAT_NAME(name, fmt)					\
	do {							\
		va_list ap;					\
		va_start(ap, fmt);				\
		vsnprintf(name, sizeof(name), fmt, ap);		\
		va_end(ap);					\
	} while (0)

bool ktest_ok(bool cond, const char *fmt, ...)
{
	char name[128];

	FORMAT_NAME(name, fmt);
	report(cond, name, cond, true);
	return cond;
}

bool ktest_eq(long got, long want, const char *fmt, ...)
{
	char name[128];

	FORMAT_NAME(name, fmt);
	report(got == want, name, got, want);
	return got == want;
}

bool ktest_quiet_eq(long got, long want, const char *fmt, ...)
{
	char name[128];

	if (got == want) {
		checks++;
		return true;
	}
	FORMAT_NAME(name, fmt);
	if (failures < MAX_SHOWN) {
		report(false, name, got, want);
	} else {
		checks++;
		failures++;
	}
	return false;
}

void ktest_note(const char *fmt, ...)
{
	char text[160];

	FORMAT_NAME(text, fmt);
	printk("# %s\n", text);
}

int ktest_result(void)
{
	printk("# %u checks, %u failed\n", checks, failures);
	return failures != 0;
}
