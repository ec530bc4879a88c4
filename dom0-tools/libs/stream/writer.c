/* SPDX-License-Identifier: MIT */
/*
 * Writes a migration stream through a function of the caller's, gathered: headers from here, pages
 * straight from where they are. Every record is first held against the rules that the reader keeps
 * (rules.c), so what was written can be read.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "private.h"

#define PARTS_MAX 64U /* per call of the caller's function */

enum layer { LAYER_START, LAYER_IMAGE, LAYER_FRAMES, LAYER_DONE };

struct stream_writer {
	enum stream_format format;
	enum layer layer;
	struct stream_rules rules;
	struct stream_at at;
	stream_put *put;
	void *cookie;
	uint64_t offset;
	uint32_t file_flags;
	int failed;
};

int stream_writer_open(enum stream_format format, const struct stream_options *options,
		       stream_put *put, void *cookie, struct stream_writer **out)
{
	struct stream_writer *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	rc = stream_rules_open(&w->rules, options);
	if (rc) {
		free(w);
		return rc;
	}
	w->format = format;
	w->put = put;
	w->cookie = cookie;
	w->rules.version = IMAGE_VERSION;
	w->rules.strict = true;
	w->file_flags = options ? options->file_flags : 0;
	*out = w;
	return 0;
}

void stream_writer_close(struct stream_writer *w)
{
	if (!w)
		return;
	stream_rules_close(&w->rules);
	free(w);
}

uint64_t stream_writer_offset(const struct stream_writer *w)
{
	return w->offset;
}

void stream_writer_skip(struct stream_writer *w, uint64_t bytes)
{
	w->offset += bytes;
}

/* Errors from here on are about this record. */
static void place(struct stream_writer *w, const char *what, const char *name, uint32_t type)
{
	w->at = (struct stream_at){ .what = what, .name = name, .type = type, .offset = w->offset };
}

static int in_layer(struct stream_writer *w, enum layer layer, struct tools_error *error)
{
	if (w->failed)
		return stream_fault(&w->at, error, w->failed, "an earlier write has failed");
	if (w->layer != layer)
		return stream_fault(&w->at, error, -EINVAL, "it does not belong here");
	return 0;
}

static int put_parts(struct stream_writer *w, const struct iovec *parts, unsigned int count,
		     struct tools_error *error)
{
	int rc = w->put(w->cookie, parts, count);

	if (rc < 0) {
		w->failed = rc;
		stream_fault(&w->at, error, rc, "cannot write it: %s", strerror(-rc));
		return rc;
	}
	for (unsigned int i = 0; i < count; i++)
		w->offset += parts[i].iov_len;
	return 0;
}

/* A part for the caller's function, which only reads it. */
static struct iovec part(const void *bytes, size_t length)
{
	struct iovec p = { .iov_len = length };

	memcpy(&p.iov_base, &bytes, sizeof(bytes));
	return p;
}

static int put_bytes(struct stream_writer *w, const void *bytes, size_t length,
		     struct tools_error *error)
{
	struct iovec p = part(bytes, length);

	return put_parts(w, &p, 1, error);
}

/* A record of either layer: header, fixed part, the rest, padding. */
static int put_record(struct stream_writer *w, const void *head, uint32_t head_length,
		      const void *body, uint32_t length, struct tools_error *error)
{
	static const uint8_t zeros[8];
	uint32_t header[2] = { w->at.type, head_length + length };
	struct iovec parts[4];
	unsigned int n = 0;
	size_t padding = stream_padded(header[1]) - header[1];

	parts[n++] = part(header, sizeof(header));
	if (head_length)
		parts[n++] = part(head, head_length);
	if (length)
		parts[n++] = part(body, length);
	if (padding)
		parts[n++] = part(zeros, padding);
	return put_parts(w, parts, n, error);
}

/* ---- headers ---- */

static int put_file_header(struct stream_writer *w, const char *config, struct tools_error *error)
{
	size_t length = config ? strlen(config) + 1 : 0; /* xl counts the NUL */
	uint8_t header[FILE_HEADER_BYTES + 4] = { 0 };
	struct iovec parts[2];

	place(w, "xl file header", NULL, 0);
	if (length > STREAM_CONFIG_MAX - 4)
		return stream_fault(&w->at, error, -EINVAL,
				    "a configuration of %zu bytes, at most %u", length,
				    STREAM_CONFIG_MAX - 4);
	memcpy(header, XL_MAGIC, XL_MAGIC_BYTES);
	store32(header, 32, XL_BYTE_ORDER);
	store32(header, 36, XL_FLAG_STREAM_V2 | (length ? XL_FLAG_JSON : 0));
	store32(header, 40, w->file_flags);
	store32(header, 44, (uint32_t)length + 4);
	store32(header, FILE_HEADER_BYTES, (uint32_t)length);
	parts[0] = part(header, sizeof(header));
	parts[1] = part(config, length);
	return put_parts(w, parts, length ? 2 : 1, error);
}

static int put_libxl_header(struct stream_writer *w, struct tools_error *error)
{
	uint8_t header[LIBXL_HEADER_BYTES] = { 0 };
	int rc;

	place(w, "libxl header", NULL, 0);
	store64(header, 0, htobe64(LIBXL_IDENT));
	store32(header, 8, htonl(LIBXL_VERSION));
	rc = put_bytes(w, header, sizeof(header), error);
	if (rc)
		return rc;
	place(w, "libxl record", stream_frame_name(STREAM_FRAME_LIBXC_CONTEXT),
	      STREAM_FRAME_LIBXC_CONTEXT);
	return put_record(w, NULL, 0, NULL, 0, error);
}

int stream_write_start(struct stream_writer *w, const char *config, uint32_t xen_major,
		       uint32_t xen_minor, struct tools_error *error)
{
	uint8_t header[IMAGE_HEADER_BYTES + DOMAIN_HEADER_BYTES] = { 0 };
	int rc;

	place(w, "header", NULL, 0);
	rc = in_layer(w, LAYER_START, error);
	if (!rc && w->format == STREAM_XL)
		rc = put_file_header(w, config, error);
	if (!rc && w->format != STREAM_LIBXC)
		rc = put_libxl_header(w, error);
	if (rc)
		return rc;
	place(w, "libxc image header", NULL, 0);
	store64(header, 0, IMAGE_MARKER);
	store32(header, 8, htonl(IMAGE_ID));
	store32(header, 12, htonl(IMAGE_VERSION));
	store32(header, IMAGE_HEADER_BYTES, DOMAIN_X86_PV);
	store16(header, IMAGE_HEADER_BYTES + 4, DOMAIN_PAGE_SHIFT);
	store32(header, IMAGE_HEADER_BYTES + 8, xen_major);
	store32(header, IMAGE_HEADER_BYTES + 12, xen_minor);
	rc = put_bytes(w, header, sizeof(header), error);
	if (!rc)
		w->layer = LAYER_IMAGE;
	return rc;
}

/* ---- libxc's records ---- */

/* Begins a record; 0: its type and @length may stand here. */
static int begin(struct stream_writer *w, uint32_t type, uint64_t length, struct tools_error *error)
{
	bool inferred;
	int rc;

	place(w, "libxc record", stream_record_name(type), type);
	rc = in_layer(w, LAYER_IMAGE, error);
	if (rc)
		return rc;
	if (length > STREAM_RECORD_MAX)
		return stream_fault(&w->at, error, -EINVAL,
				    "its length is %" PRIu64 ", the most is %u", length,
				    STREAM_RECORD_MAX);
	rc = stream_rules_header(&w->rules, &w->at, (uint32_t)length, &inferred, error);
	return rc < 0 ? rc : 0;
}

int stream_write_record(struct stream_writer *w, uint32_t type, const void *body, uint32_t length,
			struct tools_error *error)
{
	int rc = begin(w, type, length, error);

	if (rc)
		return rc;
	if (type == STREAM_REC_PAGE_DATA || type == STREAM_REC_END || type == STREAM_REC_CHECKPOINT)
		return stream_fault(&w->at, error, -EINVAL, "not by this function");
	if (type < STREAM_REC_COUNT) {
		rc = stream_rules_body(&w->rules, &w->at, body, length, error);
		if (rc < 0)
			return rc;
	}
	return put_record(w, NULL, 0, body, length, error);
}

int stream_write_pv_info(struct stream_writer *w, struct tools_error *error)
{
	static const uint8_t info[8] = { 8, 4 }; /* bytes of width, levels of page tables */

	return stream_write_record(w, STREAM_REC_X86_PV_INFO, info, sizeof(info), error);
}

int stream_write_tsc_info(struct stream_writer *w, uint32_t mode, uint32_t khz, uint64_t nsec,
			  uint32_t incarnation, struct tools_error *error)
{
	uint8_t body[24] = { 0 };

	store32(body, 0, mode);
	store32(body, 4, khz);
	store64(body, 8, nsec);
	store32(body, 16, incarnation);
	return stream_write_record(w, STREAM_REC_X86_TSC_INFO, body, sizeof(body), error);
}

/* A record of a head and a rest that the rules want to see as one. */
static int write_joined(struct stream_writer *w, uint32_t type, const uint8_t head[8],
			const void *rest, uint64_t length, struct tools_error *error)
{
	uint8_t *body;
	int rc;

	rc = begin(w, type, 8 + length, error);
	if (rc)
		return rc;
	body = malloc(8 + length);
	if (!body)
		return stream_fault(&w->at, error, -ENOMEM, "no memory for %" PRIu64 " bytes",
				    8 + length);
	memcpy(body, head, 8);
	memcpy(body + 8, rest, length);
	rc = stream_write_record(w, type, body, (uint32_t)(8 + length), error);
	free(body);
	return rc;
}

int stream_write_p2m_frames(struct stream_writer *w, uint32_t end_pfn, const uint64_t *pfns,
			    struct tools_error *error)
{
	uint8_t head[8] = { 0 };

	store32(head, 4, end_pfn);
	return write_joined(w, STREAM_REC_X86_PV_P2M_FRAMES, head, pfns,
			    (end_pfn / (STREAM_PAGE_BYTES / 8) + 1ULL) * 8, error);
}

int stream_write_vcpu(struct stream_writer *w, uint32_t type, uint32_t vcpu, const void *context,
		      uint32_t length, struct tools_error *error)
{
	uint8_t head[8] = { 0 };

	place(w, "libxc record", stream_record_name(type), type);
	if (type != STREAM_REC_X86_PV_VCPU_MSRS &&
	    (type < STREAM_REC_X86_PV_VCPU_BASIC || type > STREAM_REC_X86_PV_VCPU_XSAVE))
		return stream_fault(&w->at, error, -EINVAL, "not a record of a vcpu");
	if (!length)
		return 0;
	store32(head, 0, vcpu);
	return write_joined(w, type, head, context, length, error);
}

/* The pages of a record, neighbours in memory as one part. */
static int put_pages(struct stream_writer *w, const void *const *pages, uint32_t count,
		     struct tools_error *error)
{
	struct iovec parts[PARTS_MAX];
	unsigned int n = 0;
	int rc;

	for (uint32_t i = 0; i < count; i++) {
		if (n &&
		    (const uint8_t *)parts[n - 1].iov_base + parts[n - 1].iov_len == pages[i]) {
			parts[n - 1].iov_len += STREAM_PAGE_BYTES;
			continue;
		}
		if (n == PARTS_MAX) {
			rc = put_parts(w, parts, n, error);
			if (rc)
				return rc;
			n = 0;
		}
		parts[n++] = part(pages[i], STREAM_PAGE_BYTES);
	}
	return n ? put_parts(w, parts, n, error) : 0;
}

int stream_write_pages(struct stream_writer *w, uint32_t count, const uint64_t *words,
		       const void *const *pages, struct tools_error *error)
{
	uint64_t length = PAGES_HEAD_BYTES + count * 8ULL;
	uint32_t head[4] = { STREAM_REC_PAGE_DATA, 0, count, 0 }, data = 0;
	struct iovec parts[2];
	int rc;

	for (uint32_t i = 0; i < count; i++)
		if (stream_word_plain(words[i]) ||
		    stream_type_has_data(stream_word_type(words[i])))
			length += STREAM_PAGE_BYTES;
	rc = begin(w, STREAM_REC_PAGE_DATA, length, error);
	if (!rc)
		rc = stream_rules_page_words(&w->rules, &w->at, words, count, (uint32_t)length,
					     &data, error);
	if (rc)
		return rc;
	head[1] = (uint32_t)length;
	parts[0] = part(head, sizeof(head));
	parts[1] = part(words, count * 8ULL);
	rc = put_parts(w, parts, 2, error);
	return rc ? rc : put_pages(w, pages, data, error);
}

/* ---- ends ---- */

static int put_frame(struct stream_writer *w, uint32_t type, struct tools_error *error)
{
	place(w, "libxl record", stream_frame_name(type), type);
	return put_record(w, NULL, 0, NULL, 0, error);
}

/* END or CHECKPOINT. */
static int put_mark(struct stream_writer *w, uint32_t type, struct tools_error *error)
{
	int rc = begin(w, type, 0, error);

	if (rc)
		return rc;
	stream_rules_body(&w->rules, &w->at, NULL, 0, NULL);
	return put_record(w, NULL, 0, NULL, 0, error);
}

int stream_write_checkpoint(struct stream_writer *w, struct tools_error *error)
{
	int rc = put_mark(w, STREAM_REC_CHECKPOINT, error);

	if (rc || w->format == STREAM_LIBXC)
		return rc;
	return put_frame(w, STREAM_FRAME_CHECKPOINT_END, error);
}

int stream_write_image_end(struct stream_writer *w, struct tools_error *error)
{
	int rc = put_mark(w, STREAM_REC_END, error);

	if (!rc)
		w->layer = w->format == STREAM_LIBXC ? LAYER_DONE : LAYER_FRAMES;
	return rc;
}

int stream_write_emulator(struct stream_writer *w, uint32_t type, uint32_t id, uint32_t index,
			  const void *data, uint32_t length, struct tools_error *error)
{
	uint32_t head[2] = { id, index };
	int rc;

	place(w, "libxl record", stream_frame_name(type), type);
	rc = in_layer(w, LAYER_FRAMES, error);
	if (rc)
		return rc;
	if (type != STREAM_FRAME_EMULATOR_XENSTORE_DATA && type != STREAM_FRAME_EMULATOR_CONTEXT)
		return stream_fault(&w->at, error, -EINVAL, "not a record of an emulator");
	if (length > STREAM_BODY_MAX - sizeof(head))
		return stream_fault(&w->at, error, -EINVAL, "%u bytes of data, too many", length);
	if (type == STREAM_FRAME_EMULATOR_XENSTORE_DATA && !stream_pairs_valid(data, length))
		return stream_fault(&w->at, error, -EINVAL,
				    "not pairs of strings that end in a NUL each");
	return put_record(w, head, sizeof(head), data, length, error);
}

int stream_write_end(struct stream_writer *w, struct tools_error *error)
{
	int rc;

	if (w->layer != LAYER_FRAMES) {
		rc = stream_write_image_end(w, error);
		if (rc || w->layer == LAYER_DONE)
			return rc;
	}
	place(w, "libxl record", stream_frame_name(STREAM_FRAME_END), STREAM_FRAME_END);
	rc = in_layer(w, LAYER_FRAMES, error);
	if (!rc)
		rc = put_frame(w, STREAM_FRAME_END, error);
	if (!rc)
		w->layer = LAYER_DONE;
	return rc;
}
