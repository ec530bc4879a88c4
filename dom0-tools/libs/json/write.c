/* SPDX-License-Identifier: MIT */
/*
 * JSON output in the layout of libxl's tools: four spaces a level, an empty container as an opening
 * line, an empty line and a closing line, a newline after the outermost value. Programs compare
 * such texts, so the layout is part of the contract. Use: include/tools/json.h.
 */
#include <stdio.h>
#include <string.h>
#include <tools/json.h>

static void newline(struct json_writer *w)
{
	unsigned int i;

	if (w->compact)
		return;
	strbuf_add(&w->out, "\n", 1);
	for (i = 0; i < w->depth; i++)
		strbuf_add(&w->out, "    ", 4);
}

/* Bytes of the UTF-8 character at @p, 0: it is none. Reads no further than the terminating zero. */
static unsigned int utf8_length(const unsigned char *p)
{
	unsigned int n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	unsigned int i;

	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates and what is beyond Unicode. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return n;
}

/* A quoted string: what JSON demands is escaped, and whatever would not be UTF-8. */
static void quoted(struct json_writer *w, const char *text)
{
	static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	const unsigned char *p = (const unsigned char *)text, *plain = p;

	strbuf_add(&w->out, "\"", 1);
	while (*p) {
		unsigned int more = *p >= 0x80 ? utf8_length(p) : 0;
		const char *s;

		if (more || (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\')) {
			p += more ? more : 1;
			continue;
		}
		strbuf_add(&w->out, plain, p - plain);
		for (s = shorts; *s && *s != (char)*p; s += 2)
			;
		if (*s)
			strbuf_printf(&w->out, "\\%c", s[1]);
		else
			strbuf_printf(&w->out, "\\u%04X", *p);
		plain = ++p;
	}
	strbuf_add(&w->out, plain, p - plain);
	strbuf_add(&w->out, "\"", 1);
}

/* What stands before a value: comma, place, key. */
static void begin(struct json_writer *w, const char *key)
{
	if (w->used[w->depth])
		strbuf_add(&w->out, ",", 1);
	if (w->depth && !(w->compact && !w->used[w->depth]))
		newline(w);
	if (w->compact && w->used[w->depth])
		strbuf_add(&w->out, " ", 1);
	w->used[w->depth] = true;
	if (key) {
		quoted(w, key);
		strbuf_add(&w->out, ": ", 2);
	}
}

static void end(struct json_writer *w)
{
	if (w->depth == 0)
		strbuf_add(&w->out, "\n", 1);
}

static void open_container(struct json_writer *w, const char *key, const char *bracket)
{
	begin(w, key);
	strbuf_add(&w->out, bracket, 1);
	if (w->depth + 1 >= JSON_MAX_DEPTH) {
		w->out.failed = true;
		return;
	}
	w->used[++w->depth] = false;
}

static void close_container(struct json_writer *w, const char *bracket)
{
	if (w->depth == 0)
		return;
	if (!w->used[w->depth] && !w->compact)
		strbuf_add(&w->out, "\n", 1);
	w->depth--;
	newline(w);
	strbuf_add(&w->out, bracket, 1);
	end(w);
}

void json_open_object(struct json_writer *w, const char *key)
{
	open_container(w, key, "{");
}

void json_close_object(struct json_writer *w)
{
	close_container(w, "}");
}

void json_open_array(struct json_writer *w, const char *key)
{
	open_container(w, key, "[");
}

void json_close_array(struct json_writer *w)
{
	close_container(w, "]");
}

void json_string(struct json_writer *w, const char *key, const char *text)
{
	if (!text) {
		json_null(w, key);
		return;
	}
	begin(w, key);
	quoted(w, text);
	end(w);
}

void json_int(struct json_writer *w, const char *key, int64_t value)
{
	begin(w, key);
	strbuf_printf(&w->out, "%lld", (long long)value);
	end(w);
}

void json_uint(struct json_writer *w, const char *key, uint64_t value)
{
	begin(w, key);
	strbuf_printf(&w->out, "%llu", (unsigned long long)value);
	end(w);
}

void json_double(struct json_writer *w, const char *key, double value)
{
	begin(w, key);
	/* JSON has no infinities. */
	if (value != value || value > 1e300 || value < -1e300)
		strbuf_add(&w->out, "null", 4);
	else
		strbuf_printf(&w->out, "%.10g", value);
	end(w);
}

void json_bool(struct json_writer *w, const char *key, bool value)
{
	begin(w, key);
	strbuf_printf(&w->out, "%s", value ? "true" : "false");
	end(w);
}

void json_null(struct json_writer *w, const char *key)
{
	begin(w, key);
	strbuf_add(&w->out, "null", 4);
	end(w);
}

void json_write(struct json_writer *w, const char *key, const struct json_value *value)
{
	const struct json_value *child;

	switch (value->type) {
	case JSON_NULL:
		json_null(w, key);
		break;
	case JSON_BOOL:
		json_bool(w, key, value->integer);
		break;
	case JSON_INT:
		json_int(w, key, value->integer);
		break;
	case JSON_DOUBLE:
		json_double(w, key, value->real);
		break;
	case JSON_STRING:
		json_string(w, key, value->text);
		break;
	case JSON_ARRAY:
		json_open_array(w, key);
		for (child = value->child; child; child = child->next)
			json_write(w, NULL, child);
		json_close_array(w);
		break;
	case JSON_OBJECT:
		json_open_object(w, key);
		for (child = value->child; child; child = child->next)
			json_write(w, child->name ? child->name : "", child);
		json_close_object(w);
		break;
	}
}
