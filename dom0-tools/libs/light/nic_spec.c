/* SPDX-License-Identifier: MIT */
/*
 * Network interface specifications: xl-network-configuration(5), key=value pairs between commas,
 * and the defaults that xl.conf gives them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "private.h"

static int bad(struct tools_error *error, const char *key, const char *found, const char *wanted)
{
	return tools_fail(error, -EINVAL, "bad-config", "vif: %s: found `%.60s', wanted %s", key,
			  found, wanted);
}

static int replace(char **field, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

int light_mac_parse(const char *text, uint8_t mac[6])
{
	uint8_t out[6];
	unsigned int i;
	unsigned long byte;
	char *end;

	for (i = 0; i < 6; i++) {
		if (!isxdigit((unsigned char)*text))
			return -EINVAL;
		byte = strtoul(text, &end, 16);
		if (byte > 255 || end - text > 2 ||
		    (i < 5 ? *end != ':' && *end != '-' : *end != 0))
			return -EINVAL;
		out[i] = (uint8_t)byte;
		text = end + 1;
	}
	memcpy(mac, out, 6);
	return 0;
}

/*
 * "10Mb/s", "250KB/s", "1MB/s@20ms": bytes per interval. Returns 0, -EINVAL, -ERANGE.
 */
static int parse_rate(struct light_nic *nic, const char *text)
{
	uint64_t rate, interval = 50000;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	rate = strtoull(text, &end, 10);
	if (!rate || rate > UINT32_MAX || errno)
		return -ERANGE;
	if (*end == 'G' || *end == 'M' || *end == 'K')
		rate *= *end == 'G' ? 1000000000u : *end == 'M' ? 1000000u : 1000u, end++;
	if (*end != 'b' && *end != 'B')
		return -EINVAL;
	if (*end++ == 'b')
		rate /= 8;
	if (strncmp(end, "/s", 2))
		return -EINVAL;
	end += 2;
	if (*end == '@') {
		if (!isdigit((unsigned char)end[1]))
			return -EINVAL;
		interval = strtoull(end + 1, &end, 10);
		if (!interval || interval > UINT32_MAX || errno)
			return -ERANGE;
		if (!strcmp(end, "ms"))
			interval *= 1000;
		else if (!strcmp(end, "s") || !*end)
			interval *= 1000000;
		else if (strcmp(end, "us"))
			return -EINVAL;
		if (interval > UINT32_MAX)
			return -ERANGE;
	} else if (*end) {
		return -EINVAL;
	}
	if (rate > UINT64_MAX / interval)
		return -ERANGE;
	nic->rate_interval_us = (uint32_t)interval;
	nic->rate_bytes = rate * interval / 1000000;
	return 0;
}

int light_spec_number(struct tools_error *error, const char *device, const char *key,
		      const char *value, int low, int high, int *out)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || end == value || *end || n < low || n > high)
		return tools_fail(error, -EINVAL, "bad-config",
				  "%s: %s: found `%.60s', wanted a number "
				  "from %d to %d",
				  device, key, value, low, high);
	*out = (int)n;
	return 0;
}

static int set_pair(struct light_nic *nic, const char *key, const char *value,
		    const struct light_parse *how, struct tools_error *error)
{
	static const struct {
		const char *key;
		size_t offset;
	} strings[] = {
		{ "bridge", offsetof(struct light_nic, bridge) },
		{ "netdev", offsetof(struct light_nic, gatewaydev) },
		{ "gatewaydev", offsetof(struct light_nic, gatewaydev) },
		{ "ip", offsetof(struct light_nic, ip) },
		{ "script", offsetof(struct light_nic, script) },
		{ "backend", offsetof(struct light_nic, backend_domname) },
		{ "vifname", offsetof(struct light_nic, ifname) },
		{ "model", offsetof(struct light_nic, model) },
	};
	unsigned int i;
	int rc;

	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (!strcmp(key, strings[i].key))
			return replace((char **)((char *)nic + strings[i].offset), value);
	if (!strcmp(key, "type")) {
		if (strcmp(value, "vif") && strcmp(value, "ioemu"))
			return bad(error, key, value, "vif or ioemu");
		nic->type = *value == 'v' ? LIGHT_NIC_VIF : LIGHT_NIC_IOEMU;
		return 0;
	}
	if (!strcmp(key, "mac"))
		return light_mac_parse(value, nic->mac) ?
			       bad(error, key, value, "six bytes in hex: 00:16:3e:12:34:56") :
			       0;
	if (!strcmp(key, "rate")) {
		rc = parse_rate(nic, value);
		return rc ? bad(error, key, value,
				rc == -ERANGE ? "a smaller rate or interval" :
						"a rate: 10Mb/s, 250KB/s or 1MB/s@20ms") :
			    0;
	}
	if (!strcmp(key, "devid"))
		return light_spec_number(error, "vif", key, value, 0, 0xffff, &nic->devid);
	if (!strcmp(key, "mtu"))
		return light_spec_number(error, "vif", key, value, 68, 65535, &nic->mtu);
	if (!strcmp(key, "backendtype")) {
		if (strcmp(value, "user") && strcmp(value, "kernel") && strcmp(value, "vif"))
			return bad(error, key, value, "user, or kernel (or vif)");
		nic->user_backend = *value == 'u' ? LIGHT_YES : LIGHT_NO;
		return 0;
	}
	if (!strcmp(key, "accel")) {
		light_remark(how, "vif: accel is not supported and ignored");
		return 0;
	}
	if (!strncmp(key, "colo_", 5) || !strcmp(key, "forwarddev"))
		return bad(error, key, value,
			   "an interface without COLO replication, which is not offered");
	return tools_fail(error, -EINVAL, "bad-config",
			  "vif: found `%.40s', wanted mac, bridge, script, "
			  "ip, vifname, model, type, rate, mtu, devid, gatewaydev, backend, "
			  "backendtype, trusted or untrusted",
			  key);
}

static int set_word(struct light_nic *nic, char *word, const struct light_parse *how,
		    struct tools_error *error)
{
	char *equals, *end;

	while (isspace((unsigned char)*word))
		word++;
	for (end = word + strlen(word); end > word && isspace((unsigned char)end[-1]);)
		*--end = 0;
	if (!*word)
		return 0;
	if (!strcmp(word, "trusted") || !strcmp(word, "untrusted")) {
		nic->trusted = *word == 't' ? LIGHT_YES : LIGHT_NO;
		return 0;
	}
	equals = strchr(word, '=');
	if (equals)
		*equals = 0;
	return set_pair(nic, word, equals ? equals + 1 : "", how, error);
}

/* What xl.conf says about interfaces. */
static int set_defaults(struct light_nic *nic, const struct light_defaults *defaults)
{
	int rc = 0;

	if (!defaults)
		return 0;
	if (defaults->vif_script)
		rc = replace(&nic->script, defaults->vif_script);
	if (!rc && defaults->vif_bridge)
		rc = replace(&nic->bridge, defaults->vif_bridge);
	if (!rc && defaults->vif_backend)
		rc = replace(&nic->backend_domname, defaults->vif_backend);
	if (!rc && defaults->vif_gatewaydev)
		rc = replace(&nic->gatewaydev, defaults->vif_gatewaydev);
	return rc;
}

int light_nic_parse(struct light_nic *nic, const char *const *words, unsigned int count,
		    const struct light_parse *how, struct tools_error *error)
{
	char *copy, *word, *rest;
	unsigned int i;
	int rc = set_defaults(nic, how ? how->defaults : NULL);

	for (i = 0; i < count && !rc; i++) {
		copy = strdup(words[i]);
		if (!copy)
			return -ENOMEM;
		for (word = strtok_r(copy, ",", &rest); word && !rc;
		     word = strtok_r(NULL, ",", &rest))
			rc = set_word(nic, word, how, error);
		free(copy);
	}
	return rc;
}
