/* SPDX-License-Identifier: MIT */
/*
 * Headers and checksums of frames (pv/packet.h): what is found in good ones, that bad ones are errors, and that
 * nothing is read beyond the end of either.
 *
 * LINK: pvlib/packet.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pv/packet.h>

/* An ICMP-free classic: a DNS-like UDP datagram of 4 payload bytes, its checksum worked out by hand. */
static const uint8_t udp4[] = {
	0, 0x16, 0x3e, 0, 0, 1, 0, 0x16, 0x3e, 0, 0, 2, 0x08, 0x00,
	0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0x10, 0x00, 0x20, 0x00, 0, 12, 0xbb, 0xd0, 0x00, 0x01, 0x00, 0x02,
};

static void finds_udp(void **state)
{
	struct pv_offload offload = { 0 };
	uint8_t frame[sizeof(udp4)];
	struct pv_transport t;

	(void)state;
	memcpy(frame, udp4, sizeof(frame));
	assert_int_equal(pv_packet_transport(frame, sizeof(frame), &t), 0);
	assert_int_equal(t.network, 14);
	assert_int_equal(t.start, 34);
	assert_int_equal(t.end, 42);
	assert_int_equal(t.total, 46);
	assert_int_equal(t.protocol, 17);
	assert_false(t.v6);
	assert_true(pv_packet_verify(frame, &t));
	/* Left to do, and done. */
	pv_packet_seed(frame, &t);
	assert_int_equal(frame[40] << 8 | frame[41], 0x1420);
	assert_false(pv_packet_verify(frame, &t));
	pv_packet_locate(&t, &offload);
	assert_int_equal(pv_packet_complete(frame, sizeof(frame), &offload), 0);
	assert_memory_equal(frame, udp4, sizeof(frame));
	frame[45] ^= 1;
	assert_false(pv_packet_verify(frame, &t));
}

static void vlan_and_extensions(void **state)
{
	uint8_t frame[14 + 8 + 40 + 8 + 8 + 20] = { 0 }, *ip = frame + 22;
	struct pv_transport t;

	(void)state;
	frame[12] = 0x88, frame[13] = 0xa8;
	frame[16] = 0x81, frame[17] = 0x00;
	frame[20] = 0x86, frame[21] = 0xdd;
	ip[0] = 0x60;
	ip[5] = 36;
	ip[6] = 0;			/* hop by hop, destination options, TCP */
	ip[40] = 60;
	ip[48] = 6;
	ip[56 + 12] = 5 << 4;
	assert_int_equal(pv_packet_transport(frame, sizeof(frame), &t), 0);
	assert_true(t.v6);
	assert_int_equal(t.start, 22 + 56);
	assert_int_equal(t.end, sizeof(frame));
	ip[40] = 59;			/* no next header */
	assert_int_equal(pv_packet_transport(frame, sizeof(frame), &t), -XEN_EINVAL);
	ip[40] = 44;			/* a fragment */
	assert_int_equal(pv_packet_transport(frame, sizeof(frame), &t), -XEN_EINVAL);
	ip[40] = 60;
	ip[49] = 200;			/* an extension longer than the frame */
	assert_int_equal(pv_packet_transport(frame, sizeof(frame), &t), -XEN_EINVAL);
}

static void refuses(void **state)
{
	static const struct {
		unsigned int at;
		uint8_t value;
	} cases[] = {
		{ 12, 0x86 }, { 14, 0x65 }, { 14, 0x44 }, { 14, 0x4f }, { 17, 33 }, { 17, 19 }, { 17, 27 },
		{ 20, 0x20 }, { 21, 1 }, { 23, 1 }, { 23, 132 },
	};
	uint8_t frame[sizeof(udp4)];
	struct pv_transport t;

	(void)state;
	for (unsigned int i = 0; i < PV_ARRAY_SIZE(cases); i++) {
		memcpy(frame, udp4, sizeof(frame));
		frame[cases[i].at] = cases[i].value;
		assert_int_equal(pv_packet_transport(frame, sizeof(frame), &t), -XEN_EINVAL);
	}
	for (size_t n = 0; n < sizeof(udp4); n++)
		assert_int_equal(pv_packet_transport(udp4, n, &t), -XEN_EINVAL);
}

/* Whatever is found lies inside; the sanitizer watches the reads. */
static void random_bytes(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t length = (x >> 8) % 120;
		uint8_t *frame = malloc(length ? length : 1);
		struct pv_offload offload = { 0 };
		struct pv_transport t;

		for (size_t b = 0; b < length; b++) {
			x = x * 1664525 + 1013904223;
			frame[b] = x & 0x10000 ? x >> 24 : (x >> 24) & 0x47;
		}
		if (length > 14 && x & 0x20000) {
			frame[12] = x & 0x40000 ? 0x08 : 0x86;
			frame[13] = x & 0x40000 ? 0x00 : 0xdd;
			frame[14] = x & 0x40000 ? 0x45 : 0x60;
		}
		if (!pv_packet_transport(frame, length, &t)) {
			assert_true(t.start <= t.end && t.end <= t.total && t.total <= length);
			pv_packet_verify(frame, &t);
			pv_packet_seed(frame, &t);
			pv_packet_locate(&t, &offload);
			assert_int_equal(pv_packet_complete(frame, length, &offload), 0);
		}
		offload.csum_start = x >> 20;
		offload.csum_offset = x & 63;
		pv_packet_complete(frame, length, &offload);
		free(frame);
		x = x * 1664525 + 1013904223;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_udp),
		cmocka_unit_test(vlan_and_extensions),
		cmocka_unit_test(refuses),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
