/* SPDX-License-Identifier: MIT */
/*
 * Output goes to a ring (read by `xl dmesg`) and to every registered device;
 * input comes from serial and goes to dom0 or, after the switch key (Ctrl-a
 * three times), to the debug keys.
 */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include <core/types.h>

struct domain;

struct console_dev {
	const char *name;
	void (*puts)(const char *s, size_t n);	/* console lock held */
	void (*sync)(void);			/* drain; used by panic. May be NULL */
	struct console_dev *next;
};

void console_register(struct console_dev *dev);
void console_unregister(struct console_dev *dev);
/* A character typed on the serial line. Interrupt context. */
void console_rx(char c);
void console_init_ring(void);	/* needs the heap; until then a small static ring is used */
void console_endboot(void);
/* After this nothing waits for locks or rate limits: panic. */
void console_force_unlock(void);
void console_puts(const char *s, size_t n);
/* sysctl readconsole: see XEN_SYSCTL_readconsole. 0 or -EFAULT. */
struct xen_sysctl_readconsole;
int console_read_ring(struct xen_sysctl_readconsole *op);


#endif
