/* SPDX-License-Identifier: MIT */
/* Parsing and wide arithmetic. */
#include <core/lib.h>

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

unsigned long long strtoull(const char *s, char **end, int base)
{
	const char *start = s;
	unsigned long long v = 0;
	bool any = false;

	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') &&
	    digit_of(s[2]) < 16) {
		s += 2;
		base = 16;
	} else if (base == 0) {
		base = s[0] == '0' ? 8 : 10;
	}
	for (; digit_of(*s) < base; s++, any = true)
		v = v * (unsigned int)base + (unsigned int)digit_of(*s);
	if (end)
		*end = (char *)(any ? s : start);
	return v;
}

unsigned long long parse_size(const char *s, const char **end)
{
	char *e;
	unsigned long long v = strtoull(s, &e, 0);
	unsigned int shift = 10;

	if (e != s) {
		switch (*e) {
		case 'T': case 't': shift = 40; e++; break;
		case 'G': case 'g': shift = 30; e++; break;
		case 'M': case 'm': shift = 20; e++; break;
		case 'K': case 'k': shift = 10; e++; break;
		case 'B': case 'b': shift = 0; e++; break;
		default: break;
		}
	}
	if (end)
		*end = e;
	return v << shift;
}

/* What the compiler calls for __builtin_popcountl() where the CPU may lack the instruction. */
int __popcountdi2(unsigned long x);
int __popcountdi2(unsigned long x)
{
	x -= (x >> 1) & 0x5555555555555555UL;
	x = (x & 0x3333333333333333UL) + ((x >> 2) & 0x3333333333333333UL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
	return (int)((x * 0x0101010101010101UL) >> 56);
}

/* Both the machine and the host port have 128-bit integers; the quotient must fit. */
uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	uint64_t hi = (uint64_t)(product >> 64), lo = (uint64_t)product, q = 0;

	if (!hi)
		return lo / c;
	hi %= c;
	/* Long division by bits: c may be above 2^63, and libgcc is not linked. */
	for (unsigned int i = 0; i < 64; i++) {
		bool carry = hi >> 63;

		hi = (hi << 1) | (lo >> 63);
		lo <<= 1;
		q <<= 1;
		if (carry || hi >= c) {
			hi -= c;
			q |= 1;
		}
	}
	return q;
}
