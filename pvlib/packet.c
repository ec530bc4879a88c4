/* SPDX-License-Identifier: MIT */
/*
 * Ethernet frames: headers and checksums, see pv/packet.h (RFC 791, 8200, 9293, 768, 1071).
 */
#include <pv/packet.h>

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
};

enum {
	IPV6_HOP_BY_HOP = 0,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	IPV6_ROUTING = 43,
	IPV6_AUTH = 51,
	IPV6_DESTINATION = 60,
};

/* Extension headers that a frame may have in a row. */
#define IPV6_EXTENSIONS_MAX	8

static uint16_t be16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void put_be16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

/* Offset of the network header, *type its protocol; 0: too short. */
static size_t skip_ethernet(const uint8_t *frame, size_t length, uint16_t *type)
{
	size_t at = 12;

	for (int tags = 0; tags <= 2; tags++) {
		if (at + 2 > length)
			return 0;
		*type = be16(frame + at);
		if (*type != ETHERTYPE_VLAN && *type != ETHERTYPE_QINQ)
			return at + 2;
		at += 4;
	}
	return 0;
}

static int parse_ipv4(const uint8_t *frame, size_t length, struct pv_transport *out)
{
	const uint8_t *ip = frame + out->network;
	size_t header, total;

	if (out->network + 20U > length || ip[0] >> 4 != 4)
		return -XEN_EINVAL;
	header = (ip[0] & 15) * 4;
	total = be16(ip + 2);
	if (header < 20 || total < header || out->network + total > length)
		return -XEN_EINVAL;
	if (be16(ip + 6) & 0x3fff)	/* more fragments, or not the first */
		return -XEN_EINVAL;
	out->protocol = ip[9];
	out->start = out->network + header;
	out->total = out->network + total;
	return 0;
}

/* Bytes of the IPv6 extension header of type @type at @p; 0: not one that we step over. */
static size_t extension_bytes(uint8_t type, const uint8_t *p)
{
	switch (type) {
	case IPV6_HOP_BY_HOP:
	case IPV6_ROUTING:
	case IPV6_DESTINATION:
		return (p[1] + 1) * 8;
	case IPV6_AUTH:
		return (p[1] + 2) * 4;
	default:
		return 0;
	}
}

static int parse_ipv6(const uint8_t *frame, size_t length, struct pv_transport *out)
{
	const uint8_t *ip = frame + out->network;
	size_t at, end, bytes;
	uint8_t next;

	if (out->network + 40U > length || ip[0] >> 4 != 6)
		return -XEN_EINVAL;
	at = out->network + 40;
	end = at + be16(ip + 4);
	if (end > length)
		return -XEN_EINVAL;
	next = ip[6];
	for (int n = 0; n < IPV6_EXTENSIONS_MAX; n++) {
		if (next == PROTOCOL_TCP || next == PROTOCOL_UDP)
			break;
		if (at + 8 > end)
			return -XEN_EINVAL;
		bytes = extension_bytes(next, frame + at);
		next = frame[at];
		at += bytes;
		if (!bytes || at > end)
			return -XEN_EINVAL;
	}
	out->protocol = next;
	out->start = at;
	out->total = end;
	return 0;
}

/* Fills what depends on the protocol; its header must fit. */
static int parse_transport(const uint8_t *frame, struct pv_transport *t)
{
	size_t header;

	if (t->protocol == PROTOCOL_UDP) {
		t->csum_offset = 6;
		header = 8;
	} else if (t->protocol == PROTOCOL_TCP) {
		t->csum_offset = 16;
		if (t->start + 20U > t->total)
			return -XEN_EINVAL;
		header = (frame[t->start + 12] >> 4) * 4;
		if (header < 20)
			return -XEN_EINVAL;
	} else {
		return -XEN_EINVAL;
	}
	if (t->start + header > t->total)
		return -XEN_EINVAL;
	t->end = t->start + header;
	return 0;
}

int pv_packet_transport(const uint8_t *frame, size_t length, struct pv_transport *out)
{
	size_t network;
	uint16_t type = 0;
	int rc;

	network = skip_ethernet(frame, length, &type);
	if (!network)
		return -XEN_EINVAL;
	*out = (struct pv_transport){ .network = network, .v6 = type == ETHERTYPE_IPV6 };
	if (type == ETHERTYPE_IPV4)
		rc = parse_ipv4(frame, length, out);
	else if (type == ETHERTYPE_IPV6)
		rc = parse_ipv6(frame, length, out);
	else
		rc = -XEN_EINVAL;
	return rc ? rc : parse_transport(frame, out);
}

void pv_packet_locate(const struct pv_transport *t, struct pv_offload *offload)
{
	offload->csum_start = t->start;
	offload->csum_offset = t->csum_offset;
	offload->header_bytes = t->end;
}

/* Words of machine order are summed and swapped at the end: the sum does not care (RFC 1071). */
uint64_t pv_packet_sum(const uint8_t *data, size_t bytes, uint64_t sum)
{
	uint64_t words = 0;
	uint32_t word;
	uint16_t folded;

	for (; bytes >= 4; bytes -= 4, data += 4) {
		memcpy(&word, data, 4);
		words += word;
	}
	if (bytes) {
		word = 0;
		memcpy(&word, data, bytes);
		words += word;
	}
	folded = pv_packet_fold(words);
	return sum + (uint16_t)(folded << 8 | folded >> 8);
}

uint16_t pv_packet_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint16_t pseudo_sum(const uint8_t *frame, const struct pv_transport *t)
{
	const uint8_t *addresses = frame + t->network + (t->v6 ? 8 : 12);

	return pv_packet_fold(pv_packet_sum(addresses, t->v6 ? 32 : 8,
					    t->protocol + (uint64_t)(t->total - t->start)));
}

void pv_packet_seed(uint8_t *frame, const struct pv_transport *t)
{
	put_be16(frame + t->start + t->csum_offset, pseudo_sum(frame, t));
}

int pv_packet_complete(uint8_t *frame, size_t length, const struct pv_offload *offload)
{
	size_t start = offload->csum_start, field = start + offload->csum_offset;
	uint16_t sum;

	if (start > length || field + 2 > length)
		return -XEN_EINVAL;
	sum = ~pv_packet_fold(pv_packet_sum(frame + start, length - start, 0));
	if (!sum && offload->csum_offset == 6)
		sum = 0xffff;
	put_be16(frame + field, sum);
	return 0;
}

bool pv_packet_verify(const uint8_t *frame, const struct pv_transport *t)
{
	if (t->protocol == PROTOCOL_UDP && !t->v6 && !be16(frame + t->start + t->csum_offset))
		return true;
	return pv_packet_fold(pv_packet_sum(frame + t->start, t->total - t->start,
					    pseudo_sum(frame, t))) == 0xffff;
}
