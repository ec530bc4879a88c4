/* SPDX-License-Identifier: MIT */
/*
 * kl dmesg: the hypervisor's message ring. It is read piece by piece from where the last piece
 * ended, so that a ring of any size fits, and cleared only once all has been read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include "kl.h"

#define PIECE 16384

/* Adds what the ring holds from *@index on to @text. */
static int read_ring(struct kl *kl, struct strbuf *text, uint32_t *index)
{
	char *piece = malloc(PIECE);
	int got = -ENOMEM;

	if (!piece)
		return got;
	while ((got = ctl_readconsole(kl->ctl, piece, PIECE, false, true, index)) > 0)
		strbuf_add(text, piece, got);
	free(piece);
	return text->failed ? -ENOMEM : got;
}

static int print_lines(struct kl *kl, const struct strbuf *text)
{
	struct json_writer w = { 0 };
	const char *line = text->text, *end = line + text->length;

	json_open_array(&w, NULL);
	while (line < end) {
		const char *next = memchr(line, '\n', end - line);
		char *copy = strndup(line, (next ? next : end) - line);

		json_string(&w, NULL, copy);
		free(copy);
		line = next ? next + 1 : end;
	}
	json_close_array(&w);
	return kl_print_json(kl, &w);
}

int cmd_dmesg(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = { { "clear", 0, NULL, 'c' }, { 0 } };
	struct strbuf text = { 0 };
	uint32_t index = 0;
	bool clear = false;
	int opt, status, err;
	char none;

	while ((opt = kl_getopt(kl, argc, argv, "c", longs, 0)) >= 0)
		clear = true;
	if (opt == KL_STOP)
		return kl->status;
	if (!kl_ctl(kl))
		return KL_FAILED;
	err = read_ring(kl, &text, &index);
	status = kl_check(kl, err, "cannot read the hypervisor's messages");
	if (!status && kl->json)
		status = print_lines(kl, &text);
	else if (!status && text.length)
		fwrite(text.text, 1, text.length, stdout);
	strbuf_free(&text);
	if (status || !clear)
		return status;
	/* The hypervisor clears up to where this reader is; what came since is for the next one. */
	err = ctl_readconsole(kl->ctl, &none, 0, true, true, &index);
	return kl_check(kl, err, "cannot clear the hypervisor's messages");
}
