// What a variant of the kernels (one per instruction set) offers to plug.cpp.
#pragma once
#include "ggml.h"

/// Products of one weight type. Rows of activations are first *prepared* (quantised to 8 bits, or copied for float types).
struct Kernel {
    int type;
    /// Weights under one scale: rows are multiples of it.
    int block;
    /// Bytes of a block as ggml stores it.
    int blockBytes;
    /// Rows of weights that lie interleaved.
    int groupRows;
    /// Bytes of a prepared row of so many columns.
    size_t (*rowBytes)(int64_t columns);
    /// Prepares columns `from` … `to` (multiples of `block`) of a row.
    void (*prepare)(const float * row, int64_t columns, int64_t from, int64_t to, uint8_t * out);
    /// Lays the rows of one group, at most `groupRows` of them, in the order of `multiply`.
    void (*lay)(const uint8_t * from, int rows, int64_t columns, uint8_t * to);
    /// y[m · stride + row] for the weight rows of groups `from` … `to` and `count` prepared rows, `rows` weight rows in all.
    void (*multiply)(const uint8_t * groups, int64_t from, int64_t to, int64_t rows, int64_t columns, const uint8_t * x, int64_t count, float * y, size_t stride);
};

struct Attention;

/// The kernels of one instruction set.
struct Variant {
    const char * name;
    bool (*runs)();
    const Kernel * kernels;
    int count;
    const Attention * attention;
};

extern const Variant plainVariant;
/// Best first, ending with the plain one.
extern const Variant * const variants[];

static inline const Kernel * kernelOf(const Variant & variant, int type) {
    for (int i = 0; i < variant.count; i++)
        if (variant.kernels[i].type == type) return &variant.kernels[i];
    return nullptr;
}
