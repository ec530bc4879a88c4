/* SPDX-License-Identifier: MIT */
/*
 * The life of a test guest: guest_start() sets everything up, calls the test's guest_main() and
 * reports.
 *
 * A test is one main.c that defines guest_main(); what that returns becomes the line "KTEST-EXIT:
 * <n>" by which the harness judges (0 = pass), and the domain powers off.
 */
#ifndef GUEST_START_H
#define GUEST_START_H

#include <guest/types.h>

extern struct start_info *start_info;
extern struct shared_info *shared_info;
extern uint64_t entry_tsc;	/* TSC at the kernel's first instruction */
extern unsigned long boot_rsp;	/* the builder's stack pointer at entry */

/* Maps the page that start_info names as shared_info: at the start, and in a new domain. */
void map_shared_info(void);

/* Are we the initial domain? */
static inline bool is_dom0(void)
{
	return start_info->flags & SIF_INITDOMAIN;
}

/* To be written by each test: 0 for success. */
int guest_main(void);

/* Print KTEST-EXIT and power the domain off. */
void guest_exit(int status) __noreturn;

/* The value of "name=123" (or 0x..) on the command line, or fallback. */
unsigned long arg_number(const char *name, unsigned long fallback);

/* Is the bare word on the command line? */
bool arg_present(const char *name);

#endif
