/* SPDX-License-Identifier: MIT */
/*
 * The network rings' hot path without an operating system: frames between netfront and netback in the
 * fake world, for callgrind to count (bench/rings/run-net).
 *
 *	net KIND BYTES FRAMES BATCH DIRECTION	KIND raw, tcp or gso; DIRECTION out or in
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net.h"

int main(int argc, char **argv)
{
	struct net_setup setup = { .seed = 1 };
	enum net_kind kind;
	unsigned int bytes, frames, batch;
	struct net n;
	bool out;

	if (argc != 6)
		return 2;
	kind = !strcmp(argv[1], "gso") ? NET_GSO4 : !strcmp(argv[1], "tcp") ? NET_TCP4 : NET_RAW;
	bytes = atoi(argv[2]);
	frames = atoi(argv[3]);
	batch = atoi(argv[4]);
	out = !strcmp(argv[5], "out");
	net_new(&n, &setup);
	if (net_open_back(&n) || net_open_front(&n, &setup) || !net_connect(&n))
		return 1;
	net_settle(&n);
	for (unsigned int i = 0; i < frames; i++) {
		if (!out)
			net_wire_send(&n, 0, kind, bytes, true);
		else if (net_guest_send(&n, kind, bytes, true, (i + 1) % batch != 0))
			return 1;
		if ((i + 1) % batch == 0)
			net_settle(&n);
	}
	net_settle(&n);
	printf("%u frames came\n", out ? n.out.arrived : n.in.arrived);
	return net_check(&n) || (out ? n.out.arrived : n.in.arrived) != frames || net_end(&n);
}
