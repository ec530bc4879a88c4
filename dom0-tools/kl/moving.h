/* SPDX-License-Identifier: MIT */
/*
 * What the verbs that move domains share: the configuration that travels, the progress line.
 */
#ifndef KL_MOVING_H
#define KL_MOVING_H

#include <tools/move.h>
#include "kl.h"

#define MOVING_MAX_SECONDS 1000000U /* that a guest may be given to suspend */

/*
 * The configuration that goes with @domid: that of @file (NULL: as the domain was made and is now).
 * *text to free(). KL_OK, or KL_FAILED and the user was told.
 */
int moving_config(struct kl *kl, domid_t domid, const char *file, bool keep_domid,
		  struct light_config *config, char **text);

/* The configuration out of a stream, or of @file instead. */
int moving_source_config(struct kl *kl, const struct move_source *source, const char *file,
			 struct light_config *config);

struct moving_progress {
	struct kl *kl;
	const char *what; /* "saving d1" */
	uint64_t began_ms;
	enum move_phase phase;
	uint64_t phase_ms[MOVE_DONE + 1]; /* when each began, since @began_ms; 0: never */
	uint64_t dirty_rate;
	bool json_lines; /* a line of JSON at each change of phase */
};

void moving_progress_init(struct moving_progress *progress, struct kl *kl, const char *what);
/* As move_save's and move_restore's progress, with a moving_progress as cookie. */
int moving_progress(void *cookie, const struct move_progress *now);

/*
 * A restore as light_create()'s build. The cookie is a move_restore with source and progress set.
 */
int moving_build(struct light *light, struct light_build *build, void *cookie,
		 struct tools_error *error);

/* The "Saving to" line that xl prints. */
void moving_announce(struct kl *kl, const char *where, const char *config);

#endif
