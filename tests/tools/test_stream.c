/* SPDX-License-Identifier: MIT */
/*
 * Reading the migration stream: in pieces of any size, with each rule of the formats broken once;
 * and page tables, which come back as they were.
 */
/* LINK: dom0-tools/libs/stream/rules.c dom0-tools/libs/stream/reader.c */
/* LINK: dom0-tools/libs/stream/framing.c */
/* LINK: dom0-tools/libs/stream/tables.c dom0-tools/libs/stream/context.c */
/* LINK: dom0-tools/libs/util/core.c */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stream_sample.h>

/* ---- good streams ---- */

static void test_pieces(void **state __attribute__((unused)))
{
	static const char *const scripts[] = { SAMPLE_GOOD, "1" SAMPLE_GOOD "0",
					       "1" SAMPLE_GOOD "0" };
	static const char *const kinds[] = { "iRRRRRpddRRRRRRR", "liRRRRRpddRRRRRRRf",
					     "xliRRRRRpddRRRRRRRf" };
	static const size_t pieces[] = { 1, 3, 8, 4095, 4097, 1U << 20 };
	struct tools_error error;

	for (unsigned int f = STREAM_LIBXC; f <= STREAM_XL; f++) {
		struct sample_digest whole, d;
		struct strbuf s = { 0 };

		sample_stream(&s, f, 3, scripts[f]);
		assert_int_equal(sample_read(&s, f, NULL, s.length, &whole, &error), 0);
		assert_string_equal(whole.kinds, kinds[f]);
		for (unsigned int i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			assert_int_equal(sample_read(&s, f, NULL, pieces[i], &d, &error), 0);
			assert_int_equal(d.hash, whole.hash);
		}
		strbuf_free(&s);
	}
}

static void test_truncated(void **state __attribute__((unused)))
{
	struct sample_digest d;
	struct tools_error error;
	struct strbuf s = { 0 };
	size_t whole;
	char place[32];

	sample_stream(&s, STREAM_XL, 3, "1" SAMPLE_GOOD "0");
	whole = s.length;
	for (s.length = 0; s.length < whole; s.length += 1 + s.length / 97) {
		assert_int_equal(sample_read(&s, STREAM_XL, NULL, 4096, &d, &error), -ENODATA);
		assert_string_equal(error.code, "truncated-stream");
		snprintf(place, sizeof(place), "ends at byte %zu", s.length);
		assert_non_null(strstr(error.text, place));
	}
	strbuf_free(&s);
}

/* Who asks for just what is wanted reads no byte behind the end; what is behind is not taken. */
static void test_exact(void **state __attribute__((unused)))
{
	struct stream_reader *r;
	struct stream_item item;
	struct strbuf s = { 0 };
	size_t at = 0, used, length;

	sample_stream(&s, STREAM_LIBXL, 3, "1" SAMPLE_GOOD "0");
	length = s.length;
	strbuf_add(&s, "domain is yours", 15);
	assert_int_equal(stream_reader_open(STREAM_LIBXL, NULL, &r), 0);
	while (!stream_reader_done(r)) {
		size_t n = stream_reader_wants(r);

		assert_true(at + n <= length);
		assert_true(stream_read(r, s.text + at, n, &used, &item, NULL) >= 0);
		assert_int_equal(used, n);
		at += used;
	}
	assert_int_equal(at, length);
	assert_int_equal(stream_reader_wants(r), 0);
	assert_int_equal(stream_read(r, s.text + at, 15, &used, &item, NULL), 0);
	assert_int_equal(used, 0);
	stream_reader_close(r);
	strbuf_free(&s);
}

/* Pages that the caller takes past the reader. */
static void test_pages_taken(void **state __attribute__((unused)))
{
	struct stream_reader *r;
	struct stream_item item;
	struct strbuf s = { 0 };
	size_t at = 0, used;
	unsigned int pages = 0;
	int rc;

	sample_stream(&s, STREAM_LIBXC, 3, "ISFPPHBE");
	assert_int_equal(stream_reader_open(STREAM_LIBXC, NULL, &r), 0);
	assert_int_equal(stream_reader_pages_taken(r, 1), -EINVAL);
	while (!stream_reader_done(r)) {
		rc = stream_read(r, s.text + at, s.length - at, &used, &item, NULL);
		assert_int_equal(rc, 1);
		at += used;
		if (item.kind == STREAM_PAGE) {
			assert_int_equal(item.page.index, 2);
			assert_int_equal(item.page.pfn, 5);
			assert_int_equal(((const uint8_t *)item.body)[0], 0x55);
		}
		if (item.kind != STREAM_PAGES)
			continue;
		assert_int_equal(item.pages.count, SAMPLE_WORDS);
		assert_int_equal(item.pages.with_data, 2);
		assert_int_equal(stream_reader_pages_taken(r, 3), -EINVAL);
		/* Of the first record the first page, of the second all. */
		assert_int_equal(stream_reader_pages_taken(r, ++pages), 0);
		at += pages * STREAM_PAGE_BYTES;
	}
	assert_int_equal(pages, 2);
	assert_int_equal(at, s.length);
	stream_reader_close(r);
	strbuf_free(&s);
}

static void test_version_2(void **state __attribute__((unused)))
{
	struct stream_reader *r;
	struct stream_item item;
	struct strbuf s = { 0 };
	size_t at = 0, used;
	unsigned int inferred = 0;

	sample_stream(&s, STREAM_LIBXC, 2, SAMPLE_GOOD_V2);
	assert_int_equal(stream_reader_open(STREAM_LIBXC, NULL, &r), 0);
	for (unsigned int n = 0; !stream_reader_done(r); n++) {
		assert_int_equal(stream_read(r, s.text + at, s.length - at, &used, &item, NULL), 1);
		at += used;
		if (item.kind == STREAM_IMAGE)
			assert_int_equal(item.image.version, 2);
		if (!item.inferred)
			continue;
		assert_int_equal(item.type, STREAM_REC_STATIC_DATA_END);
		assert_int_equal(n, 2); /* before the frames of the p2m */
		inferred++;
	}
	assert_int_equal(inferred, 1);
	stream_reader_close(r);
	strbuf_free(&s);
}

static void test_variants(void **state __attribute__((unused)))
{
	static const struct {
		enum stream_format format;
		const char *script, *kinds;
	} variants[] = {
		/* unknown optional records and empty ones of vcpus are passed over */
		{ STREAM_LIBXC, "OIOSFPHBvOEU", "iRRRpddRRR" },
		{ STREAM_LIBXC, "ISFFPPYPHBbE", "iRRRRpddpddRpddRRRR" },
		{ STREAM_LIBXC, "ISFPHBKPHBE", "iRRRpddRRRpddRRR" },
		{ STREAM_LIBXL, "1ISFPHBK4PHBK24HBE0", "liRRRpddRRRfpddRRRffRRRf" },
		{ STREAM_LIBXL, "1ISFPHBE230", "liRRRpddRRRfff" },
	};
	static const struct stream_options options = { .checkpoints = true };

	for (unsigned int i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		struct sample_digest d;
		struct tools_error error = { .text = "" };
		struct strbuf s = { 0 };

		sample_stream(&s, variants[i].format, 3, variants[i].script);
		if (sample_read(&s, variants[i].format, &options, 1000, &d, &error))
			fail_msg("%s: %s", variants[i].script, error.text);
		assert_string_equal(d.kinds, variants[i].kinds);
		strbuf_free(&s);
	}
}

/* ---- rules broken by order ---- */

static void test_order(void **state __attribute__((unused)))
{
	static const struct {
		enum stream_format format;
		uint8_t version;
		int rc;
		const char *script, *says;
	} broken[] = {
		{ STREAM_LIBXC, 3, -EINVAL, "S",
		  "STATIC_DATA_END (type 0x00000010) at byte 40: no X86_PV_INFO before" },
		{ STREAM_LIBXC, 3, -EINVAL, "II",
		  "X86_PV_INFO (type 0x00000002) at byte 56: a second one" },
		{ STREAM_LIBXC, 3, -EINVAL, "IF", "at byte 56: no STATIC_DATA_END before" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISS", "a second one" },
		{ STREAM_LIBXC, 3, -EINVAL, "ICC", "a second one" },
		{ STREAM_LIBXC, 3, -EINVAL, "IMM", "a second one" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISC",
		  "X86_CPUID_POLICY (type 0x00000011) at byte 64: it comes after STATIC_DATA_END" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISM", "after STATIC_DATA_END" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISP",
		  "PAGE_DATA (type 0x00000001) at byte 64: no X86_PV_P2M_FRAMES" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFB", "no PAGE_DATA before" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISB", "no X86_PV_P2M_FRAMES before" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFPBP", "it comes after X86_PV_VCPU" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFPBF", "it comes after X86_PV_VCPU" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFPBY", "it comes after X86_PV_VCPU" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFY", "no PAGE_DATA" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFPYY", "a second one" },
		{ STREAM_LIBXC, 3, -EINVAL, "H", "no X86_PV_INFO" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISHH", "a second one" },
		{ STREAM_LIBXC, 3, -EINVAL, "TT", "a second one" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFPHBB", "a second one of vcpu 0" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFPHE", "no X86_PV_VCPU before" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFPHbE", "no X86_PV_VCPU_BASIC of vcpu 0" },
		{ STREAM_LIBXC, 3, -EINVAL, "ISFPBE", "no SHARED_INFO" },
		{ STREAM_LIBXC, 3, -EINVAL, "E",
		  "END (type 0x00000000) at byte 40: no X86_PV_INFO" },
		{ STREAM_LIBXC, 3, -EOPNOTSUPP, "IU",
		  "unknown (type 0x00000013) at byte 56: a mandatory" },
		{ STREAM_LIBXC, 3, -EOPNOTSUPP, "Ih", "HVM_CONTEXT" },
		{ STREAM_LIBXC, 3, -EOPNOTSUPP, "It", "TOOLSTACK" },
		{ STREAM_LIBXC, 3, -EOPNOTSUPP, "Id", "CHECKPOINT_DIRTY_PFN_LIST" },
		{ STREAM_LIBXC, 3, -EOPNOTSUPP, "ISFPHBK", "without checkpoints" },
		{ STREAM_LIBXC, 2, -EINVAL, "IS", "not in version 2" },
		{ STREAM_LIBXC, 2, -EINVAL, "IC", "not in version 2" },
		{ STREAM_LIBXC, 2, -EINVAL, "IM", "not in version 2" },
		{ STREAM_LIBXC, 2, -EINVAL, "P", "no X86_PV_INFO" },
		{ STREAM_LIBXL, 3, -EINVAL, "0",
		  "libxl record END (type 0x00000000) at byte 16: no LIBXC_CONTEXT" },
		{ STREAM_LIBXL, 3, -EINVAL, "2", "no LIBXC_CONTEXT" },
		{ STREAM_LIBXL, 3, -EINVAL, "1ISFPHBE1", "a second one" },
		{ STREAM_LIBXL, 3, -EINVAL, "1ISFPHBE4", "no CHECKPOINT before" },
		{ STREAM_LIBXL, 3, -EINVAL, "1ISFPHBE7", "pairs of strings" },
		{ STREAM_LIBXL, 3, -EOPNOTSUPP, "5", "CHECKPOINT_STATE" },
		{ STREAM_LIBXL, 3, -EOPNOTSUPP, "6", "a mandatory record" },
	};

	for (unsigned int i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct sample_digest d;
		struct tools_error error = { .text = "" };
		struct strbuf s = { 0 };
		int rc;

		sample_stream(&s, broken[i].format, broken[i].version, broken[i].script);
		rc = sample_read(&s, broken[i].format, NULL, 777, &d, &error);
		if (rc != broken[i].rc || !strstr(error.text, broken[i].says) ||
		    !strstr(error.text, " at byte "))
			fail_msg("%s: %d %s", broken[i].script, rc, error.text);
		strbuf_free(&s);
	}
}

/* ---- rules broken by a wrong field ---- */

/* In the stream of @script, the @bytes bytes at @at become @value. */
struct patch {
	enum stream_format format;
	const char *script;
	size_t at;
	unsigned int bytes;
	uint64_t value;
	int rc;
	bool strict; /* only then an error */
	const char *says;
};

static const struct patch patches[] = {
	/* libxc's headers */
	{ STREAM_LIBXC, "I", 3, 1, 0, -EINVAL, false, "libxc image header at byte 0: its marker" },
	{ STREAM_LIBXC, "I", 8, 1, 'Y', -EINVAL, false, "its id is 0x59454e46" },
	{ STREAM_LIBXC, "I", 15, 1, 4, -EOPNOTSUPP, false, "version 4" },
	{ STREAM_LIBXC, "I", 15, 1, 1, -EOPNOTSUPP, false, "version 1" },
	{ STREAM_LIBXC, "I", 17, 1, 1, -EOPNOTSUPP, false, "big-endian" },
	{ STREAM_LIBXC, "I", 17, 1, 2, -EINVAL, true, "reserved" },
	{ STREAM_LIBXC, "I", 20, 1, 2, -EINVAL, true, "reserved" },
	{ STREAM_LIBXC, "I", 24, 1, 2, -EOPNOTSUPP, false,
	  "libxc domain header at byte 24: an HVM" },
	{ STREAM_LIBXC, "I", 24, 1, 3, -EINVAL, false, "unknown type of domain" },
	{ STREAM_LIBXC, "I", 28, 1, 13, -EINVAL, false, "pages of 2^13" },
	{ STREAM_LIBXC, "I", 30, 1, 1, -EINVAL, true, "reserved" },
	/* lengths */
	{ STREAM_LIBXC, "I", 44, 4, 16, -EINVAL, false,
	  "X86_PV_INFO (type 0x00000002) at byte 40: its length is 16, not 8" },
	{ STREAM_LIBXC, "I", 44, 4, (128U << 20) + 1, -EINVAL, false, "the most is" },
	{ STREAM_LIBXC, "O", 44, 4, ~0U, -EINVAL, false, "the most is" },
	{ STREAM_LIBXC, "IC", 60, 4, 47, -EINVAL, false, "not a multiple of 24" },
	{ STREAM_LIBXC, "IC", 60, 4, 0, -EINVAL, false, "not a multiple of 24 from 24" },
	{ STREAM_LIBXC, "IM", 60, 4, 17, -EINVAL, false, "not a multiple of 16" },
	{ STREAM_LIBXC, "IC", 60, 4, 24 * 2731, -EINVAL, false, "of 24 from 24 to 65536" },
	{ STREAM_LIBXC, "IM", 60, 4, 16 * 4097, -EINVAL, false, "of 16 from 16 to 65536" },
	{ STREAM_LIBXC, "IS", 60, 4, 8, -EINVAL, false, "its length is 8, not 0" },
	{ STREAM_LIBXC, "T", 44, 4, 16, -EINVAL, false, "its length is 16, not 24" },
	{ STREAM_LIBXC, "IH", 60, 4, 4095, -EINVAL, false, "its length is 4095, not 4096" },
	{ STREAM_LIBXC, "ISF", 68, 4, 32, -EINVAL, false, "its length is 32, not 24 for pfns" },
	{ STREAM_LIBXC, "ISF", 68, 4, 8, -EINVAL, false, "from 16" },
	{ STREAM_LIBXC, "ISF", 68, 4, (16U << 20) + 8, -EINVAL, false, "from 16 to 16777216" },
	/* X86_PV_INFO */
	{ STREAM_LIBXC, "I", 48, 2, 0x0304, -EOPNOTSUPP, false, "32-bit guest" },
	{ STREAM_LIBXC, "I", 48, 2, 0x0308, -EINVAL, false, "8 bytes of width and 3 levels" },
	{ STREAM_LIBXC, "I", 50, 1, 1, -EINVAL, true, "reserved bits are set: 0x1" },
	/* X86_PV_P2M_FRAMES at byte 64 */
	{ STREAM_LIBXC, "ISF", 72, 4, SAMPLE_MAX_PFN + 1, -EINVAL, false, "behind its end" },
	{ STREAM_LIBXC, "ISF", 76, 4, 1024, -EINVAL, false, "its length is 24, not 32" },
	{ STREAM_LIBXC, "ISF", 76, 4, ~0U, -EINVAL, false, "its length is 24" },
	{ STREAM_LIBXC, "ISF", 88, 4, SAMPLE_MAX_PFN + 1, -EINVAL, false,
	  "frame 1 of the p2m has pfn 0x3e9" },
	/* PAGE_DATA at byte 96: count at 104, words at 112 */
	{ STREAM_LIBXC, "ISFP", 104, 4, 0, -EINVAL, false,
	  "PAGE_DATA (type 0x00000001) at byte 96: no pages" },
	{ STREAM_LIBXC, "ISFP", 104, 4, 0x10000000, -EINVAL, false,
	  "too short for 268435456 pfns" },
	{ STREAM_LIBXC, "ISFP", 104, 4, 5, -EINVAL, false, "" },
	{ STREAM_LIBXC, "ISFP", 100, 8, 9U << 20 | ((1ULL << 20) + 1) << 32, -EINVAL, false,
	  "1048577 pfns in it, the most are 1048576" },
	{ STREAM_LIBXC, "ISFP", 108, 4, 1, -EINVAL, true, "reserved" },
	{ STREAM_LIBXC, "ISFP", 112, 8, SAMPLE_MAX_PFN + 1, -EINVAL, false,
	  "page 0 has pfn 0x3e9" },
	{ STREAM_LIBXC, "ISFP", 118, 1, 0x10, -EINVAL, true, "reserved" },
	{ STREAM_LIBXC, "ISFP", 127, 1, 0x50, -EINVAL, false,
	  "page 1 (pfn 0x4) has the unknown type 0x5" },
	{ STREAM_LIBXC, "ISFP", 127, 1, 0x80, -EINVAL, false, "unknown type 0x8" },
	{ STREAM_LIBXC, "ISFP", 127, 1, 0x90, -EINVAL, false, "not 12328 for 4 pfns and 3 pages" },
	{ STREAM_LIBXC, "ISFP", 100, 4, 40 + 4096, -EINVAL, false, "its length is 4136, not 8232" },
	/* a vcpu's record at byte 8336 */
	{ STREAM_LIBXC, "ISFPB", 8344, 4, 2, -EINVAL, false, "vcpu 2, the domain has at most 2" },
	{ STREAM_LIBXC, "ISFPB", 8348, 4, 2, -EINVAL, true, "reserved" },
	{ STREAM_LIBXC, "ISFPB", 8340, 4, 4, -EINVAL, false, "its length is 4, not from 8" },
	{ STREAM_LIBXC, "ISFPB", 8340, 4, 5168, -EINVAL, false,
	  "the context has 5160 bytes, not 5168" },
	{ STREAM_LIBXC, "ISFPXH", 8340, 4, 137, -EINVAL, false, "at most 128" },
	{ STREAM_LIBXC, "ISFPV", 8340, 4, 16, -EINVAL, false, "at least 16" },
	{ STREAM_LIBXC, "ISFPR", 8340, 4, 39, -EINVAL, false, "no multiple of 16" },
	{ STREAM_LIBXC, "ISFPV", 8340, 4, 65537, -EINVAL, false, "not from 8 to 65536" },
	{ STREAM_LIBXC, "ISFPR", 8340, 4, 128U << 20, -EINVAL, false, "not from 8 to 65536" },
	{ STREAM_LIBXC, "T", 68, 1, 1, -EINVAL, true, "reserved" },
	{ STREAM_LIBXC, "ISFPV", 8950, 1, 1, -EINVAL, true, "padding" },
	/* libxl's */
	{ STREAM_LIBXL, "1", 0, 1, 'l', -EINVAL, false, "libxl header at byte 0: its ident" },
	{ STREAM_LIBXL, "1", 11, 1, 3, -EOPNOTSUPP, false, "version 3" },
	{ STREAM_LIBXL, "1", 15, 1, 1, -EOPNOTSUPP, false, "big-endian" },
	{ STREAM_LIBXL, "1", 15, 1, 4, -EINVAL, true, "reserved options" },
	{ STREAM_LIBXL, "1", 20, 4, 8, -EINVAL, false,
	  "LIBXC_CONTEXT (type 0x00000001) at byte 16: its length is 8, not 0" },
	{ STREAM_LIBXL, "2", 20, 4, 7, -EINVAL, false, "its length is 7, not from 8" },
	{ STREAM_LIBXL, "1", 23, 1, 0x10, -EINVAL, false, "the most is" },
	{ STREAM_LIBXL, "2", 20, 4, (16U << 20) + 1, -EINVAL, false, "not from 8 to 16777216" },
	/* xl's */
	{ STREAM_XL, "1", 27, 1, 'X', -EINVAL, false, "xl file header at byte 0: not a domain" },
	{ STREAM_XL, "1", 31, 1, 'X', -EINVAL, false, "not a domain" },
	{ STREAM_XL, "1", 32, 4, 0x04030201, -EOPNOTSUPP, false, "big-endian" },
	{ STREAM_XL, "1", 32, 4, 0x01020303, -EINVAL, false, "byte order word" },
	{ STREAM_XL, "1", 36, 4, 7, -EOPNOTSUPP, false, "mandatory flags that are not known: 0x4" },
	{ STREAM_XL, "1", 36, 4, 1, -EOPNOTSUPP, false, "before version 2" },
	{ STREAM_XL, "1", 44, 4, 3, -EINVAL, false,
	  "xl file data at byte 48: 3 bytes are too short" },
	{ STREAM_XL, "1", 44, 4, (1U << 20) + 1, -EINVAL, false, "the most is 1048576" },
	{ STREAM_XL, "1", 48, 4, 200, -EINVAL, false, "a configuration of 200 bytes in" },
	{ STREAM_XL, "1", 48, 4, 5, -EINVAL, false, "does not end in a NUL" },
};

static void test_fields(void **state __attribute__((unused)))
{
	for (unsigned int i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
		const struct patch *p = &patches[i];
		struct stream_options options = { .max_vcpus = 2 };
		struct sample_digest d;
		struct tools_error error = { .text = "" };
		struct strbuf s = { 0 };
		int rc;

		sample_stream(&s, p->format, 3, p->script);
		sample_fill(&s, 0, 64);
		assert_true(p->at + p->bytes <= s.length);
		memcpy(s.text + p->at, &p->value, p->bytes);
		if (p->strict) {
			rc = sample_read(&s, p->format, &options, 100, &d, &error);
			assert_true(!rc || !strstr(error.text, p->says));
			options.strict = true;
		}
		rc = sample_read(&s, p->format, &options, 100, &d, &error);
		if (rc != p->rc || !strstr(error.text, p->says) || !strstr(error.text, " at byte "))
			fail_msg("patch %u of %s: %d %s", i, p->script, rc, error.text);
		strbuf_free(&s);
	}
}

/* A reader that has failed stays so, and a length that lies costs no memory. */
static void test_failed_stays(void **state __attribute__((unused)))
{
	struct stream_reader *r;
	struct stream_item item;
	struct tools_error error = { .text = "" };
	struct strbuf s = { 0 };
	size_t used;

	sample_stream(&s, STREAM_LIBXC, 3, "S");
	assert_int_equal(stream_reader_open(STREAM_LIBXC, NULL, &r), 0);
	assert_int_equal(stream_read(r, s.text, s.length, &used, &item, NULL), 1);
	assert_int_equal(stream_read(r, s.text + used, 8, &used, &item, NULL), -EINVAL);
	assert_int_equal(stream_read(r, s.text, s.length, &used, &item, &error), -EINVAL);
	assert_int_equal(used, 0);
	assert_non_null(strstr(error.text, "STATIC_DATA_END"));
	assert_int_equal(stream_reader_wants(r), 0);
	assert_int_equal(stream_reader_finish(r, &error), -EINVAL);
	stream_reader_close(r);
	strbuf_free(&s);
	assert_int_equal(
		stream_reader_open(STREAM_LIBXC, &(struct stream_options){ .max_vcpus = 9000 }, &r),
		-EINVAL);
}

/* ---- pages ---- */

static void test_types(void **state __attribute__((unused)))
{
	static const char known[17] = "yyyyy....yyyyyyy", data[17] = "yyyyy....yyyy...";
	static const char memory[17] = "yyyyy....yyyy.y.";
	static const unsigned int levels[16] = {
		0, 1, 2, 3, 4, [9] = 1, [10] = 2, [11] = 3, [12] = 4
	};

	for (unsigned int i = 0; i < 16; i++) {
		uint32_t type = i << 28;

		assert_int_equal(stream_type_known(type), known[i] == 'y');
		assert_int_equal(stream_type_level(type), levels[i]);
		assert_int_equal(stream_type_pinned(type), i >= 9 && i <= 12);
		assert_int_equal(stream_word_type(stream_word(0x123, type)), type);
		assert_int_equal(stream_word_pfn(stream_word(0x123, type)), 0x123);
		if (known[i] != 'y')
			continue;
		assert_int_equal(stream_type_has_data(type), data[i] == 'y');
		assert_int_equal(stream_type_populated(type), memory[i] == 'y');
	}
	assert_false(stream_type_known(1));
}

/* mfn 0x5000 + n is pfn n below 0x1000; all else is foreign. */
static uint64_t to_pfn(void *cookie __attribute__((unused)), uint64_t mfn)
{
	return mfn >= 0x5000 && mfn < 0x6000 ? mfn - 0x5000 : STREAM_NO_FRAME;
}

static uint64_t to_mfn(void *cookie __attribute__((unused)), uint64_t pfn)
{
	return pfn < 0x1000 ? pfn + 0x5000 : STREAM_NO_FRAME;
}

static const struct stream_lookup mfn_to_pfn = { .find = to_pfn }, pfn_to_mfn = { .find = to_mfn };

#define NX (1ULL << 63)

static void test_tables(void **state __attribute__((unused)))
{
	uint64_t table[512], out[513], back[512];
	void *unaligned = (uint8_t *)out + 3;
	struct tools_error e;

	for (unsigned int level = 1; level <= 4; level++) {
		uint32_t type = level << 28 | XEN_DOMCTL_PFINFO_LPINTAB;

		for (unsigned int i = 0; i < 512; i++)
			table[i] = i % 3 == 0 ? (0x5000ULL + i) << 12 | 0x67 | NX :
				   i % 3 == 1 ? 0xdead000ULL :
						0; /* not present: kept */
		/* On either side of where Xen's slots of level 4 begin and end. */
		table[255] = table[256] = table[271] = table[272] = 0x5123067;
		assert_int_equal(stream_table_to_pfns(table, unaligned, type, 7,
						      STREAM_FOREIGN_FAIL, &mfn_to_pfn, &e),
				 0);
		memcpy(back, unaligned, sizeof(back));
		assert_int_equal(back[3], (3ULL << 12 | 0x67 | NX));
		assert_int_equal(back[4], 0xdead000ULL);
		assert_int_equal(stream_table_to_mfns(back, back, type, 7, &pfn_to_mfn, &e), 0);
		for (unsigned int i = 0; i < 512; i++)
			assert_int_equal(back[i], level == 4 && i >= 256 && i < 272 ? 0 : table[i]);
	}
	/* A page of data is only copied. */
	table[0] = 0x1234567;
	assert_int_equal(
		stream_table_to_pfns(table, out, 0, 7, STREAM_FOREIGN_FAIL, &mfn_to_pfn, &e), 0);
	assert_memory_equal(table, out, sizeof(table));
	assert_int_equal(stream_table_to_mfns(table, out, 0, 7, &pfn_to_mfn, &e), 0);
	assert_int_equal(stream_table_to_mfns(table, out, 0xfU << 28, 7, &pfn_to_mfn, &e), -EINVAL);
	assert_int_equal(
		stream_table_to_pfns(table, out, 5U << 28, 7, STREAM_FOREIGN_FAIL, &mfn_to_pfn, &e),
		-EINVAL);
}

static void test_foreign(void **state __attribute__((unused)))
{
	uint64_t table[512] = { [17] = 0xabcd067, [18] = 0x5001067, [300] = 0x1067 }, out[512];
	struct tools_error e;

	assert_int_equal(stream_table_to_pfns(table, out, 1U << 28, 0x77, STREAM_FOREIGN_FAIL,
					      &mfn_to_pfn, &e),
			 -ERANGE);
	assert_string_equal(e.text, "page table pfn 0x77 (level 1), entry 17: maps mfn 0xabcd, "
				    "which is not memory of this domain");
	assert_int_equal(stream_table_to_pfns(table, out, 1U << 28, 0x77, STREAM_FOREIGN_DEFER,
					      &mfn_to_pfn, &e),
			 -EAGAIN);
	assert_int_equal(stream_table_to_pfns(table, out, 1U << 28, 0x77, STREAM_FOREIGN_ZERO,
					      &mfn_to_pfn, &e),
			 2);
	assert_int_equal(out[17] | out[300], 0);
	assert_int_equal(out[18], 0x1067);

	/* Bit 7 is PAT in level 1, a superpage above. */
	memset(table, 0, sizeof(table));
	table[9] = 0x50020e7;
	assert_int_equal(
		stream_table_to_pfns(table, out, 1U << 28, 8, STREAM_FOREIGN_FAIL, &mfn_to_pfn, &e),
		0);
	assert_int_equal(
		stream_table_to_pfns(table, out, 2U << 28, 8, STREAM_FOREIGN_FAIL, &mfn_to_pfn, &e),
		-E2BIG);
	assert_non_null(strstr(e.text, "entry 9: a superpage at mfn 0x5002"));
	assert_int_equal(stream_table_to_pfns(table, out, 2U << 28, 8, STREAM_FOREIGN_DEFER,
					      &mfn_to_pfn, &e),
			 -EAGAIN);

	table[9] = 0x1000067;
	assert_int_equal(stream_table_to_mfns(table, out, 3U << 28, 8, &pfn_to_mfn, &e), -ERANGE);
	assert_string_equal(e.text,
			    "page table pfn 0x8 (level 3), entry 9: pfn 0x1000 has no memory");
}

/* Of pfn 0x10 a table of level 4, of 0x11 a pinned one; else plain pages. */
static uint32_t type_of(void *cookie __attribute__((unused)), uint64_t pfn)
{
	return pfn == 0x10 ? XEN_DOMCTL_PFINFO_L4TAB :
	       pfn == 0x11 ? XEN_DOMCTL_PFINFO_L4TAB | XEN_DOMCTL_PFINFO_LPINTAB :
			     0;
}

static struct vcpu_guest_context sample_context(void)
{
	struct vcpu_guest_context c = { .gdt_ents = 513, .gdt_frames = { 0x5020, 0x5021, 0xbad } };

	c.user_regs.rdx = 0x5030;
	c.ctrlreg[3] = 0x5010000;
	c.ctrlreg[1] = 0x5011000;
	return c;
}

static void test_context(void **state __attribute__((unused)))
{
	struct vcpu_guest_context c = sample_context(), old;
	struct tools_error e;

	assert_int_equal(stream_context_to_pfns(&c, 0, &mfn_to_pfn, &e), 0);
	assert_int_equal(c.user_regs.rdx, 0x30);
	assert_int_equal(c.gdt_frames[1], 0x21);
	assert_int_equal(c.gdt_frames[2], 0xbad);
	assert_int_equal(c.ctrlreg[3], 0x10000);
	assert_int_equal(c.ctrlreg[1], 0x11001);
	assert_int_equal(stream_context_to_mfns(&c, 0, &pfn_to_mfn, type_of, &e), 0);
	old = sample_context();
	old.flags = VGCF_online;
	assert_memory_equal(&c, &old, sizeof(c));

	/* rdx is the start info on vcpu 0 only; without a table for user mode there is none. */
	c.user_regs.rdx = 1;
	c.ctrlreg[1] = 0;
	assert_int_equal(stream_context_to_pfns(&c, 1, &mfn_to_pfn, &e), 0);
	assert_int_equal(c.user_regs.rdx, 1);
	assert_int_equal(c.ctrlreg[1], 0);
}

static void test_bad_context(void **state __attribute__((unused)))
{
	struct vcpu_guest_context c = sample_context(), old;
	struct tools_error e;

	c.gdt_frames[1] = 0x77;
	old = c;
	assert_int_equal(stream_context_to_pfns(&c, 0, &mfn_to_pfn, &e), -ERANGE);
	assert_string_equal(e.text,
			    "vcpu 0: its GDT has mfn 0x77, which is not memory of this domain");
	assert_memory_equal(&c, &old, sizeof(c));
	c.gdt_ents = FIRST_RESERVED_GDT_ENTRY + 1;
	assert_int_equal(stream_context_to_pfns(&c, 0, &mfn_to_pfn, &e), -ERANGE);

	c = sample_context();
	assert_int_equal(stream_context_to_pfns(&c, 0, &mfn_to_pfn, &e), 0);
	c.user_regs.rdx = 0x10; /* a page table */
	assert_int_equal(stream_context_to_mfns(&c, 0, &pfn_to_mfn, type_of, &e), -EINVAL);
	c.user_regs.rdx = 0x30;
	c.ctrlreg[3] = 0x12000; /* a plain page */
	assert_int_equal(stream_context_to_mfns(&c, 0, &pfn_to_mfn, type_of, &e), -EINVAL);
	assert_non_null(
		strstr(e.text, "its page table (cr3) has pfn 0x12 of type 0x0, not of level 4"));
	c.ctrlreg[3] = 0x1000000;
	assert_int_equal(stream_context_to_mfns(&c, 0, &pfn_to_mfn, type_of, &e), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),	     cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_exact),	     cmocka_unit_test(test_pages_taken),
		cmocka_unit_test(test_version_2),    cmocka_unit_test(test_variants),
		cmocka_unit_test(test_order),	     cmocka_unit_test(test_fields),
		cmocka_unit_test(test_failed_stays), cmocka_unit_test(test_types),
		cmocka_unit_test(test_tables),	     cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_context),	     cmocka_unit_test(test_bad_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
