// The weight types of ggml as these kernels see them, and the order in which their weights are laid for the kernels.
//
// A *block* is 32 or 256 weights of one row under one scale. Each weight is a small unsigned *code*; what it stands for is
//
//     weight = d · scale · (code − offset)        Q4_0, Q5_0, Q8_0, IQ4_NL, MXFP4 (scale 1); Q6_K
//     weight = d · scale · code − dmin · min      Q4_K, Q5_K
//
// A *group* is as many rows as a vector has 32-bit lanes (R). Its blocks lie one after the other, each so:
//
//     d of R rows (f16; MXFP4: a power of two, its exponent in a byte) │ dmin of R rows (K with mins) │ scales, R bytes each │ codes of 32 columns │ the next 32 …
//
// and codes lie four columns of one row in one lane, so that one vector of 4·R bytes, multiplied with four activations
// repeated in every lane, gives R sums at once:
//
//     byte 4·r + c of nibble vector i:   low half: code of row r, column 8·i + c       high half: column 8·i + 4 + c
//     bits above the fourth:             one more vector per 32 (5-bit) or 16 (6-bit) columns: bits of step s (columns
//                                        4·s … 4·s + 3) at bit s or 2·s
//
// No byte is added: a group is as large as its rows were.
#pragma once
#include "ggml.h"
#include <cstring>

// Internal to each file that includes this: every variant is compiled for its own processor.
namespace {

inline uint32_t load32(const uint8_t * p) { uint32_t v; memcpy(&v, p, 4); return v; }
inline void store32(uint8_t * p, uint32_t v) { memcpy(p, &v, 4); }

enum class Scales { none, power, k, kSigned }; // one d; one power of two; 6-bit scales and mins; 8-bit signed scales

/// `code4` gives the codes of columns 4·s … 4·s + 3 of a block as ggml stores it, one a byte.
struct Q4_0 {
    static constexpr int type = GGML_TYPE_Q4_0, block = 32, bytes = 18, sub = 32, bits = 4, offset = 8;
    static constexpr Scales scales = Scales::none;
    static constexpr bool named = false;
    static constexpr int d = 0;
    static uint32_t code4(const uint8_t * b, int s) { return load32(b + 2 + 4 * (s & 3)) >> (s < 4 ? 0 : 4) & 0x0f0f0f0f; }
};

struct Q5_0 {
    static constexpr int type = GGML_TYPE_Q5_0, block = 32, bytes = 22, sub = 32, bits = 5, offset = 16;
    static constexpr Scales scales = Scales::none;
    static constexpr bool named = false;
    static constexpr int d = 0;
    static uint32_t code4(const uint8_t * b, int s) {
        const uint32_t high = load32(b + 2) >> 4 * s;
        const uint32_t spread = (high & 1) << 4 | (high & 2) << 11 | (high & 4) << 18 | (high & 8) << 25;
        return (load32(b + 6 + 4 * (s & 3)) >> (s < 4 ? 0 : 4) & 0x0f0f0f0f) | spread;
    }
};

struct Q8_0 {
    static constexpr int type = GGML_TYPE_Q8_0, block = 32, bytes = 34, sub = 32, bits = 8, offset = 128;
    static constexpr Scales scales = Scales::none;
    static constexpr bool named = false;
    static constexpr int d = 0;
    static uint32_t code4(const uint8_t * b, int s) { return load32(b + 2 + 4 * s) ^ 0x80808080; }
};

/// Four bits that name one of 16 values; what is laid out is the name, what is multiplied the value.
struct IQ4_NL {
    static constexpr int type = GGML_TYPE_IQ4_NL, block = 32, bytes = 18, sub = 32, bits = 4, offset = 128;
    static constexpr Scales scales = Scales::none;
    static constexpr bool named = true;
    static constexpr int d = 0;
    static constexpr uint8_t values[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
    static uint32_t code4(const uint8_t * b, int s) { return Q4_0::code4(b, s); }
};

/// The same with other values (twice what they stand for), and a power of two for d.
struct MXFP4 {
    static constexpr int type = GGML_TYPE_MXFP4, block = 32, bytes = 17, sub = 32, bits = 4, offset = 12;
    static constexpr Scales scales = Scales::power;
    static constexpr bool named = true;
    static constexpr int d = 0;
    static constexpr uint8_t values[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
    static uint32_t code4(const uint8_t * b, int s) { return Q4_0::code4(b - 1, s); }
};

struct Q4_K {
    static constexpr int type = GGML_TYPE_Q4_K, block = 256, bytes = 144, sub = 32, bits = 4, offset = 0;
    static constexpr Scales scales = Scales::k;
    static constexpr bool named = false;
    static constexpr int d = 0, packed = 4;
    static uint32_t code4(const uint8_t * b, int s) { return load32(b + 16 + s / 16 * 32 + 4 * (s & 7)) >> (s & 8 ? 4 : 0) & 0x0f0f0f0f; }
};

struct Q5_K {
    static constexpr int type = GGML_TYPE_Q5_K, block = 256, bytes = 176, sub = 16, bits = 5, offset = 0;
    static constexpr Scales scales = Scales::k;
    static constexpr bool named = false;
    static constexpr int d = 0, packed = 4;
    static uint32_t code4(const uint8_t * b, int s) {
        return (load32(b + 48 + s / 16 * 32 + 4 * (s & 7)) >> (s & 8 ? 4 : 0) & 0x0f0f0f0f) | (load32(b + 16 + 4 * (s & 7)) >> s / 8 & 0x01010101) << 4;
    }
};

struct Q6_K {
    static constexpr int type = GGML_TYPE_Q6_K, block = 256, bytes = 210, sub = 16, bits = 6, offset = 32;
    static constexpr Scales scales = Scales::kSigned;
    static constexpr bool named = false;
    static constexpr int d = 208, packed = 192;
    static uint32_t code4(const uint8_t * b, int s) {
        const int half = s / 32, quarter = s / 8 & 3, at = 4 * (s & 7);
        const uint32_t low = load32(b + 64 * half + 32 * (quarter & 1) + at) >> (quarter < 2 ? 0 : 4) & 0x0f0f0f0f;
        return low | (load32(b + 128 + 32 * half + at) >> 2 * quarter & 0x03030303) << 4;
    }
};

/// The 6-bit scale and min of sub-block `j` (of eight) in the twelve bytes that Q4_K and Q5_K pack them into.
inline void unpackScale(const uint8_t * p, int j, uint8_t & scale, uint8_t & min) {
    scale = j < 4 ? p[j] & 63 : (p[j + 4] & 15) | p[j - 4] >> 6 << 4;
    min = j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | p[j] >> 6 << 4;
}

/// Bytes of scales per row and block as they are laid out.
template <class T> constexpr int scaleBytes() { return T::scales == Scales::k ? 12 : T::scales == Scales::kSigned ? 16 : 0; }
/// Bytes of one d.
template <class T> constexpr int dBytes() { return T::scales == Scales::power ? 1 : 2; }
/// Bytes per row and block before the codes.
template <class T> constexpr int headBytes() { return scaleBytes<T>() + dBytes<T>() + (T::scales == Scales::k ? 2 : 0); }

/// Lays `rows` rows (at most R; the rest of the group is zero) of `columns` weights as one group.
template <class T, int R> void layGroup(const uint8_t * from, int rows, int64_t columns, uint8_t * to) {
    const int64_t blocks = columns / T::block;
    const size_t groupBlock = (size_t) T::bytes * R;
    if (rows < R) memset(to, 0, groupBlock * blocks);
    for (int64_t b = 0; b < blocks; b++, to += groupBlock)
        for (int r = 0; r < rows; r++) {
            const uint8_t * in = from + (r * blocks + b) * T::bytes;
            uint8_t * out = to;
            memcpy(out + dBytes<T>() * r, in + T::d, dBytes<T>());
            out += dBytes<T>() * R;
            if constexpr (T::scales == Scales::k) {
                memcpy(out + 2 * r, in + 2, 2);
                out += 2 * R;
                // Eight bytes: the scale, and above it the two high bits of the min; four bytes: low halves of the mins.
                uint8_t low[4] = {};
                for (int j = 0; j < 8; j++) {
                    uint8_t scale, min;
                    unpackScale(in + T::packed, j, scale, min);
                    out[j * R + r] = scale | (min & 0x30) << 2;
                    low[j & 3] |= j < 4 ? min & 15 : min << 4;
                }
                for (int j = 0; j < 4; j++) out[(8 + j) * R + r] = low[j];
                out += 12 * R;
            } else if constexpr (T::scales == Scales::kSigned) {
                for (int j = 0; j < 16; j++) out[j * R + r] = in[T::packed + j];
                out += 16 * R;
            }
            for (int s = 0; s < T::block / 4; s += 8) {
                if constexpr (T::bits == 8) {
                    for (int i = 0; i < 8; i++, out += 4 * R) store32(out + 4 * r, T::code4(in, s + i));
                } else {
                    uint32_t code[8];
                    for (int i = 0; i < 8; i++) code[i] = T::code4(in, s + i);
                    for (int i = 0; i < 4; i++, out += 4 * R) store32(out + 4 * r, (code[2 * i] & 0x0f0f0f0f) | (code[2 * i + 1] & 0x0f0f0f0f) << 4);
                    if constexpr (T::bits == 5) {
                        uint32_t high = 0;
                        for (int i = 0; i < 8; i++) high |= (code[i] >> 4 & 0x01010101) << i;
                        store32(out + 4 * r, high);
                        out += 4 * R;
                    } else if constexpr (T::bits == 6) {
                        for (int half = 0; half < 2; half++, out += 4 * R) {
                            uint32_t high = 0;
                            for (int i = 0; i < 4; i++) high |= (code[4 * half + i] >> 4 & 0x03030303) << 2 * i;
                            store32(out + 4 * r, high);
                        }
                    }
                }
            }
        }
}

} // namespace
