/* SPDX-License-Identifier: MIT */
/*
 * Small things every tool needs: typed errors with a cause, strings that grow, the monotonic clock.
 * Nothing here keeps state. Files are in file.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tools/util.h>

void tools_one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

int tools_fail(struct tools_error *error, int result, const char *code, const char *format, ...)
{
	va_list args;

	if (!error)
		return result;
	error->code = code;
	error->hint[0] = error->log[0] = '\0';
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	tools_one_line(error->text);
	return result;
}

int tools_hint(struct tools_error *error, int result, const char *format, ...)
{
	va_list args;

	if (!error)
		return result;
	va_start(args, format);
	vsnprintf(error->hint, sizeof(error->hint), format, args);
	va_end(args);
	tools_one_line(error->hint);
	return result;
}

/* ---- strings that grow ---- */

/* Room for @more bytes and the NUL. */
static bool strbuf_reserve(struct strbuf *s, size_t more)
{
	size_t room = s->room ? s->room : 64;
	char *text;

	if (s->failed)
		return false;
	if (s->text && more < s->room - s->length)
		return true;
	if (more > SIZE_MAX / 4 || s->length > SIZE_MAX / 4)
		goto failed;
	while (room <= s->length + more)
		room *= 2;
	text = realloc(s->text, room);
	if (!text)
		goto failed;
	s->text = text;
	s->room = room;
	return true;

failed:
	strbuf_free(s);
	s->failed = true;
	return false;
}

void strbuf_add(struct strbuf *s, const void *bytes, size_t length)
{
	if (!strbuf_reserve(s, length))
		return;
	if (length)
		memcpy(s->text + s->length, bytes, length);
	s->length += length;
	s->text[s->length] = '\0';
}

void strbuf_vprintf(struct strbuf *s, const char *format, va_list args)
{
	va_list again;
	int length;

	if (!strbuf_reserve(s, 1))
		return;
	va_copy(again, args);
	length = vsnprintf(s->text + s->length, s->room - s->length, format, args);
	if (length < 0) {
		strbuf_free(s);
		s->failed = true;
	} else if ((size_t)length >= s->room - s->length) {
		s->text[s->length] = '\0';
		if (strbuf_reserve(s, length))
			vsnprintf(s->text + s->length, s->room - s->length, format, again);
	}
	if (!s->failed)
		s->length += length;
	va_end(again);
}

void strbuf_printf(struct strbuf *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	strbuf_vprintf(s, format, args);
	va_end(args);
}

char *strbuf_take(struct strbuf *s)
{
	char *text = s->text;

	if (!text && !s->failed)
		text = strdup("");
	memset(s, 0, sizeof(*s));
	return text;
}

void strbuf_free(struct strbuf *s)
{
	free(s->text);
	memset(s, 0, sizeof(*s));
}

char *tools_asprintf(const char *format, ...)
{
	struct strbuf s = { 0 };
	va_list args;

	va_start(args, format);
	strbuf_vprintf(&s, format, args);
	va_end(args);
	return s.failed ? NULL : strbuf_take(&s);
}

uint64_t tools_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
