/* SPDX-License-Identifier: MIT */
/*
 * The console ring: peek at the guest's output, consume it, type input. See ring.h.
 *
 * Peek and consume are apart so that output can be made durable between them.
 */
#include <errno.h>
#include <tools/kill_point.h>
#include "ring.h"

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

int ring_peek(const struct xencons_interface *ring, char *bytes, XENCONS_RING_IDX *cons)
{
	XENCONS_RING_IDX start = READ_ONCE(ring->out_cons);
	XENCONS_RING_IDX count = READ_ONCE(ring->out_prod) - start;

	*cons = start;
	if (count > sizeof(ring->out))
		return -EPROTO;
	/* The bytes after the index that announced them. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	for (XENCONS_RING_IDX i = 0; i < count; i++)
		bytes[i] = READ_ONCE(ring->out[MASK_XENCONS_IDX(start + i, ring->out)]);
	return (int)count;
}

void ring_consume(struct xencons_interface *ring, XENCONS_RING_IDX cons)
{
	/* Our reads before the guest may overwrite; then the guest's next look at the index. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	kill_point();
	WRITE_ONCE(ring->out_cons, cons);
	kill_point();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

unsigned int ring_room(const struct xencons_interface *ring)
{
	XENCONS_RING_IDX used = READ_ONCE(ring->in_prod) - READ_ONCE(ring->in_cons);

	return used > sizeof(ring->in) ? 0 : (unsigned int)(sizeof(ring->in) - used);
}

unsigned int ring_type(struct xencons_interface *ring, const char *bytes, unsigned int length)
{
	XENCONS_RING_IDX prod = READ_ONCE(ring->in_prod);
	XENCONS_RING_IDX used = prod - READ_ONCE(ring->in_cons);

	if (used > sizeof(ring->in))
		return 0;
	if (length > sizeof(ring->in) - used)
		length = (unsigned int)(sizeof(ring->in) - used);
	/* The guest's reads of the slots before it moved in_cons. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < length; i++)
		WRITE_ONCE(ring->in[MASK_XENCONS_IDX(prod + i, ring->in)], bytes[i]);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	kill_point();
	WRITE_ONCE(ring->in_prod, prod + length);
	return length;
}
