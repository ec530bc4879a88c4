/* SPDX-License-Identifier: MIT */
/* In dom0: makes the counting plugin (count.c) print its counters. */
int main(void)
{
	__asm__ volatile("xchg %bx, %bx; xchg %bx, %bx");
	return 0;
}
