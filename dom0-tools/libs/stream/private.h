/* SPDX-License-Identifier: MIT */
/*
 * What reader and writer of the migration stream share: layouts, the rules of the image format, and
 * errors that name record and offset.
 */
#ifndef STREAM_PRIVATE_H
#define STREAM_PRIVATE_H

#include <string.h>
#include <tools/stream.h>

#define STREAM_VCPUS_MAX 8192U /* MAX_VIRT_CPUS of PV */
#define STREAM_BODY_MAX	 (16U << 20) /* of records that a reader must have as a whole */
#define STREAM_PAGES_MAX (1U << 20) /* pfns of a PAGE_DATA record */

/* Sizes of headers and fixed parts in bytes. */
#define FILE_HEADER_BYTES   48U
#define LIBXL_HEADER_BYTES  16U
#define IMAGE_HEADER_BYTES  24U
#define DOMAIN_HEADER_BYTES 16U
#define RECORD_HEADER_BYTES 8U
#define PAGES_HEAD_BYTES    8U
#define VCPU_HEAD_BYTES	    8U
#define EMULATOR_HEAD_BYTES 8U

/* xl's file header: all 32 bytes of the literal, its NUL included. */
#define XL_MAGIC	  "Xen saved domain, xl format\n \0 \r"
#define XL_MAGIC_BYTES	  32U
#define XL_BYTE_ORDER	  0x01020304U
#define XL_FLAG_JSON	  1U
#define XL_FLAG_STREAM_V2 2U /* libxl's framing follows, not a bare image */

#define LIBXL_IDENT	  0x4c6962786c466d74ULL /* "LibxlFmt" */
#define LIBXL_VERSION	  2U
#define LIBXL_BIG_ENDIAN  1U
#define LIBXL_LEGACY	  2U /* converted from the format before version 2 */

#define IMAGE_MARKER	  (~0ULL)
#define IMAGE_ID	  0x58454e46U /* "XENF" */
#define IMAGE_VERSION	  3U
#define IMAGE_BIG_ENDIAN  1U
#define DOMAIN_X86_PV	  1U
#define DOMAIN_X86_HVM	  2U
#define DOMAIN_PAGE_SHIFT 12U

/* Where an error is: "libxc record PAGE_DATA (0x1) at byte 1234". */
struct stream_at {
	const char *what; /* "libxc record", "libxl header"... */
	const char *name; /* of the record, or NULL: no record */
	uint32_t type;
	uint64_t offset;
};

/* Fills @error with place and cause; returns @result. */
int stream_fault(const struct stream_at *at, struct tools_error *error, int result,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What has been in the image so far. */
struct stream_rules {
	uint32_t version;
	unsigned int seen; /* SEEN_* of rules.c */
	bool checkpoints;
	bool strict;
	uint32_t max_vcpus;
	uint64_t max_pfn;
	uint8_t *vcpus; /* of each, a bit for each kind of its records */
};

int stream_rules_open(struct stream_rules *rules, const struct stream_options *options);
void stream_rules_close(struct stream_rules *rules);

/*
 * May a record of @at->type and @length stand here? 1: yes; 0: nobody knows it, skip it; -errno.
 * *@inferred: STATIC_DATA_END is to be thought before it (version 2).
 */
int stream_rules_header(struct stream_rules *rules, const struct stream_at *at, uint32_t length,
			bool *inferred, struct tools_error *error);
/*
 * Its contents, whole and aligned; then the record counts as seen. Returns 1, or 0 for a record
 * without content that is to be ignored, or -errno.
 */
int stream_rules_body(struct stream_rules *rules, const struct stream_at *at, const void *body,
		      uint32_t length, struct tools_error *error);
/*
 * PAGE_DATA in two steps: its first 8 bytes give *@count; then the words, *@with_data of them with
 * pages.
 */
int stream_rules_page_head(const struct stream_rules *rules, const struct stream_at *at,
			   const void *head, uint32_t length, uint32_t *count,
			   struct tools_error *error);
int stream_rules_page_words(struct stream_rules *rules, const struct stream_at *at,
			    const uint64_t *words, uint32_t count, uint32_t length,
			    uint32_t *with_data, struct tools_error *error);
/* Padding behind a body of @length at @body; only strict readers care. */
int stream_rules_padding(const struct stream_rules *rules, const struct stream_at *at,
			 const void *body, uint32_t length, struct tools_error *error);

/* A body with its padding. */
static inline size_t stream_padded(uint32_t length)
{
	return ((size_t)length + 7) & ~(size_t)7;
}

/* The hosts we run on are little-endian, as the streams' bodies are. */
static inline uint32_t load32(const void *from, size_t at)
{
	uint32_t value;

	memcpy(&value, (const uint8_t *)from + at, sizeof(value));
	return value;
}

static inline uint64_t load64(const void *from, size_t at)
{
	uint64_t value;

	memcpy(&value, (const uint8_t *)from + at, sizeof(value));
	return value;
}

static inline uint16_t load16(const void *from, size_t at)
{
	uint16_t value;

	memcpy(&value, (const uint8_t *)from + at, sizeof(value));
	return value;
}

static inline void store32(void *to, size_t at, uint32_t value)
{
	memcpy((uint8_t *)to + at, &value, sizeof(value));
}

static inline void store64(void *to, size_t at, uint64_t value)
{
	memcpy((uint8_t *)to + at, &value, sizeof(value));
}

static inline void store16(void *to, size_t at, uint16_t value)
{
	memcpy((uint8_t *)to + at, &value, sizeof(value));
}

/* The reader's state; reader.c knows the image, framing.c what is around it. */
enum stream_stage {
	STAGE_FILE_HEADER,
	STAGE_FILE_DATA,
	STAGE_LIBXL_HEADER,
	STAGE_FRAME_HEADER,
	STAGE_FRAME_BODY,
	STAGE_IMAGE_HEADER,
	STAGE_DOMAIN_HEADER,
	STAGE_RECORD_HEADER,
	STAGE_RECORD_BODY,
	STAGE_PAGES_HEAD,
	STAGE_PAGES_LIST,
	STAGE_PAGE,
	STAGE_DONE,
};

struct stream_bytes {
	uint8_t *bytes;
	size_t room;
};

struct stream_reader {
	enum stream_format format;
	enum stream_stage stage;
	struct stream_rules rules;
	struct stream_at at;	/* what is being read */
	uint64_t offset;	/* bytes taken so far */
	struct stream_bytes in; /* of what is being read, @have of @want bytes */
	size_t have;
	size_t want;
	uint64_t skip;	 /* bytes to drop before */
	uint32_t length; /* of the record's body */
	uint32_t file_flags, optional_flags;
	bool frame_checkpoint; /* libxl has the stream only for a checkpoint */
	bool image_seen;
	struct stream_bytes list; /* head and words of the PAGE_DATA record being read */
	uint32_t pages;		  /* words in it */
	uint32_t next_page;	  /* index of the next one with data */
	uint32_t pages_left;	  /* with data */
	int failed;
	struct tools_error why; /* of @failed */
};

/* The next step reads @want bytes; errors in it are about @what (and @name, of records). */
void stream_reader_expect(struct stream_reader *r, enum stream_stage stage, size_t want,
			  const char *what);
void stream_reader_expect_body(struct stream_reader *r, enum stream_stage stage, size_t want);

/* Steps: @data has the bytes wanted, aligned. 1: @item is filled; 0: go on; -errno. */
typedef int stream_step(struct stream_reader *r, const uint8_t *data, struct stream_item *item,
			struct tools_error *error);
stream_step stream_step_file_header, stream_step_file_data, stream_step_libxl_header,
	stream_step_frame_header, stream_step_frame_body;
/* libxc's part is over (END or CHECKPOINT): to whom does the stream belong now? */
void stream_framing_image_over(struct stream_reader *r, bool checkpoint);

/* Is @data pairs of NUL-terminated strings? */
bool stream_pairs_valid(const char *data, size_t length);

#endif
