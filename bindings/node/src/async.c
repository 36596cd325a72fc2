/* Calls that may block, on libuv's pool. Arguments are copied before, the
 * error text on the worker (it is per thread), and the cache stays open until
 * the worker is done with it. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

/* lib/twins.js has the same numbers. Those up to OP_DELETE_PREFIX take one key. */
enum op {
    OP_GET,
    OP_SET,
    OP_DELETE,
    OP_HAS,
    OP_TOUCH,
    OP_INVALIDATE_TAG,
    OP_INCR,
    OP_DELETE_PREFIX,
    OP_CLEAR,
    OP_FLUSH,
    OP_GET_MANY,
    OP_SET_MANY,
    OP_DELETE_MANY
};

typedef struct job {
    cache_handle *handle;
    napi_async_work work;
    napi_deferred deferred;
    enum op op;
    slice_list keys, tags;
    uint8_t *block; /* values, one after the other */
    twat_slice *values;
    uint64_t ttl;
    bool add;
    int64_t delta, initial, sum;
    int32_t status;
    char text[ERROR_TEXT];
    twat_bytes *found;
    uint64_t count;
} job;

static void job_free(job *job)
{
    if (job->found)
        for (size_t i = 0; i < job->keys.n; i++)
            twat_bytes_free(&job->found[i]);
    free(job->found);
    free(job->values);
    free(job->block);
    twat_slices_free(&job->keys);
    twat_slices_free(&job->tags);
    free(job);
}

static int32_t run(job *job)
{
    twat_cache *cache = job->handle->cache;
    const twat_slice *key = job->keys.slices;
    twat_set_options options = {.struct_size = sizeof options,
                                .ttl_ms = job->ttl,
                                .flags = job->add ? TWAT_SET_ADD : 0,
                                .tags = job->tags.slices,
                                .n_tags = job->tags.n};
    switch (job->op) {
    case OP_GET:
        return twat_cache_get(cache, key->data, key->len, job->found);
    case OP_SET:
        return twat_cache_set_with(cache, key->data, key->len, job->values->data,
                                   job->values->len, &options);
    case OP_DELETE:
        return twat_cache_delete(cache, key->data, key->len);
    case OP_HAS:
        return twat_cache_contains(cache, key->data, key->len);
    case OP_TOUCH:
        return twat_cache_touch(cache, key->data, key->len, job->ttl);
    case OP_INVALIDATE_TAG:
        return twat_cache_invalidate_tag(cache, key->data, key->len);
    case OP_INCR:
        return twat_cache_incr(cache, key->data, key->len, job->delta, job->initial, job->ttl,
                               &job->sum);
    case OP_CLEAR:
        return twat_cache_clear(cache);
    case OP_FLUSH:
        return twat_cache_flush(cache);
    case OP_GET_MANY:
        return twat_cache_get_many(cache, key, job->keys.n, job->found);
    case OP_SET_MANY:
        return twat_cache_set_many(cache, key, job->values, job->keys.n, &options);
    case OP_DELETE_MANY:
        return twat_cache_delete_many(cache, key, job->keys.n, &job->count);
    case OP_DELETE_PREFIX:
        return twat_cache_delete_prefix(cache, key->data, key->len, &job->count);
    }
    return TWAT_E_UNSUPPORTED;
}

/* The last touch of the cache by this job. */
static void done_with_cache(cache_handle *handle)
{
    pthread_mutex_lock(&handle->lock);
    if (--handle->running == 0)
        pthread_cond_broadcast(&handle->idle);
    pthread_mutex_unlock(&handle->lock);
}

static void execute(napi_env env, void *data)
{
    (void)env;
    job *job = data;
    job->status = run(job);
    if (job->status < 0)
        strncpy(job->text, twat_last_error(), sizeof job->text - 1);
    done_with_cache(job->handle);
}

static napi_status value_of(napi_env env, twat_bytes *bytes, napi_value *out)
{
    if (!bytes->data)
        return napi_get_undefined(env, out);
    return napi_create_buffer_copy(env, bytes->len, bytes->data, NULL, out);
}

static napi_status values_of(napi_env env, job *job, napi_value *out)
{
    napi_value one;
    napi_status status = napi_create_array_with_length(env, job->keys.n, out);
    for (size_t i = 0; status == napi_ok && i < job->keys.n; i++) {
        status = value_of(env, &job->found[i], &one);
        if (status == napi_ok)
            status = napi_set_element(env, *out, (uint32_t)i, one);
    }
    return status;
}

static napi_status result_of(napi_env env, job *job, napi_value *out)
{
    switch (job->op) {
    case OP_GET:
        return value_of(env, job->found, out);
    case OP_GET_MANY:
        return values_of(env, job, out);
    case OP_DELETE_MANY:
    case OP_DELETE_PREFIX:
        return napi_create_double(env, (double)job->count, out);
    case OP_INCR:
        return napi_create_bigint_int64(env, job->sum, out);
    case OP_SET:
    case OP_DELETE:
    case OP_HAS:
    case OP_TOUCH:
    case OP_INVALIDATE_TAG:
        return napi_get_boolean(env, job->status == TWAT_OK, out);
    default:
        return napi_get_undefined(env, out);
    }
}

/* On the JavaScript thread. While an environment is torn down nothing can be
 * told any more, and the promise with its waiters is gone as well. */
static void settle(napi_env env, job *job)
{
    napi_value value = NULL;
    bool pending = false;
    if (job->status >= 0 && result_of(env, job, &value) == napi_ok) {
        (void)napi_resolve_deferred(env, job->deferred, value);
        return;
    }
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending)
        (void)napi_get_and_clear_last_exception(env, &value);
    else
        twat_make_error(env, job->status < 0 ? job->status : TWAT_E_NOMEM,
                        job->status < 0 ? job->text : "no memory for a value", &value);
    if (value)
        (void)napi_reject_deferred(env, job->deferred, value);
}

static void complete(napi_env env, napi_status status, void *data)
{
    job *job = data;
    if (status != napi_ok) {
        /* It never ran: only its environment's end cancels work. */
        job->status = TWAT_E_CLOSED;
        strcpy(job->text, "the cache was closed before the call ran");
        done_with_cache(job->handle);
    }
    settle(env, job);
    (void)napi_delete_async_work(env, job->work);
    twat_handle_unref(job->handle);
    job_free(job);
}

static bool copy_values(napi_env env, job *job, napi_value block, napi_value lengths)
{
    void *data;
    double *sizes;
    size_t len;
    if (!twat_view(env, block, "value: expected bytes", &data, &len) ||
        !twat_lengths(env, lengths, job->keys.n, &sizes))
        return false;
    job->block = malloc(len ? len : 1);
    if (!job->block) {
        (void)twat_throw(env, TWAT_E_NOMEM, "no memory for a value");
        return false;
    }
    if (len)
        memcpy(job->block, data, len);
    return twat_cut(env, job->block, len, sizes, job->keys.n, &job->values);
}

static bool needs_key(enum op op)
{
    return op <= OP_DELETE_PREFIX;
}

/* Everything that can fail before the job is queued. */
static bool prepare(napi_env env, job *job, napi_value *argv)
{
    if (!twat_slices(env, argv[1], &job->keys))
        return false;
    if (needs_key(job->op) && job->keys.n != 1) {
        (void)twat_throw(env, TWAT_E_ARG, "expected one key");
        return false;
    }
    if (job->op == OP_GET || job->op == OP_GET_MANY) {
        job->found = calloc(job->keys.n ? job->keys.n : 1, sizeof *job->found);
        if (!job->found)
            (void)twat_throw(env, TWAT_E_NOMEM, "no memory for values");
        return job->found;
    }
    if (job->op == OP_TOUCH)
        return twat_ttl(env, argv[4], &job->ttl);
    if (job->op == OP_INCR)
        return twat_int64(env, argv[7], &job->delta) && twat_int64(env, argv[8], &job->initial) &&
               twat_ttl(env, argv[4], &job->ttl);
    if (job->op != OP_SET && job->op != OP_SET_MANY)
        return true;
    if (!copy_values(env, job, argv[2], argv[3]) || !twat_ttl(env, argv[4], &job->ttl))
        return false;
    if (napi_get_value_bool(env, argv[5], &job->add) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    return twat_slices(env, argv[6], &job->tags);
}

static bool queue(napi_env env, job *job, napi_value *out_promise)
{
    napi_value name;
    if (napi_create_string_utf8(env, "twat-cache", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_async_work(env, NULL, name, execute, complete, job, &job->work) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    if (napi_create_promise(env, &job->deferred, out_promise) != napi_ok) {
        (void)twat_napi_failed(env);
        (void)napi_delete_async_work(env, job->work);
        return false;
    }
    pthread_mutex_lock(&job->handle->lock);
    job->handle->running++;
    pthread_mutex_unlock(&job->handle->lock);
    if (napi_queue_async_work(env, job->work) != napi_ok) {
        (void)twat_napi_failed(env);
        done_with_cache(job->handle);
        (void)napi_delete_async_work(env, job->work);
        return false;
    }
    return true;
}

/* async(op, keys, block, lengths, ttl, add, tags, delta, initial): a promise. */
static napi_value async_(napi_env env, napi_callback_info info)
{
    napi_value argv[9], promise;
    cache_handle *handle;
    uint32_t op = 0;
    if (!twat_call(env, info, 9, argv, &handle))
        return NULL;
    if (!twat_uint32(env, argv[0], &op))
        return twat_throw(env, TWAT_E_ARG, "async: expected the number of an operation");
    if (op > OP_DELETE_MANY)
        return twat_throw(env, TWAT_E_ARG, "async: unknown operation");
    job *job = calloc(1, sizeof *job);
    if (!job)
        return twat_throw(env, TWAT_E_NOMEM, "no memory for a call");
    job->handle = handle;
    job->op = (enum op)op;
    if (!prepare(env, job, argv) || !queue(env, job, &promise)) {
        job_free(job);
        return NULL;
    }
    twat_handle_ref(handle);
    return promise;
}

const function_row twat_async_functions[] = {
    {"async", async_},
    {NULL, NULL},
};
