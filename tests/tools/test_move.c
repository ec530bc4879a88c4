/* SPDX-License-Identifier: MIT */
/*
 * A guest of the fake hypervisor is saved and restored: every byte of its memory, its tables and
 * its vcpus are the same again, also when it writes meanwhile; nothing stays mapped whichever call
 * fails, wherever the stream ends and whenever the caller gives up.
 */
/* LINK: dom0-tools/libs/move/apart.c dom0-tools/libs/move/brake.c dom0-tools/libs/move/channel.c dom0-tools/libs/move/frames.c dom0-tools/libs/move/pages.c */
/* LINK: dom0-tools/libs/move/restore.c dom0-tools/libs/move/restore_pages.c */
/* LINK: dom0-tools/libs/move/restore_state.c dom0-tools/libs/move/save.c */
/* LINK: dom0-tools/libs/move/save_state.c dom0-tools/libs/move/source.c */
/* LINK: dom0-tools/libs/move/suspend.c dom0-tools/libs/store/core.c dom0-tools/libs/store/fake.c */
/* LINK: dom0-tools/libs/stream/rules.c dom0-tools/libs/stream/reader.c */
/* LINK: dom0-tools/libs/stream/framing.c dom0-tools/libs/stream/writer.c */
/* LINK: dom0-tools/libs/stream/tables.c dom0-tools/libs/stream/context.c */
/* LINK: dom0-tools/libs/guest/build.c dom0-tools/libs/guest/elf.c dom0-tools/libs/guest/layout.c */
/* LINK: dom0-tools/libs/guest/memory.c dom0-tools/libs/guest/tables.c dom0-tools/libs/util/core.c */
/* LINK: dom0-tools/libs/ctl/core.c dom0-tools/libs/ctl/domain.c dom0-tools/libs/ctl/memory.c */
/* LINK: dom0-tools/libs/ctl/host.c dom0-tools/libs/ctl/vcpu.c dom0-tools/libs/ctl/policy.c */
/* LINK: dom0-tools/libs/call/fake.c dom0-tools/libs/call/fake_ops.c */
/* LINK: dom0-tools/libs/foreignmemory/fake.c */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <tools/guest.h>
#include <tools/move.h>
#include <xen/grant_table.h>
#include <xen/sched.h>
#include <fake_guest.h>

#define PAGE 4096UL
#define MIB_OF_GUEST 12U

/* A guest that is asked to suspend. */
enum behaviour { DEAF, TAKES, OBEYS, ENDS, DIES };

struct world {
	struct ctl *ctl;
	struct foreignmemory *fm;
	struct store *store;
	struct light light;
	struct fake_domain *guest;
	struct tools_error error;
	int fd;
	struct move_save save;
	struct move_channel *channel;
	/* Children that send memory, in pages that are shared with them. */
	struct children {
		pid_t parent, last;
		unsigned int number;
		unsigned int victim; /* this one dies at its first write; 0: none */
	} *children;
	/* What progress does. */
	enum move_phase cancel_in;
	bool cancel, writes, greedy, brake;
	uint64_t apart_pfns;
	unsigned int braked_to;
	unsigned int calls;
	enum behaviour guest_is;
};

static domid_t make_domain(struct world *w)
{
	struct xen_domctl_createdomain config = { .max_vcpus = 2 };
	domid_t id = 0;

	assert_int_equal(ctl_createdomain(w->ctl, &id, &config), 0);
	assert_int_equal(ctl_max_vcpus(w->ctl, id, 2), 0);
	assert_int_equal(ctl_max_mem(w->ctl, id, (MIB_OF_GUEST << 10) + 1024), 0);
	return id;
}

static int suspend(void *cookie, struct tools_error *error)
{
	struct world *w = cookie;

	(void)error;
	fake_guest_suspend(w->guest);
	return 0;
}

static int setup(void **state)
{
	static struct guest_image kernel;
	static uint8_t file[KERNEL_FILE_BYTES];
	struct world *w = calloc(1, sizeof(*w));
	struct guest_build build = { .memory_kib = MIB_OF_GUEST << 10, .vcpus = 2,
				     .kernel = &kernel, .command_line = "x", .store_port = 1,
				     .console_port = 2 };

	fake_hv_reset(16384, 2);
	fake_store_reset();
	assert_int_equal(ctl_open(&w->ctl), 0);
	assert_int_equal(foreignmemory_open(&w->fm), 0);
	assert_int_equal(store_open(&w->store), 0);
	w->light = (struct light){ .ctl = w->ctl, .store = w->store, .cancel_fd = -1 };
	make_kernel(file, &fake_guest_wish);
	kernel = (struct guest_image){ file, sizeof(file), -1 };
	build.domid = make_domain(w);
	assert_int_equal(guest_build_pv(w->ctl, w->fm, &build, &w->error), 0);
	w->guest = fake_hv_domain(build.domid);
	assert_int_equal(fake_guest_live(w->ctl, w->guest), 0);
	assert_int_equal(store_introduce(w->store, build.domid, build.store_mfn, 1), 0);
	w->fd = memfd_create("image", MFD_CLOEXEC);
	w->children = mmap(NULL, sizeof(*w->children), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(w->children != MAP_FAILED);
	w->children->parent = getpid();
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	munmap(w->children, sizeof(*w->children));
	close(w->fd);
	store_close(w->store);
	ctl_close(w->ctl);
	foreignmemory_close(w->fm);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	assert_int_equal(fake_hv_buffers(), 0);
	fake_hv_reset(0, 0);
	fake_store_reset();
	free(w);
	return 0;
}

/* The guest writes into some pages between two steps, one of them just sent, one still to come. */
static void write_some(struct world *w)
{
	for (unsigned int i = 0; i < 40; i++) {
		uint64_t pfn = 2100 + (w->calls * 37 + i * 13) % 900;

		*(uint64_t *)fake_hv_frame(fake_guest_mfn(w->guest, pfn)) += w->calls + i;
		fake_hv_dirty(w->guest->id, pfn);
	}
}

/* One that writes faster than anybody sends, unless it gets little CPU. */
static void write_much(struct world *w)
{
	unsigned int count = 900 * (w->guest->cap ? w->guest->cap : 100) / 100;

	for (uint64_t pfn = 2100; pfn < 2100 + count; pfn++)
		fake_hv_dirty(w->guest->id, pfn);
}

static int on_progress(void *cookie, const struct move_progress *now)
{
	struct world *w = cookie;

	w->calls++;
	if (w->greedy && now->phase == MOVE_MEMORY)
		write_much(w);
	if (now->brake)
		w->braked_to = now->brake;
	if (w->writes && now->phase <= MOVE_SUSPEND)
		write_some(w);
	return w->cancel && now->phase == w->cancel_in ? -ECANCELED : 0;
}

static int put(void *cookie, const struct iovec *parts, unsigned int count)
{
	struct world *w = cookie;

	struct children *c = w->children;

	if (getpid() != c->parent && getpid() != c->last) {
		c->last = getpid();
		if (++c->number == c->victim)
			raise(SIGKILL);
	}
	return move_channel_put(w->channel, parts, count);
}

static int save(struct world *w, bool live)
{
	struct move_channel channel;
	int rc;

	move_channel_init(&channel, w->fd, -1);
	w->channel = &channel;
	assert_int_equal(ftruncate(w->fd, 0), 0);
	lseek(w->fd, 0, SEEK_SET);
	memset(&w->error, 0, sizeof(w->error));
	w->save = (struct move_save){ .ctl = w->ctl, .fm = w->fm, .domid = w->guest->id,
				      .format = STREAM_XL, .config = "{}", .live = live,
				      .put = put, .cookie = w,
				      .suspend = suspend, .suspend_cookie = w,
				      .progress = on_progress, .progress_cookie = w,
				      .few_pages = 10, .brake = w->brake,
				      .apart_pfns = w->apart_pfns };
	rc = move_save(&w->save, &w->error);
	assert_int_equal(fake_hv_mapped_pages(), 0);
	assert_false(w->guest->log_dirty);
	return rc;
}

static int restore(struct world *w, domid_t *domid, struct move_restore *restore)
{
	struct light_build build = { .domid = make_domain(w), .store_port = 11, .console_port = 12,
				     .console_domid = 7 };
	struct move_channel channel;
	struct move_source *source;
	int rc;

	lseek(w->fd, 0, SEEK_SET);
	move_channel_init(&channel, w->fd, -1);
	memset(&w->error, 0, sizeof(w->error));
	*domid = build.domid;
	*restore = (struct move_restore){ .ctl = w->ctl, .fm = w->fm, .build = &build };
	rc = move_source_open(&channel, &source, &w->error);
	if (!rc) {
		restore->source = source;
		rc = move_restore(restore, &w->error);
		move_source_close(source);
	}
	assert_int_equal(fake_hv_mapped_pages(), 0);
	return rc;
}

static void same_table(const struct fake_domain *a, const struct fake_domain *b, const uint64_t *x,
		       const uint64_t *y)
{
	for (unsigned int i = 0; i < 512; i++) {
		assert_int_equal(x[i] & 0xfff, y[i] & 0xfff);
		if (!(x[i] & 1))
			continue;
		assert_int_equal(fake_hv_owner((y[i] & 0x000ffffffffff000UL) >> 12), b->id);
		assert_int_equal(fake_hv_m2p((x[i] & 0x000ffffffffff000UL) >> 12),
				 fake_hv_m2p((y[i] & 0x000ffffffffff000UL) >> 12));
	}
	(void)a;
}

/* The page @pfn of both, by what it is. */
static void same_page(struct world *w, const struct fake_domain *b, uint64_t pfn,
		      uint64_t first_p2m, uint64_t p2m_pages, uint64_t info_pfn)
{
	xen_pfn_t x = fake_guest_mfn(w->guest, pfn), y = fake_guest_mfn(b, pfn), type = x;

	if (x == ~0UL) {
		assert_true(y == ~0UL);
		return;
	}
	assert_int_equal(fake_hv_owner(y), b->id);
	assert_int_equal(fake_hv_m2p(y), pfn);
	if (pfn == info_pfn || (pfn >= first_p2m && pfn < first_p2m + p2m_pages))
		return;
	assert_int_equal(ctl_getpageframeinfo(w->ctl, w->guest->id, 1, &type), 0);
	if (stream_type_level((uint32_t)type))
		same_table(w->guest, b, fake_hv_frame(x), fake_hv_frame(y));
	else
		assert_memory_equal(fake_hv_frame(x), fake_hv_frame(y), PAGE);
}

static void compare(struct world *w, domid_t domid)
{
	const struct fake_domain *b = fake_hv_domain(domid);
	const struct vcpu_guest_context *context = &b->vcpu[0].context;
	const struct start_info *was = fake_guest_at(w->guest, context->user_regs.rsi);
	const struct start_info *is = fake_guest_at(b, context->user_regs.rsi);
	const struct shared_info *shared = fake_hv_frame(b->shared_info);
	const grant_entry_v1_t *grants = fake_hv_frame(b->grant_table);
	uint64_t info_pfn = (context->user_regs.rsi - FAKE_GUEST_BASE) / PAGE;

	assert_int_equal(b->pages, w->guest->pages);
	for (uint64_t pfn = 0; pfn < was->nr_pages; pfn++)
		same_page(w, b, pfn, was->first_p2m_pfn, was->nr_p2m_frames, info_pfn);
	assert_int_equal(context->user_regs.rip, fake_guest_wish.entry);
	assert_int_equal(context->user_regs.rdx, fake_guest_mfn(b, info_pfn));
	assert_true(b->vcpu[0].online);
	assert_false(b->vcpu[1].online);
	assert_memory_equal(b->xsave[0], w->guest->xsave[0], FAKE_HV_XSAVE);
	assert_int_equal(b->tsc.elapsed_nsec, 123456);
	assert_int_equal(b->policies, 1);
	assert_int_equal(is->store_mfn, fake_guest_mfn(b, was->store_mfn));
	assert_int_equal(is->store_evtchn, 11);
	assert_int_equal(is->console.domU.evtchn, 12);
	assert_int_equal(is->shared_info, b->shared_info * PAGE);
	assert_int_equal(grants[0].frame, is->console.domU.mfn);
	assert_int_equal(grants[0].domid, 7);
	assert_int_equal(grants[1].frame, is->store_mfn);
	assert_int_equal(shared->evtchn_pending[0], 0);
	assert_int_equal(shared->evtchn_mask[0], ~0UL);
	assert_int_equal(shared->vcpu_info[0].evtchn_upcall_mask, 0);
	assert_int_equal(shared->arch.max_pfn, was->nr_pages);
}

static void destroy(struct world *w, domid_t domid)
{
	assert_int_equal(ctl_destroydomain(w->ctl, domid), 0);
	assert_null(fake_hv_domain(domid));
}

static void save_and_compare(struct world *w, bool live)
{
	struct move_restore r;
	domid_t domid;

	assert_int_equal(save(w, live), 0);
	assert_true(w->save.suspended);
	if (restore(w, &domid, &r))
		fail_msg("%s", w->error.text);
	assert_int_equal(r.pages, w->save.pages);
	assert_int_equal(r.bytes, w->save.bytes);
	compare(w, domid);
	destroy(w, domid);
}

static void test_saved_and_restored(void **state)
{
	save_and_compare(*state, false);
	assert_int_equal(((struct world *)*state)->save.pages, (MIB_OF_GUEST << 8) - 1);
}

/* By children: one for all that the first batch leaves, or some for 1 MiB each. */
static void test_apart(void **state)
{
	struct world *w = *state;
	const struct {
		uint64_t pfns;
		unsigned int children;
	} ways[] = { { MOVE_APART_PFNS, 1 }, { 256, 8 }, { 1088, 2 }, { 64, 32 } };

	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		w->apart_pfns = ways[i].pfns;
		w->children->number = 0;
		save_and_compare(w, false);
		assert_int_equal(w->children->number, ways[i].children);
		assert_int_equal(w->save.pages, (MIB_OF_GUEST << 8) - 1);
		assert_int_equal(w->save.bytes, lseek(w->fd, 0, SEEK_END));
		fake_guest_resumed(w->guest);
	}
}

/* SIGCHLD is ignored: nobody can be waited for. Then each one in turn is killed. */
static void test_apart_killed(void **state)
{
	struct world *w = *state;

	signal(SIGCHLD, SIG_IGN);
	w->apart_pfns = 512;
	assert_int_equal(save(w, false), 0);
	fake_guest_resumed(w->guest);
	for (unsigned int victim = 1; victim <= 4; victim++) {
		w->children->victim = victim;
		w->children->number = 0;
		assert_int_equal(save(w, false), -EIO);
		assert_string_equal(w->error.code, "child");
		assert_true(w->save.suspended);
		assert_int_equal(w->children->number, victim);
		fake_guest_resumed(w->guest);
	}
	signal(SIGCHLD, SIG_DFL);
}

static void test_poor_host(void **state)
{
	fake_hv_fragment(0);
	fake_hv_resources(false);
	save_and_compare(*state, false);
}

static void test_live(void **state)
{
	struct world *w = *state;

	w->writes = true;
	save_and_compare(w, true);
	assert_in_range(w->save.rounds, 3, 9);
	assert_in_range(w->save.round_pages[1], 40, 400);
}

/* Without the brake the live phase ends soon; with it the guest is slowed down for a while. */
static void test_brake(void **state)
{
	struct world *w = *state;

	w->greedy = true;
	assert_int_equal(save(w, true), 0);
	assert_int_equal(w->save.rounds, 3);
	assert_int_equal(w->braked_to, 0);
	fake_guest_resumed(w->guest);
	w->brake = true;
	w->guest->cap = 80;
	assert_int_equal(save(w, true), 0);
	assert_int_equal(w->braked_to, 6);
	assert_true(w->save.rounds > 6);
	assert_true(w->save.round_pages[w->save.rounds - 2] < w->save.round_pages[2] / 4);
	assert_int_equal(w->guest->cap, 80);
}

static void test_resumed(void **state)
{
	struct world *w = *state;

	assert_int_equal(save(w, false), 0);
	assert_true(move_is_suspended(w->ctl, w->guest->id));
	fake_store_set("/local/domain/1/name", "g");
	assert_int_equal(move_resume(&w->light, w->guest->id, &w->error), 0);
	assert_int_equal(w->guest->vcpu[0].context.user_regs.rax, 1);
	assert_false(w->guest->shut_down);
	assert_int_equal(move_resume(&w->light, w->guest->id, &w->error), -EINVAL);
}

static void fail_each_step_of_save(struct world *w)
{
	int rc = -1;

	for (unsigned int nth = 1; rc; nth++) {
		assert_true(nth < 200);
		fake_hv_fail(nth, -EIO);
		w->save.suspend = NULL;
		rc = save(w, false);
		fake_hv_fail(0, 0);
		if (rc) {
			assert_non_null(w->error.code);
			assert_true(w->error.text[0]);
		}
	}
}

/* In children, too. */
static void test_every_failure_apart(void **state)
{
	struct world *w = *state;

	suspend(w, NULL);
	w->apart_pfns = 512;
	fail_each_step_of_save(w);
}

/* Each call of a save, then of a restore, fails once. */
static void test_every_failure(void **state)
{
	struct world *w = *state;
	struct move_restore r;
	domid_t domid;
	int rc = -1;

	suspend(w, NULL);
	fail_each_step_of_save(w);
	for (unsigned int nth = 6; rc; nth++) {
		assert_true(nth < 200);
		fake_hv_fail(nth, -EIO);
		rc = restore(w, &domid, &r);
		fake_hv_fail(0, 0);
		if (rc)
			assert_non_null(w->error.code);
		destroy(w, domid);
		/* A block that is not to be had is had in pieces: no failure. */
		if (!rc && nth < 30)
			rc = -1;
	}
}

static void test_cancel(void **state)
{
	struct world *w = *state;

	w->cancel = true;
	for (w->cancel_in = MOVE_SETUP; w->cancel_in <= MOVE_STATE; w->cancel_in++) {
		assert_int_equal(save(w, true), -ECANCELED);
		assert_string_equal(w->error.code, "canceled");
		assert_int_equal(w->save.suspended, w->cancel_in > MOVE_SUSPEND);
		if (w->save.suspended) {
			assert_int_equal(move_resume(&w->light, w->guest->id, &w->error), 0);
			fake_guest_resumed(w->guest);
		}
	}
	w->cancel = false;
	save_and_compare(w, true);
}

/* Wherever the file ends, the restore says so. */
static void test_truncated(void **state)
{
	struct world *w = *state;
	struct move_restore r;
	domid_t domid;
	off_t size;

	assert_int_equal(save(w, false), 0);
	size = lseek(w->fd, 0, SEEK_END);
	for (off_t cut = 0; cut < size; cut += cut < 3000 ? 97 : 999983) {
		int copy = w->fd;

		w->fd = memfd_create("cut", MFD_CLOEXEC);
		for (off_t at = 0; at < cut;) {
			char buffer[65536];
			ssize_t n = pread(copy, buffer, cut - at < 65536 ? cut - at : 65536, at);

			assert_true(n > 0 && write(w->fd, buffer, n) == n);
			at += n;
		}
		assert_true(restore(w, &domid, &r) < 0);
		assert_true(w->error.text[0]);
		destroy(w, domid);
		close(w->fd);
		w->fd = copy;
	}
}

/* What a guest says of its table of frames is its word only. */
static void test_hostile_guest(void **state)
{
	struct world *w = *state;
	struct shared_info *shared = fake_hv_frame(w->guest->shared_info), was = *shared;
	static const uint64_t addresses[] = { 0xfffffffff000, 0xffff800000000000, 0x123, 0,
					      0xfffffffffffff000 };
	static const uint64_t sizes[] = { 0, 1, 1UL << 27, 1UL << 28, (1UL << 28) + 1, ~0UL };
	static const uint64_t roots[] = { 1UL << 12, ~0UL, 0x99UL << 12, 0 };

	for (unsigned int i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		shared->arch.p2m_vaddr = addresses[i];
		assert_true(save(w, false) < 0);
		assert_string_equal(w->error.code, "guest-tables");
		assert_false(w->save.suspended);
	}
	*shared = was;
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		shared->arch.max_pfn = sizes[i];
		assert_true(save(w, false) < 0);
		assert_string_equal(w->error.code, "guest-tables");
	}
	*shared = was;
	for (unsigned int i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		shared->arch.p2m_cr3 = roots[i];
		assert_true(save(w, false) < 0);
		assert_false(w->save.suspended);
	}
	*shared = was;
	/* One frame everywhere: not even its own table is in it. */
	for (uint64_t pfn = 0; pfn < shared->arch.max_pfn; pfn++)
		*(xen_pfn_t *)fake_guest_at(w->guest, shared->arch.p2m_vaddr + pfn * 8) =
			w->guest->pinned;
	assert_true(save(w, false) < 0);
	assert_string_equal(w->error.code, "guest-tables");
}

/* A stream that has got as far as its memory: @end_pfn, and one page that is not there. */
static struct stream_writer *hostile_stream(struct world *w, struct move_channel *channel,
					    uint32_t end_pfn)
{
	uint64_t *pfns = calloc(end_pfn / 512 + 1, sizeof(*pfns)), word = STREAM_TYPE_MASK;
	struct stream_options options = { 0 };
	struct stream_writer *writer;

	assert_int_equal(ftruncate(w->fd, 0), 0);
	lseek(w->fd, 0, SEEK_SET);
	move_channel_init(channel, w->fd, -1);
	assert_int_equal(
		stream_writer_open(STREAM_XL, &options, move_channel_put, channel, &writer), 0);
	assert_int_equal(stream_write_start(writer, "{}", 4, 17, NULL), 0);
	assert_int_equal(stream_write_pv_info(writer, NULL), 0);
	assert_int_equal(
		stream_write_record(writer, STREAM_REC_STATIC_DATA_END, NULL, 0, NULL), 0);
	assert_int_equal(stream_write_p2m_frames(writer, end_pfn, pfns, NULL), 0);
	assert_int_equal(stream_write_pages(writer, 1, &word, NULL, NULL), 0);
	free(pfns);
	return writer;
}

/* A sender says that there are 2^28 pfns: refused before tables for them are made. */
static void test_hostile_sender(void **state)
{
	struct world *w = *state;
	struct move_channel channel;
	struct move_restore r;
	domid_t domid;

	stream_writer_close(hostile_stream(w, &channel, (1U << 28) - 1));
	assert_int_equal(restore(w, &domid, &r), -E2BIG);
	assert_string_equal(w->error.code, "bad-stream");
	destroy(w, domid);
}

/* State of vcpus that the new domain does not have: refused as it comes, nothing is kept of it. */
static void test_hostile_vcpus(void **state)
{
	static const uint32_t ids[] = { 2, 8191 };
	struct world *w = *state;
	struct move_channel channel;
	struct stream_writer *writer;
	struct move_restore r;
	char what[64];
	domid_t domid;

	for (unsigned int i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		writer = hostile_stream(w, &channel, 1000);
		assert_int_equal(stream_write_vcpu(writer, STREAM_REC_X86_PV_VCPU_XSAVE, ids[i],
						   what, sizeof(what), NULL),
				 0);
		stream_writer_close(writer);
		assert_int_equal(restore(w, &domid, &r), -EINVAL);
		assert_string_equal(w->error.code, "bad-stream");
		snprintf(what, sizeof(what), "vcpu %u: domain %u has 2", ids[i], domid);
		assert_non_null(strstr(w->error.text, what));
		destroy(w, domid);
	}
}

/* Debian's own checker takes the image, where setup has unpacked it; live rounds, too. */
static void test_verify(void **state)
{
	struct world *w = *state;
	char command[512];
	int status;

	w->writes = true;
	assert_int_equal(save(w, true), 0);
	snprintf(command, sizeof(command),
		 "cache=${KRYPTON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}\n"
		 "root=$cache/root/usr/lib/xen-4.17\n"
		 "export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/lib/python\n"
		 "[ -e $root/bin/verify-stream-v2 ] || exit 127\n"
		 "exec python3 $root/bin/verify-stream-v2 -q -i /proc/%d/fd/%d -f xl 2>&1",
		 (int)getpid(), w->fd);
	status = system(command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		skip();
	assert_int_equal(status, 0);
}

/* A page of somebody else that the guest still maps cannot travel. */
static void test_foreign_mapping(void **state)
{
	struct world *w = *state;
	domid_t other = make_domain(w);
	xen_pfn_t foreign = 0;

	assert_int_equal(ctl_populate_physmap(w->ctl, other, 0, 0, 1, &foreign), 1);
	*fake_guest_entry(w->guest, FAKE_GUEST_BASE) = foreign << 12 | 0x67;
	assert_int_equal(save(w, true), -ERANGE);
	assert_string_equal(w->error.code, "foreign-mapping");
	assert_true(w->save.suspended);
	destroy(w, other);
}

static void test_no_room(void **state)
{
	struct world *w = *state;
	struct move_restore r;
	domid_t domid;

	assert_int_equal(save(w, false), 0);
	fake_hv_domain(0)->max_pages = 16384;
	{
		xen_pfn_t eaten = 0;

		while (fake_hv_free_pages() > 2000)
			assert_int_equal(ctl_populate_physmap(w->ctl, 0, 0, 0, 1, &eaten), 1);
	}
	assert_int_equal(restore(w, &domid, &r), -ENOMEM);
	assert_string_equal(w->error.code, "no-memory");
	destroy(w, domid);
}

/* ---- asking a guest to suspend ---- */

static bool guest_acts(void *cookie)
{
	struct world *w = cookie;
	const char *request = fake_store_get("/local/domain/1/control/shutdown");

	if (w->guest_is == DEAF || !request || strcmp(request, "suspend"))
		return false;
	fake_store_set("/local/domain/1/control/shutdown", "");
	if (w->guest_is == OBEYS || w->guest_is == ENDS)
		fake_hv_shutdown(1, w->guest_is == OBEYS ? SHUTDOWN_suspend : SHUTDOWN_poweroff);
	if (w->guest_is == DIES)
		destroy(w, 1);
	fake_store_fire("@releaseDomain");
	return true;
}

static void test_asked(void **state)
{
	static const int wanted[] = { -ETIMEDOUT, -ETIMEDOUT, 0, -ESHUTDOWN, -ESRCH };
	struct world *w = *state;

	fake_store_on_idle(guest_acts, w);
	for (unsigned int how = DEAF; how <= DIES; how++) {
		w->guest_is = how;
		w->guest->shut_down = false;
		w->guest->reason = 0;
		memset(&w->error, 0, sizeof(w->error));
		assert_int_equal(move_suspend(&w->light, 1, NULL, &w->error), wanted[how]);
		assert_string_equal(fake_store_get("/local/domain/1/control/shutdown"), "");
		assert_int_equal(fake_store_watches(), 0);
		if (wanted[how])
			assert_true(w->error.text[0]);
	}
}

/* One that is paused cannot answer: that is what to say, not that it lacks a driver. */
static void test_asked_while_paused(void **state)
{
	struct world *w = *state;

	fake_store_on_idle(guest_acts, w);
	w->guest_is = DEAF;
	assert_int_equal(move_suspend(&w->light, 1, NULL, &w->error), -ETIMEDOUT);
	assert_non_null(strstr(w->error.hint, "unpause"));
	assert_int_equal(ctl_unpausedomain(w->ctl, 1), 0);
	assert_int_equal(move_suspend(&w->light, 1, NULL, &w->error), -ETIMEDOUT);
	assert_non_null(strstr(w->error.hint, "driver"));
}

/* Takes the request at once. */
static void guest_takes(void *cookie, const char *node, const char *value)
{
	(void)cookie;
	if (value && !strcmp(node, "/local/domain/1/control/shutdown") && !strcmp(value, "suspend"))
		fake_store_set(node, "");
}

/* Comes to rest a while later, if at all. */
static bool guest_rests(void *cookie)
{
	struct world *w = cookie;

	if (w->guest_is != OBEYS || w->guest->shut_down)
		return false;
	fake_hv_shutdown(1, SHUTDOWN_suspend);
	fake_store_fire("@releaseDomain");
	return true;
}

/* Given up when the guest is at it already: it is let come to rest, so that it can be resumed. */
static void test_given_up_late(void **state)
{
	struct world *w = *state;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	w->light.cancel_fd = ends[0];
	fake_store_on_write(guest_takes, w);
	fake_store_on_idle(guest_rests, w);
	w->guest_is = OBEYS;
	assert_int_equal(move_suspend(&w->light, 1, NULL, &w->error), -ECANCELED);
	assert_true(move_is_suspended(w->ctl, 1));
	assert_null(strstr(w->error.text, "may still"));
	assert_int_equal(w->light.cancel_fd, ends[0]);
	assert_int_equal(fake_store_watches(), 0);
	assert_int_equal(move_resume(&w->light, 1, &w->error), 0);
	w->guest->shut_down = false;
	w->guest_is = TAKES;
	assert_int_equal(move_suspend(&w->light, 1, NULL, &w->error), -ECANCELED);
	assert_non_null(strstr(w->error.text, "may still"));
	assert_non_null(strstr(w->error.hint, "resume"));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(saved_and_restored), CASE(apart), CASE(apart_killed), CASE(poor_host),
		CASE(live), CASE(brake), CASE(resumed),
		CASE(every_failure), CASE(every_failure_apart), CASE(cancel), CASE(truncated),
		CASE(foreign_mapping),
		CASE(no_room), CASE(asked), CASE(verify), CASE(hostile_guest), CASE(hostile_sender),
		CASE(hostile_vcpus), CASE(given_up_late), CASE(asked_while_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
