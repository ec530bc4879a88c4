/* SPDX-License-Identifier: MIT */
/*
 * JSON as libxl's tools print it (indented by four spaces, empty containers on three lines), so
 * that what reads their files and output reads ours; and a parser into a tree, for what they wrote.
 */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tools/util.h>

#define JSON_MAX_DEPTH 32

/*
 * The writer. Zero-initialise; nest calls; take the text from @out (strbuf_take) at the end, which
 * then ends in a newline. Keys are NULL inside arrays and at the top. With @compact set first, all
 * is on one line.
 */
struct json_writer {
	struct strbuf out;
	bool compact;
	unsigned int depth;
	bool used[JSON_MAX_DEPTH];	/* this level has an element already */
};

void json_open_object(struct json_writer *w, const char *key);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w, const char *key);
void json_close_array(struct json_writer *w);
/* @text may be NULL: null. Bytes that are no text are escaped, so the result is always JSON. */
void json_string(struct json_writer *w, const char *key, const char *text);
void json_int(struct json_writer *w, const char *key, int64_t value);
void json_uint(struct json_writer *w, const char *key, uint64_t value);
void json_double(struct json_writer *w, const char *key, double value);
void json_bool(struct json_writer *w, const char *key, bool value);
void json_null(struct json_writer *w, const char *key);

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY,
		 JSON_OBJECT };

/*
 * The tree. Children are in the order of the text; unlink or change at will, free with json_free().
 */
struct json_value {
	enum json_type type;
	char *name;			/* key in the object around it, or NULL */
	char *text;			/* JSON_STRING */
	int64_t integer;		/* JSON_INT, JSON_BOOL (0 or 1) */
	double real;			/* JSON_DOUBLE */
	struct json_value *child;	/* first */
	struct json_value *next;	/* sibling */
};

/* The tree of @text, or NULL: out of memory, or not JSON (@error says where). */
struct json_value *json_parse(const char *text, size_t length, struct tools_error *error);
void json_free(struct json_value *value);
/* The member @name of an object; NULL: none, or not an object. */
struct json_value *json_member(const struct json_value *value, const char *name);
/* Sets a member of an object, adding it at the end if need be. -ENOMEM, -EINVAL: not an object. */
int json_set_int(struct json_value *object, const char *name, int64_t value);
int json_set_string(struct json_value *object, const char *name, const char *text);
/* A fresh empty object or array under @name (NULL in arrays) of @parent; NULL: out of memory. */
struct json_value *json_add(struct json_value *parent, const char *name, enum json_type type);
/* Removes and frees member @name if there is one. */
void json_remove(struct json_value *object, const char *name);
/* Writes a tree as @key's value. */
void json_write(struct json_writer *w, const char *key, const struct json_value *value);

#endif
