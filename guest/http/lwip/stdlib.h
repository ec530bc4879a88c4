/* SPDX-License-Identifier: MIT */
/* What lwIP uses of the C library's <stdlib.h>. */
#ifndef HTTP_LWIP_STDLIB_H
#define HTTP_LWIP_STDLIB_H

#include <stddef.h>

/* A decimal number without sign. */
int atoi(const char *text);

#endif
