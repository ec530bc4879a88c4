/* SPDX-License-Identifier: MIT */
/*
 * Which frames pass: the rate limit of what a guest sends, and its list of multicast addresses.
 */
#include "netback.h"

/* A limit below one frame would stop the device; Linux's backend allows as much in one burst. */
#define BURST_MIN	131072U

static uint64_t decimal(const char **text)
{
	uint64_t value = 0;

	while (**text >= '0' && **text <= '9' && value < UINT32_MAX)
		value = value * 10 + (*(*text)++ - '0');
	return value;
}

void netback_rate_parse(struct netback_rate *rate, const char *text)
{
	uint64_t bytes = decimal(&text), us;

	rate->bytes = 0;
	if (*text++ != ',')
		return;
	us = decimal(&text);
	if (*text || !bytes || !us)
		return;
	rate->bytes = bytes;
	rate->interval = us * 1000;
	rate->credit = bytes;
	rate->next = 0;
}

bool netback_rate_take(struct netback_rate *rate, uint64_t now, uint32_t bytes)
{
	uint64_t most = rate->bytes > BURST_MIN ? rate->bytes : BURST_MIN;

	if (!rate->bytes)
		return true;
	if (now >= rate->next) {
		/* Unused credit adds up only as far as one largest frame needs it. */
		rate->credit = rate->credit + rate->bytes < most ? rate->credit + rate->bytes : most;
		rate->next = now + rate->interval;
	}
	if (rate->credit < bytes)
		return false;
	rate->credit -= bytes;
	return true;
}

static int find(const struct netback_multicast *list, const uint8_t *address)
{
	for (unsigned int i = 0; i < list->count; i++) {
		if (!memcmp(list->address[i], address, 6))
			return i;
	}
	return -1;
}

int netback_multicast_add(struct netback_multicast *list, const uint8_t *address)
{
	if (find(list, address) >= 0)
		return 0;
	if (list->count == NETBACK_MULTICAST_MAX)
		return -XEN_ENOSPC;
	memcpy(list->address[list->count++], address, 6);
	return 0;
}

void netback_multicast_remove(struct netback_multicast *list, const uint8_t *address)
{
	int i = find(list, address);

	if (i >= 0)
		memcpy(list->address[i], list->address[--list->count], 6);
}

bool netback_multicast_wants(const struct netback_multicast *list, const uint8_t *frame)
{
	static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

	if (!list->wanted || !(frame[0] & 1) || !memcmp(frame, broadcast, 6))
		return true;
	return find(list, frame) >= 0;
}
