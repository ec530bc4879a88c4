/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client's requests: how each is worded and its answer read. Carrying messages and
 * everything else with state is the port's (private.h).
 *
 * Sources: <xen/io/xs_wire.h>, Xen docs/misc/xenstore.txt.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tools/util.h>
#include "private.h"

bool store_answers_data(uint32_t type)
{
	switch (type) {
	case XS_CONTROL:
	case XS_DIRECTORY:
	case XS_DIRECTORY_PART:
	case XS_READ:
	case XS_GET_PERMS:
	case XS_TRANSACTION_START:
	case XS_GET_DOMAIN_PATH:
	case XS_IS_DOMAIN_INTRODUCED:
		return true;
	default:
		return false;
	}
}

int store_error_number(const char *text, size_t length)
{
	size_t used = strnlen(text, length);

	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (strlen(xsd_errors[i].errstring) == used &&
		    !memcmp(xsd_errors[i].errstring, text, used))
			return -xsd_errors[i].errnum;
	return -EIO;
}

int store_first_result(const struct store_request *requests, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (requests[i].result)
			return requests[i].result;
	return 0;
}

int store_pipeline(struct store *store, store_tx tx, struct store_request *requests,
		   unsigned int count)
{
	bool refused = false;

	for (unsigned int i = 0; i < count; i++) {
		struct store_request *request = &requests[i];
		size_t name = request->path ? strlen(request->path) + 1 : 0;

		request->result = 0;
		request->reply = NULL;
		request->reply_length = 0;
		if (name > XENSTORE_PAYLOAD_MAX || request->length > XENSTORE_PAYLOAD_MAX - name)
			refused = true;
	}
	if (!refused)
		return count ? store_exchange(store, tx, requests, count) : 0;
	/* One is too long to send: nothing is sent. */
	for (unsigned int i = 0; i < count; i++)
		requests[i].result = -E2BIG;
	return -E2BIG;
}

/* ---- one request at a time ---- */

/* Sends one; *reply may be NULL where no data is wanted. */
static int ask(struct store *store, store_tx tx, uint32_t type, const char *path,
	       const void *value, size_t length, char **reply, size_t *reply_length)
{
	struct store_request request = {
		.type = type, .path = path, .value = value, .length = length,
	};
	int rc = store_pipeline(store, tx, &request, 1);

	if (rc || !reply) {
		free(request.reply);
		return rc;
	}
	if (!request.reply)
		return -EPROTO;
	*reply = request.reply;
	if (reply_length)
		*reply_length = request.reply_length;
	return 0;
}

int store_read(struct store *store, store_tx tx, const char *path, char **value, size_t *length)
{
	return ask(store, tx, XS_READ, path, NULL, 0, value, length);
}

int store_write(struct store *store, store_tx tx, const char *path, const void *value,
		size_t length)
{
	return ask(store, tx, XS_WRITE, path, value, length, NULL, NULL);
}

int store_mkdir(struct store *store, store_tx tx, const char *path)
{
	return ask(store, tx, XS_MKDIR, path, NULL, 0, NULL, NULL);
}

int store_rm(struct store *store, store_tx tx, const char *path)
{
	return ask(store, tx, XS_RM, path, NULL, 0, NULL, NULL);
}

int store_printf(struct store *store, store_tx tx, const char *path, const char *format, ...)
{
	struct strbuf text = { 0 };
	va_list args;
	int rc;

	va_start(args, format);
	strbuf_vprintf(&text, format, args);
	va_end(args);
	rc = text.failed ? -ENOMEM : store_write(store, tx, path, text.text, text.length);
	strbuf_free(&text);
	return rc;
}

int store_read_ulong(struct store *store, store_tx tx, const char *path, unsigned long *value)
{
	unsigned long number;
	char *text, *end;
	size_t length;
	int rc = store_read(store, tx, path, &text, &length);

	if (rc)
		return rc;
	errno = 0;
	number = strtoul(text, &end, 0);
	/* strtoul() takes a sign and blanks; a number in the store has neither. */
	if (errno || end == text || *end || length != strlen(text) ||
	    !(text[0] >= '0' && text[0] <= '9'))
		rc = -EINVAL;
	else
		*value = number;
	free(text);
	return rc;
}

/* ---- directories ---- */

/* @bytes, NUL-terminated names, as an array in one allocation. The count, or -errno. */
static int split_names(const char *bytes, size_t length, char ***names)
{
	size_t count = 0, used = 0;
	char **array, *text;

	if (length && bytes[length - 1])
		return -EPROTO;
	for (size_t i = 0; i < length; i++)
		count += !bytes[i];
	array = malloc((count + 1) * sizeof(*array) + length);
	if (!array)
		return -ENOMEM;
	text = (char *)(array + count + 1);
	if (length)
		memcpy(text, bytes, length);
	for (size_t i = 0; i < count; i++) {
		array[i] = text + used;
		used += strlen(text + used) + 1;
	}
	array[count] = NULL;
	*names = array;
	return (int)count;
}

/*
 * A directory whose names exceed a message: part by part, each telling the directory's generation.
 * Begins again when that changes; a directory that never rests ends in -EBUSY.
 */
static int list_parts(struct store *store, store_tx tx, const char *path, struct strbuf *all)
{
	char generation[32] = "";
	unsigned int restarts = 0;

	for (;;) {
		size_t length, head, part;
		char offset[24], *reply;
		int rc;

		snprintf(offset, sizeof(offset), "%zu", all->length);
		rc = ask(store, tx, XS_DIRECTORY_PART, path, offset, strlen(offset) + 1, &reply,
			 &length);
		if (rc)
			return rc;
		head = strnlen(reply, length) + 1;
		if (head > length || head > sizeof(generation)) {
			free(reply);
			return -EPROTO;
		}
		if (all->length && strcmp(generation, reply)) {
			free(reply);
			if (++restarts > 100)
				return -EBUSY;
			strbuf_free(all);
			continue;
		}
		memcpy(generation, reply, head);
		/* The last part ends in an empty name. */
		part = length - head;
		if (part && !reply[length - 1] && (part == 1 || !reply[length - 2])) {
			strbuf_add(all, reply + head, part - 1);
			free(reply);
			return all->failed ? -ENOMEM : 0;
		}
		strbuf_add(all, reply + head, part);
		free(reply);
		if (!part || all->failed)
			return part ? -ENOMEM : -EPROTO;
	}
}

int store_list(struct store *store, store_tx tx, const char *path, char ***names)
{
	struct strbuf all = { 0 };
	size_t length;
	char *reply;
	int rc;

	rc = ask(store, tx, XS_DIRECTORY, path, NULL, 0, &reply, &length);
	if (!rc) {
		rc = split_names(reply, length, names);
		free(reply);
		return rc;
	}
	if (rc != -E2BIG)
		return rc;
	rc = list_parts(store, tx, path, &all);
	if (!rc)
		rc = split_names(all.text, all.length, names);
	strbuf_free(&all);
	return rc;
}

/* ---- permissions ---- */

int store_get_perms(struct store *store, store_tx tx, const char *path, struct store_perm **perms)
{
	struct store_perm *array;
	char **names, *reply;
	size_t length;
	int rc, count;

	rc = ask(store, tx, XS_GET_PERMS, path, NULL, 0, &reply, &length);
	if (rc)
		return rc;
	count = split_names(reply, length, &names);
	free(reply);
	if (count < 0)
		return count;
	array = calloc(count + 1, sizeof(*array));
	rc = array ? count : -ENOMEM;
	for (int i = 0; rc >= 0 && i < count; i++) {
		char *end;
		unsigned long domid = strtoul(names[i] + !!names[i][0], &end, 10);

		if (!names[i][0] || !strchr("nrwb", names[i][0]) || *end || domid > UINT16_MAX)
			rc = -EPROTO;
		else
			array[i] = (struct store_perm){ names[i][0], (domid_t)domid };
	}
	free(names);
	if (rc < 0)
		free(array);
	else
		*perms = array;
	return rc;
}

int store_set_perms(struct store *store, store_tx tx, const char *path,
		    const struct store_perm *perms, unsigned int count)
{
	struct strbuf wire = { 0 };
	int rc;

	for (unsigned int i = 0; i < count; i++) {
		strbuf_printf(&wire, "%c%u", perms[i].access, perms[i].domid);
		strbuf_add(&wire, "", 1);
	}
	rc = wire.failed ? -ENOMEM : ask(store, tx, XS_SET_PERMS, path, wire.text, wire.length,
					 NULL, NULL);
	strbuf_free(&wire);
	return rc;
}

/* ---- transactions and watches ---- */

int store_begin(struct store *store, store_tx *tx)
{
	unsigned long id;
	char *reply, *end;
	int rc = ask(store, 0, XS_TRANSACTION_START, "", NULL, 0, &reply, NULL);

	if (rc)
		return rc;
	id = strtoul(reply, &end, 10);
	rc = end == reply || *end || !id || id > UINT32_MAX ? -EPROTO : 0;
	free(reply);
	if (!rc)
		*tx = (store_tx)id;
	return rc;
}

int store_commit(struct store *store, store_tx tx)
{
	return ask(store, tx, XS_TRANSACTION_END, "T", NULL, 0, NULL, NULL);
}

int store_abort(struct store *store, store_tx tx)
{
	return ask(store, tx, XS_TRANSACTION_END, "F", NULL, 0, NULL, NULL);
}

int store_watch(struct store *store, const char *path, const char *token)
{
	return ask(store, 0, XS_WATCH, path, token, strlen(token) + 1, NULL, NULL);
}

int store_unwatch(struct store *store, const char *path, const char *token)
{
	return ask(store, 0, XS_UNWATCH, path, token, strlen(token) + 1, NULL, NULL);
}

int store_reset_watches(struct store *store)
{
	return ask(store, 0, XS_RESET_WATCHES, "", NULL, 0, NULL, NULL);
}

/* ---- domains, control ---- */

/* A request about @domid with no further argument. */
static int ask_domain(struct store *store, uint32_t type, domid_t domid, char **reply)
{
	char id[8];

	snprintf(id, sizeof(id), "%u", domid);
	return ask(store, 0, type, id, NULL, 0, reply, NULL);
}

int store_introduce(struct store *store, domid_t domid, xen_pfn_t frame, evtchn_port_t port)
{
	char id[8], rest[40];
	int length;

	snprintf(id, sizeof(id), "%u", domid);
	length = snprintf(rest, sizeof(rest), "%lu", (unsigned long)frame) + 1;
	length += snprintf(rest + length, sizeof(rest) - length, "%u", port) + 1;
	return ask(store, 0, XS_INTRODUCE, id, rest, length, NULL, NULL);
}

int store_release(struct store *store, domid_t domid)
{
	return ask_domain(store, XS_RELEASE, domid, NULL);
}

int store_resume(struct store *store, domid_t domid)
{
	return ask_domain(store, XS_RESUME, domid, NULL);
}

int store_is_introduced(struct store *store, domid_t domid)
{
	char *reply;
	int rc = ask_domain(store, XS_IS_DOMAIN_INTRODUCED, domid, &reply);

	if (rc)
		return rc;
	rc = reply[0] == 'T';
	free(reply);
	return rc;
}

int store_control(struct store *store, const void *command, size_t length, char **answer)
{
	return ask(store, 0, XS_CONTROL, NULL, command, length, answer, NULL);
}
