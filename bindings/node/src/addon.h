/* What the files of the addon share. The addon is dumb on purpose: it turns
 * JavaScript values into bytes, calls the C ABI, and turns statuses into
 * errors. Checks with friendly texts are made in lib/. */
#ifndef TWAT_NODE_ADDON_H
#define TWAT_NODE_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twat_cache.h>

/* Values up to RESULT_BYTES come back through a buffer shared with JavaScript,
 * larger ones in buffers of their own. JavaScript encodes what fits into
 * another, of ARGUMENT_BYTES. They are two because an encoder
 * may run user code (getters), which may call get. Memory that is new for each
 * value would cost a page fault for every 4 KiB; what is never touched costs
 * none. Bytes that the caller keeps come through it up to KEPT_BYTES. */
enum { RESULT_BYTES = 1 << 20, ARGUMENT_BYTES = 1 << 20, KEPT_BYTES = 16384, ERROR_TEXT = 512 };
enum { CLOCK_AT = RESULT_BYTES + ARGUMENT_BYTES };

struct cache_handle;

/* One a JavaScript environment (main thread or worker): nothing of it is
 * shared with another environment. */
typedef struct addon {
    napi_ref error_class; /* TwatCacheError of this environment */
    napi_ref shared;      /* keeps the shared buffers alive */
    uint8_t *result, *argument;
    double *clock;
    struct cache_handle *open; /* every cache not yet closed */
} addon;

/* A cache as JavaScript holds it: several functions share it, and each of
 * them may be collected at any time, so it is counted. `refs` and the list
 * belong to the JavaScript thread; `running` is guarded by the lock. */
typedef struct cache_handle {
    twat_cache *cache; /* NULL once closed */
    addon *owner;      /* NULL once closed */
    struct cache_handle *prev, *next;
    size_t refs;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t running; /* async work that has still to touch `cache` */
} cache_handle;

/* Bytes of a key argument: borrowed from a typed array, or narrowed from a
 * string into `small` or `heap`. */
typedef struct key_arg {
    const uint8_t *data;
    size_t len;
    uint8_t *heap;
    uint8_t small[1536];
} key_arg;

/* Many keys or tags, copied. */
typedef struct slice_list {
    twat_slice *slices;
    size_t n;
    uint8_t *arena;
} slice_list;

/* --- status.c: every failure ends as a pending exception ------------------ */
napi_value twat_napi_failed(napi_env env);
void twat_make_error(napi_env env, int32_t status, const char *text, napi_value *out_error);
napi_value twat_throw(napi_env env, int32_t status, const char *text);
napi_value twat_throw_last(napi_env env, int32_t status);
void twat_set_error_class(napi_env env, napi_value error_class);
napi_value twat_bool_of(napi_env env, int32_t status);
napi_value twat_count_of(napi_env env, int32_t status, uint64_t n);

#define TRY(call)                            \
    do {                                     \
        if ((call) != napi_ok)               \
            return twat_napi_failed(env);    \
    } while (0)

/* --- args.c ---------------------------------------------------------------- */
bool twat_key(napi_env env, napi_value value, key_arg *key);
void twat_key_free(key_arg *key);
bool twat_view(napi_env env, napi_value value, const char *what, void **out_data, size_t *out_len);
bool twat_is(napi_env env, napi_value value, napi_valuetype expected);
bool twat_uint32(napi_env env, napi_value value, uint32_t *out);
bool twat_int64(napi_env env, napi_value value, int64_t *out);
bool twat_value(napi_env env, addon *self, napi_value value, const void **out, size_t *out_len);
bool twat_ttl(napi_env env, napi_value value, uint64_t *out_ttl);
bool twat_slices(napi_env env, napi_value array, slice_list *list);
void twat_slices_free(slice_list *list);
bool twat_lengths(napi_env env, napi_value value, size_t n, double **out);
bool twat_cut(napi_env env, const uint8_t *data, size_t len, const double *lengths, size_t n,
              twat_slice **out_slices);
napi_value twat_copy_of(napi_env env, twat_bytes *bytes);
napi_value twat_external_of(napi_env env, twat_bytes *bytes);

/* --- handle.c -------------------------------------------------------------- */
typedef struct function_row {
    const char *name;
    napi_callback callback;
} function_row;

addon *twat_addon(napi_env env);
napi_value twat_open(napi_env env, napi_callback_info info);
int32_t twat_handle_close(cache_handle *handle);
void twat_handle_ref(cache_handle *handle);
void twat_handle_unref(cache_handle *handle);
void twat_close_all(void *data);
bool twat_call(napi_env env, napi_callback_info info, size_t argc, napi_value *argv,
               cache_handle **out_handle);
bool twat_add_function(napi_env env, napi_value object, const function_row *row, void *data,
                       napi_finalize finalize);
bool twat_config_of(napi_env env, const char *engine, napi_value json, twat_config **out_config);

/* --- the tables of functions, one a file ----------------------------------- */
extern const function_row twat_cache_functions[];
extern const function_row twat_many_functions[];
extern const function_row twat_async_functions[];
napi_value twat_scan_open(napi_env env, napi_callback_info info);
napi_value twat_policy_open(napi_env env, napi_callback_info info);

#endif
