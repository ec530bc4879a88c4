/* SPDX-License-Identifier: MIT */
/* Benchmarks of event channels and grants, both to the own domain. */
#include "bench.h"

#include <guest/event.h>
#include <guest/grant.h>
#include <guest/mm.h>

#define BATCH	16

static void bench_evtchn(void)
{
	struct evtchn_send send;
	struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_close close;
	evtchn_port_t a, b;

	must(event_self_pair(&a, &b), "pair");
	send.port = a;
	must(evtchn_op(EVTCHNOP_send, &send), "send");
	report("evtchn_send to own masked port",
	       MEASURE(event_clear(b),
		       call(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&send), 0, 0)));
	report("evtchn_send to own masked port, pending already",
	       MEASURE(, call(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&send), 0, 0)));
	report("alloc_unbound + close",
	       MEASURE(, call(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, PTR(&alloc), 0,
			      0);
			 close.port = alloc.port;
			 call(__HYPERVISOR_event_channel_op, EVTCHNOP_close, PTR(&close), 0, 0)));
	event_close(a);
	event_close(b);
}

static void bench_grant_map(void)
{
	static struct gnttab_map_grant_ref map[BATCH];
	static struct gnttab_unmap_grant_ref unmap[BATCH];
	uint32_t best_map = ~0U, best_unmap = ~0U, t;
	domid_t self = grant_self_domid();

	for (unsigned int i = 0; i < BATCH; i++) {
		grant_ref_t ref = grant_alloc();
		void *page = page_alloc(), *window = page_alloc();

		grant_access(ref, self, virt_to_mfn(page), false);
		map[i] = (struct gnttab_map_grant_ref){
			.host_addr = PTR(window), .flags = GNTMAP_host_map, .ref = ref, .dom = self,
		};
		must(update_va_mapping(PTR(window), 0, UVMF_INVLPG), "window");
		unmap[i].host_addr = PTR(window);
	}
	for (unsigned int n = 0; n < LOOPS; n++) {
		t = tsc_low();
		grant_op(GNTTABOP_map_grant_ref, map, BATCH);
		t = tsc_low() - t;
		if (t < best_map)
			best_map = t;
		for (unsigned int i = 0; i < BATCH; i++) {
			must(map[i].status, "map");
			unmap[i].handle = map[i].handle;
		}
		t = tsc_low();
		grant_op(GNTTABOP_unmap_grant_ref, unmap, BATCH);
		t = tsc_low() - t;
		if (t < best_unmap)
			best_unmap = t;
		must(unmap[0].status, "unmap");
	}
	report("grant map, per page at 16", (best_map - empty_pair) / BATCH);
	report("grant unmap, per page at 16", (best_unmap - empty_pair) / BATCH);
}

static void bench_grant_copy(unsigned int len, const char *name)
{
	static struct gnttab_copy copy[BATCH];
	domid_t self = grant_self_domid();

	for (unsigned int i = 0; i < BATCH; i++) {
		grant_ref_t ref = grant_alloc();

		grant_access(ref, self, virt_to_mfn(page_alloc()), false);
		copy[i] = (struct gnttab_copy){
			.source = { .u.ref = ref, .domid = self },
			.dest = { .u.gmfn = virt_to_mfn(page_alloc()), .domid = DOMID_SELF },
			.len = len, .flags = GNTCOPY_source_gref,
		};
	}
	report(name, MEASURE(, grant_op(GNTTABOP_copy, copy, BATCH)) / BATCH);
	for (unsigned int i = 0; i < BATCH; i++) {
		must(copy[i].status, "copy");
		grant_end(copy[i].source.u.ref);
		grant_free(copy[i].source.u.ref);
	}
}

void bench_events(void)
{
	bench_evtchn();
	must(grant_init(1), "grant_init");
	bench_grant_map();
	bench_grant_copy(64, "grant copy at 16, 64 B");
	bench_grant_copy(4096, "grant copy at 16, 4096 B");
}
