/* SPDX-License-Identifier: MIT */
/*
 * Parser of xl.cfg text: `key = value` and `key += value`, separated by newlines or semicolons; a
 * value is a number, a string in either quotes with C's escapes, or a list in brackets; # starts a
 * comment.
 *
 * One pass over the bytes, no look-ahead beyond one character, lists nest to a small depth. The
 * first mistake ends it, with a message that says what stands there and what could. People also
 * write Python into these files (its ancestor was Python): that is recognised and named.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cfg.h"

#define MAX_DEPTH    4
#define MAX_SETTINGS 4096
#define MAX_ITEMS    4096

struct scanner {
	const char *at, *end;
	const char *source;
	unsigned int line;
	bool loose;
	struct tools_error *error;
};

static void value_free(struct cfg_value *value)
{
	unsigned int i;

	for (i = 0; i < value->n_items; i++)
		value_free(&value->items[i]);
	free(value->items);
	free(value->text);
	memset(value, 0, sizeof(*value));
}

void cfg_free(struct cfg *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->n_settings; i++) {
		free(cfg->settings[i].key);
		value_free(&cfg->settings[i].value);
	}
	free(cfg->settings);
	memset(cfg, 0, sizeof(*cfg));
}

const struct cfg_setting *cfg_find(const struct cfg *cfg, const char *key)
{
	unsigned int i;

	for (i = 0; i < cfg->n_settings; i++)
		if (!strcmp(cfg->settings[i].key, key))
			return &cfg->settings[i];
	return NULL;
}

static int peek(const struct scanner *s)
{
	return s->at < s->end ? (unsigned char)*s->at : -1;
}

/* What stands at the scanner, for messages: a word of at most 24 printable characters. */
static void found_here(const struct scanner *s, char *out, size_t room)
{
	const char *p = s->at;
	size_t n = 0;

	if (p >= s->end) {
		snprintf(out, room, "the end of the file");
		return;
	}
	if (*p == '\n') {
		snprintf(out, room, "the end of the line");
		return;
	}
	out[n++] = '`';
	while (p < s->end && *p != '\n' && n < 25 && n + 2 < room &&
	       !(n > 1 && isspace((unsigned char)*p))) {
		out[n++] = isprint((unsigned char)*p) ? *p : '?';
		p++;
	}
	out[n++] = '\'';
	out[n] = 0;
}

static int mistake(struct scanner *s, const char *key, const char *wanted)
{
	char found[40];

	found_here(s, found, sizeof(found));
	if (key)
		return tools_fail(s->error, -EINVAL, "bad-config",
				  "%s:%u: key `%s': found %s, wanted %s", s->source, s->line, key,
				  found, wanted);
	return tools_fail(s->error, -EINVAL, "bad-config", "%s:%u: found %s, wanted %s", s->source,
			  s->line, found, wanted);
}

/* Spaces and tabs; with @lines also newlines and comments. */
static void skip_blanks(struct scanner *s, bool lines)
{
	for (; s->at < s->end; s->at++) {
		if (*s->at == ' ' || *s->at == '\t' || *s->at == '\r')
			continue;
		if (*s->at == '#' && lines) {
			while (s->at < s->end && *s->at != '\n')
				s->at++;
			if (s->at == s->end)
				return;
		}
		if (*s->at != '\n' || !lines)
			return;
		s->line++;
	}
}

static int take_text(struct cfg_value *value, struct strbuf *text)
{
	strbuf_add(text, "", 0);
	value->text = strbuf_take(text);
	return value->text ? 0 : -ENOMEM;
}

/* After a backslash: the character meant, or -1. */
static int escape(struct scanner *s)
{
	static const char plain[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
	const char *p;
	int c = peek(s), value = 0, digits = 0;

	if (c < 0)
		return -1;
	s->at++;
	if (c == '"' || c == '\'' || c == '\\')
		return c;
	p = strchr(plain, c);
	if (c && p)
		return meant[p - plain];
	if (c == 'x') {
		for (; digits < 2 && isxdigit(peek(s)); digits++, s->at++)
			value = value * 16 +
				(isdigit(peek(s)) ? peek(s) - '0' : tolower(peek(s)) - 'a' + 10);
		return digits == 2 && value ? value : -1;
	}
	if (c < '0' || c > '7')
		return -1;
	for (value = c - '0', digits = 1; digits < 3 && peek(s) >= '0' && peek(s) <= '7';
	     digits++, s->at++)
		value = value * 8 + peek(s) - '0';
	return value && value < 256 ? value : -1;
}

static int parse_string(struct scanner *s, const char *key, struct cfg_value *value)
{
	struct strbuf text = { 0 };
	int quote = peek(s), c;
	char byte;

	for (s->at++; (c = peek(s)) != quote; strbuf_add(&text, &byte, 1)) {
		if (c < 0 || c == '\n' || !c) {
			strbuf_free(&text);
			return mistake(s, key, quote == '"' ? "a closing \"" : "a closing '");
		}
		s->at++;
		if (c == '\\') {
			c = escape(s);
			if (c < 0) {
				strbuf_free(&text);
				return mistake(s, key,
					       "a known escape after the backslash "
					       "(\\\\ stands for one backslash)");
			}
		}
		byte = (char)c;
	}
	s->at++;
	value->quoted = true;
	return take_text(value, &text);
}

static int parse_number(struct scanner *s, const char *key, struct cfg_value *value)
{
	const char *start = s->at;
	struct strbuf text = { 0 };

	while (s->at < s->end && (isdigit((unsigned char)*s->at) ||
				  (*s->at >= 'a' && *s->at <= 'f') || *s->at == 'x'))
		s->at++;
	if (s->at < s->end && (isalpha((unsigned char)*s->at) || *s->at == '.' || *s->at == '_')) {
		s->at = start;
		return mistake(s, key, "a whole number, or a string in quotes");
	}
	strbuf_add(&text, start, (size_t)(s->at - start));
	return take_text(value, &text);
}

/* A command line's unquoted string: all of the rest. */
static int parse_bare(struct scanner *s, struct cfg_value *value)
{
	struct strbuf text = { 0 };

	strbuf_add(&text, s->at, (size_t)(s->end - s->at));
	s->at = s->end;
	value->quoted = true;
	return take_text(value, &text);
}

static int parse_value(struct scanner *s, const char *key, struct cfg_value *value,
		       unsigned int depth);

static int parse_list(struct scanner *s, const char *key, struct cfg_value *value,
		      unsigned int depth)
{
	struct cfg_value *items;
	int rc;

	value->is_list = true;
	s->at++;
	for (;;) {
		skip_blanks(s, true);
		if (peek(s) == ']')
			break;
		if (value->n_items == MAX_ITEMS)
			return mistake(s, key, "fewer entries in the list");
		items = reallocarray(value->items, value->n_items + 1, sizeof(*items));
		if (!items)
			return -ENOMEM;
		value->items = items;
		memset(&items[value->n_items], 0, sizeof(*items));
		rc = parse_value(s, key, &items[value->n_items++], depth + 1);
		if (rc)
			return rc;
		skip_blanks(s, true);
		if (peek(s) == ',')
			s->at++;
		else if (peek(s) != ']')
			return mistake(s, key, "`,' or `]' in the list");
	}
	s->at++;
	return 0;
}

static int parse_value(struct scanner *s, const char *key, struct cfg_value *value,
		       unsigned int depth)
{
	int c = peek(s);

	value->line = s->line;
	if (c == '"' || c == '\'')
		return parse_string(s, key, value);
	if (c == '[' && depth < MAX_DEPTH)
		return parse_list(s, key, value, depth);
	if (c >= '0' && c <= '9')
		return parse_number(s, key, value);
	if (c == '(' || c == '{')
		return mistake(
			s, key,
			"a list in [brackets]: this looks like Python, which is not understood here");
	if (c == '-')
		return mistake(s, key, "a number without sign, or a string in quotes");
	if (isalpha(c) || c == '/' || c == '_')
		return mistake(s, key, "a number, a string in quotes or a list in [brackets]");
	return mistake(s, key, "a value: a number, a string in quotes or a list");
}

/* Joins list to list, text to text: `+=`. */
static int value_append(struct scanner *s, const char *key, struct cfg_value *to,
			struct cfg_value *from)
{
	struct cfg_value *items;
	char *text;

	if (to->is_list != from->is_list)
		return mistake(s, key,
			       "after += the kind of value it had before (list or single value)");
	if (!to->is_list) {
		text = tools_asprintf("%s%s", to->text, from->text);
		if (!text)
			return -ENOMEM;
		free(to->text);
		to->text = text;
		value_free(from);
		return 0;
	}
	if (!from->n_items)
		return 0;
	items = reallocarray(to->items, to->n_items + from->n_items, sizeof(*items));
	if (!items)
		return -ENOMEM;
	memcpy(items + to->n_items, from->items, from->n_items * sizeof(*items));
	to->items = items;
	to->n_items += from->n_items;
	free(from->items);
	memset(from, 0, sizeof(*from));
	return 0;
}

/* Takes @key and @value over (also on failure). */
static int store_setting(struct scanner *s, struct cfg *cfg, char *key, struct cfg_value *value,
			 bool add, unsigned int line)
{
	struct cfg_setting *set = (struct cfg_setting *)cfg_find(cfg, key);
	int rc = 0;

	if (set && add) {
		rc = value_append(s, key, &set->value, value);
		value_free(value);
		free(key);
		return rc;
	}
	if (!set) {
		set = cfg->n_settings < MAX_SETTINGS ?
			      reallocarray(cfg->settings, cfg->n_settings + 1, sizeof(*set)) :
			      NULL;
		if (!set) {
			value_free(value);
			free(key);
			return -ENOMEM;
		}
		cfg->settings = set;
		set += cfg->n_settings++;
	} else {
		free(set->key);
		value_free(&set->value);
	}
	*set = (struct cfg_setting){
		.key = key, .value = *value, .source = s->source, .line = line
	};
	return 0;
}

static bool looks_like_python(const char *word, size_t length)
{
	static const char *const words[] = {
		"import", "from",  "def",    "if",    "else", "elif",	"for",
		"while",  "print", "return", "class", "try",  "lambda", "with",
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == length && !memcmp(words[i], word, length))
			return true;
	return false;
}

static int not_an_assignment(struct scanner *s, const char *word, size_t length)
{
	char found[40];
	int c = peek(s), rc;

	if (looks_like_python(word, length) || c == '(' || c == '.' || c == '[' || c == ':') {
		s->at = word;
		found_here(s, found, sizeof(found));
		rc = tools_fail(s->error, -EINVAL, "bad-config",
				"%s:%u: found %s: Python is not understood here, only key = value",
				s->source, s->line, found);
		return tools_hint(s->error, rc, "write the values out; lists are [ 'a', 'b' ]");
	}
	return mistake(s, NULL, "`=' after the key");
}

static int parse_assignment(struct scanner *s, struct cfg *cfg)
{
	const char *word = s->at;
	struct cfg_value value = { 0 };
	unsigned int line = s->line;
	bool add = false;
	char *key;
	int rc;

	while (s->at < s->end && (isalnum((unsigned char)*s->at) || *s->at == '_' || *s->at == '.'))
		s->at++;
	key = strndup(word, (size_t)(s->at - word));
	if (!key)
		return -ENOMEM;
	skip_blanks(s, false);
	if (peek(s) == '+' && s->at + 1 < s->end && s->at[1] == '=') {
		add = true;
		s->at++;
	}
	if (peek(s) != '=') {
		rc = not_an_assignment(s, word, strlen(key));
		free(key);
		return rc;
	}
	s->at++;
	skip_blanks(s, false);
	rc = s->loose && !strchr("\"'[0123456789", peek(s) < 0 ? '[' : peek(s)) ?
		     parse_bare(s, &value) :
		     parse_value(s, key, &value, 0);
	if (rc) {
		value_free(&value);
		free(key);
		return rc;
	}
	return store_setting(s, cfg, key, &value, add, line);
}

int cfg_parse(struct cfg *cfg, const char *text, size_t length, const char *source, bool loose,
	      struct tools_error *error)
{
	struct scanner s = { .at = text,
			     .end = text + length,
			     .source = source,
			     .line = 1,
			     .loose = loose,
			     .error = error };
	int c, rc;

	for (;;) {
		skip_blanks(&s, true);
		c = peek(&s);
		if (c < 0)
			return 0;
		if (c == ';') {
			s.at++;
			continue;
		}
		if (!islower(c))
			return mistake(&s, NULL, "a key (small letters) or a comment (#)");
		rc = parse_assignment(&s, cfg);
		if (rc)
			return rc;
		skip_blanks(&s, false);
		c = peek(&s);
		if (c >= 0 && c != '\n' && c != ';' && c != '#')
			return mistake(&s, cfg->settings[cfg->n_settings - 1].key,
				       "the end of the line or `;' after the value");
	}
}
