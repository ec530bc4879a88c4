/* SPDX-License-Identifier: MIT */
/*
 * 16550 serial ports (National Semiconductor PC16550D data sheet). Before the
 * interrupt works, and in sync mode, output waits for the transmitter; later
 * it goes through a buffer that the transmitter's interrupt empties, so that
 * a guest's output never holds the CPU for the time a slow line needs.
 */
#include <core/console.h>
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/xmalloc.h>
#include <arch/spinlock.h>
#include <x86/asm.h>
#include <x86/console_dev.h>
#include <x86/platform.h>

#define UART_DATA	0	/* also divisor low */
#define UART_IER	1	/* also divisor high */
#define UART_IIR_FCR	2
#define UART_LCR	3
#define UART_MCR	4
#define UART_LSR	5

#define IER_RX		0x01
#define IER_TX		0x02
#define LCR_DLAB	0x80
#define LSR_RX_READY	0x01
#define LSR_TX_EMPTY	0x20
#define LSR_TX_IDLE	0x40		/* the shift register is empty as well */
#define MCR_DTR_RTS_OUT2 0x0b

#define TX_BUF		16384
#define TX_FIFO		16
#define SPIN_LIMIT	1000000		/* a transmitter that never gets ready is ignored */

struct uart {
	char opt[32];
	uint16_t io;
	uint8_t irq;
	bool enabled, dead, by_irq;
	char *tx;			/* ring, NULL until interrupts work */
	unsigned int tx_prod, tx_cons;	/* lock */
	spinlock_t lock;
};

static struct uart uarts[2] = {
	{ .io = 0x3f8, .irq = 4 }, { .io = 0x2f8, .irq = 3 },
};

static int __init set_opt(struct uart *u, const char *s)
{
	return strlcpy(u->opt, s, sizeof(u->opt)) < sizeof(u->opt) ? 0 : -EINVAL;
}
static int __init param_com1(const char *s) { return set_opt(&uarts[0], s); }
custom_param("com1", param_com1);
static int __init param_com2(const char *s) { return set_opt(&uarts[1], s); }
custom_param("com2", param_com2);

static void tx_now(struct uart *u, char c)
{
	for (unsigned int i = 0; !(inb((uint16_t)(u->io + UART_LSR)) & LSR_TX_EMPTY); i++) {
		if (i == SPIN_LIMIT) {
			u->dead = true;
			return;
		}
		cpu_relax();
	}
	outb((uint8_t)c, (uint16_t)(u->io + UART_DATA));
}

/* Fills the transmitter from the buffer. The lock is held. */
static void tx_pump(struct uart *u)
{
	if (!(inb((uint16_t)(u->io + UART_LSR)) & LSR_TX_EMPTY))
		return;
	for (unsigned int i = 0; i < TX_FIFO && u->tx_cons != u->tx_prod; i++)
		outb((uint8_t)u->tx[u->tx_cons++ % TX_BUF], u->io);
	outb(u->tx_cons != u->tx_prod ? IER_RX | IER_TX : IER_RX, (uint16_t)(u->io + UART_IER));
}

static void tx_byte(struct uart *u, char c)
{
	if (u->dead)
		return;
	if (!u->by_irq) {
		tx_now(u, c);
		return;
	}
	/* Full: make room by waiting, rather than lose what may matter most. */
	while (u->tx_prod - u->tx_cons >= TX_BUF && !u->dead)
		tx_now(u, u->tx[u->tx_cons++ % TX_BUF]);
	u->tx[u->tx_prod++ % TX_BUF] = c;
}

static void uart_puts(struct uart *u, const char *s, size_t n)
{
	unsigned long flags;

	spin_lock_irqsave(&u->lock, flags);
	for (; n; n--, s++) {
		if (*s == '\n')
			tx_byte(u, '\r');
		tx_byte(u, *s);
	}
	if (u->by_irq)
		tx_pump(u);
	spin_unlock_irqrestore(&u->lock, flags);
}

/*
 * Panic, or the machine's end: whoever held the lock will not run again. Comes back when the last byte
 * has left, which a reset would otherwise swallow.
 */
static void uart_sync(struct uart *u)
{
	spin_lock_init(&u->lock, LOCK_SERIAL);
	if (u->by_irq)
		while (u->tx_cons != u->tx_prod && !u->dead)
			tx_now(u, u->tx[u->tx_cons++ % TX_BUF]);
	u->by_irq = false;
	for (unsigned int i = 0; i < SPIN_LIMIT && !u->dead; i++)
		if (inb((uint16_t)(u->io + UART_LSR)) & LSR_TX_IDLE)
			break;
}

static void uart_interrupt(void *arg)
{
	struct uart *u = arg;
	unsigned long flags;

	for (unsigned int i = 0; i < 64 && (inb((uint16_t)(u->io + UART_LSR)) & LSR_RX_READY); i++)
		console_rx((char)inb(u->io));
	inb((uint16_t)(u->io + UART_IIR_FCR));
	spin_lock_irqsave(&u->lock, flags);
	if (u->by_irq)
		tx_pump(u);
	spin_unlock_irqrestore(&u->lock, flags);
}

static void com1_puts(const char *s, size_t n) { uart_puts(&uarts[0], s, n); }
static void com2_puts(const char *s, size_t n) { uart_puts(&uarts[1], s, n); }
static void com1_sync(void) { uart_sync(&uarts[0]); }
static void com2_sync(void) { uart_sync(&uarts[1]); }

static struct console_dev com_devs[2] = {
	{ .name = "com1", .puts = com1_puts, .sync = com1_sync },
	{ .name = "com2", .puts = com2_puts, .sync = com2_sync },
};

/* baud[/clock][,DPS[,io[,irq]]]: false if malformed. *divisor 0 keeps what the firmware set. */
static bool __init parse_port(struct uart *u, unsigned int *divisor, uint8_t *lcr)
{
	static const char parities[] = "noems";
	char *s = u->opt, *end;
	unsigned long baud;
	const char *parity;

	*lcr = 0x03;
	*divisor = 0;
	if (!strncmp(s, "auto", 4)) {
		end = s + 4;
	} else {
		baud = strtoull(s, &end, 10);
		if (end == s || !baud || baud > 115200)
			return false;
		*divisor = (unsigned int)(115200 / baud);
	}
	if (*end == '/')
		strtoull(end + 1, &end, 10);
	if (*end != ',')
		return !*end;
	s = end + 1;
	if (*s != ',' && *s) {
		if (s[0] < '5' || s[0] > '8' || !s[1] || !(parity = strchr(parities, s[1])) ||
		    (s[2] != '1' && s[2] != '2'))
			return false;
		*lcr = (uint8_t)((s[0] - '5') | (s[2] == '2' ? 4 : 0));
		*lcr |= (uint8_t)(
			(const uint8_t[]){ 0x00, 0x08, 0x18, 0x28, 0x38 }[parity - parities]);
		s += 3;
	}
	if (*s == ',' && s[1] != ',') {
		u->io = (uint16_t)strtoull(s + 1, &end, 0);
		s = end;
	}
	if (*s == ',')
		u->irq = (uint8_t)strtoull(s + 1, &end, 0);
	return u->io != 0;
}

static void __init uart_program(struct uart *u, unsigned int divisor, uint8_t lcr)
{
	outb(0, (uint16_t)(u->io + UART_IER));
	if (divisor) {
		outb(lcr | LCR_DLAB, (uint16_t)(u->io + UART_LCR));
		outb((uint8_t)divisor, (uint16_t)(u->io + UART_DATA));
		outb((uint8_t)(divisor >> 8), (uint16_t)(u->io + UART_IER));
	}
	outb(lcr, (uint16_t)(u->io + UART_LCR));
	outb(0x07, (uint16_t)(u->io + UART_IIR_FCR));
	outb(MCR_DTR_RTS_OUT2, (uint16_t)(u->io + UART_MCR));
}

void __init serial_init_early(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(uarts); i++) {
		struct uart *u = &uarts[i];
		unsigned int divisor;
		uint8_t lcr;

		spin_lock_init(&u->lock, LOCK_SERIAL);
		if (!u->opt[0])
			continue;
		if (!parse_port(u, &divisor, &lcr)) {
			printk(XENLOG_WARNING
			       "Option com%u=%s is malformed: want BAUD,DPS[,IO[,IRQ]]\n",
			       i + 1, u->opt);
			continue;
		}
		/* No port there: all ones. */
		if (inb((uint16_t)(u->io + UART_LSR)) == 0xff)
			continue;
		uart_program(u, divisor, lcr);
		u->enabled = true;
		console_register(&com_devs[i]);
	}
}

void __init serial_init_irq(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(uarts); i++) {
		struct uart *u = &uarts[i];
		unsigned long flags;

		char *tx;

		if (!u->enabled || request_gsi(u->irq, uart_interrupt, u))
			continue;
		tx = xmalloc_bytes(TX_BUF, 8);
		spin_lock_irqsave(&u->lock, flags);
		u->tx = tx;
		u->by_irq = tx != NULL;
		outb(IER_RX, (uint16_t)(u->io + UART_IER));
		spin_unlock_irqrestore(&u->lock, flags);
	}
}

uint16_t serial_port_in_use(unsigned int n)
{
	return n < ARRAY_SIZE(uarts) && uarts[n].enabled ? uarts[n].io : 0;
}
