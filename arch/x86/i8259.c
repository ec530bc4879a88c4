/* SPDX-License-Identifier: MIT */
/*
 * The two legacy interrupt controllers: moved out of the exception vectors and
 * masked for good; all interrupts come through the IO-APICs. (Intel 8259A)
 */
#include <core/lib.h>
#include <x86/acpi.h>
#include <x86/asm.h>
#include <x86/irq.h>
#include <x86/platform.h>

#define PIC1_CMD	0x20
#define PIC1_DATA	0x21
#define PIC2_CMD	0xa0
#define PIC2_DATA	0xa1

void __init i8259_init(void)
{
	if (!acpi.has_8259)
		return;
	outb(0xff, PIC1_DATA);
	outb(0xff, PIC2_DATA);
	outb(0x11, PIC1_CMD);			/* ICW1: edge, cascade, ICW4 follows */
	outb(VECTOR_LEGACY, PIC1_DATA);		/* ICW2: vector of line 0 */
	outb(0x04, PIC1_DATA);			/* ICW3: slave on line 2 */
	outb(0x01, PIC1_DATA);			/* ICW4: 8086 mode */
	outb(0x11, PIC2_CMD);
	outb(VECTOR_LEGACY + 8, PIC2_DATA);
	outb(0x02, PIC2_DATA);
	outb(0x01, PIC2_DATA);
	outb(0xff, PIC1_DATA);
	outb(0xff, PIC2_DATA);
}

/* A vector of these controllers came: only spurious ones can, while all is masked. */
void i8259_spurious(unsigned int vector)
{
	if (vector >= VECTOR_LEGACY + 8)
		outb(0x62, PIC1_CMD);		/* the cascade line needs its EOI */
}
