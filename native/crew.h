// The threads of a forward, which are the backend's: how they wait for each other and share out work.
#pragma once
#include "ggml.h"

namespace {

// The backend's own means, by their names in its library.
void (*barrier)(ggml_threadpool *) = nullptr;
void (*setChunk)(ggml_threadpool *, int) = nullptr;
int (*nextChunk)(ggml_threadpool *, int) = nullptr;

/// Waits for all threads, behind which `share` may begin.
inline void gather(const ggml_compute_params * params) {
    if (params->ith == 0) setChunk(params->threadpool, params->nth);
    barrier(params->threadpool);
}

/// Gives each thread one piece of work after the other until all `count` are done. Ends without waiting for the others.
template <class F> void share(const ggml_compute_params * params, int64_t count, F && work) {
    for (int64_t i = params->ith; i < count; i = nextChunk(params->threadpool, 1)) work(i);
}

} // namespace
