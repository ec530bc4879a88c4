/* SPDX-License-Identifier: MIT */
/*
 * xl.cfg as a language: text becomes settings with positions. What keys mean is known elsewhere.
 */
#ifndef LIGHT_CFG_H
#define LIGHT_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <tools/util.h>

struct cfg_value {
	bool is_list;
	bool quoted;
	char *text; /* of an atom */
	struct cfg_value *items; /* of a list */
	unsigned int n_items;
	unsigned int line;
};

struct cfg_setting {
	char *key;
	struct cfg_value value;
	const char *source; /* not ours: file name, or "command line" */
	unsigned int line;
};

struct cfg {
	struct cfg_setting *settings;
	unsigned int n_settings;
};

/*
 * Appends what @text sets to @cfg; a key set before is replaced, or added to by +=. @source must
 * outlive @cfg. With @loose an unquoted value that is neither number nor list counts as a string
 * (command lines). -EINVAL: @error names source and line. -ENOMEM.
 */
int cfg_parse(struct cfg *cfg, const char *text, size_t length, const char *source, bool loose,
	      struct tools_error *error);
void cfg_free(struct cfg *cfg);
/* The setting of @key, or NULL. */
const struct cfg_setting *cfg_find(const struct cfg *cfg, const char *key);

#endif
