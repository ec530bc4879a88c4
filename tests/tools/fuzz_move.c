/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what makes a domain of a stream: a saved guest's records spoiled, repeated, swapped, left out
 * or cut, with contents that the stream's own rules cannot judge (page tables, lists, vcpus' state).
 * Whatever comes, there is a domain or an error that says what; nothing stays mapped, no frame is lost.
 * A case restores a whole guest, so there are few: a thousandth of what is asked for.
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
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include <tools/guest.h>
#include <tools/move.h>
#include <fake_guest.h>
#include <fuzz.h>

#define PAGE 4096UL
#define MIB_OF_GUEST 12U
#define PARTS_MAX 64U
#define CASES_SHARE 1000U

/* The image: all before libxc's records, each of these, all behind them. */
static uint8_t *image;
static size_t image_length;
static struct part {
	size_t at, length;
	uint32_t type;
} parts[PARTS_MAX];
static unsigned int n_parts;

static struct ctl *ctl;
static struct foreignmemory *fm;
static unsigned long restored, refused;

static domid_t make_domain(void)
{
	struct xen_domctl_createdomain config = { .max_vcpus = 2 };
	domid_t id = 0;

	check(!ctl_createdomain(ctl, &id, &config) && !ctl_max_vcpus(ctl, id, 2) &&
		      !ctl_max_mem(ctl, id, (MIB_OF_GUEST << 10) + 1024),
	      "a domain");
	return id;
}

static void destroy(domid_t id)
{
	check(!ctl_destroydomain(ctl, id), "the end of a domain");
}

static int suspend(void *cookie, struct tools_error *error)
{
	(void)error;
	fake_guest_suspend(cookie);
	return 0;
}

static int keep(void *cookie, const struct iovec *pieces, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		strbuf_add(cookie, pieces[i].iov_base, pieces[i].iov_len);
	return 0;
}

/* Where its records are, as our own reader says. */
static void find_parts(void)
{
	struct stream_reader *reader;
	struct stream_item item;
	size_t at = 0, used, last = 0;
	int rc;

	check(!stream_reader_open(STREAM_XL, NULL, &reader), "open");
	while ((rc = stream_read(reader, image + at, image_length - at, &used, &item, NULL)) > 0) {
		at += used;
		if (item.kind != STREAM_RECORD && item.kind != STREAM_PAGES)
			continue;
		if (!n_parts)
			parts[n_parts++] = (struct part){ 0, item.offset, 0 };
		parts[n_parts++] = (struct part){ item.offset, 0, item.type };
		last = item.offset;
	}
	check(!rc && stream_reader_done(reader) && n_parts < PARTS_MAX, "an image that is right");
	stream_reader_close(reader);
	parts[n_parts++] = (struct part){ last + 8, image_length - last - 8, 0 };
	for (unsigned int i = 1; i < n_parts - 1; i++)
		parts[i].length = parts[i + 1].at - parts[i].at;
}

static void make_image(void)
{
	static uint8_t file[KERNEL_FILE_BYTES];
	struct guest_image kernel = { file, sizeof(file), -1 };
	struct guest_build build = { .memory_kib = MIB_OF_GUEST << 10, .vcpus = 2,
				     .kernel = &kernel, .command_line = "x", .store_port = 1,
				     .console_port = 2 };
	struct strbuf stream = { 0 };
	struct tools_error error = { 0 };
	struct move_save save;

	make_kernel(file, &fake_guest_wish);
	build.domid = make_domain();
	check(!guest_build_pv(ctl, fm, &build, &error), "a guest");
	check(!fake_guest_live(ctl, fake_hv_domain(build.domid)), "one that lives");
	save = (struct move_save){ .ctl = ctl, .fm = fm, .domid = build.domid, .format = STREAM_XL,
				   .config = "{}", .put = keep, .cookie = &stream,
				   .suspend = suspend,
				   .suspend_cookie = fake_hv_domain(build.domid) };
	check(!move_save(&save, &error), "its image");
	image_length = stream.length;
	image = (uint8_t *)strbuf_take(&stream);
	destroy(build.domid);
	find_parts();
}

/* Bytes of a part, the first of it as a rule: heads and lists are there. */
static void spoil(uint8_t *bytes, size_t length, uint32_t type)
{
	static const uint64_t nasty[] = { 0, 1, ~0ULL, 1ULL << 40, 0xfffULL << 52, 1ULL << 28, 7,
					  0x8000000000000067ULL, 2999ULL << 12 | 0x67, 2ULL << 60 };
	size_t at;

	for (unsigned int n = 1 + dice(4); n && length >= 16; n--) {
		at = dice(4) ? dice(length < 4096 ? length : 4096) : dice64() % length;
		/* The list of PAGE_DATA, or a whole entry of something. */
		if (type == STREAM_REC_PAGE_DATA || dice(2))
			at &= ~7UL;
		if (at + 8 > length)
			continue;
		switch (dice(3)) {
		case 0:
			memcpy(bytes + at, &DICE_PICK(nasty), 8);
			break;
		case 1:
			bytes[at] ^= (uint8_t)(1U << dice(8));
			break;
		default:
			bytes[at + dice(8)] = (uint8_t)dice(256);
		}
	}
}

/* One case's stream in @fd. */
static void write_stream(int fd)
{
	unsigned int order[PARTS_MAX + 1], count = n_parts, victim, i, other;
	uint8_t *copy;

	for (i = 0; i < n_parts; i++)
		order[i] = i;
	victim = 1 + dice(n_parts - 2);
	other = 1 + dice(n_parts - 2);
	switch (dice(6)) {
	case 0: /* twice */
		memmove(order + other + 1, order + other, (count++ - other) * sizeof(order[0]));
		order[other] = victim;
		break;
	case 1:
		order[victim] = other;
		order[other] = victim;
		break;
	case 2:
		memmove(order + other, order + other + 1, (--count - other) * sizeof(order[0]));
		break;
	}
	for (i = 0; i < count; i++) {
		const struct part *p = &parts[order[i]];

		if (order[i] != victim) {
			check(write(fd, image + p->at, p->length) == (ssize_t)p->length, "write");
			continue;
		}
		copy = malloc(p->length);
		memcpy(copy, image + p->at, p->length);
		spoil(copy, p->length, p->type);
		check(write(fd, copy, p->length) == (ssize_t)p->length, "write");
		free(copy);
	}
	if (!dice(8))
		check(!ftruncate(fd, (off_t)(dice64() % image_length)), "cut");
}

static void one_case(unsigned long number)
{
	struct light_build build = { .store_port = 11, .console_port = 12, .console_domid = 7 };
	struct move_restore restore = { .ctl = ctl, .fm = fm, .build = &build };
	unsigned long frames = fake_hv_free_pages();
	struct tools_error error = { 0 };
	struct move_channel channel;
	struct move_source *source;
	int fd = memfd_create("stream", MFD_CLOEXEC), rc;

	dice_begin(number);
	write_stream(fd);
	lseek(fd, 0, SEEK_SET);
	build.domid = make_domain();
	move_channel_init(&channel, fd, -1);
	rc = move_source_open(&channel, &source, &error);
	if (!rc) {
		restore.source = source;
		rc = move_restore(&restore, &error);
		move_source_close(source);
	}
	if (rc)
		refused++;
	else
		restored++;
	check(!rc || (error.code && error.text[0]), "an error without a word");
	check(!fake_hv_mapped_pages(), "something stays mapped");
	destroy(build.domid);
	check(fake_hv_free_pages() == frames, "frames are lost");
	close(fd);
}

int main(void)
{
	unsigned long count = dice_cases() / CASES_SHARE;

	fake_hv_reset(16384, 2);
	fake_store_reset();
	check(!ctl_open(&ctl) && !foreignmemory_open(&fm), "handles");
	make_image();
	for (unsigned long i = 0; i < count && !failed; i++)
		one_case(i);
	check(count < 100 || (restored > count / 50 && refused > count / 4), "one-sided cases");
	free(image);
	foreignmemory_close(fm);
	ctl_close(ctl);
	fake_hv_reset(0, 0);
	printf("%lu cases: %lu restored, %lu refused; %lu passed, %lu failed\n", count, restored,
	       refused, count - (failed > count ? count : failed), failed);
	return failed != 0;
}
