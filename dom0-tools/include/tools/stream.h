/* SPDX-License-Identifier: MIT */
/*
 * The stream that a saved or migrating PV domain travels in, as bytes only: no file, no socket, no
 * hypervisor. Three layers, each with a header of its own, one inside the other:
 *
 *	xl's file header (magic, flags, the configuration as JSON)	STREAM_XL
 *	libxl's records (docs/specs/libxl-migration-stream, version 2)	STREAM_LIBXL
 *	libxc's image (docs/specs/libxc-migration-stream, version 3)	STREAM_LIBXC
 *
 * Reader and writer start at any of them and keep the same rules on lengths and order, so that what
 * one writes the other takes. Images of version 2 (before Xen 4.14) are read, version 3 is written.
 * Only 64-bit PV guests on little-endian hosts. Everything read is untrusted; every error names
 * the record and its byte offset in the stream.
 */
#ifndef TOOLS_STREAM_H
#define TOOLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <tools/util.h>

#define STREAM_PAGE_BYTES 4096U
#define STREAM_RECORD_MAX (128U << 20) /* bytes of a record's body */
#define STREAM_CONFIG_MAX (1U << 20)   /* bytes behind xl's file header */
#define STREAM_OPTIONAL	  0x80000000U  /* set in a type: who does not know it skips it */

enum stream_format { STREAM_LIBXC, STREAM_LIBXL, STREAM_XL };

/* Types of libxc's records. */
enum stream_record_type {
	STREAM_REC_END,
	STREAM_REC_PAGE_DATA,
	STREAM_REC_X86_PV_INFO,
	STREAM_REC_X86_PV_P2M_FRAMES,
	STREAM_REC_X86_PV_VCPU_BASIC,
	STREAM_REC_X86_PV_VCPU_EXTENDED,
	STREAM_REC_X86_PV_VCPU_XSAVE,
	STREAM_REC_SHARED_INFO,
	STREAM_REC_X86_TSC_INFO,
	STREAM_REC_HVM_CONTEXT,
	STREAM_REC_HVM_PARAMS,
	STREAM_REC_TOOLSTACK,
	STREAM_REC_X86_PV_VCPU_MSRS,
	STREAM_REC_VERIFY,
	STREAM_REC_CHECKPOINT,
	STREAM_REC_CHECKPOINT_DIRTY_PFN_LIST,
	STREAM_REC_STATIC_DATA_END,
	STREAM_REC_X86_CPUID_POLICY,
	STREAM_REC_X86_MSR_POLICY,
	STREAM_REC_COUNT,
};

/* Types of libxl's records. */
enum stream_frame_type {
	STREAM_FRAME_END,
	STREAM_FRAME_LIBXC_CONTEXT,
	STREAM_FRAME_EMULATOR_XENSTORE_DATA,
	STREAM_FRAME_EMULATOR_CONTEXT,
	STREAM_FRAME_CHECKPOINT_END,
	STREAM_FRAME_CHECKPOINT_STATE,
	STREAM_FRAME_COUNT,
};

/* The name as the specifications write it, for messages; never NULL. */
const char *stream_record_name(uint32_t type);
const char *stream_frame_name(uint32_t type);

/* ---- page types ---- */

/*
 * A page in PAGE_DATA is one word: the pfn in bits 0-51, in bits 60-63 its type. Types are those of
 * XEN_DOMCTL_getpageframeinfo3 (XEN_DOMCTL_PFINFO_*, <xen/domctl.h>), bits 28-31 of a uint32_t.
 */
#define STREAM_PFN_MASK	 0x000fffffffffffffULL
#define STREAM_TYPE_MASK 0xf000000000000000ULL

static inline uint64_t stream_word(uint64_t pfn, uint32_t type)
{
	return (pfn & STREAM_PFN_MASK) | ((uint64_t)type << 32 & STREAM_TYPE_MASK);
}

static inline uint64_t stream_word_pfn(uint64_t word)
{
	return word & STREAM_PFN_MASK;
}

static inline uint32_t stream_word_type(uint64_t word)
{
	return (uint32_t)((word & STREAM_TYPE_MASK) >> 32);
}

/* A page of plain memory with its bytes, as nearly all are: no type, no reserved bit. */
static inline bool stream_word_plain(uint64_t word)
{
	return !(word & ~STREAM_PFN_MASK);
}

bool stream_type_known(uint32_t type);
/* The page's bytes are in the stream (not for XTAB, BROKEN, XALLOC). */
bool stream_type_has_data(uint32_t type);
/* The restored domain has memory there (not for XTAB, BROKEN). */
bool stream_type_populated(uint32_t type);
/* 1-4: page table of that level, pinned or not; 0: none. */
unsigned int stream_type_level(uint32_t type);
bool stream_type_pinned(uint32_t type);

/* ---- page tables ---- */

#define STREAM_NO_FRAME (~0ULL)

/*
 * From a frame number to the other kind, STREAM_NO_FRAME: not this domain's. For saving, @find
 * gets an mfn and must prove that the pfn it answers maps back to it; for restoring it gets a pfn
 * and may allocate.
 */
struct stream_lookup {
	uint64_t (*find)(void *cookie, uint64_t frame);
	void *cookie;
};

/*
 * A present entry that leads out of the domain (granted by another one, a device's) cannot travel,
 * nor can a superpage. Tables read while the guest runs show such entries for a moment, or are no
 * table any more.
 */
enum stream_foreign {
	STREAM_FOREIGN_FAIL,  /* the guest stands still: -ERANGE, -E2BIG (superpage) */
	STREAM_FOREIGN_DEFER, /* the guest runs: -EAGAIN, send the page in a later round */
	STREAM_FOREIGN_ZERO,  /* the guest runs: clear the entry, send the page again later */
};

/*
 * The page table @table of @type and @pfn with pfns instead of mfns, into @out (may be @table; no
 * alignment needed). Xen's own slots of a level 4 table are cleared. Pages that are no table are
 * copied. Returns how many entries were cleared by STREAM_FOREIGN_ZERO, or -EINVAL (unknown type)
 * or as above; @error then names pfn, entry and mfn. On failure @out is undefined.
 */
int stream_table_to_pfns(const void *table, void *out, uint32_t type, uint64_t pfn,
			 enum stream_foreign foreign, const struct stream_lookup *mfn_to_pfn,
			 struct tools_error *error);

/*
 * The way back. -ERANGE: an entry's pfn has no frame (@error names pfn, entry and that pfn).
 * Entries in Xen's slots are cleared: they are not the guest's to give.
 */
int stream_table_to_mfns(const void *table, void *out, uint32_t type, uint64_t pfn,
			 const struct stream_lookup *pfn_to_mfn, struct tools_error *error);

/*
 * The frames in a vcpu's context (X86_PV_VCPU_BASIC): those of the GDT, the top page tables of
 * kernel and user, and vcpu 0's start info, whose frame a guest leaves in rdx when it suspends.
 * -ERANGE: one of them is not memory of this domain (@error names it and the frame), or the GDT is
 * too long; the context is then unchanged.
 */
struct vcpu_guest_context;
int stream_context_to_pfns(struct vcpu_guest_context *context, uint32_t vcpu,
			   const struct stream_lookup *mfn_to_pfn, struct tools_error *error);
/*
 * The way back; @type_of (with @pfn_to_mfn's cookie) gives the type that a pfn came with: GDT and
 * start info must be plain pages, the tables of level 4, else -EINVAL. The vcpu comes online.
 */
int stream_context_to_mfns(struct vcpu_guest_context *context, uint32_t vcpu,
			   const struct stream_lookup *pfn_to_mfn,
			   uint32_t (*type_of)(void *cookie, uint64_t pfn),
			   struct tools_error *error);

/* ---- reading ---- */

enum stream_kind {
	STREAM_FILE,	/* xl's file header with the configuration */
	STREAM_FRAMING, /* libxl's header */
	STREAM_IMAGE,	/* libxc's image and domain headers */
	STREAM_RECORD,	/* a record of libxc, but for PAGE_DATA; the last one is END */
	STREAM_PAGES,	/* the list that opens a PAGE_DATA record */
	STREAM_PAGE,	/* one page of it */
	STREAM_FRAME,	/* a record of libxl; the last one is END */
};

/*
 * Next whole thing of a stream. Pointers hold until the next call with the same reader; the words
 * of STREAM_PAGES until all its pages were read.
 */
struct stream_item {
	enum stream_kind kind;
	uint32_t type;	  /* STREAM_RECORD, _PAGES, _PAGE: stream_record_type; _FRAME: its own */
	uint64_t offset;  /* of the header or record in the stream */
	bool inferred;	  /* STATIC_DATA_END that a version 2 stream does not spell out */
	const void *body; /* aligned to 8 bytes, but STREAM_PAGE's is not aligned at all */
	size_t length;
	union {
		struct {		      /* STREAM_FILE */
			const char *config;   /* NUL-terminated, or NULL: none */
			size_t config_length; /* without a NUL at its end */
			bool json;	      /* else xl's configuration language */
			uint32_t flags; /* optional ones: of no use to xl, free for a sender */
		} file;
		struct { /* STREAM_IMAGE */
			uint32_t version;
			uint32_t xen_major; /* 0: converted from the format before version 2 */
			uint32_t xen_minor;
		} image;
		struct { /* STREAM_PAGES: all words checked */
			uint32_t count;
			uint32_t with_data; /* so many STREAM_PAGE follow */
			const uint64_t *words;
		} pages;
		struct {		/* STREAM_PAGE: body is the page */
			uint32_t index; /* in the list */
			uint64_t pfn;
			uint32_t type;
		} page;
		struct { /* X86_PV_P2M_FRAMES */
			uint32_t start_pfn;
			uint32_t end_pfn; /* inclusive: the largest pfn of the domain */
			uint32_t count;
			const uint64_t *pfns;
		} p2m;
		struct { /* X86_PV_VCPU_*: sizes checked */
			uint32_t vcpu;
			const void *context; /* aligned to 8 bytes */
			size_t length;
		} vcpu;
		struct { /* X86_TSC_INFO */
			uint32_t mode;
			uint32_t khz;
			uint64_t nsec;
			uint32_t incarnation;
		} tsc;
		struct { /* EMULATOR_*; XENSTORE_DATA: pairs of NUL-terminated strings */
			uint32_t id;
			uint32_t index;
			const void *data;
			size_t length;
		} emulator;
	};
};

struct stream_options {
	uint32_t max_vcpus; /* higher ids are refused; 0: 8192, what Xen allows */
	bool checkpoints;   /* CHECKPOINT records are taken, else refused */
	bool strict;	    /* reserved fields and padding must be zero: to prove a writer */
	uint32_t file_flags; /* for writers: xl's optional flags */
};

struct stream_reader;

/* -ENOMEM, -EINVAL. @options may be NULL: all zero. */
int stream_reader_open(enum stream_format format, const struct stream_options *options,
		       struct stream_reader **out);
void stream_reader_close(struct stream_reader *r);

/*
 * Feeds @length bytes; takes *@used of them. Returns 1: *@item is filled, call again with the rest;
 * 0: all are taken and more are wanted, or the stream is at its end (then the rest is not its);
 * -errno: not a stream that could be restored, now and in every later call. -EINVAL: broken,
 * -EOPNOTSUPP: whole perhaps, but nothing that we do, -ENOMEM. Memory grows with the bytes that
 * came, not with lengths that a record claims; pages that lie whole in @bytes are not copied.
 */
int stream_read(struct stream_reader *r, const void *bytes, size_t length, size_t *used,
		struct stream_item *item, struct tools_error *error);

/* The outermost END was read. */
bool stream_reader_done(const struct stream_reader *r);
/* So many bytes complete the present step: whoever asks for no more never reads past the end. */
size_t stream_reader_wants(const struct stream_reader *r);
uint64_t stream_reader_offset(const struct stream_reader *r);

/*
 * After STREAM_PAGES or a STREAM_PAGE: the next @pages pages of data were read straight to where
 * they belong, past the reader. -EINVAL: the list has not so many left, or part of one is here.
 */
int stream_reader_pages_taken(struct stream_reader *r, uint32_t pages);

/* The source has ended: 0 if the stream has too, else -ENODATA; @error says inside what. */
int stream_reader_finish(const struct stream_reader *r, struct tools_error *error);

/* ---- writing ---- */

/* Takes all bytes of @parts (valid during the call only) or returns -errno. At most 64 parts. */
typedef int stream_put(void *cookie, const struct iovec *parts, unsigned int count);

struct stream_writer;

int stream_writer_open(enum stream_format format, const struct stream_options *options,
		       stream_put *put, void *cookie, struct stream_writer **out);
void stream_writer_close(struct stream_writer *w);
uint64_t stream_writer_offset(const struct stream_writer *w);
/*
 * @bytes of page records were put by the writer's copy in another process: it goes on behind them.
 */
void stream_writer_skip(struct stream_writer *w, uint64_t bytes);

/*
 * All of these: 0, -EINVAL if the record breaks a rule of the format where it stands (nothing is
 * written), or @put's error, after which the writer refuses all. The order of a whole stream:
 * start, pv_info, policies and STATIC_DATA_END by record, p2m_frames, pages..., tsc_info and
 * SHARED_INFO by record, vcpu..., [image_end, emulator...], end.
 */

/* The headers of all layers. @config: JSON of the domain for STREAM_XL (NULL: none). */
int stream_write_start(struct stream_writer *w, const char *config, uint32_t xen_major,
		       uint32_t xen_minor, struct tools_error *error);
int stream_write_pv_info(struct stream_writer *w, struct tools_error *error);
/* Any record whose body the caller has as it is; NULL for none. */
int stream_write_record(struct stream_writer *w, uint32_t type, const void *body, uint32_t length,
			struct tools_error *error);
/* @pfns: of the frames that hold the guest's p2m for 0..@end_pfn. */
int stream_write_p2m_frames(struct stream_writer *w, uint32_t end_pfn, const uint64_t *pfns,
			    struct tools_error *error);
/* One PAGE_DATA record; @pages has one pointer for each word whose type has data, in order. */
int stream_write_pages(struct stream_writer *w, uint32_t count, const uint64_t *words,
		       const void *const *pages, struct tools_error *error);
int stream_write_tsc_info(struct stream_writer *w, uint32_t mode, uint32_t khz, uint64_t nsec,
			  uint32_t incarnation, struct tools_error *error);
/* @type: one of X86_PV_VCPU_*. Empty contexts are left out, as the specification asks. */
int stream_write_vcpu(struct stream_writer *w, uint32_t type, uint32_t vcpu, const void *context,
		      uint32_t length, struct tools_error *error);
/* CHECKPOINT, and libxl's CHECKPOINT_END: a consistent state so far; the next round may follow. */
int stream_write_checkpoint(struct stream_writer *w, struct tools_error *error);
/* libxc's END. */
int stream_write_image_end(struct stream_writer *w, struct tools_error *error);
/* EMULATOR_XENSTORE_DATA or EMULATOR_CONTEXT, after image_end. libxl takes none for a PV domain. */
int stream_write_emulator(struct stream_writer *w, uint32_t type, uint32_t id, uint32_t index,
			  const void *data, uint32_t length, struct tools_error *error);
/* What is missing to end all layers. */
int stream_write_end(struct stream_writer *w, struct tools_error *error);

#endif
