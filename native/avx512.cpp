// The variant for AVX-512 with VNNI: sixteen rows a vector, four bytes multiplied and added to 32 bits at once. Attention
// keeps to eight floats.
#include "avx2.h"

namespace {
struct Avx512 {
    static constexpr int R = 16, most = 8, most8 = 8;
    using Bytes = __m512i;
    using Ints = __m512i;
    using Floats = __m512;
    using Sums = __m512i;
    using Sums8 = __m512i;
    using Codes8 = __m512i;

    static int startWord(int even, int odd) { return even + odd; }
    static int startWord8(int even, int odd) { return -128 * (even + odd); }

    static Bytes bytes(const uint8_t * p) { return _mm512_loadu_si512(p); }
    static Bytes low(Bytes b) { return _mm512_and_si512(b, _mm512_set1_epi8(15)); }
    static Bytes high(Bytes b) { return low(_mm512_srli_epi16(b, 4)); }
    template <int bits> static Bytes right(Bytes b) { return _mm512_srli_epi16(b, bits); }
    template <int at> static Bytes with5(Bytes b, Bytes high) {
        return _mm512_or_si512(b, _mm512_and_si512(at ? _mm512_slli_epi16(high, 3) : _mm512_slli_epi16(high, 4), _mm512_set1_epi8(16)));
    }
    template <int at> static Bytes with6(Bytes b, Bytes high) {
        return _mm512_or_si512(b, _mm512_and_si512(at ? _mm512_slli_epi16(high, 2) : _mm512_slli_epi16(high, 4), _mm512_set1_epi8(48)));
    }

    static Sums start(int word) { return _mm512_set1_epi32(word); }
    static Sums dot(Sums s, Bytes codes, const uint8_t * x) { return _mm512_dpbusd_epi32(s, codes, _mm512_set1_epi32((int) load32(x))); }
    static Ints close(Sums s) { return s; }
    static Ints close(Sums s, Ints scale) { return _mm512_mullo_epi32(s, scale); }
    static Ints scale(Ints s) { return s; }

    static Codes8 codes8(Bytes b) { return b; }
    static Bytes named(Bytes names, const uint8_t * values) { return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *) values)), names); }
    static Sums8 start8(int word) { return start(word); }
    static void dot8(Sums8 & s, Codes8 codes, const uint8_t * x) { s = dot(s, codes, x); }
    static Ints close8(Sums8 s) { return s; }

    static Ints none() { return _mm512_setzero_si512(); }
    static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
    static Ints unsignedBytes(const uint8_t * p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) p)); }
    static Ints signedBytes(const uint8_t * p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *) p)); }
    template <int bits> static Ints rightInts(Ints a) { return _mm512_srli_epi32(a, bits); }
    static Ints lowBits(Ints a) { return _mm512_and_si512(a, _mm512_set1_epi32(63)); }
    static Ints min(Ints low, Ints scale) { return _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi32(15)), _mm512_and_si512(_mm512_srli_epi32(scale, 2), _mm512_set1_epi32(48))); }
    static Ints pair(Ints a, Ints b) { return _mm512_or_si512(a, _mm512_slli_epi32(b, 16)); }
    static Ints dotPairs(Ints s, Ints pairs, int word) { return _mm512_add_epi32(s, _mm512_madd_epi16(pairs, _mm512_set1_epi32(word))); }

    static Floats zero() { return _mm512_setzero_ps(); }
    static Floats all(float v) { return _mm512_set1_ps(v); }
    static Floats floats(Ints a) { return _mm512_cvtepi32_ps(a); }
    static Floats times(Floats a, float b) { return _mm512_mul_ps(a, _mm512_set1_ps(b)); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
    static Floats fnma(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }
    static Floats powers(const uint8_t * p) { return _mm512_mul_ps(_mm512_castsi512_ps(_mm512_slli_epi32(unsignedBytes(p), 23)), all(0.5f)); }
    static Floats halves(const uint8_t * p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) p)); }
    template <int> static Floats widen(const uint32_t * p) { return _mm512_loadu_ps(p); }
    template <int type> static Floats widen(const uint16_t * p) {
        const auto v = _mm256_loadu_si256((const __m256i *) p);
        if constexpr (type == GGML_TYPE_F16) return _mm512_cvtph_ps(v);
        else return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
    }
    static void store(float * y, Floats v, int valid) {
        if (valid == R) return _mm512_storeu_ps(y, v);
        float all[R];
        _mm512_storeu_ps(all, v);
        memcpy(y, all, valid * sizeof(float));
    }
};

const Attention attention = {attend<Eight>};

bool runs() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
}
} // namespace

extern const Variant avx512Variant = {"AVX-512 VNNI", runs, Kernels<Avx512>::all, sizeof Kernels<Avx512>::all / sizeof(Kernel), &attention};
