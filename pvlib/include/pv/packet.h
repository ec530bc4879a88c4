/* SPDX-License-Identifier: MIT */
/*
 * Ethernet frames as both ends of a network device see them: where the transport header is, and the
 * checksums and segmentation that one side leaves for the other to do.
 *
 * Frames come from strangers: nothing here reads beyond the length given, and a frame that makes no
 * sense is an error, never a guess.
 */
#ifndef PV_PACKET_H
#define PV_PACKET_H

#include <pv/types.h>

#define PV_ETHERNET_HEADER	14U
/* The longest frame: an IP packet of 65,535 bytes, its Ethernet header and two VLAN tags. */
#define PV_FRAME_MAX		(65535U + 14U + 8U)

/* What is left to do about a frame. All zero: nothing. */
struct pv_offload {
	bool partial;		/* checksum field holds the pseudo header's sum: the rest is to be added */
	bool validated;		/* checksum is known to be good (partial implies it) */
	uint8_t gso_type;	/* XEN_NETIF_GSO_TYPE_*: TCP payload to be cut into pieces ... */
	uint16_t gso_size;	/* ... of this many bytes */
	uint16_t csum_start;	/* where summing starts; valid if partial */
	uint16_t csum_offset;	/* of the checksum field from there */
	uint16_t header_bytes;	/* Ethernet to transport header; valid if gso_type is set */
};

struct pv_transport {
	uint32_t network;	/* offset of the IP header */
	uint32_t start;		/* offset of the TCP or UDP header */
	uint32_t csum_offset;	/* of the checksum in it */
	uint32_t end;		/* offset of the payload */
	uint32_t total;		/* where the IP packet ends in the frame (padding excluded) */
	bool v6;
	uint8_t protocol;	/* 6 TCP, 17 UDP */
};

/*
 * Finds the TCP or UDP header of an IPv4 or IPv6 frame, behind VLAN tags and extension headers.
 * -XEN_EINVAL: another protocol, a fragment, or headers that do not fit in @length.
 */
int pv_packet_transport(const uint8_t *frame, size_t length, struct pv_transport *out);

/* Fills csum_start, csum_offset and header_bytes of @offload from a transport header found. */
void pv_packet_locate(const struct pv_transport *t, struct pv_offload *offload);

/* Writes the pseudo header's sum into the checksum field, as `partial` promises it. */
void pv_packet_seed(uint8_t *frame, const struct pv_transport *t);

/*
 * Does what `partial` left: sums from csum_start to the end. -XEN_EINVAL: field out of the frame.
 * A UDP sum of 0 becomes 0xffff.
 */
int pv_packet_complete(uint8_t *frame, size_t length, const struct pv_offload *offload);

/* Is the transport checksum right? For frames that are neither partial nor validated. */
bool pv_packet_verify(const uint8_t *frame, const struct pv_transport *t);

/* The one's complement sum of @bytes added to @sum, not folded; big-endian words. */
uint64_t pv_packet_sum(const uint8_t *data, size_t bytes, uint64_t sum);
/* Folded to 16 bits, not inverted. */
uint16_t pv_packet_fold(uint64_t sum);

#endif
