/* SPDX-License-Identifier: MIT */
/*
 * Output goes to a ring (read by `xl dmesg`) and to every registered device;
 * input comes from serial and goes to dom0 or, after the switch key (Ctrl-a
 * three times, conswitch=), to the debug keys.
 */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include <core/types.h>

struct xen_sysctl_readconsole;

struct console_dev {
	const char *name;			/* as in console=, "com1", "vga" */
	void (*puts)(const char *s, size_t n);	/* console lock held */
	void (*sync)(void);			/* from now on, wait for each byte; may be NULL */
	bool boot_only;				/* dropped when dom0 starts */
	struct console_dev *next;
};

/* Adds a device if console= names it; what was printed so far is replayed to it. */
void console_register(struct console_dev *dev);
/* A character typed on the serial line. Interrupt context. */
void console_rx(char c);
/* Allocates the ring (conring_size=); until then a small one of init memory is used. */
void console_init_ring(void);
/* dom0 starts: boot-only devices are dropped, init memory is not used any more. */
void console_endboot(void);
/* After this nothing waits for locks or rate limits, and devices are synchronous: panic. */
void console_force_unlock(void);
/* Bytes as they are to the devices, and to the ring if `ring`. Any context. */
void console_write(const char *s, size_t n, bool ring);

/* ---- console_late.c: messages of handlers that may take no lock (in_nmi()) ---- */
void console_late_put(const char *s);
bool console_late_pending(void);
/* Calls say with each text, oldest first; console lock held. all: panicking, pass over gaps. */
void console_late_say(void (*say)(const char *), bool all);

/* ---- console_ring.c ---- */
void console_ring_put(const char *s, size_t n);		/* console lock held */
/* Calls fn with the pieces of what the ring holds, oldest first. */
void console_ring_replay(void (*fn)(const char *s, size_t n));
/* Switches to a bigger buffer, a power of two, keeping the contents. */
void console_ring_grow(char *buf, size_t size);
/* XEN_SYSCTL_readconsole: 0 or -EFAULT. Takes the console lock piecewise. */
int console_ring_read(struct xen_sysctl_readconsole *op);

#endif
