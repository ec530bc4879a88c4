/* SPDX-License-Identifier: MIT */
/*
 * Core dumps against the fake hypervisor: both forms of a guest's frame table, the file read back
 * as ELF, tables that lie, any one call failing, and nothing left mapped.
 */
/* LINK: dom0-tools/libs/dump/core.c dom0-tools/libs/dump/p2m.c dom0-tools/libs/util/core.c */
/* LINK: dom0-tools/libs/ctl/core.c dom0-tools/libs/ctl/domain.c dom0-tools/libs/ctl/memory.c */
/* LINK: dom0-tools/libs/ctl/host.c dom0-tools/libs/ctl/vcpu.c dom0-tools/libs/call/fake.c */
/* LINK: dom0-tools/libs/call/fake_ops.c dom0-tools/libs/foreignmemory/fake.c */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <tools/dump.h>
#include <fake_hypervisor.h>

#define PAGE	4096UL
#define PAGES	600UL		/* of the guest: its table takes two pages */
#define HOLE	17UL		/* a pfn without a frame */
#define VADDR	0x8000000000UL
enum { P2M = 590, LIST = 592, TOP = 593, L1 = 594, L2, L3, L4 };	/* pfns of the tables */

struct world {
	struct ctl *ctl;
	struct foreignmemory *fm;
	domid_t id;
	xen_pfn_t frames[PAGES];
	struct shared_info *shared;
	FILE *file;
};

static uint64_t *page_of(struct world *w, unsigned long pfn)
{
	return fake_hv_frame(w->frames[pfn]);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct xen_domctl_createdomain config = { .max_vcpus = 2 };
	struct vcpu_guest_context context = { .flags = VGCF_online };
	unsigned long i;

	fake_hv_reset(16384, 2);
	assert_int_equal(ctl_open(&w->ctl), 0);
	assert_int_equal(foreignmemory_open(&w->fm), 0);
	assert_int_equal(ctl_createdomain(w->ctl, &w->id, &config), 0);
	assert_int_equal(ctl_max_vcpus(w->ctl, w->id, 2), 0);
	assert_int_equal(ctl_max_mem(w->ctl, w->id, PAGES * 4), 0);
	for (i = 0; i < PAGES; i++)
		w->frames[i] = i;
	assert_int_equal(ctl_populate_physmap(w->ctl, w->id, 0, 0, PAGES, w->frames), PAGES);
	context.user_regs.rip = 0x1234;
	fake_hv_domain(w->id)->vcpu[0].context = context;
	for (i = 0; i < PAGES; i++)
		memset(page_of(w, i), (int)(i & 0x7f), PAGE);
	for (i = 0; i < 1024; i++)
		page_of(w, P2M + i / 512)[i % 512] = i < PAGES && i != HOLE ? w->frames[i] : ~0UL;
	w->shared = fake_hv_frame(fake_hv_domain(w->id)->shared_info);
	memset(w->shared, 0, PAGE);
	w->shared->arch.max_pfn = PAGES;
	w->file = tmpfile();
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	assert_int_equal(fake_hv_mapped_pages(), 0);
	ctl_close(w->ctl);
	foreignmemory_close(w->fm);
	assert_int_equal(fake_hv_buffers(), 0);
	fake_hv_reset(0, 0);
	fclose(w->file);
	free(w);
	return 0;
}

static void use_lists(struct world *w)
{
	memset(page_of(w, TOP), 0, PAGE);
	memset(page_of(w, LIST), 0, PAGE);
	page_of(w, TOP)[0] = w->frames[LIST];
	page_of(w, LIST)[0] = w->frames[P2M];
	page_of(w, LIST)[1] = w->frames[P2M + 1];
	w->shared->arch.pfn_to_mfn_frame_list_list = w->frames[TOP];
}

static void use_tables(struct world *w)
{
	unsigned int pfn;

	for (pfn = L1; pfn <= L4; pfn++)
		memset(page_of(w, pfn), 0, PAGE);
	page_of(w, L4)[VADDR >> 39] = w->frames[L3] << 12 | 1;
	page_of(w, L3)[0] = w->frames[L2] << 12 | 1;
	page_of(w, L2)[0] = w->frames[L1] << 12 | 1;
	page_of(w, L1)[0] = w->frames[P2M] << 12 | 1;
	page_of(w, L1)[1] = w->frames[P2M + 1] << 12 | 0x8000000000000063UL;
	w->shared->arch.p2m_cr3 = w->frames[L4] << 12;
	w->shared->arch.p2m_vaddr = VADDR;
}

static int dump(struct world *w, struct tools_error *e)
{
	rewind(w->file);
	assert_int_equal(ftruncate(fileno(w->file), 0), 0);
	return dump_core(w->ctl, w->fm, w->id, fileno(w->file), NULL, NULL, e);
}

static void read_at(struct world *w, uint64_t offset, void *to, size_t bytes)
{
	assert_int_equal(pread(fileno(w->file), to, bytes, offset), bytes);
}

/* Sections by name, sizes that fit, every page where the table says. */
static void check_file(struct world *w)
{
	static const char *const names[] = {
		"",	      ".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_shared_info",
		".xen_pages", ".xen_p2m"
	};
	Elf64_Ehdr e;
	Elf64_Shdr s[7];
	struct vcpu_guest_context context;
	struct dump_p2m_entry entry;
	char text[128], page[PAGE];
	uint64_t i, header[4];

	read_at(w, 0, &e, sizeof(e));
	assert_memory_equal(e.e_ident, ELFMAG, SELFMAG);
	assert_int_equal(e.e_shnum, 7);
	read_at(w, e.e_shoff, s, sizeof(s));
	read_at(w, s[1].sh_offset, text, s[1].sh_size);
	for (i = 0; i < 7; i++)
		assert_string_equal(text + s[i].sh_name, names[i]);
	read_at(w, s[2].sh_offset + 32, header, sizeof(header));
	assert_int_equal(header[0], 0xF00FEBED);
	assert_int_equal(header[2], PAGES);
	assert_int_equal(header[1] * sizeof(context), s[3].sh_size);
	read_at(w, s[3].sh_offset, &context, sizeof(context));
	assert_int_equal(context.user_regs.rip, 0x1234);
	assert_int_equal(s[5].sh_offset % PAGE, 0);
	assert_int_equal(s[5].sh_size, PAGES * PAGE);
	for (i = 0; i < PAGES; i++) {
		read_at(w, s[6].sh_offset + i * sizeof(entry), &entry, sizeof(entry));
		read_at(w, s[5].sh_offset + i * PAGE, page, PAGE);
		if (i == PAGES - 1) {	/* the hole makes one entry fewer */
			assert_int_equal(entry.pfn, ~0UL);
			assert_int_equal(page[0] | page[PAGE - 1], 0);
			continue;
		}
		assert_int_equal(entry.pfn, i < HOLE ? i : i + 1);
		assert_int_equal(entry.gmfn, w->frames[entry.pfn]);
		assert_memory_equal(page, page_of(w, entry.pfn), PAGE);
	}
}

static void test_lists(void **state)
{
	struct world *w = *state;
	struct tools_error e = { 0 };

	use_lists(w);
	assert_int_equal(dump(w, &e), 0);
	check_file(w);
}

static void test_tables(void **state)
{
	struct world *w = *state;
	struct tools_error e = { 0 };

	use_tables(w);
	assert_int_equal(dump(w, &e), 0);
	check_file(w);
}

/* Whatever the guest writes into its tables: an error with a cause, or a dump. */
static void test_lies(void **state)
{
	static const uint64_t lies[] = {
		0, 1, 0xfff, 1UL << 40, ~0UL, ~0UL << 12, 0x7fffffffffffffffUL, 3, 4096, 1 << 20
	};
	struct world *w = *state;
	unsigned int i, pfn;

	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		for (pfn = P2M; pfn <= L4; pfn++) {
			struct tools_error e = { 0 };

			use_tables(w);
			w->shared->arch.p2m_cr3 = pfn > TOP ? w->frames[L4] << 12 : 0;
			use_lists(w);
			page_of(w, pfn)[pfn == L4 ? VADDR >> 39 : 0] = lies[i];
			assert_true(dump(w, &e) == 0 || e.text[0]);
		}
		use_lists(w);
		w->shared->arch.p2m_cr3 = lies[i];
		dump(w, NULL);
		w->shared->arch.p2m_cr3 = 0;
		w->shared->arch.pfn_to_mfn_frame_list_list = lies[i];
		dump(w, NULL);
	}
	use_lists(w);
	w->shared->arch.max_pfn = ~0UL;
	assert_int_equal(dump(w, NULL), -EINVAL);
	w->shared->arch.max_pfn = 0;
	assert_int_equal(dump(w, NULL), -EINVAL);
	page_of(w, P2M)[0] = ~0UL;
}

static void test_faults(void **state)
{
	struct world *w = *state;
	unsigned int n, failed = 0;

	use_lists(w);
	for (n = 1; n < 40; n++) {
		struct tools_error e = { 0 };
		int err;

		fake_hv_fail(n, -ENOMEM);
		err = dump(w, &e);
		fake_hv_fail(0, 0);
		assert_true(err == 0 || e.text[0]);
		assert_int_equal(fake_hv_mapped_pages(), 0);
		failed += err != 0;
	}
	assert_true(failed >= 6);
	assert_int_equal(dump_core(w->ctl, w->fm, 99, 1, NULL, NULL, NULL), -ESRCH);
}

/* One that is only half made: no vcpus, so nothing to ask each of them. */
static void test_no_vcpus(void **state)
{
	struct xen_domctl_createdomain create = { .max_vcpus = 1 };
	struct tools_error e = { 0 };
	struct world *w = *state;
	domid_t id = 0;

	assert_int_equal(ctl_createdomain(w->ctl, &id, &create), 0);
	alarm(10);
	assert_int_equal(dump_core(w->ctl, w->fm, id, fileno(w->file), NULL, NULL, &e), -EINVAL);
	alarm(0);
	assert_string_equal(e.code, "no-vcpu");
}

static int stop(void *cookie, uint64_t done, uint64_t all)
{
	assert_true(done <= all);
	*(bool *)cookie = true;
	return -EINTR;
}

static void test_stopped(void **state)
{
	struct world *w = *state;
	bool called = false;

	use_lists(w);
	assert_int_equal(dump_core(w->ctl, w->fm, w->id, fileno(w->file), stop, &called, NULL),
			 -EINTR);
	assert_true(called);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_lists), T(test_tables), T(test_lies), T(test_faults), T(test_stopped),
		T(test_no_vcpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
