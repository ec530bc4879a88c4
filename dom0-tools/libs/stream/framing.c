/* SPDX-License-Identifier: MIT */
/*
 * What is around libxc's image in a saved or migrating domain: xl's file header with the domain's
 * configuration, and libxl's records. Steps of the reader in reader.c; sources are
 * docs/specs/libxl-migration-stream of Xen 4.17 and what xl writes.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include "private.h"

/* ---- xl's file header ---- */

int stream_step_file_header(struct stream_reader *r, const uint8_t *data,
			    struct stream_item *item __attribute__((unused)),
			    struct tools_error *error)
{
	uint32_t order = load32(data, 32), flags = load32(data, 36), length = load32(data, 44);

	if (memcmp(data, XL_MAGIC, XL_MAGIC_BYTES) != 0)
		return stream_fault(&r->at, error, -EINVAL, "not a domain saved by xl");
	if (order == __builtin_bswap32(XL_BYTE_ORDER))
		return stream_fault(&r->at, error, -EOPNOTSUPP, "a big-endian host wrote it");
	if (order != XL_BYTE_ORDER)
		return stream_fault(&r->at, error, -EINVAL,
				    "its byte order word is 0x%08x, not 0x%08x", order,
				    XL_BYTE_ORDER);
	if (flags & ~(XL_FLAG_JSON | XL_FLAG_STREAM_V2))
		return stream_fault(&r->at, error, -EOPNOTSUPP,
				    "mandatory flags that are not known: 0x%x",
				    flags & ~(XL_FLAG_JSON | XL_FLAG_STREAM_V2));
	if (!(flags & XL_FLAG_STREAM_V2))
		return stream_fault(&r->at, error, -EOPNOTSUPP,
				    "of the format before version 2 (Xen 4.5)");
	if (length > STREAM_CONFIG_MAX)
		return stream_fault(&r->at, error, -EINVAL, "its data has %u bytes, the most is %u",
				    length, STREAM_CONFIG_MAX);
	r->file_flags = flags;
	r->optional_flags = load32(data, 40);
	stream_reader_expect(r, STAGE_FILE_DATA, length, "xl file data");
	return 0;
}

int stream_step_file_data(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
			  struct tools_error *error)
{
	uint32_t length;

	item->kind = STREAM_FILE;
	item->body = data;
	item->length = r->want;
	item->file.json = r->file_flags & XL_FLAG_JSON;
	item->file.flags = r->optional_flags;
	if (r->want) {
		if (r->want < 4)
			return stream_fault(&r->at, error, -EINVAL,
					    "%zu bytes are too short for a configuration", r->want);
		length = load32(data, 0);
		if (length > r->want - 4)
			return stream_fault(&r->at, error, -EINVAL,
					    "a configuration of %u bytes in %zu bytes of data",
					    length, r->want);
		/* What is behind it is of later versions. The reader put a NUL behind all. */
		if (length && length < r->want - 4 && data[4 + length - 1])
			return stream_fault(&r->at, error, -EINVAL,
					    "the configuration does not end in a NUL");
		if (length) {
			item->file.config = (const char *)data + 4;
			item->file.config_length = strnlen(item->file.config, length);
		}
	}
	stream_reader_expect(r, STAGE_LIBXL_HEADER, LIBXL_HEADER_BYTES, "libxl header");
	return 1;
}

/* ---- libxl's records ---- */

static const char *const frame_names[STREAM_FRAME_COUNT] = {
	[STREAM_FRAME_END] = "END",
	[STREAM_FRAME_LIBXC_CONTEXT] = "LIBXC_CONTEXT",
	[STREAM_FRAME_EMULATOR_XENSTORE_DATA] = "EMULATOR_XENSTORE_DATA",
	[STREAM_FRAME_EMULATOR_CONTEXT] = "EMULATOR_CONTEXT",
	[STREAM_FRAME_CHECKPOINT_END] = "CHECKPOINT_END",
	[STREAM_FRAME_CHECKPOINT_STATE] = "CHECKPOINT_STATE",
};

const char *stream_frame_name(uint32_t type)
{
	if (type < STREAM_FRAME_COUNT)
		return frame_names[type];
	return type & STREAM_OPTIONAL ? "unknown optional" : "unknown";
}

static void next_frame(struct stream_reader *r)
{
	stream_reader_expect(r, STAGE_FRAME_HEADER, RECORD_HEADER_BYTES, "libxl record header");
}

int stream_step_libxl_header(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
			     struct tools_error *error)
{
	uint32_t version = ntohl(load32(data, 8)), options = ntohl(load32(data, 12));

	if (be64toh(load64(data, 0)) != LIBXL_IDENT)
		return stream_fault(&r->at, error, -EINVAL,
				    "its ident is 0x%016" PRIx64 ", not \"LibxlFmt\"",
				    be64toh(load64(data, 0)));
	if (version != LIBXL_VERSION)
		return stream_fault(&r->at, error, -EOPNOTSUPP, "version %u, known is %u", version,
				    LIBXL_VERSION);
	if (options & LIBXL_BIG_ENDIAN)
		return stream_fault(&r->at, error, -EOPNOTSUPP, "a big-endian host wrote it");
	if (r->rules.strict && (options & ~LIBXL_LEGACY))
		return stream_fault(&r->at, error, -EINVAL, "reserved options are set: 0x%x",
				    options);
	item->kind = STREAM_FRAMING;
	next_frame(r);
	return 1;
}

/* May a record of this type and length stand here? */
static int check_frame(const struct stream_reader *r, struct tools_error *error)
{
	bool emulator = r->at.type == STREAM_FRAME_EMULATOR_XENSTORE_DATA ||
			r->at.type == STREAM_FRAME_EMULATOR_CONTEXT;

	if (r->length > STREAM_RECORD_MAX)
		return stream_fault(&r->at, error, -EINVAL, "its length is %u, the most is %u",
				    r->length, STREAM_RECORD_MAX);
	if (r->at.type >= STREAM_FRAME_COUNT) {
		if (r->at.type & STREAM_OPTIONAL)
			return 0;
		return stream_fault(&r->at, error, -EOPNOTSUPP,
				    "a mandatory record that is not known");
	}
	if (r->at.type == STREAM_FRAME_CHECKPOINT_STATE)
		return stream_fault(&r->at, error, -EOPNOTSUPP, "only for COLO");
	if (emulator && (r->length < EMULATOR_HEAD_BYTES || r->length > STREAM_BODY_MAX))
		return stream_fault(&r->at, error, -EINVAL, "its length is %u, not from %u to %u",
				    r->length, EMULATOR_HEAD_BYTES, STREAM_BODY_MAX);
	if (!emulator && r->length)
		return stream_fault(&r->at, error, -EINVAL, "its length is %u, not 0", r->length);
	if (r->at.type == STREAM_FRAME_LIBXC_CONTEXT)
		return r->image_seen ? stream_fault(&r->at, error, -EINVAL, "a second one") : 0;
	if (!r->image_seen)
		return stream_fault(&r->at, error, -EINVAL, "no LIBXC_CONTEXT before it");
	if (r->frame_checkpoint && r->at.type == STREAM_FRAME_END)
		return stream_fault(&r->at, error, -EINVAL, "no CHECKPOINT_END before it");
	if (!r->frame_checkpoint && r->at.type == STREAM_FRAME_CHECKPOINT_END)
		return stream_fault(&r->at, error, -EINVAL, "no CHECKPOINT before it");
	return 0;
}

int stream_step_frame_header(struct stream_reader *r, const uint8_t *data,
			     struct stream_item *item __attribute__((unused)),
			     struct tools_error *error)
{
	int rc;

	r->at.what = "libxl record";
	r->at.type = load32(data, 0);
	r->at.name = stream_frame_name(r->at.type);
	r->length = load32(data, 4);
	rc = check_frame(r, error);
	if (rc)
		return rc;
	if (r->at.type >= STREAM_FRAME_COUNT) {
		r->skip = stream_padded(r->length);
		next_frame(r);
		return 0;
	}
	if (r->at.type == STREAM_FRAME_LIBXC_CONTEXT) {
		stream_reader_expect(r, STAGE_IMAGE_HEADER, IMAGE_HEADER_BYTES,
				     "libxc image header");
		return 0;
	}
	stream_reader_expect_body(r, STAGE_FRAME_BODY, stream_padded(r->length));
	return 0;
}

bool stream_pairs_valid(const char *data, size_t length)
{
	size_t strings = 0;

	for (size_t i = 0; i < length; i++)
		strings += data[i] == '\0';
	return !length || (data[length - 1] == '\0' && strings % 2 == 0);
}

int stream_step_frame_body(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
			   struct tools_error *error)
{
	int rc = stream_rules_padding(&r->rules, &r->at, data, r->length, error);

	if (rc)
		return rc;
	item->kind = STREAM_FRAME;
	item->type = r->at.type;
	item->body = data;
	item->length = r->length;
	switch (r->at.type) {
	case STREAM_FRAME_END:
		r->stage = STAGE_DONE;
		return 1;
	case STREAM_FRAME_CHECKPOINT_END:
		r->frame_checkpoint = false;
		stream_reader_expect(r, STAGE_RECORD_HEADER, RECORD_HEADER_BYTES,
				     "libxc record header");
		return 1;
	}
	item->emulator.id = load32(data, 0);
	item->emulator.index = load32(data, 4);
	item->emulator.data = data + EMULATOR_HEAD_BYTES;
	item->emulator.length = r->length - EMULATOR_HEAD_BYTES;
	if (r->at.type == STREAM_FRAME_EMULATOR_XENSTORE_DATA &&
	    !stream_pairs_valid(item->emulator.data, item->emulator.length))
		return stream_fault(&r->at, error, -EINVAL,
				    "not pairs of strings that end in a NUL each");
	next_frame(r);
	return 1;
}

void stream_framing_image_over(struct stream_reader *r, bool checkpoint)
{
	if (r->format != STREAM_LIBXC) {
		r->frame_checkpoint = checkpoint;
		next_frame(r);
	} else if (checkpoint) {
		stream_reader_expect(r, STAGE_RECORD_HEADER, RECORD_HEADER_BYTES,
				     "libxc record header");
	} else {
		r->stage = STAGE_DONE;
	}
}
