/* SPDX-License-Identifier: MIT */
/*
 * Command-line options, declared beside the code that they steer, spelled as
 * Xen's. `name=value`, bare `name` and `no-name` for booleans. An unknown or
 * malformed option is named in the log and ignored.
 */
#ifndef CORE_PARAM_H
#define CORE_PARAM_H

#include <core/types.h>

enum param_type { PARAM_BOOL, PARAM_UINT, PARAM_SIZE, PARAM_STRING, PARAM_FN, PARAM_IGNORED };

struct param {
	const char *name;
	enum param_type type;
	/* PARAM_STRING: size of the buffer; others: of the variable */
	unsigned int len;
	void *var;
	int (*fn)(const char *value);	/* PARAM_FN: 0, or -errno for a malformed value */
};

#define PARAM_ENTRY_(id, ...) \
	static const struct param param_##id##_ __used __section(".init.params") \
	__aligned(8) = { __VA_ARGS__ }
#define boolean_param(name_, v) \
	PARAM_ENTRY_(v, .name = name_, .type = PARAM_BOOL, \
		     .var = &(v), .len = sizeof(v))
#define integer_param(name_, v) \
	PARAM_ENTRY_(v, .name = name_, .type = PARAM_UINT, \
		     .var = &(v), .len = sizeof(v))
#define size_param(name_, v) \
	PARAM_ENTRY_(v, .name = name_, .type = PARAM_SIZE, \
		     .var = &(v), .len = sizeof(v))
#define string_param(name_, v) \
	PARAM_ENTRY_(v, .name = name_, .type = PARAM_STRING, \
		     .var = (v), .len = sizeof(v))
#define custom_param(name_, f)	PARAM_ENTRY_(f, .name = name_, .type = PARAM_FN, .fn = (f))

void cmdline_parse(const char *cmdline);
/* 1 true, 0 false, -1 neither, for yes/on/true/enable/1 and their opposites; end may be NULL. */
int parse_bool(const char *s, const char *end);

extern char saved_cmdline[1024];

#endif
