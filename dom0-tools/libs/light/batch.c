/* SPDX-License-Identifier: MIT */
/*
 * Batches of store requests: a creation writes some hundred nodes, and each round trip costs more
 * than the request, so they are collected here and sent together.
 *
 * Paths and values are copied; failures of allocation are remembered and reported once, by
 * batch_run().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "domain.h"

#define COMMIT_TRIES 50

/* As vasprintf(), which formats twice: once to learn the length. */
static char *format_path(const char *format, va_list args)
{
	char text[256], *path;
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(text, sizeof(text), format, args);
	if (n >= 0 && (size_t)n < sizeof(text)) {
		path = malloc((size_t)n + 1);
		if (path)
			memcpy(path, text, (size_t)n + 1);
	} else if (n < 0 || vasprintf(&path, format, again) < 0) {
		path = NULL;
	}
	va_end(again);
	return path;
}

/* A request with a copied path; its number, or -1. */
static int add(struct batch *batch, uint32_t type, const char *format, va_list args)
{
	struct store_request *list;
	unsigned int room;
	char *path;

	if (batch->count == batch->room) {
		room = batch->room ? 2 * batch->room : 64;
		list = reallocarray(batch->list, room, sizeof(*list));
		if (!list) {
			batch->failed = true;
			return -1;
		}
		batch->list = list;
		batch->room = room;
	}
	path = format_path(format, args);
	if (!path) {
		batch->failed = true;
		return -1;
	}
	batch->list[batch->count] = (struct store_request){ .type = type, .path = path };
	return (int)batch->count++;
}

static void set_value(struct batch *batch, int number, const void *value, size_t length)
{
	void *copy = number < 0 ? NULL : malloc(length ? length : 1);

	if (!copy) {
		batch->failed = true;
		return;
	}
	memcpy(copy, value, length);
	batch->list[number].value = copy;
	batch->list[number].length = length;
}

void batch_write(struct batch *batch, const char *value, const char *path_format, ...)
{
	va_list args;
	int number;

	va_start(args, path_format);
	number = add(batch, XS_WRITE, path_format, args);
	va_end(args);
	set_value(batch, number, value, strlen(value));
}

void batch_printf(struct batch *batch, const char *path, const char *format, ...)
{
	char value[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	batch_write(batch, value, "%s", path);
}

void batch_request(struct batch *batch, uint32_t type, const char *path_format, ...)
{
	va_list args;

	va_start(args, path_format);
	add(batch, type, path_format, args);
	va_end(args);
}

void batch_perms(struct batch *batch, uint32_t owner, int reader, const char *path_format, ...)
{
	char wire[32];
	va_list args;
	int number, n;

	va_start(args, path_format);
	number = add(batch, XS_SET_PERMS, path_format, args);
	va_end(args);
	n = snprintf(wire, sizeof(wire), "n%u", owner) + 1;
	if (reader >= 0)
		n += snprintf(wire + n, sizeof(wire) - (size_t)n, "r%d", reader) + 1;
	set_value(batch, number, wire, (size_t)n);
}

int batch_run(struct batch *batch, struct store *store, store_tx tx)
{
	const struct store_request *r;
	unsigned int i;
	int rc;

	if (batch->failed)
		return -ENOMEM;
	for (i = 0; i < batch->count; i++) {
		free(batch->list[i].reply);
		batch->list[i].reply = NULL;
	}
	if (!batch->count)
		return 0;
	rc = store_pipeline(store, tx, batch->list, batch->count);
	if (!rc)
		return 0;
	for (i = 0; i < batch->count; i++) {
		r = &batch->list[i];
		if (r->result &&
		    !(r->result == -ENOENT &&
		      (r->type == XS_RM || r->type == XS_READ || r->type == XS_DIRECTORY)))
			return r->result;
	}
	return 0;
}

int batch_commit(struct batch *batch, struct store *store)
{
	unsigned int tries;
	store_tx tx;
	int rc = 0;

	for (tries = 0; tries < COMMIT_TRIES; tries++) {
		rc = store_begin(store, &tx);
		if (rc)
			return rc;
		rc = batch_run(batch, store, tx);
		if (rc) {
			store_abort(store, tx);
			return rc;
		}
		rc = store_commit(store, tx);
		if (!rc)
			return 0;
		if (rc != -EAGAIN) {
			store_abort(store,
				    tx); /* if it is still open, which few answers leave it */
			return rc;
		}
	}
	return rc;
}

void batch_free(struct batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->count; i++) {
		free((void *)batch->list[i].path);
		free((void *)batch->list[i].value);
		free(batch->list[i].reply);
	}
	free(batch->list);
	memset(batch, 0, sizeof(*batch));
}
