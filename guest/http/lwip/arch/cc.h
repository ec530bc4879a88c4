/* SPDX-License-Identifier: MIT */
/* What lwIP wants to know of compiler and environment (its doc/sys_arch.txt): see http.h. */
#ifndef HTTP_LWIP_ARCH_CC_H
#define HTTP_LWIP_ARCH_CC_H

#include <stddef.h>
#include <stdint.h>

#define LWIP_NO_STDDEF_H	0
#define LWIP_NO_INTTYPES_H	1
#define LWIP_NO_LIMITS_H	0
#define LWIP_NO_CTYPE_H		1
#define LWIP_NO_UNISTD_H	1

typedef long ssize_t;
#define SSIZE_MAX	INT32_MAX

#define X8_F	"02x"
#define U16_F	"u"
#define S16_F	"d"
#define X16_F	"x"
#define U32_F	"u"
#define S32_F	"d"
#define X32_F	"x"
#define SZT_F	"zu"

void lwip_failed(const char *what) __attribute__((noreturn));
uint32_t lwip_random(void);

#define LWIP_PLATFORM_ASSERT(x)	lwip_failed(x)
#define LWIP_PLATFORM_DIAG(x)	do { } while (0)
#define LWIP_RAND()		lwip_random()

#endif
