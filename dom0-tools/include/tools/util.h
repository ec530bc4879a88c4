/* SPDX-License-Identifier: MIT */
/*
 * What every tool needs: messages of libraries with a cause, growing strings, deadlines.
 */
#ifndef TOOLS_UTIL_H
#define TOOLS_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An error as a user wants it: what failed, why, and what would help. Functions that can fail for
 * reasons an errno does not tell take one; it is filled on failure only.
 */
struct tools_error {
	const char *code;	/* stable word for programs, e.g. "no-memory", "bad-config" */
	char text[512];		/* one line: cause, with names and numbers */
	char hint[256];		/* what to do, or empty */
	char log[256];		/* file that says more, or empty */
};

/*
 * Fills @error (may be NULL), returns @result: `return tools_fail(e, -EINVAL, "bad-config", ...)`.
 */
int tools_fail(struct tools_error *error, int result, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Adds a hint; returns @result unchanged. */
int tools_hint(struct tools_error *error, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Makes control characters blanks: a text of a script's or a guest's must not move a terminal's
 * cursor nor add lines. tools_fail() and tools_hint() do it.
 */
void tools_one_line(char *text);

/*
 * First thing in main(): those of the descriptors 0 to 2 that are closed lead nowhere from now on;
 * reading and writing them fails still. Otherwise messages would go into whatever is opened next:
 * the store's socket, an image.
 */
void tools_keep_standard_files(void);

/* A string that grows. All zero it is empty. After failed allocation it stays NULL and @failed. */
struct strbuf {
	char *text;		/* NUL-terminated, or NULL while empty */
	size_t length;
	size_t room;
	bool failed;
};
void strbuf_add(struct strbuf *s, const void *bytes, size_t length);
void strbuf_printf(struct strbuf *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *s, const char *format, va_list args);
/* The text (never NULL unless failed; free()), leaving @s empty. */
char *strbuf_take(struct strbuf *s);
void strbuf_free(struct strbuf *s);

/* Formats into fresh memory; NULL: out of memory. */
char *tools_asprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds of CLOCK_MONOTONIC; deadlines are such times. */
uint64_t tools_now_ms(void);

/* Writes @path anew and atomically (temporary file, fsync, rename). */
int tools_write_file(const char *path, const void *bytes, size_t length, unsigned int mode);
/* All of @path, NUL-terminated, at most @limit bytes (-EFBIG); free(). */
int tools_read_file(const char *path, size_t limit, char **bytes, size_t *length);

/*
 * Into the background: returns in the child, with a descriptor for tools_report_started(); the
 * parent exits with 0 once that is called, or with 1 if the child ends before.
 */
int tools_into_background(const char *name);
/*
 * Writes @pid_file (NULL: none); unless @parent is -1, lets go of the terminal and tells the
 * parent. @keep_errors: not of standard error, which is the log.
 */
void tools_report_started(const char *pid_file, int parent, bool keep_errors);

#endif
