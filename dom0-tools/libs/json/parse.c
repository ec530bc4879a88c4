/* SPDX-License-Identifier: MIT */
/*
 * A JSON parser into a tree (RFC 8259), for the files that libxl's tools leave. The text is not
 * trusted: depth is bounded, numbers out of range become doubles, and any mistake fails the whole
 * with its offset. Use: include/tools/json.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>

struct parser {
	const char *at;
	const char *end;
	unsigned int depth;
};

static struct json_value *parse_value(struct parser *p);

static void skip_space(struct parser *p)
{
	while (p->at < p->end && strchr(" \t\r\n", *p->at) && *p->at)
		p->at++;
}

static bool take(struct parser *p, char c)
{
	skip_space(p);
	if (p->at >= p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

static bool take_word(struct parser *p, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length))
		return false;
	p->at += length;
	return true;
}

static void add_utf8(struct strbuf *s, unsigned int c)
{
	char b[4];

	if (c < 0x80) {
		b[0] = c;
		strbuf_add(s, b, 1);
	} else if (c < 0x800) {
		b[0] = 0xc0 | c >> 6;
		b[1] = 0x80 | (c & 0x3f);
		strbuf_add(s, b, 2);
	} else if (c < 0x10000) {
		b[0] = 0xe0 | c >> 12;
		b[1] = 0x80 | (c >> 6 & 0x3f);
		b[2] = 0x80 | (c & 0x3f);
		strbuf_add(s, b, 3);
	} else {
		b[0] = 0xf0 | c >> 18;
		b[1] = 0x80 | (c >> 12 & 0x3f);
		b[2] = 0x80 | (c >> 6 & 0x3f);
		b[3] = 0x80 | (c & 0x3f);
		strbuf_add(s, b, 4);
	}
}

/* Four hexadecimal digits, or -1. */
static int hex4(struct parser *p)
{
	int value = 0, i;

	if (p->end - p->at < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		char c = *p->at++;

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			value = value << 4 | ((c | 32) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/* After the backslash. A NUL cannot be in our strings, so \u0000 is refused. */
static bool parse_escape(struct parser *p, struct strbuf *s)
{
	static const char map[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	const char *m;
	int c, low;

	if (p->at >= p->end)
		return false;
	for (m = map; *m; m += 2) {
		if (*m == *p->at) {
			p->at++;
			strbuf_add(s, m + 1, 1);
			return true;
		}
	}
	if (*p->at++ != 'u')
		return false;
	c = hex4(p);
	if (c <= 0 || (c >= 0xdc00 && c < 0xe000))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (!take_word(p, "\\u"))
			return false;
		low = hex4(p);
		if (low < 0xdc00 || low >= 0xe000)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	add_utf8(s, c);
	return true;
}

/* A string after its opening quote, in fresh memory; NULL: wrong. */
static char *parse_string(struct parser *p)
{
	struct strbuf s = { 0 };

	while (p->at < p->end && *p->at != '"') {
		if ((unsigned char)*p->at < 0x20)
			goto wrong;
		if (*p->at == '\\') {
			p->at++;
			if (!parse_escape(p, &s))
				goto wrong;
			continue;
		}
		strbuf_add(&s, p->at++, 1);
	}
	if (p->at >= p->end)
		goto wrong;
	p->at++;
	return strbuf_take(&s);
wrong:
	strbuf_free(&s);
	return NULL;
}

static bool parse_number(struct parser *p, struct json_value *v)
{
	char digits[64], *rest;
	size_t n = 0;
	bool real = false;

	while (p->at < p->end && *p->at && strchr("+-0123456789.eE", *p->at)) {
		if (n + 1 >= sizeof(digits))
			return false;
		real |= strchr(".eE", *p->at) != NULL;
		digits[n++] = *p->at++;
	}
	digits[n] = '\0';
	if (!n || digits[0] == '+')
		return false;
	v->type = JSON_INT;
	if (!real) {
		errno = 0;
		v->integer = strtoll(digits, &rest, 10);
		if (*rest || rest == digits)
			return false;
		if (!errno)
			return true;
	}
	v->type = JSON_DOUBLE;
	v->real = strtod(digits, &rest);
	return rest != digits && !*rest;
}

/* The members after the opening bracket. */
static bool parse_children(struct parser *p, struct json_value *v, char close)
{
	struct json_value **end = &v->child;

	if (take(p, close))
		return true;
	do {
		char *name = NULL;

		if (v->type == JSON_OBJECT) {
			if (!take(p, '"'))
				return false;
			name = parse_string(p);
			if (!name || !take(p, ':')) {
				free(name);
				return false;
			}
		}
		*end = parse_value(p);
		if (!*end) {
			free(name);
			return false;
		}
		(*end)->name = name;
		end = &(*end)->next;
	} while (take(p, ','));
	return take(p, close);
}

static bool parse_into(struct parser *p, struct json_value *v)
{
	bool ok;

	if (take(p, '{') || take(p, '[')) {
		bool object = p->at[-1] == '{';

		v->type = object ? JSON_OBJECT : JSON_ARRAY;
		if (++p->depth >= JSON_MAX_DEPTH)
			return false;
		ok = parse_children(p, v, object ? '}' : ']');
		p->depth--;
		return ok;
	}
	if (take(p, '"')) {
		v->type = JSON_STRING;
		v->text = parse_string(p);
		return v->text != NULL;
	}
	if (take_word(p, "null")) {
		v->type = JSON_NULL;
		return true;
	}
	v->type = JSON_BOOL;
	v->integer = take_word(p, "true");
	if (v->integer || take_word(p, "false"))
		return true;
	return parse_number(p, v);
}

static struct json_value *parse_value(struct parser *p)
{
	struct json_value *v = calloc(1, sizeof(*v));

	if (v && !parse_into(p, v)) {
		json_free(v);
		v = NULL;
	}
	return v;
}

struct json_value *json_parse(const char *text, size_t length, struct tools_error *error)
{
	struct parser p = { .at = text, .end = text + length };
	struct json_value *v = parse_value(&p);

	if (v) {
		skip_space(&p);
		if (p.at == p.end)
			return v;
		json_free(v);
	}
	tools_fail(error, -EINVAL, "bad-json", "not JSON at byte %zu of %zu",
		   (size_t)(p.at - text), length);
	return NULL;
}
