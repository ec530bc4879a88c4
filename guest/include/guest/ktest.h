/* SPDX-License-Identifier: MIT */
/*
 * Test reports: one TAP-like line per check, and a count of the failed ones for guest_main() to
 * return.
 *
 *	ktest_eq(update_va_mapping(...), -XEN_EINVAL, "reserved bit %u refused", bit);
 *	return ktest_result();
 *
 * For checks in long loops use ktest_quiet_eq(): it prints failures only (the first 20).
 */
#ifndef GUEST_KTEST_H
#define GUEST_KTEST_H

#include <guest/start.h>

/* Report "ok - name" or "not ok - name"; returns cond. */
bool ktest_ok(bool cond, const char *fmt, ...) __printf(2, 3);

/* The same for equal numbers; a failure shows both, as signed and hex. */
bool ktest_eq(long got, long want, const char *fmt, ...) __printf(3, 4);

/* Print failures only. */
bool ktest_quiet_eq(long got, long want, const char *fmt, ...) __printf(3, 4);

/* A comment line, "# text". */
void ktest_note(const char *fmt, ...) __printf(1, 2);

/* Print the summary; 0 if everything was ok, else 1. */
int ktest_result(void);

#endif
