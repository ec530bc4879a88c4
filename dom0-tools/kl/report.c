/* SPDX-License-Identifier: MIT */
/*
 * What kl says to its user: errors with a stable code, a cause on one line, a hint and a log file;
 * warnings, help and progress. With --json errors are JSON on standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <tools/json.h>
#include <tools/light.h>
#include "kl.h"

#define PROGRESS_AFTER_MS 1000

static volatile sig_atomic_t interrupted;
static int interrupt_pipe[2] = { -1, -1 };	/* written by the handler */

static void stamp(const struct kl *kl)
{
	char text[64];
	time_t now = time(NULL);
	struct tm tm;

	if (!kl->timestamps || !localtime_r(&now, &tm))
		return;
	if (strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &tm))
		fprintf(stderr, "%s [%ld] ", text, (long)getpid());
}

/* One word for one cause, whichever library found it. */
static const char *canonical(const char *code)
{
	static const char *const words[][2] = {
		{ "no-domain", "no-such-domain" }, { "timeout", "timed-out" },
		{ "canceled", "interrupted" }, { "not-permitted", "not-allowed" },
		{ "invalid", "bad-argument" }, { "bad-value", "bad-argument" },
		{ "image", "bad-image" },
	};

	for (size_t i = 0; code && i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(code, words[i][0]))
			return words[i][1];
	return code ? code : "failed";
}

static void error_json(const struct tools_error *e)
{
	struct json_writer w = { .compact = true };
	char *text;

	json_open_object(&w, NULL);
	json_open_object(&w, "error");
	json_string(&w, "code", canonical(e->code));
	json_string(&w, "message", e->text);
	json_string(&w, "hint", e->hint[0] ? e->hint : NULL);
	json_string(&w, "log", e->log[0] ? e->log : NULL);
	json_close_object(&w);
	json_close_object(&w);
	text = strbuf_take(&w.out);
	fputs(text ? text : "{\"error\": {\"code\": \"no-memory\"}}\n", stderr);
	free(text);
}

int kl_fail(struct kl *kl, const struct tools_error *e)
{
	fflush(stdout);
	if (kl->json) {
		error_json(e);
		return KL_FAILED;
	}
	stamp(kl);
	fprintf(stderr, "%s\n", e->text);
	if (e->hint[0])
		fprintf(stderr, "  hint: %s\n", e->hint);
	if (e->log[0])
		fprintf(stderr, "  log: %s\n", e->log);
	return KL_FAILED;
}

int kl_misuse(struct kl *kl, int status, const char *format, ...)
{
	struct tools_error e = { .code = "usage" };
	va_list args;

	va_start(args, format);
	vsnprintf(e.text, sizeof(e.text), format, args);
	va_end(args);
	if (kl->json) {
		kl_fail(kl, &e);
		return status;
	}
	if (e.text[0])
		fprintf(stderr, "%s\n\n", e.text);
	kl_help(kl, kl->command->name);
	return status;
}

int kl_error(struct kl *kl, const char *code, const char *format, ...)
{
	struct tools_error e = { .code = code };
	va_list args;

	va_start(args, format);
	vsnprintf(e.text, sizeof(e.text), format, args);
	va_end(args);
	tools_one_line(e.text);
	return kl_fail(kl, &e);
}

int kl_print_json(struct kl *kl, struct json_writer *w)
{
	char *text = strbuf_take(&w->out);

	if (!text)
		return kl_check(kl, -ENOMEM, "cannot print JSON");
	fputs(text, stdout);
	free(text);
	return KL_OK;
}

const char *kl_errno_code(int error)
{
	switch (error < 0 ? -error : error) {
	case ESRCH:
		return "no-such-domain";
	case ENOENT:
		return "not-found";
	case EACCES:
	case EPERM:
		return "not-allowed";
	case ENOMEM:
		return "no-memory";
	case EBUSY:
		return "busy";
	case EEXIST:
		return "exists";
	case EINVAL:
		return "bad-argument";
	case ENOSYS:
	case EOPNOTSUPP:
		return "unsupported";
	case ETIMEDOUT:
		return "timed-out";
	case EINTR:
	case ECANCELED:
		return "interrupted";
	case ENOSPC:
		return "no-space";
	case ECONNREFUSED:
		return "no-daemon";
	case EPROTO:
		return "wrong-version";
	case EAGAIN:
		return "try-again";
	}
	return "failed";
}

int kl_check(struct kl *kl, int result, const char *format, ...)
{
	struct tools_error e = { 0 };
	va_list args;
	size_t length;

	if (result >= 0)
		return KL_OK;
	e.code = kl_errno_code(result);
	va_start(args, format);
	vsnprintf(e.text, sizeof(e.text), format, args);
	va_end(args);
	tools_one_line(e.text);
	length = strlen(e.text);
	snprintf(e.text + length, sizeof(e.text) - length, ": %s",
		 result == -ESRCH ? "the domain does not exist" : strerror(-result));
	if (result == -ETIMEDOUT)
		tools_hint(&e, 0,
			   "xenstored or the guest does not answer; nothing else was changed");
	else if (result == -EPERM)
		tools_hint(&e, 0, "the hypervisor refuses this for this domain or this caller");
	return kl_fail(kl, &e);
}

/* Each line on standard error is JSON, then: who takes the error from there finds no other text. */
static void say_json(const char *format, va_list args)
{
	struct json_writer w = { .compact = true };
	struct strbuf text = { 0 };
	char *line;

	strbuf_vprintf(&text, format, args);
	json_open_object(&w, NULL);
	json_string(&w, "message", text.text ? text.text : "");
	json_close_object(&w);
	line = strbuf_take(&w.out);
	if (line)
		fputs(line, stderr);
	free(line);
	strbuf_free(&text);
}

static void say(struct kl *kl, const char *before, const char *format, va_list args)
{
	fflush(stdout);
	if (kl->json) {
		say_json(format, args);
		return;
	}
	stamp(kl);
	fputs(before, stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void kl_warn(struct kl *kl, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(kl, "", format, args);
	va_end(args);
}

void kl_note(struct kl *kl, const char *format, ...)
{
	va_list args;

	if (!kl->verbosity)
		return;
	va_start(args, format);
	say(kl, "", format, args);
	va_end(args);
}

static bool progress_wanted(const struct kl *kl)
{
	const char *term = getenv("TERM");

	if (kl->progress_cr)
		return true;
	return isatty(STDERR_FILENO) && !kl->json && !(term && !strcmp(term, "dumb"));
}

void kl_progress(struct kl *kl, const char *format, ...)
{
	static uint64_t since;	/* the one line a terminal has */
	static bool shown;
	uint64_t now = tools_now_ms();
	va_list args;

	if (!format) {
		if (shown)
			fputs(isatty(STDERR_FILENO) ? "\r\033[K" : "\n", stderr);
		since = 0;
		shown = false;
		return;
	}
	if (!since)
		since = now;
	if (now - since < PROGRESS_AFTER_MS || !progress_wanted(kl))
		return;
	fputs(shown ? "\r" : "", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(isatty(STDERR_FILENO) ? "\033[K" : "", stderr);
	fflush(stderr);
	shown = true;
}

bool kl_interrupted(void)
{
	return interrupted;
}

static void on_signal(int number __attribute__((unused)))
{
	int saved = errno;

	interrupted = 1;
	if (write(interrupt_pipe[1], "", 1) < 0)
		interrupted = 1;	/* a full pipe is readable as well */
	errno = saved;
}

void kl_catch_interrupts(struct kl *kl)
{
	/* No SA_RESTART: a wait ends with EINTR. */
	struct sigaction action = { .sa_handler = on_signal };

	if (interrupt_pipe[0] < 0 && pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK))
		return;
	kl->cancel_fd = interrupt_pipe[0];
	if (kl->light)
		kl->light->cancel_fd = kl->cancel_fd;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}
