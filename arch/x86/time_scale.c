/* SPDX-License-Identifier: MIT */
/*
 * Rates as guests compute with them: counter ticks to nanoseconds by a shift and a
 * multiplication (x86/time.h). No state and no machine here, so that it runs in a
 * unit test.
 */
#include <core/lib.h>
#include <x86/time.h>

void set_time_scale(struct time_scale *s, uint64_t hz)
{
	int shift = 0;

	while (hz > 2000000000ULL) {
		hz >>= 1;
		shift--;
	}
	while (hz <= 1000000000ULL) {
		hz <<= 1;
		shift++;
	}
	s->mul = (uint32_t)((1000000000ULL << 32) / hz);
	s->shift = (int8_t)shift;
}

struct time_scale scale_reciprocal(struct time_scale s)
{
	struct time_scale r;
	/* 2^64 / mul, that is 2^32 / (mul / 2^32) */
	uint64_t inv = muldiv64(1ULL << 63, 2, s.mul);
	int shift = -s.shift;

	while (inv >> 32) {
		inv >>= 1;
		shift++;
	}
	r.mul = (uint32_t)inv;
	r.shift = (int8_t)shift;
	return r;
}
