/* SPDX-License-Identifier: MIT */
/*
 * Reads a migration stream step by step from bytes as they come, in pieces of any size. A step is a
 * header, a record's body or one page; each gathers what it wants and then says what comes next.
 * Here are the engine and the steps of libxc's image; those of the layers around it are in
 * framing.c, the rules in rules.c.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "private.h"

#define FIRST_ROOM 4096U /* of a buffer that begins to grow */

void stream_reader_expect(struct stream_reader *r, enum stream_stage stage, size_t want,
			  const char *what)
{
	r->stage = stage;
	r->have = 0;
	r->want = want;
	r->at.what = what;
	r->at.name = NULL;
	r->at.type = 0;
	r->at.offset = r->offset + r->skip;
}

void stream_reader_expect_body(struct stream_reader *r, enum stream_stage stage, size_t want)
{
	r->stage = stage;
	r->have = 0;
	r->want = want;
}

/* ---- libxc's image ---- */

static int image_header(struct stream_reader *r, const uint8_t *data,
			struct stream_item *item __attribute__((unused)), struct tools_error *error)
{
	uint32_t version = ntohl(load32(data, 12));
	uint16_t options = ntohs(load16(data, 16));

	if (load64(data, 0) != IMAGE_MARKER)
		return stream_fault(&r->at, error, -EINVAL,
				    "its marker is 0x%016" PRIx64
				    ": no image, or of the format before version 2",
				    be64toh(load64(data, 0)));
	if (ntohl(load32(data, 8)) != IMAGE_ID)
		return stream_fault(&r->at, error, -EINVAL, "its id is 0x%08x, not 0x%08x",
				    ntohl(load32(data, 8)), IMAGE_ID);
	if (version < 2 || version > IMAGE_VERSION)
		return stream_fault(&r->at, error, -EOPNOTSUPP, "version %u, known are 2 and %u",
				    version, IMAGE_VERSION);
	if (options & IMAGE_BIG_ENDIAN)
		return stream_fault(&r->at, error, -EOPNOTSUPP, "a big-endian host wrote it");
	if (r->rules.strict && (options || load16(data, 18) || load32(data, 20)))
		return stream_fault(&r->at, error, -EINVAL, "reserved bits are set");
	r->rules.version = version;
	stream_reader_expect(r, STAGE_DOMAIN_HEADER, DOMAIN_HEADER_BYTES, "libxc domain header");
	return 0;
}

static int domain_header(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
			 struct tools_error *error)
{
	uint32_t type = load32(data, 0), shift = load16(data, 4);

	if (type == DOMAIN_X86_HVM)
		return stream_fault(&r->at, error, -EOPNOTSUPP, "an HVM domain");
	if (type != DOMAIN_X86_PV)
		return stream_fault(&r->at, error, -EINVAL, "unknown type of domain 0x%x", type);
	if (shift != DOMAIN_PAGE_SHIFT)
		return stream_fault(&r->at, error, -EINVAL, "pages of 2^%u bytes, not 2^%u", shift,
				    DOMAIN_PAGE_SHIFT);
	if (r->rules.strict && load16(data, 6))
		return stream_fault(&r->at, error, -EINVAL, "reserved bits are set");
	item->kind = STREAM_IMAGE;
	item->image.version = r->rules.version;
	item->image.xen_major = load32(data, 8);
	item->image.xen_minor = load32(data, 12);
	r->image_seen = true;
	stream_reader_expect(r, STAGE_RECORD_HEADER, RECORD_HEADER_BYTES, "libxc record header");
	return 1;
}

static void next_record(struct stream_reader *r)
{
	stream_reader_expect(r, STAGE_RECORD_HEADER, RECORD_HEADER_BYTES, "libxc record header");
}

static int record_header(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
			 struct tools_error *error)
{
	bool inferred;
	int rc;

	r->at.what = "libxc record";
	r->at.type = load32(data, 0);
	r->at.name = stream_record_name(r->at.type);
	r->length = load32(data, 4);
	rc = stream_rules_header(&r->rules, &r->at, r->length, &inferred, error);
	if (rc < 0)
		return rc;
	if (!rc) {
		r->skip = stream_padded(r->length);
		next_record(r);
		return 0;
	}
	if (r->at.type == STREAM_REC_PAGE_DATA)
		stream_reader_expect_body(r, STAGE_PAGES_HEAD, PAGES_HEAD_BYTES);
	else
		stream_reader_expect_body(r, STAGE_RECORD_BODY, stream_padded(r->length));
	if (!inferred)
		return 0;
	item->kind = STREAM_RECORD;
	item->type = STREAM_REC_STATIC_DATA_END;
	item->inferred = true;
	return 1;
}

/* Fields of the records that have some. */
static void decode(struct stream_item *item, const uint8_t *body)
{
	switch (item->type) {
	case STREAM_REC_X86_PV_P2M_FRAMES:
		item->p2m.start_pfn = load32(body, 0);
		item->p2m.end_pfn = load32(body, 4);
		item->p2m.count = (uint32_t)((item->length - 8) / 8);
		item->p2m.pfns = (const void *)(body + 8);
		break;
	case STREAM_REC_X86_PV_VCPU_BASIC:
	case STREAM_REC_X86_PV_VCPU_EXTENDED:
	case STREAM_REC_X86_PV_VCPU_XSAVE:
	case STREAM_REC_X86_PV_VCPU_MSRS:
		item->vcpu.vcpu = load32(body, 0);
		item->vcpu.context = body + VCPU_HEAD_BYTES;
		item->vcpu.length = item->length - VCPU_HEAD_BYTES;
		break;
	case STREAM_REC_X86_TSC_INFO:
		item->tsc.mode = load32(body, 0);
		item->tsc.khz = load32(body, 4);
		item->tsc.nsec = load64(body, 8);
		item->tsc.incarnation = load32(body, 16);
		break;
	}
}

static int record_body(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
		       struct tools_error *error)
{
	uint32_t type = r->at.type;
	int rc = stream_rules_padding(&r->rules, &r->at, data, r->length, error);

	if (!rc)
		rc = stream_rules_body(&r->rules, &r->at, data, r->length, error);
	if (rc < 0)
		return rc;
	item->kind = STREAM_RECORD;
	item->type = type;
	item->body = data;
	item->length = r->length;
	decode(item, data);
	if (type == STREAM_REC_END || type == STREAM_REC_CHECKPOINT)
		stream_framing_image_over(r, type == STREAM_REC_CHECKPOINT);
	else
		next_record(r);
	return rc;
}

static int pages_head(struct stream_reader *r, const uint8_t *data,
		      struct stream_item *item __attribute__((unused)), struct tools_error *error)
{
	int rc = stream_rules_page_head(&r->rules, &r->at, data, r->length, &r->pages, error);

	if (rc)
		return rc;
	/* The words go behind the head that is in the buffer already. */
	r->stage = STAGE_PAGES_LIST;
	r->want = PAGES_HEAD_BYTES + r->pages * 8ULL;
	return 0;
}

static const uint64_t *page_words(const struct stream_reader *r)
{
	return (const void *)(r->list.bytes + PAGES_HEAD_BYTES);
}

/* To the first page with data from @r->next_page on; without any, to the next record. */
static void seek_page(struct stream_reader *r)
{
	const uint64_t *words = page_words(r);

	if (!r->pages_left) {
		next_record(r);
		return;
	}
	while (!stream_type_has_data(stream_word_type(words[r->next_page])))
		r->next_page++;
	stream_reader_expect_body(r, STAGE_PAGE, STREAM_PAGE_BYTES);
}

static int pages_list(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
		      struct tools_error *error)
{
	const uint64_t *words = (const void *)(data + PAGES_HEAD_BYTES);
	struct stream_bytes spare = r->list;
	int rc = stream_rules_page_words(&r->rules, &r->at, words, r->pages, r->length,
					 &r->pages_left, error);

	if (rc)
		return rc;
	/* The list stays while the pages come through the other buffer. */
	r->list = r->in;
	r->in = spare;
	r->next_page = 0;
	item->kind = STREAM_PAGES;
	item->type = STREAM_REC_PAGE_DATA;
	item->body = words;
	item->length = r->pages * 8ULL;
	item->pages.count = r->pages;
	item->pages.with_data = r->pages_left;
	item->pages.words = words;
	seek_page(r);
	return 1;
}

static int page(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
		struct tools_error *error __attribute__((unused)))
{
	uint64_t word = page_words(r)[r->next_page];

	item->kind = STREAM_PAGE;
	item->type = STREAM_REC_PAGE_DATA;
	item->body = data;
	item->length = STREAM_PAGE_BYTES;
	item->page.index = r->next_page++;
	item->page.pfn = stream_word_pfn(word);
	item->page.type = stream_word_type(word);
	r->pages_left--;
	seek_page(r);
	return 1;
}

int stream_reader_pages_taken(struct stream_reader *r, uint32_t pages)
{
	if (r->failed ||
	    (pages && (r->stage != STAGE_PAGE || r->have || r->skip || pages > r->pages_left)))
		return -EINVAL;
	/* All that are left, as of one who reads them into place: no need to look at each. */
	if (pages && pages == r->pages_left) {
		r->offset += (uint64_t)pages * STREAM_PAGE_BYTES;
		r->pages_left = pages = 0;
		seek_page(r);
	}
	for (; pages; pages--) {
		r->offset += STREAM_PAGE_BYTES;
		r->next_page++;
		r->pages_left--;
		seek_page(r);
	}
	return 0;
}

/* ---- engine ---- */

static stream_step *const steps[STAGE_DONE] = {
	[STAGE_FILE_HEADER] = stream_step_file_header,
	[STAGE_FILE_DATA] = stream_step_file_data,
	[STAGE_LIBXL_HEADER] = stream_step_libxl_header,
	[STAGE_FRAME_HEADER] = stream_step_frame_header,
	[STAGE_FRAME_BODY] = stream_step_frame_body,
	[STAGE_IMAGE_HEADER] = image_header,
	[STAGE_DOMAIN_HEADER] = domain_header,
	[STAGE_RECORD_HEADER] = record_header,
	[STAGE_RECORD_BODY] = record_body,
	[STAGE_PAGES_HEAD] = pages_head,
	[STAGE_PAGES_LIST] = pages_list,
	[STAGE_PAGE] = page,
};

/* Room for @need bytes and a NUL behind them. */
static int reserve(struct stream_bytes *b, size_t need)
{
	size_t room = b->room ? b->room : FIRST_ROOM;
	uint8_t *bytes;

	if (b->bytes && need < b->room)
		return 0;
	while (room <= need)
		room *= 2;
	bytes = realloc(b->bytes, room);
	if (!bytes)
		return -ENOMEM;
	b->bytes = bytes;
	b->room = room;
	return 0;
}

/* 1: *@data has all that the step wants; 0: more input is needed; -ENOMEM. */
static int gather(struct stream_reader *r, const uint8_t *bytes, size_t length, size_t *used,
		  const uint8_t **data, struct tools_error *error)
{
	size_t there = length - *used, n;

	n = r->skip < there ? (size_t)r->skip : there;
	r->skip -= n;
	r->offset += n;
	*used += n;
	there -= n;
	if (r->skip)
		return 0;
	if (r->stage == STAGE_PAGE && !r->have && there >= r->want) {
		*data = bytes + *used;
		*used += r->want;
		r->offset += r->want;
		return 1;
	}
	n = r->want - r->have < there ? r->want - r->have : there;
	if (reserve(&r->in, r->have + n))
		return stream_fault(&r->at, error, -ENOMEM, "no memory for %zu bytes", r->have + n);
	if (n)
		memcpy(r->in.bytes + r->have, bytes + *used, n);
	r->have += n;
	r->offset += n;
	*used += n;
	if (r->have < r->want)
		return 0;
	r->in.bytes[r->have] = '\0';
	*data = r->in.bytes;
	return 1;
}

int stream_read(struct stream_reader *r, const void *bytes, size_t length, size_t *used,
		struct stream_item *item, struct tools_error *error)
{
	const uint8_t *data = NULL;
	struct stream_at at;
	int rc = 0;

	*used = 0;
	if (r->failed) {
		if (error)
			*error = r->why;
		return r->failed;
	}
	while (r->stage != STAGE_DONE) {
		rc = gather(r, bytes, length, used, &data, &r->why);
		if (!rc)
			return 0;
		memset(item, 0, sizeof(*item));
		at = r->at;
		if (rc > 0)
			rc = steps[r->stage](r, data, item, &r->why);
		item->offset = at.offset;
		if (rc < 0) {
			r->failed = rc;
			if (error)
				*error = r->why;
		}
		if (rc)
			return rc;
	}
	return 0;
}

int stream_reader_open(enum stream_format format, const struct stream_options *options,
		       struct stream_reader **out)
{
	struct stream_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	rc = stream_rules_open(&r->rules, options);
	if (rc) {
		free(r);
		return rc;
	}
	r->format = format;
	if (format == STREAM_XL)
		stream_reader_expect(r, STAGE_FILE_HEADER, FILE_HEADER_BYTES, "xl file header");
	else if (format == STREAM_LIBXL)
		stream_reader_expect(r, STAGE_LIBXL_HEADER, LIBXL_HEADER_BYTES, "libxl header");
	else
		stream_reader_expect(r, STAGE_IMAGE_HEADER, IMAGE_HEADER_BYTES,
				     "libxc image header");
	*out = r;
	return 0;
}

void stream_reader_close(struct stream_reader *r)
{
	if (!r)
		return;
	stream_rules_close(&r->rules);
	free(r->in.bytes);
	free(r->list.bytes);
	free(r);
}

bool stream_reader_done(const struct stream_reader *r)
{
	return r->stage == STAGE_DONE;
}

size_t stream_reader_wants(const struct stream_reader *r)
{
	if (r->stage == STAGE_DONE || r->failed)
		return 0;
	return (size_t)r->skip + r->want - r->have;
}

uint64_t stream_reader_offset(const struct stream_reader *r)
{
	return r->offset;
}

int stream_reader_finish(const struct stream_reader *r, struct tools_error *error)
{
	if (r->failed) {
		if (error)
			*error = r->why;
		return r->failed;
	}
	if (r->stage == STAGE_DONE)
		return 0;
	return stream_fault(&r->at, error, -ENODATA,
			    "the stream ends at byte %" PRIu64 " inside it", r->offset);
}
