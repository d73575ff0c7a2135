// Lets kernels.cpp be built with the AVX-512 vectors for a processor without AVX-512: given to the
// compiler with -include, it puts SIMDe's functions in place of the instructions, each made of AVX2
// ones.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>

#define TORCH_ELU_EMULATED_AVX512

// What SIMDe 0.7 does not have.
#if !defined(_mm512_cvtph_ps)
inline __m512 emulated_cvtph_ps(__m256i x) {
  simde__m512_private result;
  result.m256[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(x));
  result.m256[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(x, 1));
  return simde__m512_from_private(result);
}
inline __m256i emulated_cvtps_ph(__m512 x) {
  const simde__m512_private parts = simde__m512_to_private(x);
  return _mm256_set_m128i(_mm256_cvtps_ph(parts.m256[1], _MM_FROUND_TO_NEAREST_INT),
                          _mm256_cvtps_ph(parts.m256[0], _MM_FROUND_TO_NEAREST_INT));
}
#define _mm512_cvtph_ps(x) emulated_cvtph_ps(x)
#define _mm512_cvtps_ph(x, rounding) emulated_cvtps_ph(x)
#define _mm512_stream_ps(to, x) _mm512_store_ps(to, x)
#define _mm512_stream_pd(to, x) _mm512_store_pd(to, x)
#define _mm512_stream_si512(to, x) _mm512_store_si512(to, x)
#endif
