/* SPDX-License-Identifier: MIT */
/*
 * The command line: words separated by spaces, `name`, `no-name` or
 * `name=value`. Options register themselves with the macros of core/param.h;
 * the linker collects them. What is unknown or malformed is said and ignored,
 * so that a typing error never keeps a machine from booting.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>

extern const struct param __start_params[], __stop_params[];

char saved_cmdline[1024];

int parse_bool(const char *s, const char *end)
{
	static const char *const yes[] = { "yes", "on", "true", "enable", "1" };
	static const char *const no[] = { "no", "off", "false", "disable", "0" };
	size_t n = end ? (size_t)(end - s) : strlen(s);

	for (unsigned int i = 0; i < ARRAY_SIZE(yes); i++) {
		if (n == strlen(yes[i]) && !strncmp(s, yes[i], n))
			return 1;
		if (n == strlen(no[i]) && !strncmp(s, no[i], n))
			return 0;
	}
	return -1;
}

static void store(const struct param *p, uint64_t v)
{
	switch (p->len) {
	case 1:
		*(uint8_t *)p->var = (uint8_t)v;
		break;
	case 2:
		*(uint16_t *)p->var = (uint16_t)v;
		break;
	case 4:
		*(uint32_t *)p->var = (uint32_t)v;
		break;
	case 8:
		*(uint64_t *)p->var = v;
		break;
	default:
		BUG();
	}
}

/* 0, or -EINVAL for a value that does not fit the option's type. */
static int __init apply(const struct param *p, const char *value, bool negated)
{
	const char *end;
	char *num_end;
	uint64_t v;
	int b;

	if (negated && p->type != PARAM_BOOL && p->type != PARAM_FN)
		return -EINVAL;
	switch (p->type) {
	case PARAM_BOOL:
		b = *value ? parse_bool(value, NULL) : 1;
		if (b < 0)
			return -EINVAL;
		store(p, (b != 0) != negated);
		return 0;
	case PARAM_UINT:
		v = strtoull(value, &num_end, 0);
		if (num_end == value || *num_end)
			return -EINVAL;
		store(p, v);
		return 0;
	case PARAM_SIZE:
		v = parse_size(value, &end);
		if (end == value || *end)
			return -EINVAL;
		store(p, v);
		return 0;
	case PARAM_STRING:
		return strlcpy(p->var, value, p->len) < p->len ? 0 : -EINVAL;
	case PARAM_FN:
		return p->fn(negated ? "no" : value);
	case PARAM_IGNORED:
		return 0;
	}
	return -EINVAL;
}

static int __init apply_to_all(const char *name, const char *value, bool negated, bool *known)
{
	int rc = 0;

	for (const struct param *p = __start_params; p < __stop_params; p++) {
		if (strcmp(p->name, name))
			continue;
		*known = true;
		rc = apply(p, value, negated);
	}
	return rc;
}

static void __init handle_word(char *word)
{
	char *value = strchr(word, '=');
	bool known = false;
	int rc;

	if (value)
		*value++ = '\0';
	else
		value = word + strlen(word);
	rc = apply_to_all(word, value, false, &known);
	if (!known && !strncmp(word, "no-", 3))
		rc = apply_to_all(word + 3, value, true, &known);
	if (!known)
		printk(XENLOG_WARNING "Option \"%s\" is unknown: ignored\n", word);
	else if (rc)
		printk(XENLOG_WARNING "Option \"%s\": value \"%s\" is not valid: ignored\n", word,
		       value);
}

void __init cmdline_parse(const char *cmdline)
{
	char word[256];

	strlcpy(saved_cmdline, cmdline, sizeof(saved_cmdline));
	while (*cmdline) {
		size_t n = 0;

		while (*cmdline == ' ')
			cmdline++;
		while (cmdline[n] && cmdline[n] != ' ')
			n++;
		if (n >= sizeof(word)) {
			printk(XENLOG_WARNING "Option of %lu characters is too long: ignored\n", n);
		} else if (n) {
			memcpy(word, cmdline, n);
			word[n] = '\0';
			/* GRUB passes the kernel's own file name on some paths. */
			if (strcmp(word, "--"))
				handle_word(word);
		}
		cmdline += n;
	}
}
