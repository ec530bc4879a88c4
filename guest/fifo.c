/* SPDX-License-Identifier: MIT */
/* The FIFO event ABI: control blocks, the event array, and its queues. See fifo.h. */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/fifo.h>
#include <guest/mm.h>

#define MAX_VCPUS	8
#define MAX_ARRAY	4
#define PER_PAGE	(PAGE_SIZE / sizeof(event_word_t))

static struct evtchn_fifo_control_block *control[MAX_VCPUS];
static uint32_t head[MAX_VCPUS][EVTCHN_FIFO_MAX_QUEUES];
static event_word_t *array[MAX_ARRAY];
static unsigned int nr_array;

static event_word_t *word(evtchn_port_t port)
{
	return port / PER_PAGE < nr_array ? &array[port / PER_PAGE][port % PER_PAGE] : NULL;
}

static uint32_t fetch_clear(evtchn_port_t port, unsigned int bit)
{
	return __atomic_fetch_and(word(port), ~(1U << bit), __ATOMIC_SEQ_CST);
}

bool fifo_pending(evtchn_port_t port)
{
	return READ_ONCE(*word(port)) >> EVTCHN_FIFO_PENDING & 1;
}

bool fifo_masked(evtchn_port_t port)
{
	return READ_ONCE(*word(port)) >> EVTCHN_FIFO_MASKED & 1;
}

void fifo_mask(evtchn_port_t port)
{
	__atomic_fetch_or(word(port), 1U << EVTCHN_FIFO_MASKED, __ATOMIC_SEQ_CST);
}

void fifo_clear(evtchn_port_t port)
{
	fetch_clear(port, EVTCHN_FIFO_PENDING);
}

/* Take the first port off a queue; clears its LINKED bit and LINK field in one step. */
static evtchn_port_t dequeue(struct evtchn_fifo_control_block *cb, unsigned int cpu, unsigned int q)
{
	uint32_t port = head[cpu][q], old;

	if (!port)
		port = READ_ONCE(cb->head[q]);
	old = __atomic_load_n(word(port), __ATOMIC_SEQ_CST);
	while (!__atomic_compare_exchange_n(word(port), &old,
					    old & ~((1U << EVTCHN_FIFO_LINKED) |
						    EVTCHN_FIFO_LINK_MASK),
					    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	head[cpu][q] = old & EVTCHN_FIFO_LINK_MASK;
	return port;
}

void fifo_drain(void (*deliver)(evtchn_port_t port))
{
	unsigned int cpu = this_cpu()->id;
	struct evtchn_fifo_control_block *cb = control[cpu];
	uint32_t ready = __atomic_exchange_n(&cb->ready, 0, __ATOMIC_SEQ_CST);

	while (ready) {
		unsigned int q = __builtin_ctz(ready);
		evtchn_port_t port = dequeue(cb, cpu, q);

		if (!head[cpu][q])
			ready &= ~(1U << q);
		if (fifo_pending(port) && !fifo_masked(port)) {
			fifo_clear(port);
			deliver(port);
		}
		ready |= __atomic_exchange_n(&cb->ready, 0, __ATOMIC_SEQ_CST);
	}
}

long fifo_expand(void)
{
	event_word_t *page = page_alloc();
	struct evtchn_expand_array op = { .array_gfn = virt_to_mfn(page) };
	long rc;

	if (nr_array == MAX_ARRAY)
		return -XEN_ENOSPC;
	/* New ports must read as masked: the hypervisor sets the mask only as each is bound. */
	for (unsigned int i = 0; i < PER_PAGE; i++)
		page[i] = 1U << EVTCHN_FIFO_MASKED;
	rc = evtchn_op(EVTCHNOP_expand_array, &op);
	if (rc)
		page_free(page);
	else
		array[nr_array++] = page;
	return rc;
}

long fifo_init_cpu(unsigned int vcpu)
{
	void *page = page_alloc();
	struct evtchn_init_control op = { .control_gfn = virt_to_mfn(page), .vcpu = vcpu };
	long rc = evtchn_op(EVTCHNOP_init_control, &op);

	if (rc)
		page_free(page);
	else
		control[vcpu] = page;
	return rc;
}

long fifo_init(void)
{
	long rc = fifo_init_cpu(0);

	for (unsigned int v = 1; !rc && v < MAX_VCPUS && vcpu_op(VCPUOP_is_up, v, NULL) == 1; v++)
		rc = fifo_init_cpu(v);
	return rc ? rc : fifo_expand();
}
