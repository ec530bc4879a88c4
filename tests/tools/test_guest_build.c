/* SPDX-License-Identifier: MIT */
/*
 * The guest builder against the fake hypervisor: what a guest finds at its first instruction, found
 * by walking its page tables as a CPU would; nothing leaks, whichever call fails.
 */
/* LINK: dom0-tools/libs/guest/build.c dom0-tools/libs/guest/elf.c dom0-tools/libs/guest/layout.c */
/* LINK: dom0-tools/libs/guest/memory.c dom0-tools/libs/guest/tables.c dom0-tools/libs/util/core.c */
/* LINK: dom0-tools/libs/ctl/core.c dom0-tools/libs/ctl/domain.c dom0-tools/libs/ctl/memory.c */
/* LINK: dom0-tools/libs/ctl/host.c dom0-tools/libs/ctl/vcpu.c dom0-tools/libs/call/fake.c */
/* LINK: dom0-tools/libs/call/fake_ops.c dom0-tools/libs/foreignmemory/fake.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <tools/guest.h>
#include <xen/grant_table.h>
#include <fake_hypervisor.h>
#include <guest_kernel.h>

#define PAGE		4096UL
#define LINUX_BASE	0xffffffff80000000UL

static const struct kernel_wish linux_like = {
	.virt_base = LINUX_BASE, .paddr = 0x1000000, .entry = LINUX_BASE + 0x1000000,
	.memory_bytes = 0x123456, .p2m_base = 0x8000000000UL, .mod_start_pfn = 1,
};
static const struct kernel_wish low = {
	.virt_base = 0, .paddr = 0, .entry = 0, .memory_bytes = 0x3001,
};

struct world {
	struct ctl *ctl;
	struct foreignmemory *fm;
	struct guest_build build;
	struct guest_image kernel, ramdisk;
	uint8_t file[KERNEL_FILE_BYTES], packed[10000];
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	fake_hv_reset(16384, 2);
	assert_int_equal(ctl_open(&w->ctl), 0);
	assert_int_equal(foreignmemory_open(&w->fm), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	ctl_close(w->ctl);
	foreignmemory_close(w->fm);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	assert_int_equal(fake_hv_buffers(), 0);
	fake_hv_reset(0, 0);
	free(w);
	return 0;
}

static void make_domain(struct world *w, uint64_t mib)
{
	struct xen_domctl_createdomain config = { .max_vcpus = 1 };
	domid_t id = 0;

	assert_int_equal(ctl_createdomain(w->ctl, &id, &config), 0);
	assert_int_equal(ctl_max_vcpus(w->ctl, id, 1), 0);
	assert_int_equal(ctl_max_mem(w->ctl, id, mib << 10), 0);
	w->build.domid = id;
}

/* Prepares a build of @wish with @mib and, unless 0, a ramdisk of that many bytes. */
static void prepare(struct world *w, const struct kernel_wish *wish, uint64_t mib, size_t ramdisk)
{
	make_kernel(w->file, wish);
	for (size_t i = 0; i < sizeof(w->packed); i++)
		w->packed[i] = (uint8_t)(i * 13 + 1);
	w->kernel = (struct guest_image){ w->file, sizeof(w->file), -1 };
	w->ramdisk = (struct guest_image){ w->packed, ramdisk, -1 };
	w->build = (struct guest_build){
		.memory_kib = mib << 10, .vcpus = 1, .kernel = &w->kernel,
		.ramdisk = ramdisk ? &w->ramdisk : NULL, .command_line = "root=/dev/xvda ro",
		.start_flags = 0, .store_domid = 0, .console_domid = 7, .store_port = 1,
		.console_port = 2, .claim = 1,
	};
	make_domain(w, mib);
}

/* The machine frame behind @va, as the guest's cr3 has it; *writable too. */
static xen_pfn_t translate(const struct fake_domain *domain, uint64_t va, bool *writable)
{
	xen_pfn_t frame = xen_cr3_to_pfn(domain->vcpu[0].context.ctrlreg[3]);

	for (int shift = 39; shift >= 12; shift -= 9) {
		const uint64_t *table = fake_hv_frame(frame);
		uint64_t entry = table[(va >> shift) & 511];

		if (!(entry & 1))
			return 0;
		*writable = entry & 2;
		frame = (entry & 0x000ffffffffff000UL) >> 12;
	}
	return frame;
}

static void *guest_at(const struct fake_domain *domain, uint64_t va)
{
	bool writable;
	xen_pfn_t frame = translate(domain, va, &writable);

	assert_true(frame != 0);
	return (uint8_t *)fake_hv_frame(frame) + (va & (PAGE - 1));
}

static void check_kernel(const struct world *w, const struct fake_domain *domain,
			 const struct kernel_wish *wish)
{
	uint64_t file_bytes = KERNEL_FILE_BYTES - KERNEL_TEXT_OFFSET;

	for (uint64_t i = 0; i < wish->memory_bytes; i++) {
		uint64_t va = wish->virt_base + wish->paddr + i;
		uint8_t want = i < file_bytes ? w->file[KERNEL_TEXT_OFFSET + i] : 0;

		if (wish->hypercall_page && (va & ~(PAGE - 1)) == wish->hypercall_page)
			want = 0xc3;
		assert_int_equal(*(uint8_t *)guest_at(domain, va), want);
	}
}

/* The frame list gives every pfn its frame, and the m2p its pfn back. */
static void check_p2m(const struct fake_domain *domain, const struct start_info *info)
{
	for (uint64_t pfn = 0; pfn < info->nr_pages; pfn++) {
		xen_pfn_t mfn = *(xen_pfn_t *)guest_at(domain, info->mfn_list + pfn * 8);

		assert_int_equal(fake_hv_owner(mfn), domain->id);
		assert_int_equal(fake_hv_m2p(mfn), pfn);
	}
}

/* All of the initial mapping is there, in order of pfns, tables read-only, the end aligned. */
static void check_mapping(const struct fake_domain *domain, const struct kernel_wish *wish,
			  const struct start_info *info)
{
	uint64_t tables_end = info->pt_base + info->nr_pt_frames * PAGE;
	uint64_t stack = domain->vcpu[0].context.user_regs.rsp - PAGE;
	uint64_t va = wish->virt_base;
	bool writable;

	assert_true(tables_end == stack);
	for (xen_pfn_t mfn; (mfn = translate(domain, va, &writable)); va += PAGE) {
		assert_int_equal(fake_hv_m2p(mfn), (va - wish->virt_base) / PAGE);
		assert_int_equal(writable, va < info->pt_base || va >= tables_end);
	}
	assert_true(va >= stack + PAGE + (512UL << 10));
	assert_int_equal(va & ((4UL << 20) - 1), 0);
}

static void check_start_info(const struct world *w, const struct fake_domain *domain,
			     const struct start_info *info)
{
	const struct shared_info *shared = fake_hv_frame(domain->shared_info);

	assert_string_equal(info->magic, "xen-3.0-x86_64");
	assert_int_equal(info->nr_pages, w->build.memory_kib / 4);
	assert_int_equal(info->shared_info, domain->shared_info * PAGE);
	assert_string_equal((const char *)info->cmd_line, "root=/dev/xvda ro");
	assert_int_equal(info->store_mfn, w->build.store_mfn);
	assert_int_equal(info->console.domU.mfn, w->build.console_mfn);
	assert_int_equal(info->store_evtchn, 1);
	assert_int_equal(info->console.domU.evtchn, 2);
	for (unsigned int i = 0; i < PAGE; i++) {
		assert_int_equal(((uint8_t *)fake_hv_frame(info->store_mfn))[i], 0);
		assert_int_equal(((uint8_t *)fake_hv_frame(info->console.domU.mfn))[i], 0);
	}
	assert_int_equal(shared->vcpu_info[0].evtchn_upcall_mask, 1);
	assert_int_equal(shared->vcpu_info[31].evtchn_upcall_mask, 1);
	assert_int_equal(shared->vcpu_info[0].evtchn_upcall_pending, 0);
}

static void check_grants(const struct world *w, const struct fake_domain *domain)
{
	const grant_entry_v1_t *table = fake_hv_frame(domain->grant_table);

	assert_int_equal(table[0].flags, GTF_permit_access);
	assert_int_equal(table[0].domid, 7);
	assert_int_equal(table[0].frame, w->build.console_mfn);
	assert_int_equal(table[1].flags, GTF_permit_access);
	assert_int_equal(table[1].domid, 0);
	assert_int_equal(table[1].frame, w->build.store_mfn);
}

static void build_and_check(struct world *w, const struct kernel_wish *wish, uint64_t mib,
			    size_t ramdisk)
{
	const struct fake_domain *domain;
	const struct start_info *info;
	struct tools_error error = { 0 };

	prepare(w, wish, mib, ramdisk);
	assert_int_equal(guest_build_pv(w->ctl, w->fm, &w->build, &error), 0);
	domain = fake_hv_domain(w->build.domid);
	assert_int_equal(domain->pages, mib << 8);
	assert_int_equal(domain->claimed, 0);
	assert_int_equal(domain->vcpu[0].context.user_regs.rip, wish->entry);
	info = guest_at(domain, domain->vcpu[0].context.user_regs.rsi);
	check_kernel(w, domain, wish);
	check_start_info(w, domain, info);
	check_p2m(domain, info);
	check_mapping(domain, wish, info);
	check_grants(w, domain);
	for (size_t i = 0; i < ramdisk; i++) {
		uint64_t at = info->mod_start;

		if (info->flags & SIF_MOD_START_PFN) {
			xen_pfn_t mfn = *(xen_pfn_t *)guest_at(domain, info->mfn_list +
							       (at + i / PAGE) * 8);

			assert_int_equal(((uint8_t *)fake_hv_frame(mfn))[i % PAGE], w->packed[i]);
		} else {
			assert_int_equal(*(uint8_t *)guest_at(domain, at + i), w->packed[i]);
		}
	}
	assert_int_equal(info->mod_len, ramdisk);
	assert_int_equal(!!info->first_p2m_pfn, !!wish->p2m_base);
	assert_int_equal(ctl_destroydomain(w->ctl, w->build.domid), 0);
	assert_int_equal(fake_hv_domains(), 0);
}

static void test_plain(void **state)
{
	build_and_check(*state, &usual_kernel, 16, 0);
	build_and_check(*state, &usual_kernel, 16, 5000);
	build_and_check(*state, &usual_kernel, 7, 4096);
}

static void test_linux(void **state)
{
	build_and_check(*state, &linux_like, 32, 9999);
	build_and_check(*state, &linux_like, 33, 0);
}

static void test_low(void **state)
{
	build_and_check(*state, &low, 8, 1);
}

/* Memory in single pages only, then in some blocks; no acquire_resource. */
static void test_poor_host(void **state)
{
	fake_hv_fragment(0);
	build_and_check(*state, &usual_kernel, 16, 5000);
	fake_hv_fragment(1500);
	fake_hv_resources(false);
	build_and_check(*state, &linux_like, 32, 5000);
}

static void expect_failure(struct world *w, int want, const char *code)
{
	struct tools_error error = { 0 };

	assert_int_equal(guest_build_pv(w->ctl, w->fm, &w->build, &error), want);
	assert_string_equal(error.code, code);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	assert_int_equal(fake_hv_claimed(), 0);
	assert_int_equal(ctl_destroydomain(w->ctl, w->build.domid), 0);
	assert_int_equal(fake_hv_domains(), 0);
}

static void test_refusals(void **state)
{
	struct world *w = *state;

	prepare(w, &usual_kernel, 2, 0);
	expect_failure(w, -E2BIG, "too-little-memory");
	prepare(w, &linux_like, 24, 10000);
	w->ramdisk.length = 100UL << 20;
	expect_failure(w, -E2BIG, "too-little-memory");
	prepare(w, &usual_kernel, 128, 0);
	expect_failure(w, -ENOMEM, "no-memory");
	prepare(w, &usual_kernel, 128, 0);
	w->build.claim = 0;
	expect_failure(w, -ENOMEM, "no-memory");
	prepare(w, &usual_kernel, 16, 0);
	w->file[EI_CLASS] = ELFCLASS32;
	expect_failure(w, -EINVAL, "bad-image");
}

/* Each call of a build fails once; nothing is left. */
static void test_every_failure(void **state)
{
	struct world *w = *state;
	struct tools_error error;
	int rc = -1;

	for (unsigned int nth = 1; rc; nth++) {
		assert_true(nth < 100);
		prepare(w, &linux_like, 32, 5000);
		memset(&error, 0, sizeof(error));
		fake_hv_fail(nth, -EIO);
		rc = guest_build_pv(w->ctl, w->fm, &w->build, &error);
		if (rc)
			assert_non_null(error.code);
		/* A failed call to drop the claim is no failure of the build. */
		fake_hv_fail(0, 0);
		assert_int_equal(fake_hv_mapped_pages(), 0);
		assert_int_equal(ctl_destroydomain(w->ctl, w->build.domid), 0);
		assert_int_equal(fake_hv_domains(), 0);
		assert_int_equal(fake_hv_claimed(), 0);
		if (!rc && nth < 8)
			rc = -1;
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(plain), CASE(linux), CASE(low), CASE(poor_host), CASE(refusals),
		CASE(every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
