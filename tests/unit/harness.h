/* SPDX-License-Identifier: MIT */
/*
 * What every unit test needs beside cmocka. A test file tests/unit/test_<noun>.c
 * becomes build/unit/test_<noun>; it names the sources under test in a comment
 * of its own, each path from the root of the tree:
 *
 *	LINK: xen-core/event_channel.c xen-core/event_2l.c
 *
 * The page heap and arch/host are always linked; what is missing besides is
 * reported by name when it is called ("undefined symbol").
 */
#ifndef UNIT_HARNESS_H
#define UNIT_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <core/lib.h>
#include <core/domain.h>
#include <core/errno.h>
#include <host/host.h>

/*
 * Setup and teardown for cmocka_unit_test_setup_teardown: a fresh machine, and
 * no lock left held.
 */
int unit_setup(void **state);
int unit_teardown(void **state);
#define host_test(f)	cmocka_unit_test_setup_teardown(f, unit_setup, unit_teardown)

/* Fails the test, saying what differs, unless the resources in use are as in `before`. */
void assert_counts_equal_(const struct host_counts *before, const char *file, int line);
#define assert_counts_equal(before)	assert_counts_equal_(before, __FILE__, __LINE__)

/*
 * Runs the body with the 1st, 2nd, ... allocation (or guest copy, or
 * preemption check) failing, until it completes without reaching the fault:
 *	for_each_fault(n, host_fail_alloc) { ... }
 */
#define for_each_fault(n, arm) \
	for (unsigned int n = 1, fef_go_ = 1; fef_go_ && ((arm)(n), true); \
	     fef_go_ = host_fault_fired(), (arm)(0), n++)

#endif
