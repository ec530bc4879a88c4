/* SPDX-License-Identifier: MIT */
/*
 * Where tests let the daemon die: between any two steps whose order recovery relies on. Nothing in
 * the program itself.
 */
#ifndef CONSOLED_KILL_POINT_H
#define CONSOLED_KILL_POINT_H

#ifdef TOOLS_TEST
void kill_point(void);
#else
static inline void kill_point(void)
{
}
#endif

#endif
