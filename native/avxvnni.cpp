// The variant for AVX-VNNI (processors without AVX-512 that multiply and add four bytes at once): AVX2 but for the sums.
#include "avx2.h"
#include <cpuid.h>

namespace {
struct AvxVnni : Avx2 {
    static constexpr int most = 4, most8 = 4;
    using Sums8 = __m256i;
    using Codes8 = __m256i;
    static int startWord(int even, int odd) { return even + odd; }
    static int startWord8(int even, int odd) { return -128 * (even + odd); }
    static Sums dot(Sums s, Bytes codes, const uint8_t * x) { return kept(_mm256_dpbusd_avx_epi32(s, codes, four(x))); }
    static Ints close(Sums s) { return s; }
    static Ints close(Sums s, Ints scale) { return _mm256_mullo_epi32(s, scale); }
    static Ints scale(Ints s) { return s; }
    static Codes8 codes8(Bytes b) { return b; }
    static Sums8 start8(int word) { return start(word); }
    static void dot8(Sums8 & s, Codes8 codes, const uint8_t * x) { s = dot(s, codes, x); }
    static Ints close8(Sums8 s) { return s; }
};

const Attention attention = {attend<Eight>};

bool runs() {
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
} // namespace

extern const Variant avxVnniVariant = {"AVX-VNNI", runs, Kernels<AvxVnni>::all, sizeof Kernels<AvxVnni>::all / sizeof(Kernel), &attention};
