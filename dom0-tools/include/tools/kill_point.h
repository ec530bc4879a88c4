/* SPDX-License-Identifier: MIT */
/*
 * Where tests let a daemon die: between any two steps whose order recovery relies on. Nothing in
 * the programs themselves.
 */
#ifndef TOOLS_KILL_POINT_H
#define TOOLS_KILL_POINT_H

#ifdef TOOLS_TEST
void kill_point(void);
#else
static inline void kill_point(void)
{
}
#endif

#endif
