/* SPDX-License-Identifier: MIT */
/* Memory barriers between CPUs. x86 keeps stores in order, so most are for the compiler. */
#ifndef ARCH_BARRIER_H
#define ARCH_BARRIER_H

#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)

#endif
