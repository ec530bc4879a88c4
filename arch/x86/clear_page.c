/* SPDX-License-Identifier: MIT */
/*
 * Clearing and copying whole pages, in vector registers where that is possible:
 * a quarter (AVX) or half (SSE) of the stores, and those of the scrubber go past
 * the caches, whose contents somebody still needs.
 *
 * The registers hold the guest's values: those used here are put back. What
 * forbids it is checked each time: a CR0.TS that the guest has set (vector
 * instructions would trap), an XCR0 of the guest's without AVX, or one with
 * AVX-512: restoring the lower half of a register by AVX would clear its upper half.
 */
#include <core/lib.h>
#include <arch/percpu.h>
#include <x86/context.h>
#include <x86/asm.h>
#include <x86/cpufeature.h>

#define STEP	512		/* bytes a turn */

enum vectors { VECTORS_NONE, VECTORS_SSE, VECTORS_AVX };
static bool use_sse __ro_after_init, use_avx __ro_after_init;

void __init vector_pages_init(void)
{
	use_sse = true;		/* SSE2 is in every CPU with long mode; cpu_init() has enabled it */
	use_avx = cpu_has(X86_FEATURE_AVX) && host_xcr0;
}

static inline enum vectors vectors(void)
{
	if (unlikely(!use_sse) || unlikely(read_cr0() & CR0_TS))
		return VECTORS_NONE;
	return use_avx && fpu_avx_enabled() ? VECTORS_AVX : VECTORS_SSE;
}

#define REP32(x)	x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) \
	x(14) x(15) x(16) x(17) x(18) x(19) x(20) x(21) x(22) x(23) x(24) x(25) x(26) x(27) x(28) \
	x(29) x(30) x(31)
#define REP16(x)	x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) \
	x(14) x(15)

#define SSE_STORE(i)	"movaps %%xmm0, " #i "*16(%0)\n\t"
#define SSE_STREAM(i)	"movntps %%xmm0, " #i "*16(%0)\n\t"
#define AVX_STORE(i)	"vmovaps %%ymm0, " #i "*32(%0)\n\t"
#define AVX_STREAM(i)	"vmovntps %%ymm0, " #i "*32(%0)\n\t"
#define AVX_COPY(i)	"vmovaps " #i "*32(%1), %%ymm0\n\tvmovaps %%ymm0, " #i "*32(%0)\n\t"

/* @body stores STEP bytes of zeroes to (%0), which runs over the page. */
#define CLEAR(bytes, save, zero, body, restore) do { \
	uint8_t kept_[32]; \
	unsigned long end_ = (unsigned long)page + (bytes); \
	__asm__ __volatile__(save "\n\t" zero "\n1:\t" body "add %3, %0\n\tcmp %2, %0\n\tjne 1b\n\t" \
			     restore \
			     : "+r"(page), "=m"(kept_) : "r"(end_), "i"(STEP) : "memory", "cc"); \
} while (0)

#define SSE_SAVE	"movups %%xmm0, %1"
#define SSE_RESTORE	"movups %1, %%xmm0"
#define SSE_ZERO	"xorps %%xmm0, %%xmm0"
#define AVX_SAVE	"vmovups %%ymm0, %1"
#define AVX_RESTORE	"vmovups %1, %%ymm0"
#define AVX_ZERO	"vxorps %%ymm0, %%ymm0, %%ymm0"

void clear_page(void *page)
{
	size_t words = PAGE_SIZE / 8;

	switch (vectors()) {
	case VECTORS_AVX:
		CLEAR(PAGE_SIZE, AVX_SAVE, AVX_ZERO, REP16(AVX_STORE), AVX_RESTORE);
		break;
	case VECTORS_SSE:
		CLEAR(PAGE_SIZE, SSE_SAVE, SSE_ZERO, REP32(SSE_STORE), SSE_RESTORE);
		break;
	default:
		__asm__ __volatile__("rep stosq" : "+D"(page), "+c"(words) : "a"(0UL) : "memory");
	}
}

void scrub_pages(void *page, unsigned long count)
{
	size_t words = count * (PAGE_SIZE / 8);

	switch (vectors()) {
	case VECTORS_AVX:
		CLEAR(count * PAGE_SIZE, AVX_SAVE, AVX_ZERO, REP16(AVX_STREAM),
		      "sfence\n\t" AVX_RESTORE);
		break;
	case VECTORS_SSE:
		CLEAR(count * PAGE_SIZE, SSE_SAVE, SSE_ZERO, REP32(SSE_STREAM),
		      "sfence\n\t" SSE_RESTORE);
		break;
	default:
		__asm__ __volatile__("rep stosq" : "+D"(page), "+c"(words) : "a"(0UL) : "memory");
	}
}

#define COPY(save, body, restore) do { \
	uint8_t kept_[32]; \
	unsigned long end_ = (unsigned long)src + PAGE_SIZE; \
	__asm__ __volatile__(save "\n1:\t" body "add %4, %0\n\tadd %4, %1\n\tcmp %3, %1\n\t" \
			     "jne 1b\n\t" restore \
			     : "+r"(dst), "+r"(src), "=m"(kept_) : "r"(end_), "i"(STEP) \
			     : "memory", "cc"); \
} while (0)

void copy_page(void *dst, const void *src)
{
	size_t words = PAGE_SIZE / 8;

	/* With 16 bytes a move there would be nothing to gain. */
	if (vectors() == VECTORS_AVX)
		COPY("vmovups %%ymm0, %2", REP16(AVX_COPY), "vmovups %2, %%ymm0");
	else
		__asm__ __volatile__("rep movsq" : "+D"(dst), "+S"(src), "+c"(words)
				     :: "memory");
}
