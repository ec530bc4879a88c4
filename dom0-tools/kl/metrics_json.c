/* SPDX-License-Identifier: MIT */
/*
 * kl metrics as JSON: the lines of Prometheus' text format taken apart again, so that there is one
 * place that says what the figures are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include "metrics.h"

/* KEY="VALUE" at @at, which is changed; what follows. */
static char *take_label(char *at, struct json_writer *w)
{
	char *key = at, *equals = strchr(at, '='), *to, *from;

	if (!equals || equals[1] != '"')
		return at + strlen(at);
	*equals = '\0';
	for (to = from = equals + 2; *from && *from != '"'; from++) {
		bool escaped = *from == '\\' && from[1];

		from += escaped;
		*to++ = escaped && *from == 'n' ? '\n' : *from;
	}
	at = from + (*from == '"');
	*to = '\0';
	json_string(w, key, equals + 2);
	return at + (*at == ',');
}

/* NAME{LABELS} VALUE */
static void take_line(char *line, struct json_writer *w)
{
	char *end = line + strcspn(line, "{ "), *at = end + 1;
	bool labels = *end == '{';

	if (!*end)
		return;
	*end = '\0';
	json_open_object(w, NULL);
	json_string(w, "metric", line);
	json_open_object(w, "labels");
	while (labels && *at && *at != '}')
		at = take_label(at, w);
	json_close_object(w);
	json_double(w, "value", strtod(at + (*at == '}'), NULL));
	json_close_object(w);
}

char *kl_metrics_json(char *text)
{
	struct json_writer w = { 0 };
	char *line, *place;

	json_open_array(&w, NULL);
	for (line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place))
		if (*line != '#')
			take_line(line, &w);
	json_close_array(&w);
	return strbuf_take(&w.out);
}
