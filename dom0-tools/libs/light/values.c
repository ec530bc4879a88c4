/* SPDX-License-Identifier: MIT */
/*
 * The small values of a configuration: sets of CPUs, sizes, UUIDs, device names and actions, each
 * with its reader and its written form.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <tools/light_config.h>

bool light_bitmap_test(const struct light_bitmap *map, unsigned int bit)
{
	return bit / 8 < map->bytes && map->bits[bit / 8] >> (bit % 8) & 1;
}

int light_bitmap_set(struct light_bitmap *map, unsigned int bit, bool value)
{
	unsigned int bytes = bit / 8 + 1;
	uint8_t *bits;

	if (bit >= LIGHT_MAX_CPUS)
		return -ERANGE;
	if (bytes > map->bytes) {
		if (!value)
			return 0;
		bits = realloc(map->bits, bytes);
		if (!bits)
			return -ENOMEM;
		memset(bits + map->bytes, 0, bytes - map->bytes);
		map->bits = bits;
		map->bytes = bytes;
	}
	if (value)
		map->bits[bit / 8] |= (uint8_t)(1u << (bit % 8));
	else
		map->bits[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
	return 0;
}

int light_bitmap_copy(struct light_bitmap *to, const struct light_bitmap *from)
{
	uint8_t *bits = NULL;

	if (from->bytes) {
		bits = malloc(from->bytes);
		if (!bits)
			return -ENOMEM;
		memcpy(bits, from->bits, from->bytes);
	}
	free(to->bits);
	to->bits = bits;
	to->bytes = from->bytes;
	return 0;
}

unsigned int light_bitmap_weight(const struct light_bitmap *map)
{
	unsigned int i, weight = 0;

	for (i = 0; i < map->bytes; i++)
		weight += (unsigned int)__builtin_popcount(map->bits[i]);
	return weight;
}

void light_bitmap_free(struct light_bitmap *map)
{
	free(map->bits);
	map->bits = NULL;
	map->bytes = 0;
}

/* Adds or removes what "3", "0-5", "node:1" or "nodes:0-1" name. */
static int apply_range(struct light_bitmap *map, const char *word, bool add,
		       const struct light_host *host)
{
	bool nodes = false;
	unsigned long first, last, bit;
	char *end;
	int rc = 0;

	if (!strncmp(word, "nodes:", 6) || !strncmp(word, "node:", 5)) {
		nodes = true;
		word = strchr(word, ':') + 1;
	}
	if (!isdigit((unsigned char)*word))
		return -EINVAL;
	first = last = strtoul(word, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		last = strtoul(end + 1, &end, 10);
	if (*end || last < first || last >= LIGHT_MAX_CPUS)
		return -EINVAL;
	if (!nodes) {
		for (bit = first; bit <= last && !rc; bit++)
			rc = light_bitmap_set(map, (unsigned int)bit, add);
		return rc;
	}
	if (!host || !host->cpu_node)
		return last ? -EINVAL : light_bitmap_set(map, 0, add);
	for (bit = 0; bit < host->cpus && !rc; bit++)
		if (host->cpu_node[bit] >= first && host->cpu_node[bit] <= last)
			rc = light_bitmap_set(map, (unsigned int)bit, add);
	return rc;
}

/* All CPUs: 4.17 sets every bit of a map as long as the host's. */
static int apply_all(struct light_bitmap *map, const struct light_host *host)
{
	unsigned int bit, cpus = host && host->cpus ? (host->cpus + 7) / 8 * 8 : 8;
	int rc = 0;

	for (bit = 0; bit < cpus && !rc; bit++)
		rc = light_bitmap_set(map, bit, true);
	return rc;
}

int light_cpus_parse(struct light_bitmap *map, const char *text, const struct light_host *host,
		     struct tools_error *error)
{
	char *copy = strdup(text), *word, *rest = NULL, *p;
	int rc = 0;

	if (!copy)
		return -ENOMEM;
	for (word = strtok_r(copy, ",", &rest); word && !rc; word = strtok_r(NULL, ",", &rest)) {
		while (isspace((unsigned char)*word))
			word++;
		for (p = word + strlen(word); p > word && isspace((unsigned char)p[-1]);)
			*--p = 0;
		if (!strcmp(word, "all") || !strcmp(word, "nodes:all") || !strcmp(word, "node:all"))
			rc = apply_all(map, host);
		else
			rc = apply_range(map, word + (*word == '^'), *word != '^', host);
		if (rc == -EINVAL)
			rc = tools_fail(error, rc, "bad-config",
					"CPU list: found `%.40s', wanted numbers, "
					"ranges (0-3), ^exclusions, node:N or all",
					word);
	}
	free(copy);
	return rc;
}

int light_size_parse(const char *text, uint64_t *kib)
{
	static const char suffixes[] = "bkmgt";
	const char *suffix;
	unsigned long long value;
	unsigned int shift = 20;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno)
		return -ERANGE;
	if (*end) {
		suffix = strchr(suffixes, tolower((unsigned char)*end));
		if (!suffix || end[1])
			return -EINVAL;
		shift = (unsigned int)(suffix - suffixes) * 10;
	}
	if (!shift) {
		*kib = value >> 10;
		return 0;
	}
	shift -= 10;
	if (value > (UINT64_MAX >> shift) >> 10)
		return -ERANGE;
	*kib = value << shift;
	return 0;
}

bool light_name_valid(const char *name)
{
	size_t n = 0;

	while ((unsigned char)name[n] >= ' ' && name[n] != '/' && name[n] != 127)
		n++;
	return n && n <= LIGHT_NAME_MAX + LIGHT_NAME_SUFFIX && !name[n];
}

int light_uuid_parse(const char *text, uint8_t uuid[16])
{
	unsigned int i, digit, n = 0;
	uint8_t out[16] = { 0 };

	for (i = 0; text[i]; i++) {
		if (text[i] == '-')
			continue;
		if (!isxdigit((unsigned char)text[i]) || n == 32)
			return -EINVAL;
		digit = isdigit((unsigned char)text[i]) ?
				(unsigned int)(text[i] - '0') :
				(unsigned int)(tolower((unsigned char)text[i]) - 'a' + 10);
		out[n / 2] |= (uint8_t)(digit << (n % 2 ? 0 : 4));
		n++;
	}
	if (n != 32)
		return -EINVAL;
	memcpy(uuid, out, 16);
	return 0;
}

void light_uuid_format(const uint8_t uuid[16], char text[37])
{
	static const char hex[] = "0123456789abcdef";
	unsigned int i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		*text++ = hex[uuid[i] >> 4];
		*text++ = hex[uuid[i] & 15];
	}
	*text = 0;
}

int light_uuid_generate(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		return -EIO;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

/* "<prefix><letters><partition>": letters count in base 26, a = 0, aa = 26. */
static bool lettered(const char *vdev, const char *prefix, unsigned int max_disk,
		     unsigned int max_part, unsigned int *disk, unsigned int *part)
{
	size_t n = strlen(prefix);
	unsigned long value = 0, p = 0;
	char *end;

	if (strncmp(vdev, prefix, n) || !islower((unsigned char)vdev[n]))
		return false;
	for (vdev += n; *vdev >= 'a' && *vdev <= 'z'; vdev++) {
		value = value * 26 + (unsigned long)(*vdev - 'a' + 1);
		if (value > (unsigned long)max_disk + 1)
			return false;
	}
	if (*vdev) {
		if (*vdev < '1' || *vdev > '9')
			return false;
		p = strtoul(vdev, &end, 10);
		if (*end || p > max_part)
			return false;
	}
	*disk = (unsigned int)value - 1;
	*part = (unsigned int)p;
	return true;
}

/* "d2p3" */
static bool numbered(const char *vdev, unsigned int *disk, unsigned int *part)
{
	unsigned long d, p;
	char *end;

	if (vdev[0] != 'd' || !isdigit((unsigned char)vdev[1]))
		return false;
	d = strtoul(vdev + 1, &end, 0);
	if (*end != 'p' || !isdigit((unsigned char)end[1]))
		return false;
	p = strtoul(end + 1, &end, 0);
	if (*end || d >= 1u << 20 || p > 255)
		return false;
	*disk = (unsigned int)d;
	*part = (unsigned int)p;
	return true;
}

int light_vdev_number(const char *vdev, unsigned int *disk, unsigned int *partition)
{
	unsigned int d = 0, p = 0;
	unsigned long raw;
	char *end;
	int number;

	if (numbered(vdev, &d, &p) || lettered(vdev, "xvd", (1u << 20) - 1, 255, &d, &p)) {
		number = d <= 15 && p <= 15 ? (int)(202u << 8 | d << 4 | p) :
					      (int)(1u << 28 | d << 8 | p);
	} else if (lettered(vdev, "hd", 3, 63, &d, &p)) {
		number = (int)((d < 2 ? 3u : 22u) << 8 | (d & 1) << 6 | p);
	} else if (lettered(vdev, "sd", 15, 15, &d, &p)) {
		number = (int)(8u << 8 | d << 4 | p);
	} else {
		if (!isdigit((unsigned char)*vdev) || disk || partition)
			return -EINVAL;
		errno = 0;
		raw = strtoul(vdev, &end, 0);
		return errno || *end || raw > INT32_MAX ? -EINVAL : (int)raw;
	}
	if (disk)
		*disk = d;
	if (partition)
		*partition = p;
	return number;
}

void light_vdev_name(unsigned int number, char *text)
{
	bool extended = number >> 28 & 1;
	unsigned int minor = extended ? number & ~(1u << 28) : number & 0xff;
	unsigned int parts = extended ? 256 : 16, disk = minor / parts, n = 0, i;
	char letters[8];

	for (disk++; disk; disk = (disk - 1) / 26)
		letters[n++] = (char)('a' + (disk - 1) % 26);
	text += sprintf(text, "xvd");
	for (i = 0; i < n; i++)
		*text++ = letters[n - 1 - i];
	*text = 0;
	if (minor % parts)
		sprintf(text, "%u", minor % parts);
}

static const char *const action_names[] = {
	[LIGHT_ACTION_DESTROY] = "destroy",
	[LIGHT_ACTION_RESTART] = "restart",
	[LIGHT_ACTION_RESTART_RENAME] = "rename-restart",
	[LIGHT_ACTION_PRESERVE] = "preserve",
	[LIGHT_ACTION_COREDUMP_DESTROY] = "coredump-destroy",
	[LIGHT_ACTION_COREDUMP_RESTART] = "coredump-restart",
	[LIGHT_ACTION_SOFT_RESET] = "soft-reset",
};

int light_action_parse(const char *text)
{
	unsigned int i;

	for (i = 1; i <= LIGHT_ACTION_SOFT_RESET; i++)
		if (!strcmp(text, action_names[i]))
			return (int)i;
	return -EINVAL;
}

const char *light_action_name(int action)
{
	return action >= 1 && action <= LIGHT_ACTION_SOFT_RESET ? action_names[action] : NULL;
}
