/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reader of migration streams: truncated, reordered, bit-flipped, with lengths and types
 * that lie, fed in pieces of any size. What it refuses it names with an offset; what it accepts
 * keeps the promises of tools/stream.h; the pieces do not matter.
 */
/* LINK: dom0-tools/libs/stream/rules.c dom0-tools/libs/stream/reader.c */
/* LINK: dom0-tools/libs/stream/framing.c */
/* LINK: dom0-tools/libs/stream/tables.c dom0-tools/libs/util/core.c */
#include <errno.h>
#include <stdio.h>
#include <fuzz.h>
#include <stream_sample.h>

#define COMPARE_EVERY 16U /* of so many cases one is read twice, in other pieces */

static unsigned long accepted, refused;
static const char letters[] = "ICMSFPTHBXVRvYKEOUhtd01234567";

/* Records in another order, one more, one fewer, another one. */
static void shuffle(char *script, size_t room)
{
	size_t length = strlen(script), at = dice64() % length, to = dice64() % length;
	char letter = letters[dice64() % (sizeof(letters) - 1)], c = script[at];

	switch (dice64() % 4) {
	case 0:
		script[at] = script[to];
		script[to] = c;
		break;
	case 1:
		memmove(script + at, script + at + 1, length - at);
		break;
	case 2:
		if (length + 2 > room)
			break;
		memmove(script + at + 1, script + at, length - at + 1);
		script[at] = letter;
		break;
	default:
		script[at] = letter;
	}
}

/* The offset of some field of a header: of the stream's, or of a record's that is still found. */
static size_t some_header(const struct strbuf *s, size_t first)
{
	size_t at = first, hops = dice64() % 16;
	uint32_t length;

	if (dice64() % 4 == 0)
		return dice64() % (first + 8);
	for (; hops; hops--) {
		if (at + 8 > s->length)
			return dice64() % s->length;
		memcpy(&length, s->text + at + 4, 4);
		at += 8 + (((size_t)length + 7) & ~(size_t)7);
	}
	return at + dice64() % 32;
}

static void damage(struct strbuf *s, size_t first)
{
	static const uint32_t nasty[] = { 0,
					  1,
					  7,
					  8,
					  9,
					  15,
					  16,
					  17,
					  0x7fffffff,
					  0x80000000,
					  ~0U,
					  128U << 20,
					  (128U << 20) + 1,
					  4096,
					  0xfffffff8U };
	size_t at = some_header(s, first);

	switch (dice64() % 4) {
	case 0:
		s->length = dice64() % (s->length + 1);
		break;
	case 1:
		if (at + 4 <= s->length)
			memcpy(s->text + at, &nasty[dice64() % (sizeof(nasty) / sizeof(nasty[0]))],
			       4);
		break;
	default:
		if (at < s->length)
			s->text[at] ^= (char)(1U << dice64() % 8);
	}
}

/* What an item promises. */
static void check_item(const struct stream_item *item, uint64_t *max_pfn, uint32_t *pages_due)
{
	uint32_t data = 0;

	check(item->kind == STREAM_PAGE || !*pages_due, "an item between the pages of a record");
	switch (item->kind) {
	case STREAM_PAGES:
		for (uint32_t i = 0; i < item->pages.count; i++) {
			uint32_t type = stream_word_type(item->pages.words[i]);

			check(stream_word_pfn(item->pages.words[i]) <= *max_pfn, "pfn too large");
			check(stream_type_known(type), "unknown type");
			data += stream_type_has_data(type);
		}
		check(data == item->pages.with_data, "number of pages");
		*pages_due = data;
		break;
	case STREAM_PAGE:
		check(*pages_due > 0 && item->length == STREAM_PAGE_BYTES, "a page too many");
		check(item->page.pfn <= *max_pfn, "page's pfn too large");
		--*pages_due;
		break;
	case STREAM_RECORD:
		if (item->type == STREAM_REC_X86_PV_P2M_FRAMES && item->p2m.end_pfn > *max_pfn)
			*max_pfn = item->p2m.end_pfn;
		if (item->type == STREAM_REC_X86_PV_VCPU_BASIC)
			check(item->vcpu.length == sizeof(struct vcpu_guest_context) &&
				      item->vcpu.vcpu < 4,
			      "vcpu");
		break;
	case STREAM_FILE:
		if (item->file.config)
			check(strlen(item->file.config) == item->file.config_length,
			      "config's end");
		break;
	default:
		break;
	}
}

/* Reads all of it; the error's number, or 0. */
static int run(const struct strbuf *s, enum stream_format format, size_t piece, int hash,
	       struct sample_digest *digest)
{
	struct stream_options options = { .max_vcpus = 4, .checkpoints = s->length & 1 };
	struct tools_error error = { 0 };
	struct stream_item item;
	struct stream_reader *r;
	uint64_t max_pfn = 0;
	uint32_t pages_due = 0;
	size_t at = 0, used;
	int rc = 0;

	options.strict = s->length & 2;
	memset(digest, 0, sizeof(*digest));
	check(!stream_reader_open(format, &options, &r), "open");
	while (at < s->length) {
		size_t n = s->length - at < piece ? s->length - at : piece;

		rc = stream_read(r, s->text + at, n, &used, &item, &error);
		check(used <= n, "more taken than given");
		at += used;
		if (rc < 0 || (!rc && stream_reader_done(r)))
			break;
		if (!rc)
			check(used == n, "bytes left although more are wanted");
		if (rc > 0) {
			check_item(&item, &max_pfn, &pages_due);
			digest->items++;
			if (hash)
				sample_digest(digest, &item);
		}
	}
	check(stream_reader_offset(r) == at, "offset");
	rc = stream_reader_finish(r, &error);
	if (rc)
		check(strstr(error.text, " at byte ") != NULL, "an error without offset");
	else
		check(!pages_due, "pages missing");
	stream_reader_close(r);
	return rc;
}

static void one_case(unsigned int number)
{
	static const char *const scripts[] = { SAMPLE_GOOD, "1" SAMPLE_GOOD "0",
					       "1" SAMPLE_GOOD "230" };
	enum stream_format format = (enum stream_format)(dice64() % 3);
	uint8_t version = dice64() % 8 ? 3 : 2;
	struct sample_digest one, two;
	struct strbuf s = { 0 };
	char script[64];
	size_t first;
	int rc;

	strcpy(script, format == STREAM_LIBXC ? scripts[0] : scripts[1 + dice64() % 2]);
	if (version == 2) /* without its static records */
		memmove(strchr(script, 'C'), strchr(script, 'F'), strlen(strchr(script, 'F')) + 1);
	if (dice64() % 2)
		for (unsigned int n = 1 + dice64() % 3; n; n--)
			shuffle(script, sizeof(script));
	sample_stream(&s, format, version, "");
	first = s.length;
	strbuf_free(&s);
	sample_stream(&s, format, version, script);
	if (dice64() % 4)
		for (unsigned int n = 1 + dice64() % 2; n; n--)
			damage(&s, first);
	rc = run(&s, format, number % 2 ? 1 + dice64() % 6000 : s.length, !(number % COMPARE_EVERY),
		 &one);
	if (rc)
		refused++;
	else
		accepted++;
	if (number % COMPARE_EVERY == 0) {
		check(run(&s, format, 1 + dice64() % 64, 1, &two) == rc,
		      "another result in pieces");
		check(one.hash == two.hash && one.items == two.items, "other items in pieces");
	}
	strbuf_free(&s);
}

int main(void)
{
	unsigned int count = (unsigned int)dice_cases();

	for (unsigned int i = 0; i < count; i++)
		one_case(i);
	check(count < 1000 || (accepted > count / 20 && refused > count / 20), "one-sided cases");
	printf("%u cases: %lu accepted, %lu refused; %lu passed, %lu failed\n", count, accepted,
	       refused, count - (failed > count ? count : failed), failed);
	return failed != 0;
}
