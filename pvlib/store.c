/* SPDX-License-Identifier: MIT */
/*
 * The store's requests in a driver's terms: directories and keys, numbers, bounded buffers. Everything
 * goes through pv_store_request() of the port.
 */
#include <pv/store.h>

#define VALUE_MAX	512	/* the longest value we write */
#define CHANGES_MAX	8	/* of a directory while it is read in parts */

/* Joins directory and key; the length with its NUL, or -XEN_E2BIG. */
static int join(char *path, size_t room, const char *dir, const char *key)
{
	int n = key ? snprintf(path, room, "%s/%s", dir, key) : snprintf(path, room, "%s", dir);

	return n < 0 || (size_t)n >= room ? -XEN_E2BIG : n + 1;
}

static int request(struct pv_domain *domain, enum xsd_sockmsg_type type, uint32_t tx,
		   const char *dir, const char *key, char *reply, size_t room)
{
	char path[PV_PATH_MAX];
	int n = join(path, sizeof(path), dir, key);

	return n < 0 ? n : pv_store_request(domain, type, tx, path, n, reply, room);
}

int pv_store_read(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key,
		  char *value, size_t room)
{
	return request(domain, XS_READ, tx, dir, key, value, room);
}

int pv_parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	uint64_t v = 0;

	if (!*text)
		return -XEN_EINVAL;
	for (; *text; text++) {
		unsigned int digit = (unsigned char)*text - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return -XEN_EINVAL;
		v = v * 10 + digit;
	}
	if (v < low || v > high)
		return -XEN_EINVAL;
	*value = v;
	return 0;
}

int pv_store_read_number(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key,
			 uint64_t low, uint64_t high, uint64_t *value)
{
	char text[32];
	int n = pv_store_read(domain, tx, dir, key, text, sizeof(text));

	if (n == -XEN_E2BIG)
		return -XEN_EINVAL;
	return n < 0 ? n : pv_parse_number(text, low, high, value);
}

int pv_store_write(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key,
		   const char *value)
{
	char payload[PV_PATH_MAX + VALUE_MAX], reply[8];
	size_t length = strlen(value);
	int n = join(payload, PV_PATH_MAX, dir, key);

	if (n < 0)
		return n;
	if (length > VALUE_MAX)
		return -XEN_E2BIG;
	memcpy(payload + n, value, length);
	n = pv_store_request(domain, XS_WRITE, tx, payload, n + length, reply, sizeof(reply));
	return n < 0 ? n : 0;
}

int pv_store_printf(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key,
		    const char *format, ...)
{
	char value[VALUE_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(value))
		return -XEN_E2BIG;
	return pv_store_write(domain, tx, dir, key, value);
}

int pv_store_remove(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key)
{
	char reply[8];
	int n = request(domain, XS_RM, tx, dir, key, reply, sizeof(reply));

	return n < 0 ? n : 0;
}

/*
 * A directory that is too long for one answer, in parts: each is the directory's generation, then names; an empty
 * name ends the last one. A part is received behind the names so far, where room for a whole one must be.
 */
static int list_parts(struct pv_domain *domain, uint32_t tx, const char *dir, char *names, size_t room)
{
	char payload[PV_PATH_MAX + 16], generation[24] = "";
	size_t used = 0;

	for (unsigned int changes = 0; changes < CHANGES_MAX;) {
		int n = join(payload, PV_PATH_MAX, dir, NULL), skip;
		char *part = names + used;

		if (n < 0)
			return n;
		n += snprintf(payload + n, sizeof(payload) - n, "%lu", (unsigned long)used) + 1;
		n = pv_store_request(domain, XS_DIRECTORY_PART, tx, payload, n, part, room - used);
		if (n < 0)
			return n;
		skip = strlen(part) + 1;
		if (n <= skip || skip > (int)sizeof(generation))
			return -XEN_EIO;
		if (used && strcmp(part, generation)) {
			used = 0;
			changes++;
			continue;
		}
		memcpy(generation, part, skip);
		n -= skip;
		memmove(part, part + skip, n);
		if (!part[n - 1] && (n == 1 || !part[n - 2]))
			return used + n - 1;
		used += n;
	}
	return -XEN_EAGAIN;
}

int pv_store_list(struct pv_domain *domain, uint32_t tx, const char *dir, char *names, size_t room)
{
	int n = request(domain, XS_DIRECTORY, tx, dir, NULL, names, room), count = 0;

	if (n == -XEN_E2BIG && room > XENSTORE_PAYLOAD_MAX)
		n = list_parts(domain, tx, dir, names, room);
	for (int i = 0; i < n; i++)
		count += !names[i];
	return n < 0 ? n : count;
}

int pv_store_begin(struct pv_domain *domain, uint32_t *tx)
{
	char reply[32];
	uint64_t id;
	int n = pv_store_request(domain, XS_TRANSACTION_START, 0, "", 1, reply, sizeof(reply));

	if (n < 0)
		return n;
	if (pv_parse_number(reply, 1, UINT32_MAX, &id))
		return -XEN_EIO;
	*tx = id;
	return 0;
}

int pv_store_end(struct pv_domain *domain, uint32_t tx, bool commit)
{
	char reply[8];
	int n = pv_store_request(domain, XS_TRANSACTION_END, tx, commit ? "T" : "F", 2, reply,
				 sizeof(reply));

	return n < 0 ? n : 0;
}
