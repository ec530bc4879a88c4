/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions, plain loops: clarity over speed, except memset and memcpy by words.
 */
#include <guest/string.h>

void *memset(void *dst, int c, size_t n)
{
	char *d = dst;
	uint64_t word = 0x0101010101010101UL * (uint8_t)c;

	for (; n >= 8; n -= 8, d += 8)
		*(volatile uint64_t *)d = word;
	while (n--)
		*(volatile char *)d++ = c;
	return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(volatile uint64_t *)d = *(const uint64_t *)s;
	while (n--)
		*(volatile char *)d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	volatile char *d = dst;
	const char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	while (n--)
		d[n] = s[n];
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return p - s;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a - (uint8_t)*b;
		if (!*a)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}
