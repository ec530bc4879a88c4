/* SPDX-License-Identifier: MIT */
/*
 * This terminal as a domain's console, for `kl console` and `kl create -c`.
 */
#ifndef KL_CONSOLE_H
#define KL_CONSOLE_H

#include "kl.h"

#define KL_CONSOLE_ESCAPE 0x1d	/* Ctrl-] */

/*
 * Until @escape is typed, the domain is gone, or ^C where there is no terminal. Console @number (0:
 * the first). An exit status; what failed was told. May be called before the domain runs: it waits
 * for the daemon to serve the console.
 */
int kl_console(struct kl *kl, domid_t domid, unsigned int number, char escape);

#endif
