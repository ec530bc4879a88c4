/* SPDX-License-Identifier: MIT */
/* Debug keys: typed on the console after the switch key, or sent by `xl debug-keys`. */
#ifndef CORE_KEYHANDLER_H
#define CORE_KEYHANDLER_H

void keyhandler_register(unsigned char key, void (*fn)(unsigned char key), const char *desc);
/*
 * Runs the handler of key now, or says that there is none. Interrupts on, no
 * lock but the sysctl's.
 */
void keyhandler_run(unsigned char key);
/* The same soon, in softirq context. Any context. */
void keyhandler_handle(unsigned char key);
void keyhandlers_init(void);

#endif
