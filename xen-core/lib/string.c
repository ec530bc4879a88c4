/* SPDX-License-Identifier: MIT */
/*
 * The C string functions that the compiler and the core need. memcpy, memset
 * and the forms for whole pages are the machine's.
 */
#include <core/lib.h>

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

void *memmove(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	while (n >= 8) {
		n -= 8;
		*(word_t *)(d + n) = *(const word_t *)(s + n);
	}
	while (n--)
		d[n] = s[n];
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, ~(size_t)0);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~(size_t)0);
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (; *s || !n; s++)
		if (!strncmp(s, what, n))
			return (char *)s;
	return NULL;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size) {
		size_t copy = n < size ? n : size - 1;

		memcpy(dst, src, copy);
		dst[copy] = '\0';
	}
	return n;
}
