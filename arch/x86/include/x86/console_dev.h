/* SPDX-License-Identifier: MIT */
/* Console devices of a PC: 16550 serial ports, VGA text, a linear framebuffer. */
#ifndef X86_CONSOLE_DEV_H
#define X86_CONSOLE_DEV_H

#include <core/types.h>

struct boot_video;

/* Programs the ports that com1= and com2= name, and registers them as consoles: polled. */
void serial_init_early(void);
/*
 * From now on receive by interrupt; and transmit by interrupt, so that nobody
 * waits for a slow line.
 */
void serial_init_irq(void);
/* Registers the screen as a boot-only console (vga=keep: for good). */
void vga_init(const struct boot_video *video);
/* The first of the eight I/O ports of the n-th serial port, if we use it, else 0. */
uint16_t serial_port_in_use(unsigned int n);

#endif
