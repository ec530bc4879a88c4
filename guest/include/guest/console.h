/* SPDX-License-Identifier: MIT */
/*
 * The guest's console: dom0 writes by CONSOLEIO_write, a domU to its PV console ring.
 *
 * console_init() must run after mm_init() in a domU; text printed before it goes to
 * CONSOLEIO_write, which an unprivileged guest may use on debug hypervisors only.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <guest/types.h>

/* Choose the console by start_info; maps the ring in a domU. */
void console_init(void);

/* Write len bytes; blocks (yielding) while a domU's ring is full. */
void console_write(const char *s, size_t len);

/* Wait until the console daemon has read everything. */
void console_drain(void);

/* printf to the console: %d %u %x with l, ll, z, %p, %s, %c, width, 0 and - flags. */
void printk(const char *fmt, ...) __printf(1, 2);
void vprintk(const char *fmt, va_list ap);

/* Print, then end the domain with KTEST-EXIT: 99. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

#endif
