// Matrices in our order, and what a graph asks of them: a product with all rows (of a head, where each has a matrix of its
// own), or, where there is a matrix for each expert, of every row with those it was sent to.
#pragma once
#include "crew.h"
#include "kernels.h"
#include <algorithm>
#include <cstring>

namespace {

inline size_t groupsOf(const Kernel & kernel, int64_t rows) { return (rows + kernel.groupRows - 1) / kernel.groupRows; }

template <class T> T * aligned(void * at) { return (T *) (((uintptr_t) at + 63) & ~(uintptr_t) 63); }

class Products final : public ggml::cpu::tensor_traits {
  public:
    const Kernel * kernel = nullptr;

    /// Bytes of a tensor in our order; a last incomplete group of a matrix takes the room of a whole one.
    size_t bytes(const ggml_tensor * w) const { return w->ne[2] * groupsOf(*kernel, w->ne[1]) * kernel->groupRows * (w->ne[0] / kernel->block) * kernel->blockBytes; }

    bool work_size(int threads, const ggml_tensor * op, size_t & size) override {
        const ggml_tensor * x = op->src[1];
        if (op->op == GGML_OP_MUL_MAT_ID) size = Sending(*this, op, threads).bytes + 64;
        else size = x->ne[1] * x->ne[2] * x->ne[3] * kernel->rowBytes(x->ne[0]) + 64;
        return true;
    }

    bool compute_forward(ggml_compute_params * params, ggml_tensor * op) override {
        if (op->op == GGML_OP_MUL_MAT_ID) sendToExperts(params, op);
        else multiplyAll(params, op);
        return true;
    }

  private:
    static constexpr int64_t manyRows = 32, cacheBytes = 128 << 10;

    void multiplyAll(const ggml_compute_params * params, ggml_tensor * op) {
        const ggml_tensor *w = op->src[0], *x = op->src[1];
        const int64_t columns = w->ne[0], rows = w->ne[1], count = x->ne[1] * x->ne[2] * x->ne[3];
        const size_t rowBytes = kernel->rowBytes(columns);
        uint8_t * prepared = aligned<uint8_t>(params->wdata);

        // 1. Rows are prepared, a part of all columns by each thread.
        const int64_t blocks = columns / kernel->block, all = count * blocks;
        for (int64_t i = all * params->ith / params->nth, end = all * (params->ith + 1) / params->nth; i < end;) {
            const int64_t m = i / blocks, from = i % blocks, to = std::min(blocks, from + end - i);
            const char * row = (const char *) x->data + m % x->ne[1] * x->nb[1] + m / x->ne[1] % x->ne[2] * x->nb[2] + m / x->ne[1] / x->ne[2] * x->nb[3];
            kernel->prepare((const float *) row, columns, from * kernel->block, to * kernel->block, prepared + m * rowBytes);
            i += to - from;
        }

        // 2. Groups of weights are shared out, a part that stays in cache at a time if many rows come back to it. Where there
        // is a matrix for each head, the rows of a head lie together.
        const int64_t matrices = w->ne[2], each = count / matrices, groups = groupsOf(*kernel, rows), matrixBytes = bytes(w) / matrices;
        int64_t parts = std::min(groups, params->nth == 1 ? 1 : (4 * params->nth + matrices - 1) / matrices);
        if (each > manyRows) parts = std::max(parts, std::min(groups, matrixBytes / cacheBytes + 1));
        gather(params);
        share(params, matrices * parts, [&](int64_t piece) {
            const int64_t matrix = piece / parts, part = piece % parts;
            for (int64_t m = matrix * each, end = m + each; m < end; m += manyRows)
                kernel->multiply((const uint8_t *) w->data + matrix * matrixBytes, groups * part / parts, groups * (part + 1) / parts, rows, columns, prepared + m * rowBytes, std::min(manyRows, end - m), (float *) op->data + m * rows, rows);
        });
    }

    /// Rows on their way to experts, and where all of that lies in the work space:
    ///
    ///     order    pairs of row and expert, those of one expert together
    ///     starts   where each expert's begin
    ///     rows     prepared rows, by order          results   what a thread computes before it is put where it belongs
    struct Sending {
        int64_t columns, rows, experts, used, pairs, resultFloats;
        size_t rowBytes, startsAt, rowsAt, resultsAt, bytes;

        Sending(const Products & products, const ggml_tensor * op, int threads) {
            const ggml_tensor *w = op->src[0], *ids = op->src[2];
            columns = w->ne[0], rows = w->ne[1], experts = w->ne[2], used = ids->ne[0], pairs = used * ids->ne[1];
            rowBytes = products.kernel->rowBytes(columns);
            resultFloats = manyRows * groupsOf(*products.kernel, rows) * products.kernel->groupRows;
            startsAt = (pairs * 4 + 63) / 64 * 64;
            rowsAt = startsAt + ((experts + 1) * 4 + 63) / 64 * 64;
            resultsAt = rowsAt + (pairs * rowBytes + 63) / 64 * 64;
            bytes = resultsAt + threads * resultFloats * 4;
        }
    };

    void sendToExperts(const ggml_compute_params * params, ggml_tensor * op) {
        const ggml_tensor *w = op->src[0], *x = op->src[1], *ids = op->src[2];
        const Sending s(*this, op, params->nth);
        uint8_t * work = aligned<uint8_t>(params->wdata);
        auto * order = (int32_t *) work, * starts = (int32_t *) (work + s.startsAt);
        uint8_t * prepared = work + s.rowsAt;
        const auto expertOf = [&](int64_t pair) { return *(const int32_t *) ((const char *) ids->data + pair % s.used * ids->nb[0] + pair / s.used * ids->nb[1]); };

        // 1. One thread sorts pairs by expert.
        if (params->ith == 0) {
            memset(starts, 0, (s.experts + 1) * 4);
            for (int64_t pair = 0; pair < s.pairs; pair++) starts[expertOf(pair) + 1]++;
            for (int64_t e = 0; e < s.experts; e++) starts[e + 1] += starts[e];
            for (int64_t pair = 0; pair < s.pairs; pair++) order[starts[expertOf(pair)]++] = (int32_t) pair;
            for (int64_t e = s.experts; e > 0; e--) starts[e] = starts[e - 1];
            starts[0] = 0;
        }
        gather(params);

        // 2. Rows are prepared in that order.
        share(params, s.pairs, [&](int64_t at) {
            const int64_t id = order[at] % s.used, token = order[at] / s.used;
            const char * row = (const char *) x->data + id % x->ne[1] * x->nb[1] + token * x->nb[2];
            kernel->prepare((const float *) row, s.columns, 0, s.columns, prepared + at * s.rowBytes);
        });
        barrier(params->threadpool);
        gather(params);

        // 3. Parts of the experts that are asked are shared out.
        const int64_t groups = groupsOf(*kernel, s.rows), matrixBytes = bytes(w) / s.experts;
        int64_t asked = 0;
        for (int64_t e = 0; e < s.experts; e++) asked += starts[e + 1] > starts[e];
        const int64_t inCache = s.pairs > manyRows * asked ? matrixBytes / cacheBytes + 1 : 1;
        const int64_t parts = std::min(groups, std::max<int64_t>(inCache, (4 * params->nth + asked - 1) / asked));
        float * results = (float *) (work + s.resultsAt) + params->ith * s.resultFloats;
        int64_t e = 0, before = 0; // experts asked before e; pieces come in ascending order
        share(params, asked * parts, [&](int64_t piece) {
            for (; starts[e + 1] == starts[e] || before < piece / parts; e++) before += starts[e + 1] > starts[e];
            const int64_t from = groups * (piece % parts) / parts, to = groups * (piece % parts + 1) / parts;
            const int64_t first = from * kernel->groupRows, count = std::min(s.rows, to * kernel->groupRows) - first;
            for (int64_t at = starts[e]; at < starts[e + 1]; at += manyRows) {
                const int64_t many = std::min<int64_t>(manyRows, starts[e + 1] - at);
                kernel->multiply((const uint8_t *) w->data + e * matrixBytes, from, to, s.rows, s.columns, prepared + at * s.rowBytes, many, results - first, count);
                for (int64_t m = 0; m < many; m++) {
                    const int64_t pair = order[at + m];
                    memcpy((char *) op->data + pair % s.used * op->nb[1] + pair / s.used * op->nb[2] + first * 4, results + m * count, count * 4);
                }
            }
        });
    }
};

} // namespace
