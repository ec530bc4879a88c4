/* SPDX-License-Identifier: MIT */
/*
 * A configuration from a file and words of the command line, for the verbs that take one.
 */
#ifndef KL_CONFIG_FILE_H
#define KL_CONFIG_FILE_H

#include <tools/light_config.h>
#include "kl.h"

struct config_words {
	const char *path; /* NULL: none given */
	char **overrides; /* "key=value", into argv */
	unsigned int count;
};

/*
 * What is left of a command line: one file, any number of overrides. KL_USAGE if there is a second
 * file.
 */
int config_words_take(struct kl *kl, struct config_words *words, int argc, char **argv);
void config_words_free(struct config_words *words);

/*
 * Reads @words->path (/dev/null: the words are all) into @config, initialised by the caller; *text
 * (may be NULL) gets the file with the overrides appended (free()). KL_OK, or KL_FAILED and the
 * user was told.
 */
int config_load(struct kl *kl, const struct config_words *words, struct light_config *config,
		char **text);

#endif
