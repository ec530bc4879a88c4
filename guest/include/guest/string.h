/* SPDX-License-Identifier: MIT */
/* The C library functions that the compiler may call, and formatted printing into a buffer. */
#ifndef GUEST_STRING_H
#define GUEST_STRING_H

#include <guest/types.h>

void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/*
 * Format into buf (always terminated when size > 0); returns the length the whole text would have.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
