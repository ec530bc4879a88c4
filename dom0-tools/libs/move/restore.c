/* SPDX-License-Identifier: MIT */
/*
 * A stream becomes a domain: item by item until the end, then everything that needs the whole.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

#define PROGRESS_BATCHES 4U

static int take(struct restorer *r, const struct stream_item *item)
{
	int rc;

	switch (item->kind) {
	case STREAM_IMAGE:
		r->restore->xen_major = item->image.xen_major;
		r->restore->xen_minor = item->image.xen_minor;
		return 0;
	case STREAM_RECORD:
		rc = restorer_record(r, item);
		return rc == -ENOMEM ?
			       tools_fail(r->error, rc, "no-memory", "out of memory") :
			       rc;
	case STREAM_PAGES:
		return restorer_pages(r, item);
	case STREAM_FRAME:
		if (item->type == STREAM_FRAME_END)
			return 0;
		return tools_fail(r->error, -EOPNOTSUPP, "bad-stream",
				  "%s does not belong to a PV domain",
				  stream_frame_name(item->type));
	default:
		return 0;
	}
}

/* Every few MiB: the domain's devices get on, and the caller may give up. */
static int report(struct restorer *r)
{
	struct light_build *build = r->restore->build;
	int rc = build->meanwhile ? build->meanwhile(build->meanwhile_cookie) : 0;

	if (rc)
		return rc;
	r->progress.phase = MOVE_MEMORY;
	r->progress.pages_done = r->restore->pages;
	r->progress.bytes = r->restore->source->channel->bytes;
	if (r->restore->progress &&
	    r->restore->progress(r->restore->progress_cookie, &r->progress))
		return tools_fail(r->error, -ECANCELED, "canceled", "given up");
	return 0;
}

int move_restore(struct move_restore *restore, struct tools_error *error)
{
	struct restorer r = { .restore = restore, .error = error };
	struct move_source *source = restore->source;
	struct stream_item item;
	unsigned int lists = 0;
	int rc = restorer_limit(&r);

	restore->pages = 0;
	r.mfns = malloc(BATCH_PAGES * sizeof(*r.mfns));
	r.words = malloc(BATCH_PAGES * sizeof(*r.words));
	if (!rc && (!r.mfns || !r.words))
		rc = tools_fail(error, -ENOMEM, "no-memory", "out of memory");
	while (!rc && !stream_reader_done(source->reader)) {
		rc = source_next(source, &item, error);
		rc = rc ? rc : take(&r, &item);
		if (!rc && item.kind == STREAM_PAGES && ++lists % PROGRESS_BATCHES == 0)
			rc = report(&r);
	}
	rc = rc ? rc : restorer_finish(&r);
	restore->bytes = source->channel->bytes;
	restorer_state_free(&r);
	free(r.mfns);
	free(r.words);
	free(r.p2m);
	free(r.types);
	free(r.pending);
	free(r.list_pfns);
	return rc;
}
