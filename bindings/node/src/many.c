/* Calls over many keys, and walks. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

/* Values one after the other in one Buffer; lengths[i] is -1 for a miss. */
static napi_value joined(napi_env env, twat_bytes *values, size_t n, double *lengths)
{
    napi_value buffer = NULL;
    void *data = NULL;
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += values[i].len;
    napi_status status = napi_create_buffer(env, total, &data, &buffer);
    uint8_t *at = data;
    for (size_t i = 0; i < n; i++) {
        lengths[i] = values[i].data ? (double)values[i].len : -1;
        if (status == napi_ok && values[i].len) {
            memcpy(at, values[i].data, values[i].len);
            at += values[i].len;
        }
        twat_bytes_free(&values[i]);
    }
    TRY(status);
    return buffer;
}

/* getMany(keys, lengths) */
static napi_value get_many(napi_env env, napi_callback_info info)
{
    napi_value argv[2], result = NULL;
    cache_handle *handle;
    slice_list keys;
    double *lengths;
    if (!twat_call(env, info, 2, argv, &handle) || !twat_slices(env, argv[0], &keys))
        return NULL;
    twat_bytes *values = NULL;
    if (twat_lengths(env, argv[1], keys.n, &lengths)) {
        values = calloc(keys.n ? keys.n : 1, sizeof *values);
        if (!values)
            (void)twat_throw(env, TWAT_E_NOMEM, "no memory for values");
    }
    if (values) {
        int32_t status = twat_cache_get_many(handle->cache, keys.slices, keys.n, values);
        result = status < 0 ? twat_throw_last(env, status) : joined(env, values, keys.n, lengths);
    }
    free(values);
    twat_slices_free(&keys);
    return result;
}

/* setMany(keys, block, lengths, ttl, tags): the values lie in one block. */
static napi_value set_many(napi_env env, napi_callback_info info)
{
    napi_value argv[5];
    cache_handle *handle;
    slice_list keys, tags;
    twat_slice *values = NULL;
    double *lengths;
    void *block;
    size_t len;
    int32_t status = TWAT_OK;
    twat_set_options options = {.struct_size = sizeof options};
    if (!twat_call(env, info, 5, argv, &handle) || !twat_ttl(env, argv[3], &options.ttl_ms) ||
        !twat_slices(env, argv[0], &keys))
        return NULL;
    if (twat_slices(env, argv[4], &tags)) {
        if (twat_view(env, argv[1], "values: expected bytes", &block, &len) &&
            twat_lengths(env, argv[2], keys.n, &lengths) &&
            twat_cut(env, block, len, lengths, keys.n, &values)) {
            options.tags = tags.slices;
            options.n_tags = tags.n;
            status = twat_cache_set_many(handle->cache, keys.slices, values, keys.n, &options);
            free(values);
        }
        twat_slices_free(&tags);
    }
    twat_slices_free(&keys);
    return status < 0 ? twat_throw_last(env, status) : NULL;
}

static napi_value delete_many(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    cache_handle *handle;
    slice_list keys;
    uint64_t n = 0;
    if (!twat_call(env, info, 1, argv, &handle) || !twat_slices(env, argv[0], &keys))
        return NULL;
    int32_t status = twat_cache_delete_many(handle->cache, keys.slices, keys.n, &n);
    twat_slices_free(&keys);
    return twat_count_of(env, status, n);
}

static napi_value delete_prefix(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    cache_handle *handle;
    key_arg prefix;
    uint64_t n = 0;
    if (!twat_call(env, info, 1, argv, &handle) || !twat_key(env, argv[0], &prefix))
        return NULL;
    int32_t status = twat_cache_delete_prefix(handle->cache, prefix.data, prefix.len, &n);
    twat_key_free(&prefix);
    return twat_count_of(env, status, n);
}

/* One key of a walk as a Buffer; false at the end or with an exception. */
static bool step(napi_env env, twat_scan *scan, napi_value array, uint32_t at)
{
    twat_bytes key = {0};
    napi_value buffer;
    int32_t status = twat_scan_next(scan, &key);
    if (status < 0)
        (void)twat_throw_last(env, status);
    if (status != TWAT_OK)
        return false;
    napi_status made = napi_create_buffer_copy(env, key.len, key.data, NULL, &buffer);
    twat_bytes_free(&key);
    if (made != napi_ok || napi_set_element(env, array, at, buffer) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    return true;
}

/* next(): some more keys; none at the end. The walk does not keep the cache
 * open, so this does not look at the handle. */
static napi_value scan_next(napi_env env, napi_callback_info info)
{
    void *scan = NULL;
    napi_value array;
    bool pending = false;
    TRY(napi_get_cb_info(env, info, NULL, NULL, NULL, &scan));
    TRY(napi_create_array(env, &array));
    for (uint32_t i = 0; i < 64; i++)
        if (!step(env, scan, array, i))
            break;
    TRY(napi_is_exception_pending(env, &pending));
    return pending ? NULL : array;
}

static void scan_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    twat_scan_free(data);
}

/* scan(prefix): an object with next(). */
static napi_value scan(napi_env env, napi_callback_info info)
{
    static const function_row next = {"next", scan_next};
    napi_value argv[1], object;
    cache_handle *handle;
    key_arg prefix;
    twat_scan *walk = NULL;
    TRY(napi_create_object(env, &object));
    if (!twat_call(env, info, 1, argv, &handle) || !twat_key(env, argv[0], &prefix))
        return NULL;
    int32_t status = twat_cache_scan(handle->cache, prefix.data, prefix.len, &walk);
    twat_key_free(&prefix);
    if (status < 0)
        return twat_throw_last(env, status);
    return twat_add_function(env, object, &next, walk, scan_gone) ? object : NULL;
}

const function_row twat_many_functions[] = {
    {"getMany", get_many},   {"setMany", set_many},
    {"deleteMany", delete_many}, {"deletePrefix", delete_prefix},
    {"scan", scan},          {NULL, NULL},
};
