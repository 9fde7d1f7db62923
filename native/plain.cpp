// The twin of every kernel in plain C++, one weight after the other from rows as ggml stores them: what the fast ones
// must equal bit for bit. At load it judges the variant chosen; it computes nothing else, for it is slow.
#include "attention.h"
#include "formats.h"
#include "kernels.h"
#include <cmath>

namespace {

template <class T> size_t rowBytes(int64_t columns) { return (columns + columns / T::block * 4 + 63) / 64 * 64; }

template <class T> void prepare(const float * row, int64_t columns, int64_t from, int64_t to, uint8_t * out) {
    for (int64_t b = from / T::block; b < to / T::block; b++) {
        float most = 0;
        for (int i = 0; i < T::block; i++) most = fmaxf(most, fabsf(row[b * T::block + i]));
        const float inverse = most > 0 ? 127.0f / most : 0.0f;
        ((float *) (out + columns))[b] = most / 127.0f;
        for (int i = 0; i < T::block; i++) out[b * T::block + i] = (uint8_t) (int8_t) rintf(row[b * T::block + i] * inverse);
    }
}

template <class T> void lay(const uint8_t * from, int, int64_t columns, uint8_t * to) { memcpy(to, from, columns / T::block * T::bytes); }

/// A half as a float, by its definition.
float half(const uint8_t * p) {
    uint16_t bits;
    memcpy(&bits, p, 2);
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float size = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent ? ldexpf(1024 + fraction, exponent - 25) : ldexpf(fraction, -24);
    return bits & 0x8000 ? -size : size;
}

template <class T> float product(const uint8_t * w, int64_t columns, const uint8_t * x) {
    const float * scales = (const float *) (x + columns);
    float y = 0;
    for (int64_t b = 0; b < columns / T::block; b++, w += T::bytes, x += T::block) {
        int total = 0, mins = 0;
        for (int from = 0; from < T::block; from += T::sub) {
            int sum = 0, all = 0;
            for (int i = from; i < from + T::sub; i++) {
                int code = T::code4(w, i / 4) >> 8 * (i & 3) & 255;
                if constexpr (T::named) code = T::values[code];
                sum += (code - T::offset) * (int8_t) x[i], all += (int8_t) x[i];
            }
            if constexpr (T::scales == Scales::none || T::scales == Scales::power) total += sum;
            if constexpr (T::scales == Scales::kSigned) total += sum * (int8_t) w[T::packed + from / 16];
            if constexpr (T::scales == Scales::k) {
                uint8_t scale, min;
                unpackScale(w + T::packed, from / 32, scale, min);
                total += sum * scale, mins += all * min;
            }
        }
        const float d = T::scales == Scales::power ? (*w ? ldexpf(1, *w - 128) : 0) : half(w + T::d);
        y = fmaf((float) total, d * scales[b], y);
        if constexpr (T::scales == Scales::k) y = fmaf(-(float) mins, half(w + 2) * scales[b], y);
    }
    return y;
}

template <class T> void multiply(const uint8_t * groups, int64_t from, int64_t to, int64_t, int64_t columns, const uint8_t * x, int64_t count, float * y, size_t stride) {
    for (int64_t m = 0; m < count; m++)
        for (int64_t r = from; r < to; r++) y[m * stride + r] = product<T>(groups + r * (columns / T::block * T::bytes), columns, x + m * rowBytes<T>(columns));
}

size_t floatBytes(int64_t columns) { return columns * 4; }
void copyFloats(const float * row, int64_t, int64_t from, int64_t to, uint8_t * out) { memcpy(out + from * 4, row + from, (to - from) * 4); }
template <int bytes> void layFloats(const uint8_t * from, int, int64_t columns, uint8_t * to) { memcpy(to, from, columns * bytes); }

float floatOf(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

template <int type> void multiplyFloats(const uint8_t * groups, int64_t from, int64_t to, int64_t, int64_t columns, const uint8_t * x, int64_t count, float * y, size_t stride) {
    for (int64_t m = 0; m < count; m++)
        for (int64_t r = from; r < to; r++) {
            float sum = 0;
            for (int64_t k = 0; k < columns; k++) {
                const uint8_t * at = groups + (r * columns + k) * (type == GGML_TYPE_F32 ? 4 : 2);
                const float weight = type == GGML_TYPE_F32 ? floatOf(load32(at)) : type == GGML_TYPE_F16 ? half(at) : floatOf(at[0] << 16 | (uint32_t) at[1] << 24);
                sum = fmaf(weight, ((const float *) x)[m * columns + k], sum);
            }
            y[m * stride + r] = sum;
        }
}

template <class T> constexpr Kernel quantised() { return {T::type, T::block, T::bytes, 1, rowBytes<T>, prepare<T>, lay<T>, multiply<T>}; }

const Kernel kernels[] = {
    quantised<Q4_0>(), quantised<Q5_0>(), quantised<Q8_0>(), quantised<IQ4_NL>(), quantised<MXFP4>(), quantised<Q4_K>(), quantised<Q5_K>(), quantised<Q6_K>(),
    {GGML_TYPE_F32, 1, 4, 1, floatBytes, copyFloats, layFloats<4>, multiplyFloats<GGML_TYPE_F32>},
    {GGML_TYPE_F16, 1, 2, 1, floatBytes, copyFloats, layFloats<2>, multiplyFloats<GGML_TYPE_F16>},
    {GGML_TYPE_BF16, 1, 2, 1, floatBytes, copyFloats, layFloats<2>, multiplyFloats<GGML_TYPE_BF16>},
};

/// e to the power of x ≤ 0, as attention.h has it.
float expOf(float x) {
    if (!(x >= -87)) return 0;
    const float n = rintf(x * 1.44269504f), r = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, x));
    float p = 1.39888644e-3f;
    const float factors[] = {8.33345205e-3f, 4.16660309e-2f, 1.66666672e-1f, 0.5f, 1.0f, 1.0f};
    for (float c : factors) p = fmaf(p, r, c);
    return ldexpf(p, (int) n);
}

/// Number `d` of a cell of keys or values.
float cellNumber(const ggml_tensor * x, int64_t head, int64_t stream, int64_t cell, int64_t d) {
    const uint8_t * in = (const uint8_t *) x->data + cell * x->nb[1] + head * x->nb[2] + stream * x->nb[3];
    if (x->type == GGML_TYPE_F32) return floatOf(load32(in + 4 * d));
    if (x->type == GGML_TYPE_F16) return half(in + 2 * d);
    if (x->type == GGML_TYPE_BF16) return floatOf(in[2 * d] << 16 | (uint32_t) in[2 * d + 1] << 24);
    const uint8_t * block = in + d / 32 * 34;
    return (float) (int8_t) block[2 + d % 32] * half(block);
}

/// Attention of one query vector after the other; cells that are masked are not looked at.
void attend(const AttentionTask & t, int64_t stream, int64_t kvHead, int64_t from, int64_t to, float * scores) {
    for (int64_t i = from; i < to; i++) {
        const Query query = queryOf(t, stream, kvHead, i);
        const auto sees = [&](int64_t c) { return !query.mask || query.mask[c] != maskedHalf; };
        float most = -INFINITY;
        for (int64_t c = 0; c < t.cells; c++) {
            if (!sees(c)) continue;
            float sums[8] = {};
            for (int64_t d = 0; d < t.keyLength; d++) sums[d % 8] = fmaf(query.q[d], cellNumber(t.k, kvHead, stream, c, d), sums[d % 8]);
            float s = (((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))) * t.scale;
            if (t.softcap != 0) s = t.softcap * tanhf(s);
            if (query.mask) s += half((const uint8_t *) (query.mask + c)) * attentionSlope(t, query.head);
            scores[c] = s;
            most = s > most ? s : most;
        }
        float sum = 0;
        if (t.sinks) {
            const float sink = ((const float *) t.sinks->data)[query.head];
            most = sink > most ? sink : most;
            sum = expOf(sink - most);
        }
        for (int64_t d = 0; d < t.valueLength; d++) query.out[d] = 0;
        for (int64_t c = 0; c < t.cells; c++) {
            if (!sees(c)) continue;
            const float weight = expOf(scores[c] + (most == -INFINITY ? 0 : -most));
            for (int64_t d = 0; d < t.valueLength; d++) query.out[d] = fmaf(weight, cellNumber(t.v, kvHead, stream, c, d), query.out[d]);
            sum += weight;
        }
        for (int64_t d = 0; d < t.valueLength; d++) query.out[d] *= sum == 0 ? 0 : 1 / sum;
    }
}

const Attention attention = {attend};

bool always() { return true; }

} // namespace

const Variant plainVariant = {"plain", always, kernels, sizeof kernels / sizeof(Kernel), &attention};
