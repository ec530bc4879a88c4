/* SPDX-License-Identifier: MIT */
#include "harness.h"

int unit_setup(void **state __maybe_unused)
{
	host_reset();
	return 0;
}

int unit_teardown(void **state __maybe_unused)
{
	host_check_no_locks("a test ended");
	host_fail_alloc(0);
	host_fail_copy(0);
	host_preempt_at(0);
	host_guest_unmap_all();
	host_domains_reset();
	return 0;
}

void assert_counts_equal_(const struct host_counts *before, const char *file, int line)
{
	struct host_counts now = host_count();

	if (!memcmp(before, &now, sizeof(now)))
		return;
	print_error("%s:%d: resources leaked\n", file, line);
	host_counts_print(before);
	host_counts_print(&now);
	fail();
}
