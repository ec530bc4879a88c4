/* SPDX-License-Identifier: MIT */
/*
 * Who keeps the memory of a dead domain: the hypervisor knows, but has no operation that tells. It
 * prints it on its console when a debug key is pressed, and the console can be read.
 *
 * Krypton's key 'Z' prints a line per fact, of dying domains only:
 *	dying d5: 3 pages
 *	dying d5: 2 grants mapped by d0, first reference 8
 *	dying d5: 1 mappings by d0
 * Xen has no such key and prints nothing; its 'g' lists all grants in use of all domains:
 *	grant-table for remote d5 (v1)
 *	[0x008]      0 0x12345 0x00000001          0 0x012345 0x19
 * Others may print in between, so each line is looked at by itself, and guests' lines, "(d3) ...",
 * not at all: they could say the same.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "domain.h"

#define PIECE		16384
#define ANSWER_LIMIT	(1u << 20)	/* of a console that is written to faster than we read */
#define FEW_DOMAINS	16		/* more than these, and Xen's 'g' would hold up its console */

/* Adds what the console says from *@index on; NULL: only moves on to its end. */
static int read_on(struct light *light, uint32_t *index, struct strbuf *text)
{
	char *piece = malloc(PIECE);
	size_t total = 0;
	int got = -ENOMEM;

	while (piece && total < ANSWER_LIMIT &&
	       (got = ctl_readconsole(light->ctl, piece, PIECE, false, true, index)) > 0) {
		if (text)
			strbuf_add(text, piece, (size_t)got);
		total += (size_t)got;
	}
	free(piece);
	return got < 0 ? got : text && text->failed ? -ENOMEM : 0;
}

/* Takes the lines out that are guests' own. */
static void drop_guests(char *text)
{
	char *to = text, *line, *end;

	for (line = text; *line; line = end) {
		end = line + strcspn(line, "\n");
		end += *end == '\n';
		if (!strncmp(line, "(d", 2) && isdigit((unsigned char)line[2]))
			continue;
		memmove(to, line, (size_t)(end - line));
		to += end - line;
	}
	*to = '\0';
}

/* What the hypervisor says to @key, in @text. */
static int press(struct light *light, const char *key, struct strbuf *text)
{
	uint32_t index = 0;
	int rc = read_on(light, &index, NULL);

	rc = rc ? rc : ctl_debug_keys(light->ctl, key);
	if (!rc)
		strbuf_add(text, "", 0);	/* so that there is a text */
	rc = rc ? rc : read_on(light, &index, text);
	if (!rc)
		drop_guests(text->text);
	return rc;
}

/* One more of them; those beyond the room of the report are left out. */
static void add(struct light_destroy *report, const struct light_holder *one)
{
	unsigned int i;

	for (i = 0; i < report->n_holders; i++)
		if (report->holders[i].domid == one->domid &&
		    report->holders[i].mapping == one->mapping) {
			report->holders[i].count += one->count;
			return;
		}
	if (i == LIGHT_MAX_HOLDERS) {
		report->holders_complete = false;
		return;
	}
	report->holders[report->n_holders++] = *one;
}

/* A line of Krypton's about domain @domid. */
static void take_line(const char *line, uint32_t domid, struct light_destroy *report)
{
	struct light_holder one = { 0 };
	unsigned int of;

	line = strstr(line, "dying d");
	if (!line)
		return;
	if (sscanf(line, "dying d%u: %u grants mapped by d%u, first reference %u", &of, &one.count,
		   &one.domid, &one.first) == 4)
		one.mapping = false;
	else if (sscanf(line, "dying d%u: %u mappings by d%u", &of, &one.count, &one.domid) == 3)
		one.mapping = true;
	else
		return;
	if (of == domid)
		add(report, &one);
}

/* A line of Xen's; *@of: whose table the lines belong to. */
static void take_grant(const char *line, uint32_t domid, uint32_t *of,
		       struct light_destroy *report)
{
	struct light_holder one = { .count = 1 };
	const char *at = strstr(line, "grant-table for remote d");
	unsigned int pin;

	if (at) {
		if (sscanf(at, "grant-table for remote d%u", of) != 1)
			*of = DOMID_INVALID;
		return;
	}
	at = strstr(line, "[0x");
	if (at && *of == domid &&
	    sscanf(at, "[%x] %u 0x%*x %x", &one.first, &one.domid, &pin) == 3)
		add(report, &one);
}

static bool few_domains(struct light *light)
{
	struct xen_domctl_getdomaininfo list[FEW_DOMAINS + 1];

	return ctl_getdomaininfolist(light->ctl, 0, FEW_DOMAINS + 1, list) <= FEW_DOMAINS;
}

int light_holders(struct light *light, uint32_t domid, struct light_destroy *report)
{
	struct strbuf text = { 0 };
	uint32_t of = DOMID_INVALID;
	bool full, told = false;
	char *line, *rest;
	int rc = press(light, "Z", &text);

	report->n_holders = 0;
	full = !rc && strstr(text.text, "'Z' pressed");
	report->holders_complete = full;
	if (!rc && !full) {
		strbuf_free(&text);
		rc = few_domains(light) ? press(light, "g", &text) : -EOPNOTSUPP;
	}
	for (line = rc ? NULL : strtok_r(text.text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (full)
			take_line(line, domid, report);
		else
			take_grant(line, domid, &of, report);
		told |= of == domid;
	}
	strbuf_free(&text);
	return rc ? rc : full || told ? 0 : -EOPNOTSUPP;
}

void light_holder_text(const struct light_holder *holder, char *text, size_t room)
{
	const char *s = holder->count == 1 ? "" : "s";

	if (holder->mapping)
		snprintf(text, room, "%u page%s mapped by domain %u", holder->count, s,
			 holder->domid);
	else
		snprintf(text, room, "%u grant%s (%s %u%s) mapped by domain %u", holder->count, s,
			 *s ? "from reference" : "reference", holder->first, *s ? " on" : "",
			 holder->domid);
}
