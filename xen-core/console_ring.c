/* SPDX-License-Identifier: MIT */
/*
 * The ring of past console output. Producer and consumer are free-running
 * counts of bytes, as XEN_SYSCTL_readconsole with `incremental` exposes them.
 */
#include <core/console.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/lib.h>
#include <xen/sysctl.h>

#define BOOT_RING	16384

static char boot_ring[BOOT_RING] __initdata;
static char *ring = boot_ring;
static uint32_t ring_size = BOOT_RING;
static uint32_t prod, cons;		/* cons: oldest byte not cleared */

static void put_byte(char c)
{
	ring[prod++ & (ring_size - 1)] = c;
	if (prod - cons > ring_size)
		cons = prod - ring_size;
}

void console_ring_put(const char *s, size_t n)
{
	while (n--)
		put_byte(*s++);
}

void console_ring_replay(void (*fn)(const char *s, size_t n))
{
	uint32_t at = cons;

	while (at != prod) {
		uint32_t off = at & (ring_size - 1);
		uint32_t n = min(prod - at, ring_size - off);

		fn(ring + off, n);
		at += n;
	}
}

void console_ring_grow(char *buf, size_t size)
{
	char *old = ring;
	uint32_t old_size = ring_size, from = cons, to = prod;

	ring = buf;
	ring_size = (uint32_t)size;
	for (prod = from; prod != to; )
		put_byte(old[prod & (old_size - 1)]);
}

/* Forgets what was read, up to @upto; bytes that came meanwhile stay, unless they pushed that out. */
static void clear_to(uint32_t upto)
{
	if (read_once(prod) - upto <= ring_size)
		cons = upto;
}

int console_ring_read(struct xen_sysctl_readconsole *op)
{
	uint32_t at = read_once(cons), end = read_once(prod), copied = 0;

	/* Incremental readers say where they left off; a gap means that they lost bytes. */
	if (op->incremental && (int32_t)(at - op->index) < 0 && (int32_t)(end - op->index) >= 0)
		at = op->index;
	while ((int32_t)(end - at) > 0 && copied < op->count) {
		uint32_t off = at & (ring_size - 1);
		uint32_t n = min(end - at, ring_size - off);

		n = min(n, op->count - copied);
		if (copy_to_guest_offset(op->buffer, copied, ring + off, n))
			return -EFAULT;
		at += n;
		copied += n;
	}
	if (op->clear)
		clear_to(at);
	op->count = copied;
	op->index = at;
	return 0;
}
