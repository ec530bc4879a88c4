/* SPDX-License-Identifier: MIT */
/*
 * Class 15: uninitialised or stale memory returned to a guest.
 *
 * Structures that the hypervisor fills are looked through for words that are addresses in the
 * hypervisor: one such word in a padding field breaks its address secrecy and shows that more could
 * leak. Fresh shared pages (shared_info, grant frames) must be zero where nothing is defined. What
 * a page given back looks like when it comes again, and what the never-used pages at start hold, is
 * recorded as a note: real Xen scrubs neither for a living domain.
 */
#include <guest/grant.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>

#define PATTERN	0xaaaaaaaaaaaaaaaaUL

static uint64_t buffer[512];

static bool is_hypervisor_address(uint64_t v)
{
	return v >= 0xffff828000000000 && v < HYPERVISOR_VIRT_END;
}

static void fill(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(buffer); i++)
		buffer[i] = PATTERN;
}

static void check_buffer(const char *what, long rc)
{
	unsigned int leaks = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(buffer); i++)
		leaks += is_hypervisor_address(buffer[i]);
	ktest_eq(leaks, 0, "%s (%ld): hypervisor addresses", what, rc);
}

static void test_results(void)
{
	static const unsigned int versions[] = {
		XENVER_extraversion, XENVER_compile_info, XENVER_capabilities, XENVER_changeset,
		XENVER_guest_handle, XENVER_commandline,
	};
	struct evtchn_status *st = (void *)buffer;
	struct xen_memory_map *map = (void *)buffer;

	for (unsigned int i = 0; i < ARRAY_SIZE(versions); i++) {
		long rc;

		fill();
		rc = xen_version(versions[i], buffer);
		check_buffer("xen_version", rc);
	}
	fill();
	check_buffer("runstate", vcpu_op(VCPUOP_get_runstate_info, 0, buffer));
	fill();
	st->dom = DOMID_SELF;
	st->port = 1;
	check_buffer("evtchn status", evtchn_op(EVTCHNOP_status, st));
	fill();
	map->nr_entries = 20;
	set_xen_guest_handle(map->buffer, buffer + 64);
	check_buffer("memory_map", memory_op(XENMEM_memory_map, map));
	fill();
	check_buffer("machphys_mapping", memory_op(XENMEM_machphys_mapping, buffer));
}

static unsigned int nonzero_words(const uint64_t *p, unsigned int from, unsigned int to)
{
	unsigned int n = 0;

	for (unsigned int i = from / 8; i < to / 8; i++)
		n += p[i] != 0;
	return n;
}

static void test_shared_pages(void)
{
	unsigned int leaks = 0;
	const uint64_t *si = (const uint64_t *)shared_info;

	for (unsigned int i = 0; i < 512; i++)
		leaks += is_hypervisor_address(si[i]);
	ktest_eq(leaks, 0, "shared_info: hypervisor addresses");
	ktest_eq(nonzero_words(si, sizeof(struct shared_info), PAGE_SIZE), 0,
		 "shared_info: zero behind its end");
	ktest_eq(grant_init(4), 0, "grant table of four frames");
	/* A domU's first entries are the console's and the store's. */
	ktest_eq(nonzero_words((const uint64_t *)grant_table, is_dom0() ? 0 : 64, 4 * PAGE_SIZE), 0,
		 "fresh grant frames are zero");
}

static void test_page_again(void)
{
	uint64_t *page = page_alloc();
	unsigned long pfn = virt_to_pfn(page), old = virt_to_mfn(page);
	xen_pfn_t frame = old;
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
	unsigned int stale = 0, leaks = 0, other = 0;

	for (unsigned int i = 0; i < 512; i++)
		page[i] = PATTERN;
	update_va_mapping(PTR(page), 0, UVMF_INVLPG);
	set_xen_guest_handle(r.extent_start, &frame);
	ktest_eq(memory_op(XENMEM_decrease_reservation, &r), 1, "give a page back");
	frame = pfn;
	ktest_eq(memory_op(XENMEM_populate_physmap, &r), 1, "take one");
	p2m[pfn] = frame;
	page_unprotect(page);
	for (unsigned int i = 0; i < 512; i++) {
		stale += page[i] == PATTERN;
		leaks += is_hypervisor_address(page[i]);
		other += page[i] && page[i] != PATTERN;
	}
	ktest_note("%s frame came, %u words as we left them, %u others not zero",
		   frame == old ? "the same" : "another", stale, other);
	ktest_eq(leaks, 0, "no hypervisor addresses in it");
	ktest_ok(frame == old || !other, "a frame new to us is clean");
}

static void test_initial_pages(void)
{
	unsigned long dirty = 0, leaks = 0, n = 0;

	while (page_available() > 16 && n < 2000) {
		uint64_t *page = page_alloc_raw();
		unsigned int words = nonzero_words(page, 0, PAGE_SIZE);

		dirty += words != 0;
		for (unsigned int i = 0; i < 512; i++)
			leaks += is_hypervisor_address(page[i]);
		n++;
	}
	ktest_note("of %lu pages never used before, %lu are not zero, %lu words look like "
		   "hypervisor addresses", n, dirty, leaks);
}

int guest_main(void)
{
	test_results();
	test_shared_pages();
	test_page_again();
	test_initial_pages();
	return ktest_result();
}
