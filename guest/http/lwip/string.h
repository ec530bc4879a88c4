/* SPDX-License-Identifier: MIT */
/* The C library's <string.h> for lwIP: the guest's own. */
#ifndef HTTP_LWIP_STRING_H
#define HTTP_LWIP_STRING_H

#include <guest/string.h>

#endif
