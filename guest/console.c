/* SPDX-License-Identifier: MIT */
/* Console output, see console.h. Input is not needed by tests and not implemented. */
#include <guest/console.h>
#include <guest/hypercall.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>

#include <xen/io/console.h>

static char ring_page[PAGE_SIZE] __page_aligned;
static bool use_ring;

void console_init(void)
{
	const struct start_info *si = start_info;

	if (si->flags & SIF_INITDOMAIN)
		return;
	if (update_va_mapping(PTR(ring_page), pte_make(si->console.domU.mfn, PTE_KERNEL),
			      UVMF_INVLPG) == 0)
		use_ring = true;
}

static void ring_write(const char *s, size_t len)
{
	struct xencons_interface *ring = (void *)ring_page;
	struct evtchn_send send = { .port = start_info->console.domU.evtchn };

	while (len) {
		XENCONS_RING_IDX prod = ring->out_prod, cons = READ_ONCE(ring->out_cons);

		while (len && prod - cons < sizeof(ring->out)) {
			ring->out[MASK_XENCONS_IDX(prod, ring->out)] = *s++;
			prod++;
			len--;
		}
		barrier();		/* text before index: x86 keeps the order of stores */
		WRITE_ONCE(ring->out_prod, prod);
		evtchn_op(EVTCHNOP_send, &send);
		if (len)
			sched_op(SCHEDOP_yield, NULL);
	}
}

void console_write(const char *s, size_t len)
{
	if (use_ring)
		ring_write(s, len);
	else
		console_io(CONSOLEIO_write, len, (void *)s);
}

/* Wait until the console daemon has taken all: else the last lines die with the domain. */
void console_drain(void)
{
	struct xencons_interface *ring = (void *)ring_page;

	while (use_ring && READ_ONCE(ring->out_cons) != ring->out_prod)
		sched_op(SCHEDOP_yield, NULL);
}

void vprintk(const char *fmt, va_list ap)
{
	char line[256];
	int n = vsnprintf(line, sizeof(line), fmt, ap);

	console_write(line, n < (int)sizeof(line) ? n : (int)sizeof(line) - 1);
}

void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	printk("PANIC: ");
	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	printk("\n");
	guest_exit(99);
}
