/* SPDX-License-Identifier: MIT */
/*
 * Data between the buffer and pages of the guest that are mapped: its own memcpy(), since the C library's goes
 * by eight bytes a step where the CPU's string instructions are no better than that.
 */
#include "private.h"

#define STEP	256

typedef long long wide __attribute__((vector_size(32), aligned(1), may_alias));

__attribute__((target("avx"))) static size_t move_wide(char *to, const char *from, size_t bytes)
{
	size_t done = 0;

	for (; done + STEP <= bytes; done += STEP) {
		const wide *s = (const wide *)(const void *)(from + done);
		wide *d = (wide *)(void *)(to + done);
		wide s0 = s[0], s1 = s[1], s2 = s[2], s3 = s[3], s4 = s[4], s5 = s[5], s6 = s[6], s7 = s[7];

		d[0] = s0;
		d[1] = s1;
		d[2] = s2;
		d[3] = s3;
		d[4] = s4;
		d[5] = s5;
		d[6] = s6;
		d[7] = s7;
	}
	return done;
}

void move_bytes(void *to, const void *from, size_t bytes)
{
	size_t done = __builtin_cpu_supports("avx") ? move_wide(to, from, bytes) : 0;

	if (done < bytes)
		memcpy((char *)to + done, (const char *)from + done, bytes - done);
}
