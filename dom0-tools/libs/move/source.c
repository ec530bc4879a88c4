/* SPDX-License-Identifier: MIT */
/*
 * A stream that a domain comes out of: read from a channel in just the pieces that the stream's
 * reader asks for, so that nothing behind its end is taken; page contents past all buffers.
 */
#include <errno.h>
#include <string.h>
#include "private.h"

#define BUFFER_BYTES 65536U

static int read_failed(struct move_source *source, int rc, struct tools_error *error)
{
	if (rc == -ENODATA)
		return stream_reader_finish(source->reader, error) ? rc : rc;
	return tools_fail(error, rc, rc == -ECANCELED ? "canceled" : "read",
			  "the stream cannot be read further than byte %llu: %s",
			  (unsigned long long)stream_reader_offset(source->reader),
			  rc == -ECANCELED ? "given up" : strerror(-rc));
}

int source_next(struct move_source *source, struct stream_item *item, struct tools_error *error)
{
	size_t used, wants;
	int rc;

	for (;;) {
		rc = stream_read(source->reader, source->buffer + source->used,
				 source->have - source->used, &used, item, error);
		source->used += used;
		if (rc)
			return rc < 0 ? rc : 0;
		if (stream_reader_done(source->reader))
			return tools_fail(error, -ENODATA, "bad-stream",
					  "the stream has ended already");
		wants = stream_reader_wants(source->reader);
		source->used = 0;
		source->have = wants < BUFFER_BYTES ? wants : BUFFER_BYTES;
		rc = move_channel_read(source->channel, source->buffer, source->have);
		if (rc) {
			source->have = 0;
			return read_failed(source, rc, error);
		}
	}
}

int source_pages(struct move_source *source, void *to, uint32_t pages, struct tools_error *error)
{
	int rc = move_channel_read(source->channel, to, (size_t)pages * PAGE_BYTES);

	if (rc)
		return read_failed(source, rc, error);
	return stream_reader_pages_taken(source->reader, pages);
}

int move_source_open(struct move_channel *channel, struct move_source **out,
		     struct tools_error *error)
{
	struct move_source *source = calloc(1, sizeof(*source));
	struct stream_item item;
	int rc = source ? stream_reader_open(STREAM_XL, NULL, &source->reader) : -ENOMEM;

	if (source)
		source->buffer = malloc(BUFFER_BYTES);
	if (rc || !source->buffer) {
		move_source_close(source);
		return tools_fail(error, -ENOMEM, "no-memory", "out of memory");
	}
	source->channel = channel;
	rc = source_next(source, &item, error);
	if (!rc && item.file.config) {
		source->config = malloc(item.file.config_length + 1);
		if (!source->config)
			rc = tools_fail(error, -ENOMEM, "no-memory", "out of memory");
	}
	if (!rc && source->config) {
		memcpy(source->config, item.file.config, item.file.config_length);
		source->config[item.file.config_length] = '\0';
		source->config_length = item.file.config_length;
	}
	if (rc) {
		move_source_close(source);
		return rc;
	}
	source->json = item.file.json;
	source->flags = item.file.flags;
	*out = source;
	return 0;
}

void move_source_close(struct move_source *source)
{
	if (!source)
		return;
	stream_reader_close(source->reader);
	free(source->buffer);
	free(source->config);
	free(source);
}

const char *move_source_config(const struct move_source *source, size_t *length, bool *json)
{
	*length = source->config_length;
	*json = source->json;
	return source->config;
}

uint32_t move_source_flags(const struct move_source *source)
{
	return source->flags;
}
