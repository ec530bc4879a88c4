/* SPDX-License-Identifier: MIT */
/*
 * Small migration streams for tests, put together record by record without the writer: a script of
 * letters, one for each record, so that any order and any wrong record is a short string.
 */
#ifndef STREAM_SAMPLE_H
#define STREAM_SAMPLE_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tools/stream.h>
#include <xen/xen.h>
#include <xen/domctl.h>

#define SAMPLE_GOOD	"ICMSFPTHBXVRE"		/* a whole image of version 3 */
#define SAMPLE_GOOD_V2	"IFPTHBXVRE"
#define SAMPLE_MAX_PFN	1000U			/* two frames of p2m */
#define SAMPLE_CONFIG	"{\"c_info\": {\"name\": \"sample\"}}"

/* The words of letter P: two pages with data, two without. */
static const uint64_t sample_words[] = {
	3, 4ULL | 0xfULL << 60, 5ULL | 1ULL << 60, 6ULL | 0xeULL << 60,
};
#define SAMPLE_WORDS (sizeof(sample_words) / sizeof(sample_words[0]))

static inline void sample_u32(struct strbuf *s, uint32_t value)
{
	strbuf_add(s, &value, sizeof(value));
}

static inline void sample_u64(struct strbuf *s, uint64_t value)
{
	strbuf_add(s, &value, sizeof(value));
}

static inline void sample_fill(struct strbuf *s, uint8_t byte, size_t length)
{
	uint8_t block[64];

	memset(block, byte, sizeof(block));
	for (; length; length -= length < sizeof(block) ? length : sizeof(block))
		strbuf_add(s, block, length < sizeof(block) ? length : sizeof(block));
}

/* A record with a body of @length bytes, padded. */
static inline void sample_record(struct strbuf *s, uint32_t type, const void *body, uint32_t length)
{
	sample_u32(s, type);
	sample_u32(s, length);
	if (length)
		strbuf_add(s, body, length);
	sample_fill(s, 0, -length & 7);
}

/* @words and @head_bytes of them first, then @length bytes of @fill. */
static inline void sample_blob(struct strbuf *s, uint32_t type, uint32_t first, uint32_t second,
			       uint32_t length, uint8_t fill)
{
	sample_u32(s, type);
	sample_u32(s, 8 + length);
	sample_u32(s, first);
	sample_u32(s, second);
	sample_fill(s, fill, length);
	sample_fill(s, 0, -length & 7);
}

static inline void sample_pages(struct strbuf *s)
{
	sample_u32(s, STREAM_REC_PAGE_DATA);
	sample_u32(s, 8 + sizeof(sample_words) + 2 * STREAM_PAGE_BYTES);
	sample_u32(s, SAMPLE_WORDS);
	sample_u32(s, 0);
	strbuf_add(s, sample_words, sizeof(sample_words));
	sample_fill(s, 0x33, STREAM_PAGE_BYTES);
	sample_fill(s, 0x55, STREAM_PAGE_BYTES);
}

/* The record of @letter; unknown letters add nothing. */
static inline void sample_letter(struct strbuf *s, char letter)
{
	static const uint8_t info[8] = { 8, 4 };
	static const uint8_t zeros[STREAM_PAGE_BYTES];
	static const char text[] = "a late feature";	/* to be padded */
	static const char pairs[] = "\2\0\0\0\0\0\0\0key\0value";
	uint64_t tsc[3] = { 2600000ULL << 32, 123456789, 1 };
	uint64_t frames[3] = { (uint64_t)SAMPLE_MAX_PFN << 32, 700, 701 };
	uint32_t basic = sizeof(struct vcpu_guest_context);

	switch (letter) {
	case 'I': sample_record(s, STREAM_REC_X86_PV_INFO, info, sizeof(info)); break;
	case 'C': sample_record(s, STREAM_REC_X86_CPUID_POLICY, zeros, 48); break;
	case 'M': sample_record(s, STREAM_REC_X86_MSR_POLICY, zeros, 16); break;
	case 'S': sample_record(s, STREAM_REC_STATIC_DATA_END, NULL, 0); break;
	case 'F': sample_record(s, STREAM_REC_X86_PV_P2M_FRAMES, frames, sizeof(frames)); break;
	case 'P': sample_pages(s); break;
	case 'T': sample_record(s, STREAM_REC_X86_TSC_INFO, tsc, sizeof(tsc)); break;
	case 'H': sample_record(s, STREAM_REC_SHARED_INFO, zeros, sizeof(zeros)); break;
	case 'B': sample_blob(s, STREAM_REC_X86_PV_VCPU_BASIC, 0, 0, basic, 1); break;
	case 'b': sample_blob(s, STREAM_REC_X86_PV_VCPU_BASIC, 1, 0, basic, 2); break;
	case 'X': sample_blob(s, STREAM_REC_X86_PV_VCPU_EXTENDED, 0, 0, 128, 3); break;
	case 'V': sample_blob(s, STREAM_REC_X86_PV_VCPU_XSAVE, 0, 0, 593, 4); break;
	case 'R': sample_blob(s, STREAM_REC_X86_PV_VCPU_MSRS, 0, 0, 32, 5); break;
	case 'v': sample_blob(s, STREAM_REC_X86_PV_VCPU_XSAVE, 9999, 0, 0, 0); break;
	case 'Y': sample_record(s, STREAM_REC_VERIFY, NULL, 0); break;
	case 'K': sample_record(s, STREAM_REC_CHECKPOINT, NULL, 0); break;
	case 'E': sample_record(s, STREAM_REC_END, NULL, 0); break;
	case 'O': sample_record(s, STREAM_OPTIONAL | 7, text, sizeof(text)); break;
	case 'U': sample_record(s, STREAM_REC_COUNT, text, sizeof(text)); break;
	case 'h': sample_record(s, STREAM_REC_HVM_CONTEXT, text, sizeof(text)); break;
	case 't': sample_record(s, STREAM_REC_TOOLSTACK, text, sizeof(text)); break;
	case 'd': sample_record(s, STREAM_REC_CHECKPOINT_DIRTY_PFN_LIST, text, 8); break;
	/* libxl's, where the script is in its layer */
	case '0': sample_record(s, STREAM_FRAME_END, NULL, 0); break;
	case '1': sample_record(s, STREAM_FRAME_LIBXC_CONTEXT, NULL, 0); break;
	case '2': sample_record(s, STREAM_FRAME_EMULATOR_XENSTORE_DATA, pairs, 18); break;
	case '3': sample_record(s, STREAM_FRAME_EMULATOR_CONTEXT, zeros, 21); break;
	case '4': sample_record(s, STREAM_FRAME_CHECKPOINT_END, NULL, 0); break;
	case '5': sample_record(s, STREAM_FRAME_CHECKPOINT_STATE, zeros, 8); break;
	case '6': sample_record(s, STREAM_FRAME_COUNT, NULL, 0); break;
	case '7': sample_record(s, STREAM_FRAME_EMULATOR_XENSTORE_DATA, pairs, 14); break;
	}
}

static inline void sample_image_headers(struct strbuf *s, uint8_t version)
{
	static const uint8_t rest[] = { 1, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 17, 0, 0, 0 };
	uint8_t image[24] = { [8] = 'X', 'E', 'N', 'F', [15] = version };

	memset(image, 0xff, 8);
	strbuf_add(s, image, sizeof(image));
	strbuf_add(s, rest, sizeof(rest));
}

/*
 * A stream of @format: the headers that it begins with, then the script; in libxl's formats the
 * script's letter 1 brings libxc's headers with it.
 */
static inline void sample_stream(struct strbuf *s, enum stream_format format, uint8_t version,
				 const char *script)
{
	if (format == STREAM_XL) {
		strbuf_add(s, "Xen saved domain, xl format\n \0 \r", 32);
		sample_u32(s, 0x01020304);
		sample_u32(s, 3);
		sample_u32(s, 0);
		sample_u32(s, 4 + sizeof(SAMPLE_CONFIG));
		sample_u32(s, sizeof(SAMPLE_CONFIG));
		strbuf_add(s, SAMPLE_CONFIG, sizeof(SAMPLE_CONFIG));
	}
	if (format == STREAM_LIBXC)
		sample_image_headers(s, version);
	else
		strbuf_add(s, "LibxlFmt\0\0\0\2\0\0\0", 16);
	for (; *script; script++) {
		sample_letter(s, *script);
		if (*script == '1')
			sample_image_headers(s, version);
	}
}

/* ---- what a reader made of a stream ---- */

struct sample_digest {
	uint64_t hash;		/* of all items, in order */
	unsigned int items;
	unsigned int pages;
	char kinds[512];	/* one letter each */
};

static inline uint64_t sample_mix(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ b[i]) * 0x100000001b3ULL;
	return hash;
}

static inline void sample_digest(struct sample_digest *d, const struct stream_item *item)
{
	static const char kinds[] = "xliRpdf";

	if (d->items < sizeof(d->kinds) - 1)
		d->kinds[d->items] = kinds[item->kind];
	d->items++;
	d->pages += item->kind == STREAM_PAGE;
	d->hash = sample_mix(d->hash, &item->kind, sizeof(item->kind));
	d->hash = sample_mix(d->hash, &item->type, sizeof(item->type));
	d->hash = sample_mix(d->hash, &item->offset, sizeof(item->offset));
	d->hash = sample_mix(d->hash, item->body, item->length);
}

/*
 * Reads @s in pieces of @piece bytes up to its end or an error, which is returned; -EBADE: the
 * reader counts wrongly.
 */
static inline int sample_read(const struct strbuf *s, enum stream_format format,
			      const struct stream_options *options, size_t piece,
			      struct sample_digest *d, struct tools_error *error)
{
	struct stream_reader *r;
	struct stream_item item;
	size_t at = 0, used;
	int rc = stream_reader_open(format, options, &r);

	memset(d, 0, sizeof(*d));
	if (rc)
		return rc;
	while (rc >= 0 && at < s->length && !stream_reader_done(r)) {
		size_t n = s->length - at < piece ? s->length - at : piece;

		rc = stream_read(r, s->text + at, n, &used, &item, error);
		at += used;
		if (rc > 0)
			sample_digest(d, &item);
	}
	rc = stream_reader_offset(r) == at ? stream_reader_finish(r, error) : -EBADE;
	stream_reader_close(r);
	return rc;
}

#endif
