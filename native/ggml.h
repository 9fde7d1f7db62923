// What this library knows of ggml: the structs of llama.cpp v0.5.0 (backend interface 2) it reads or fills, declared
// here so that a compiler and these few files are enough to build it. plug.cpp checks at load what can be checked and
// declines where anything differs.
#pragma once
#include <cstddef>
#include <cstdint>

enum { GGML_BACKEND_API_VERSION = 2 };
enum { GGML_OP_MUL_MAT = 29, GGML_OP_MUL_MAT_ID = 30, GGML_OP_FLASH_ATTN_EXT = 74 };
enum {
    GGML_TYPE_F32 = 0, GGML_TYPE_F16 = 1, GGML_TYPE_Q4_0 = 2, GGML_TYPE_Q5_0 = 6, GGML_TYPE_Q8_0 = 8, GGML_TYPE_Q4_K = 12,
    GGML_TYPE_Q5_K = 13, GGML_TYPE_Q6_K = 14, GGML_TYPE_IQ4_NL = 20, GGML_TYPE_BF16 = 30, GGML_TYPE_MXFP4 = 39,
};
enum ggml_status { GGML_STATUS_SUCCESS = 0 };

struct ggml_backend_buffer;
struct ggml_backend_buffer_type;
struct ggml_backend_device;
struct ggml_threadpool;

struct ggml_tensor {
    int type;
    ggml_backend_buffer * buffer;
    int64_t ne[4];
    size_t nb[4];
    int op;
    int32_t op_params[16];
    int32_t flags;
    ggml_tensor * src[10];
    ggml_tensor * view_src;
    size_t view_offs;
    void * data;
    char name[64];
    void * extra;
    char padding[8];
};

/// What a thread of the CPU backend is given with every operation.
struct ggml_compute_params {
    int ith, nth;
    size_t wsize;
    void * wdata;
    ggml_threadpool * threadpool;
    bool use_ref;
};

struct ggml_backend_buffer_type {
    const char * (*get_name)(ggml_backend_buffer_type *);
    ggml_backend_buffer * (*alloc_buffer)(ggml_backend_buffer_type *, size_t);
    size_t (*get_alignment)(ggml_backend_buffer_type *);
    size_t (*get_max_size)(ggml_backend_buffer_type *);
    size_t (*get_alloc_size)(ggml_backend_buffer_type *, const ggml_tensor *);
    bool (*is_host)(ggml_backend_buffer_type *);
    ggml_backend_device * device;
    void * context;
};

struct ggml_backend_buffer {
    void (*free_buffer)(ggml_backend_buffer *);
    void * (*get_base)(ggml_backend_buffer *);
    ggml_status (*init_tensor)(ggml_backend_buffer *, ggml_tensor *);
    void (*memset_tensor)(ggml_backend_buffer *, ggml_tensor *, uint8_t, size_t, size_t);
    void (*set_tensor)(ggml_backend_buffer *, ggml_tensor *, const void *, size_t, size_t);
    void (*get_tensor)(ggml_backend_buffer *, const ggml_tensor *, void *, size_t, size_t);
    void * set_tensor_2d;
    void * get_tensor_2d;
    void * cpy_tensor;
    void (*clear)(ggml_backend_buffer *, uint8_t);
    void (*reset)(ggml_backend_buffer *);
    ggml_backend_buffer_type * buft;
    void * context;
    size_t size;
    int usage;
};

struct ggml_backend_reg {
    int api_version;
    const char * (*get_name)(ggml_backend_reg *);
    size_t (*get_device_count)(ggml_backend_reg *);
    ggml_backend_device * (*get_device)(ggml_backend_reg *, size_t);
    void * (*get_proc_address)(ggml_backend_reg *, const char *);
    void * context;
};

struct ggml_backend_device {
    void * functions[15]; // get_name … event_synchronize
    ggml_backend_reg * reg;
    void * context;
};

static_assert(sizeof(ggml_tensor) == 336 && sizeof(ggml_backend_buffer_type) == 64 && sizeof(ggml_backend_buffer) == 120, "layouts of v0.5.0");

namespace ggml::cpu {
/// How the CPU backend computes an operation whose weights lie in an extra buffer type; called by each of its threads.
class tensor_traits {
  public:
    virtual ~tensor_traits() = default;
    virtual bool work_size(int n_threads, const ggml_tensor * op, size_t & size) = 0;
    virtual bool compute_forward(ggml_compute_params * params, ggml_tensor * op) = 0;
};

/// What `context` of an extra buffer type points to. The CPU backend asks it about every operation of every graph.
class extra_buffer_type {
  public:
    virtual ~extra_buffer_type() = default;
    virtual bool supports_op(ggml_backend_device * device, const ggml_tensor * op) = 0;
    virtual tensor_traits * get_tensor_traits(const ggml_tensor * op) = 0;
};
} // namespace ggml::cpu
