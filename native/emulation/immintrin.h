// AVX-512 and AVX-VNNI by SIMDe, for processors with AVX2: stands before the compiler's own header in `--check`. What SIMDe
// 0.7.4 lacks of AVX-512, or has under a wrong name, is put together from two halves.
#pragma once
#include_next <immintrin.h>
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#undef _mm512_madd_epi16
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)
#define _mm256_dpbusd_avx_epi32(s, a, b) simde_mm256_dpbusd_epi32(s, a, b)
#include <cstring>
static inline simde__m512i halves512(__m256i a, __m256i b) { simde__m512i v; memcpy(&v, &a, 32), memcpy((char *) &v + 32, &b, 32); return v; }
#define _mm512_cvtepu8_epi32(v) halves512(_mm256_cvtepu8_epi32(v), _mm256_cvtepu8_epi32(_mm_srli_si128(v, 8)))
#undef _mm512_cvtepi8_epi32
#define _mm512_cvtepi8_epi32(v) halves512(_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8)))
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32(v) halves512(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(v)), _mm256_cvtepu16_epi32(_mm256_extracti128_si256(v, 1)))
static inline simde__m512 floats512(__m256 a, __m256 b) { simde__m512 v; memcpy(&v, &a, 32), memcpy((char *) &v + 32, &b, 32); return v; }
static inline simde__m512 convert512(simde__m512i v) { __m256i a, b; memcpy(&a, &v, 32), memcpy(&b, (char *) &v + 32, 32); return floats512(_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b)); }
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps(v) convert512(v)
#undef _mm512_cvtph_ps
#define _mm512_cvtph_ps(v) floats512(_mm256_cvtph_ps(_mm256_castsi256_si128(v)), _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1)))
