/* SPDX-License-Identifier: MIT */
/*
 * Inside the movers: frames.c reads the guest's own table of its memory, pages.c sends memory in
 * batches, save_state.c all else, save.c says in which order; the restore_*.c are their mirror.
 */
#ifndef MOVE_PRIVATE_H
#define MOVE_PRIVATE_H

#include <stdlib.h>
#include <tools/move.h>

#define PAGE_BYTES   4096UL
#define PER_PAGE     512UL /* entries of 8 bytes */
#define PFNS_MAX     (1UL << 28) /* 1 TiB of guest */
#define SPARSE_PFNS  (4UL << 20) /* pfns without memory that a small guest may have, too */
#define BATCH_PAGES  1024U /* what the hypervisor answers page types for at once */
#define INVALID_MFN  (~0ULL)

/* So many a domain can have at most; it changes while we look. */
static inline uint64_t move_most_pages(const struct xen_domctl_getdomaininfo *info)
{
	return info->max_pages * 2 + PER_PAGE;
}

/* ---- bitmaps ---- */
static inline bool bit_test(const uint64_t *map, uint64_t bit)
{
	return map[bit / 64] >> bit % 64 & 1;
}

static inline void bit_set(uint64_t *map, uint64_t bit)
{
	map[bit / 64] |= 1ULL << bit % 64;
}

static inline void bit_clear(uint64_t *map, uint64_t bit)
{
	map[bit / 64] &= ~(1ULL << bit % 64);
}

/* Zeroed; NULL: out of memory. */
static inline uint64_t *bits_alloc(uint64_t count)
{
	return calloc(count / 64 + 1, sizeof(uint64_t));
}

/* ---- frames.c: which frame is which pfn ---- */
struct move_frames {
	struct ctl *ctl;
	struct foreignmemory *fm;
	domid_t domid;
	uint64_t max_mfn;
	uint64_t most;		/* pages: what is more cannot be */
	const struct shared_info *shared; /* mapped */
	uint64_t generation;	/* of the table's own pages, as the guest counts it */
	uint64_t count;		/* pfns, trimmed by what is behind the last real page */
	uint64_t list_pages;	/* pages of the guest's table */
	const uint64_t *list;	/* mapped: the table, live */
	uint64_t *list_pfns;	/* of its pages */
	uint64_t *p2m;		/* snapshot: mfn, or INVALID_MFN */
	uint32_t *m2p;		/* by mfn: pfn + 1, 0: none */
};

/* Finds and maps the table and takes the first snapshot. @error names what makes no sense. */
int frames_open(struct move_frames *f, struct tools_error *error);
void frames_close(struct move_frames *f);
/*
 * A new snapshot; pfns whose frame is another one are set in @changed (may be NULL). -ESTALE: the
 * guest has rebuilt the table itself.
 */
int frames_refresh(struct move_frames *f, uint64_t *changed, struct tools_error *error);
/* For stream_table_to_pfns(), stream_context_to_pfns(): the cookie is the move_frames. */
uint64_t frames_mfn_to_pfn(void *cookie, uint64_t mfn);

/* ---- a save under way ---- */
struct saver {
	struct move_save *save;
	struct tools_error *error;
	struct stream_writer *writer;
	struct move_frames frames;
	struct move_progress progress;
	uint64_t *to_send;	/* pfns of this round */
	uint64_t *later;	/* deferred to a later one */
	uint64_t *sent;		/* the other end has memory there */
	bool still;		/* the guest stands still */
	bool ends;		/* this process does, soon: mappings are left to that */
	uint32_t own_cap;	/* the scheduler's, while it is braked */
	/* One batch. */
	unsigned int count;
	xen_pfn_t *mfns;
	uint64_t *words;
	uint8_t *tables;	/* page tables with pfns */
	const void **pages;
	int *errors;
};

/* pages.c: those of the pfns [@first, @end) that are in s->to_send, and are cleared there. */
int saver_send_range(struct saver *s, uint64_t first, uint64_t end);
/* apart.c: all pfns in s->to_send, by processes of their own; for a guest that stands still. */
int saver_send_apart(struct saver *s);
int saver_pages_init(struct saver *s);
void saver_pages_free(struct saver *s);
/* save.c: tells the caller; not 0: he gives up. */
int saver_progress(struct saver *s, enum move_phase phase);
/* brake.c: less CPU for the guest; false: it has as little as it may. And all it had. */
bool saver_brake(struct saver *s);
void saver_unbrake(struct saver *s);
/* The scheduler's cap of a domain, in percent of a CPU; 0: none. */
int brake_cap_get(struct ctl *ctl, domid_t domid, uint32_t *cap);
int brake_cap_set(struct ctl *ctl, domid_t domid, uint32_t cap);
/* save_state.c: what is neither memory nor headers. */
int saver_static_data(struct saver *s);
int saver_state(struct saver *s);

/* ---- a restore under way ---- */
struct vcpu_state {
	struct vcpu_guest_context *basic;
	struct xen_domctl_ext_vcpucontext *extended;
	void *xsave;
	size_t xsave_bytes;
	struct xen_domctl_vcpu_msr *msrs;
	uint32_t nr_msrs;
};

struct move_source {
	struct move_channel *channel;
	struct stream_reader *reader;
	uint8_t *buffer;
	size_t have, used; /* of the buffer */
	char *config;
	size_t config_length;
	bool json, has_config;
	uint32_t flags;
};

/* The next item; -errno with @error. */
int source_next(struct move_source *source, struct stream_item *item, struct tools_error *error);
/* @bytes of page data straight to @to: @pages of the list that was read last. */
int source_pages(struct move_source *source, void *to, uint32_t pages, struct tools_error *error);

struct restorer {
	struct move_restore *restore;
	struct tools_error *error;
	struct move_progress progress;
	uint64_t count;	    /* pfns */
	uint64_t most;	    /* of them: what is more the domain cannot have */
	uint64_t *p2m;	    /* mfn or INVALID_MFN */
	uint32_t *types;    /* XEN_DOMCTL_PFINFO_* each came with */
	uint64_t *pending;   /* tables that still have pfns in their entries */
	uint64_t last_pfn;   /* of the last list */
	uint64_t unconverted; /* pages in lists since tables were looked at */
	uint64_t *list_pfns; /* of the guest's own table */
	uint64_t list_pages;
	struct ctl_cpu_policy policy;
	struct vcpu_state *vcpus;
	uint32_t nr_vcpus;
	uint32_t most_vcpus; /* that the domain has */
	struct shared_info *shared; /* a whole page */
	/* One batch. */
	xen_pfn_t *mfns;
	uint64_t *words;
};

/* restore_pages.c: how many pfns and vcpus the new domain may have; then its table's pages. */
int restorer_limit(struct restorer *r);
int restorer_p2m_frames(struct restorer *r, const struct stream_item *item);
int restorer_pages(struct restorer *r, const struct stream_item *item);
/* Page tables get their frames; @last: every one must. */
int restorer_convert_tables(struct restorer *r, bool last);
/* Gives back what the source had no more at its end. */
int restorer_drop_absent(struct restorer *r);
uint64_t restorer_pfn_to_mfn(void *cookie, uint64_t pfn);
uint32_t restorer_type_of(void *cookie, uint64_t pfn);
/* restore_state.c: a record, or all that is done when the stream has ended. */
int restorer_record(struct restorer *r, const struct stream_item *item);
int restorer_finish(struct restorer *r);
void restorer_state_free(struct restorer *r);

/* suspend.c: a request to suspend that nobody has taken is withdrawn. */
void move_take_back_request(struct light *light, domid_t domid);

/*
 * features.c: @config with the CPU features that the domain sees, to free, NULL: none can be had;
 * and how many of them @config names and this host lacks, with a line for each in @problems.
 */
char *features_into(struct ctl *ctl, domid_t domid, const char *config);
unsigned int features_missing(struct ctl *ctl, const char *config, size_t length,
			      struct strbuf *problems);

/* Maps @count frames; tools_fail() with what they are. */
int move_map(struct foreignmemory *fm, domid_t domid, int prot, size_t count,
	     const xen_pfn_t *frames, const char *what, void **out, struct tools_error *error);

#endif
