// The variant for AVX2 with FMA and F16C.
#include "avx2.h"

namespace {
const Attention attention = {attend<Eight>};
// Processors with AVX2 and FMA convert halves as well.
bool runs() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
} // namespace

extern const Variant avx2Variant = {"AVX2", runs, Kernels<Avx2>::all, sizeof Kernels<Avx2>::all / sizeof(Kernel), &attention};
