/* SPDX-License-Identifier: MIT */
/*
 * Class 8: grant reference counts.
 *
 * A long random run of map, unmap, unmap-with-replace and copy, with good and bad arguments,
 * against a model that predicts every status. The domain grants to itself, so both sides are
 * visible. At the end everything is unmapped and audited: no entry reads as in use, and every
 * granted page can become a page table, which one forgotten writable reference would forbid, and
 * then writable again. First the error codes one by one.
 */
#include <guest/grant.h>
#include <guest/ktest.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>

#define NR_GRANTS	32
#define NR_MAPS		64
#define ROUNDS		20000

struct granted {
	grant_ref_t ref;
	uint64_t *page;
	bool readonly;
	unsigned int maps, write_maps;
};

struct mapping {
	uint64_t *window;
	struct granted *of;		/* NULL when free */
	bool readonly;
	grant_handle_t handle;
};

static struct granted grants[NR_GRANTS];
static struct mapping maps[NR_MAPS];
static domid_t self;
static uint64_t seed;

static unsigned int random(unsigned int below)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (seed >> 33) % below;
}

static void test_errors(void)
{
	struct granted *g = &grants[0];
	void *window = maps[0].window;
	grant_handle_t handle = 0;

	ktest_eq(grant_map(self, 500, GNTMAP_host_map, PTR(window), &handle),
		 GNTST_general_error, "map an unused reference");
	ktest_eq(grant_map(self, 1 << 20, GNTMAP_host_map, PTR(window), &handle),
		 GNTST_bad_gntref, "map a reference beyond the table");
	ktest_eq(grant_map(77, g->ref, GNTMAP_host_map, PTR(window), &handle), GNTST_bad_domain,
		 "map from no domain");
	ktest_eq(grant_map(DOMID_SELF, g->ref, GNTMAP_host_map, PTR(window), &handle),
		 GNTST_bad_domain, "map from DOMID_SELF: a real number is wanted");
	ktest_eq(grant_map(self, g->ref, 0, PTR(window), &handle), GNTST_bad_gntref,
		 "map for neither host nor device");
	ktest_eq(grant_map(self, g->ref, GNTMAP_host_map, HYPERVISOR_VIRT_START, &handle),
		 GNTST_general_error, "map at a hypervisor address");
	ktest_eq(grant_map(self, g->ref, GNTMAP_host_map, 0x0000800000000000, &handle),
		 GNTST_general_error, "map at a non-canonical address");
	ktest_eq(grant_map(self, g->ref, GNTMAP_host_map, 0x1000, &handle),
		 GNTST_general_error, "map where no table is");
	ktest_ok(!grant_in_use(g->ref), "no failure left the entry in use");
	ktest_eq(grant_unmap(12345, PTR(window)), GNTST_bad_handle, "unmap a handle never given");

	grant_access(grants[1].ref, self, virt_to_mfn(grants[1].page), true);
	ktest_eq(grant_map(self, grants[1].ref, GNTMAP_host_map, PTR(window), &handle),
		 GNTST_general_error, "map a read-only grant writable");
	grant_access(grants[1].ref, 1234, virt_to_mfn(grants[1].page), false);
	ktest_eq(grant_map(self, grants[1].ref, GNTMAP_host_map, PTR(window), &handle),
		 GNTST_general_error, "map a grant made for another");
	grant_access(grants[1].ref, self, virt_to_mfn(kernel_l4), false);
	ktest_eq(grant_map(self, grants[1].ref, GNTMAP_host_map, PTR(window), &handle),
		 GNTST_general_error, "map a page table writable");
	grant_access(grants[1].ref, self, ~0U >> 4, false);
	ktest_eq(grant_map(self, grants[1].ref, GNTMAP_host_map, PTR(window), &handle),
		 GNTST_bad_page, "map a frame that does not exist");
	ktest_ok(!grant_in_use(grants[1].ref), "no failure left the entry in use");
}

static void test_replace(void)
{
	struct granted *g = &grants[0];
	uint64_t *spare = page_alloc();
	void *window = maps[0].window;
	unsigned long spare_mfn = virt_to_mfn(spare);
	grant_handle_t handle;
	struct gnttab_unmap_and_replace op = { .host_addr = PTR(window) };

	*spare = 0x5eed;
	ktest_eq(grant_map(self, g->ref, GNTMAP_host_map, PTR(window), &handle), 0, "map");
	op.new_addr = PTR(spare);
	op.handle = handle;
	ktest_eq(grant_op(GNTTABOP_unmap_and_replace, &op, 1), 0, "unmap_and_replace");
	ktest_eq(op.status, GNTST_okay, "status");
	ktest_ok(!grant_in_use(g->ref), "the grant is free");
	ktest_eq(*(uint64_t *)window, 0x5eed, "the other page came into its place");
	ktest_eq(pt_leaf(PTR(spare)) & PTE_P, 0, "and left its own");
	update_va_mapping(PTR(window), 0, UVMF_INVLPG);
	update_va_mapping(PTR(spare), pte_make(spare_mfn, PTE_KERNEL), UVMF_INVLPG);
	page_free(spare);
}

/*
 * A mapping named by its PTE's machine address, with the bits that the guest wants to find there.
 */
static void test_contains_pte(void)
{
	struct granted *g = &grants[2];
	void *window = maps[0].window;
	const pte_t *e = pt_lookup(kernel_l4, PTR(window), 1);
	unsigned int flags = GNTMAP_host_map | GNTMAP_application_map | GNTMAP_contains_pte |
			     1U << _GNTMAP_guest_avail0;
	grant_handle_t handle;

	ktest_eq(grant_map(self, g->ref, flags, virt_to_maddr(e), &handle), 0, "map by PTE");
	ktest_eq(pte_mfn(*e), virt_to_mfn(g->page), "the entry names the frame");
	ktest_eq(*e & 0xe07, 0x207, "present, writable, user, avail0");
	ktest_eq(grant_unmap(handle, virt_to_maddr(e)), 0, "unmap by PTE");
	ktest_eq(*e, 0, "the entry is empty");
}

/* A copy's offset and length beyond the page, references swapped and bad. */
static void test_copy(void)
{
	struct gnttab_copy c = {
		.source = { .u.ref = grants[3].ref, .domid = self },
		.dest = { .u.ref = grants[4].ref, .domid = self },
		.len = 64, .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
	};
	static const struct {
		uint16_t src, dst, len;
		long want;
	} cases[] = {
		{ 0, 0, 4096, GNTST_okay }, { 4032, 0, 64, GNTST_okay }, { 0, 0, 0, GNTST_okay },
		{ 4033, 0, 64, GNTST_bad_copy_arg }, { 0, 4033, 64, GNTST_bad_copy_arg },
		{ 1, 0, 4096, GNTST_bad_copy_arg }, { 0, 0, 65535, GNTST_bad_copy_arg },
		{ 65535, 0, 1, GNTST_bad_copy_arg }, { 4096, 0, 1, GNTST_bad_copy_arg },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		c.source.offset = cases[i].src;
		c.dest.offset = cases[i].dst;
		c.len = cases[i].len;
		ktest_eq(grant_op(GNTTABOP_copy, &c, 1), 0, "copy %u", i);
		ktest_eq(c.status, cases[i].want, "copy %u status", i);
	}
	c.source.offset = c.dest.offset = 0;
	c.len = 8;
	c.source.u.ref = 500;
	grant_op(GNTTABOP_copy, &c, 1);
	ktest_eq(c.status, GNTST_general_error, "copy from an unused reference");
	c.source.u.ref = grants[3].ref;
	c.dest.domid = 77;
	grant_op(GNTTABOP_copy, &c, 1);
	ktest_eq(c.status, GNTST_bad_domain, "copy to no domain");
	c.dest.domid = self;
	grant_access(grants[4].ref, self, virt_to_mfn(grants[4].page), true);
	grant_op(GNTTABOP_copy, &c, 1);
	ktest_eq(c.status, GNTST_general_error, "copy to a read-only grant");
	grant_access(grants[4].ref, self, virt_to_mfn(grants[4].page), false);
	c = (struct gnttab_copy){
		.source = { .u.gmfn = virt_to_mfn(grants[3].page), .domid = DOMID_SELF },
		.dest = { .u.gmfn = virt_to_mfn(kernel_l4), .domid = DOMID_SELF }, .len = 8,
	};
	grant_op(GNTTABOP_copy, &c, 1);
	ktest_eq(c.status, GNTST_general_error, "copy into a page table");
	ktest_ok(!grant_in_use(grants[3].ref) && !grant_in_use(grants[4].ref), "none is in use");
}

static void random_map(void)
{
	struct mapping *m = &maps[random(NR_MAPS)];
	struct granted *g = &grants[random(NR_GRANTS)];
	bool readonly = random(2);
	long want = g->readonly && !readonly ? GNTST_general_error : GNTST_okay, rc;

	if (m->of)
		return;
	rc = grant_map(self, g->ref, GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0),
		       PTR(m->window), &m->handle);
	ktest_quiet_eq(rc, want, "random map");
	if (rc)
		return;
	m->of = g;
	m->readonly = readonly;
	g->maps++;
	g->write_maps += !readonly;
	ktest_quiet_eq(*m->window, *g->page, "mapping shows the page");
}

static void random_unmap(void)
{
	struct mapping *m = &maps[random(NR_MAPS)], *other = &maps[random(NR_MAPS)];
	long rc;

	if (!m->of)
		return;
	/* At an address where another frame is: the frame is what is compared. */
	if (random(8) == 0 && other->of != m->of) {
		rc = grant_unmap(m->handle, PTR(other->window));
		ktest_quiet_eq(rc, GNTST_general_error, "unmap at another's address");
		return;
	}
	ktest_quiet_eq(grant_unmap(m->handle, PTR(m->window)), GNTST_okay, "random unmap");
	ktest_quiet_eq(pt_leaf(PTR(m->window)), 0, "entry empty after unmap");
	m->of->maps--;
	m->of->write_maps -= !m->readonly;
	m->of = NULL;
}

static void check_flags(void)
{
	struct granted *g = &grants[random(NR_GRANTS)];
	uint16_t want = (g->maps ? GTF_reading : 0) | (g->write_maps ? GTF_writing : 0);

	ktest_quiet_eq(grant_table[g->ref].flags & (GTF_reading | GTF_writing), want,
		       "in-use flags, %u maps, %u writable", g->maps, g->write_maps);
	if (g->maps)
		ktest_quiet_eq(grant_end(g->ref), false, "cannot be revoked in use");
}

static void random_copy(void)
{
	struct granted *s = &grants[random(NR_GRANTS)], *d = &grants[random(NR_GRANTS)];
	struct gnttab_copy c = {
		.source = { .u.ref = s->ref, .domid = self, .offset = 8 * (1 + random(100)) },
		.dest = { .u.ref = d->ref, .domid = self, .offset = 8 * (1 + random(100)) },
		.len = 8 * random(100), .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
	};

	ktest_quiet_eq(grant_op(GNTTABOP_copy, &c, 1), 0, "random copy");
	ktest_quiet_eq(c.status, d->readonly ? GNTST_general_error : GNTST_okay,
		       "random copy status");
}

static void random_run(void)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		switch (random(4)) {
		case 0:
			random_map();
			break;
		case 1:
			random_unmap();
			break;
		case 2:
			check_flags();
			break;
		default:
			random_copy();
		}
	}
}

static void audit(void)
{
	for (unsigned int i = 0; i < NR_MAPS; i++)
		if (maps[i].of)
			ktest_quiet_eq(grant_unmap(maps[i].handle, PTR(maps[i].window)), 0,
				       "final unmap");
	for (unsigned int i = 0; i < NR_GRANTS; i++) {
		struct granted *g = &grants[i];

		ktest_quiet_eq(grant_end(g->ref), true, "grant %u revocable", i);
		memset(g->page, 0, PAGE_SIZE);
		ktest_quiet_eq(page_protect(g->page), 0, "grant %u: read-only", i);
		ktest_quiet_eq(pt_pin(g->page, 1), 0, "grant %u: no writable reference left", i);
		ktest_quiet_eq(pt_unpin(g->page), 0, "grant %u: unpin", i);
		ktest_quiet_eq(page_unprotect(g->page), 0, "grant %u: writable", i);
	}
	ktest_ok(true, "audited");
}

int guest_main(void)
{
	seed = arg_number("seed", 1);
	ktest_eq(grant_init(1), 0, "grant table");
	self = grant_self_domid();
	ktest_ok(!is_dom0() || self == 0, "own domid is %u", self);
	for (unsigned int i = 0; i < NR_GRANTS; i++) {
		grants[i].ref = grant_alloc();
		grants[i].page = page_alloc();
		grant_access(grants[i].ref, self, virt_to_mfn(grants[i].page), false);
		*grants[i].page = 1000 + i;
	}
	for (unsigned int i = 0; i < NR_MAPS; i++) {
		maps[i].window = page_alloc();
		update_va_mapping(PTR(maps[i].window), 0, UVMF_INVLPG);
	}
	test_errors();
	test_replace();
	test_contains_pte();
	test_copy();
	for (unsigned int i = 0; i < NR_GRANTS; i++) {
		grants[i].readonly = i % 3 == 0;
		grant_access(grants[i].ref, self, virt_to_mfn(grants[i].page), grants[i].readonly);
	}
	random_run();
	audit();
	return ktest_result();
}
