/* SPDX-License-Identifier: MIT */
/*
 * A store client that outlives moves: reads and writes, one at a time, without watches. A daemon that
 * is started anew meanwhile answers all the same; only a wrong answer is an error.
 */
#include <guest/console.h>
#include <guest/event.h>
#include <guest/mm.h>
#include <guest/string.h>
#include <guest/time.h>
#include "mover.h"

#include <xen/io/xs_wire.h>

static char ring_page[PAGE_SIZE] __page_aligned;
static uint32_t request;

static struct xenstore_domain_interface *ring(void)
{
	return (void *)ring_page;
}

void store_attach(void)
{
	if (update_va_mapping(PTR(ring_page), pte_make(start_info->store_mfn, PTE_KERNEL),
			      UVMF_INVLPG))
		panic("cannot map the store's ring");
}

void time_sleep(unsigned long ns)
{
	evtchn_port_t port = start_info->store_evtchn;
	struct sched_poll poll = { .nr_ports = 1, .timeout = time_now() + ns };

	set_xen_guest_handle(poll.ports, &port);
	event_clear(port);
	sched_op(SCHEDOP_poll, &poll);
}

/* Until the store has moved an index. */
static void wait(void)
{
	event_send(start_info->store_evtchn);
	time_sleep(MS);
}

static void put(const void *bytes, unsigned int length)
{
	const char *from = bytes;

	while (length) {
		XENSTORE_RING_IDX prod = ring()->req_prod;

		if (prod - READ_ONCE(ring()->req_cons) >= XENSTORE_RING_SIZE) {
			wait();
			continue;
		}
		ring()->req[MASK_XENSTORE_IDX(prod)] = *from++;
		length--;
		barrier();
		WRITE_ONCE(ring()->req_prod, prod + 1);
	}
}

static void get(void *bytes, unsigned int length)
{
	char *to = bytes;

	while (length) {
		XENSTORE_RING_IDX cons = ring()->rsp_cons;

		if (cons == READ_ONCE(ring()->rsp_prod)) {
			wait();
			continue;
		}
		barrier();
		*to++ = ring()->rsp[MASK_XENSTORE_IDX(cons)];
		length--;
		barrier();
		WRITE_ONCE(ring()->rsp_cons, cons + 1);
	}
}

/* One request; the answer's type, its first @room bytes in @answer, its length in *length. */
static uint32_t talk(uint32_t type, const char *path, const char *value, char *answer,
		     unsigned int room, uint32_t *length)
{
	unsigned int n = strlen(path) + 1, more = value ? strlen(value) : 0;
	struct xsd_sockmsg head = { .type = type, .req_id = ++request, .len = n + more };
	char byte;

	put(&head, sizeof(head));
	put(path, n);
	put(value, more);
	event_send(start_info->store_evtchn);
	get(&head, sizeof(head));
	if (head.req_id != request)
		panic("the store answers %u to request %u", head.req_id, request);
	for (uint32_t i = 0; i < head.len; i++) {
		get(&byte, 1);
		if (i < room)
			answer[i] = byte;
	}
	event_send(start_info->store_evtchn);
	*length = head.len;
	return head.type;
}

int store_read(const char *path, char *value, unsigned int room)
{
	uint32_t length;

	if (talk(XS_READ, path, NULL, value, room - 1, &length) != XS_READ || length >= room)
		return -1;
	value[length] = 0;
	return 0;
}

int store_write(const char *path, const char *value)
{
	char answer[4];
	uint32_t length;

	return talk(XS_WRITE, path, value, answer, sizeof(answer), &length) == XS_WRITE ? 0 : -1;
}
