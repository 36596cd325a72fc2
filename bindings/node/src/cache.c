/* Calls over one key, and over the cache as a whole. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

typedef napi_value (*large_value)(napi_env, twat_bytes *);

static napi_value get_as(napi_env env, napi_callback_info info, size_t limit, large_value large)
{
    napi_value argv[1], result;
    cache_handle *handle;
    key_arg key;
    twat_bytes bytes = {0};
    if (!twat_call(env, info, 1, argv, &handle) || !twat_key(env, argv[0], &key))
        return NULL;
    int32_t status = twat_cache_get(handle->cache, key.data, key.len, &bytes);
    twat_key_free(&key);
    if (status < 0)
        return twat_throw_last(env, status);
    if (status != TWAT_OK) {
        TRY(napi_get_undefined(env, &result));
        return result;
    }
    if (bytes.len > limit)
        return large(env, &bytes);
    uint32_t n = (uint32_t)bytes.len;
    memcpy(handle->owner->result, bytes.data, n);
    twat_bytes_free(&bytes);
    TRY(napi_create_uint32(env, n, &result));
    return result;
}

/* get(key): undefined for a miss, the length of a value now in the buffer for
 * results, or a Buffer with what is larger. */
static napi_value get(napi_env env, napi_callback_info info)
{
    return get_as(env, info, RESULT_BYTES, twat_copy_of);
}

/* copy(key): the same for bytes that the caller keeps. */
static napi_value copy(napi_env env, napi_callback_info info)
{
    return get_as(env, info, KEPT_BYTES, twat_copy_of);
}

/* view(key): the same; what is larger is not copied and not to be written to. */
static napi_value view(napi_env env, napi_callback_info info)
{
    return get_as(env, info, KEPT_BYTES, twat_external_of);
}

/* set(key, value, ttl): value is bytes, or how many of the argument buffer. */
static napi_value set(napi_env env, napi_callback_info info)
{
    napi_value argv[3];
    cache_handle *handle;
    key_arg key;
    const void *value;
    size_t len;
    uint64_t ttl;
    if (!twat_call(env, info, 3, argv, &handle) || !twat_ttl(env, argv[2], &ttl) ||
        !twat_value(env, handle->owner, argv[1], &value, &len) ||
        !twat_key(env, argv[0], &key))
        return NULL;
    int32_t status = twat_cache_set(handle->cache, key.data, key.len, value, len, ttl);
    twat_key_free(&key);
    return status < 0 ? twat_throw_last(env, status) : NULL;
}

/* setWith(key, value, ttl, add, tags): false where add found an entry. */
static napi_value set_with(napi_env env, napi_callback_info info)
{
    napi_value argv[5];
    cache_handle *handle;
    key_arg key;
    slice_list tags;
    const void *value;
    size_t len;
    bool add = false;
    twat_set_options options = {.struct_size = sizeof options};
    if (!twat_call(env, info, 5, argv, &handle) || !twat_ttl(env, argv[2], &options.ttl_ms) ||
        !twat_value(env, handle->owner, argv[1], &value, &len))
        return NULL;
    TRY(napi_get_value_bool(env, argv[3], &add));
    if (!twat_slices(env, argv[4], &tags))
        return NULL;
    if (!twat_key(env, argv[0], &key)) {
        twat_slices_free(&tags);
        return NULL;
    }
    options.flags = add ? TWAT_SET_ADD : 0;
    options.tags = tags.slices;
    options.n_tags = tags.n;
    int32_t status = twat_cache_set_with(handle->cache, key.data, key.len, value, len, &options);
    twat_key_free(&key);
    twat_slices_free(&tags);
    return twat_bool_of(env, status);
}

typedef int32_t (*key_call)(twat_cache *, const void *, size_t);

static napi_value with_key(napi_env env, napi_callback_info info, key_call call)
{
    napi_value argv[1];
    cache_handle *handle;
    key_arg key;
    if (!twat_call(env, info, 1, argv, &handle) || !twat_key(env, argv[0], &key))
        return NULL;
    int32_t status = call(handle->cache, key.data, key.len);
    twat_key_free(&key);
    return twat_bool_of(env, status);
}

static napi_value delete_(napi_env env, napi_callback_info info)
{
    return with_key(env, info, twat_cache_delete);
}

static napi_value has(napi_env env, napi_callback_info info)
{
    return with_key(env, info, twat_cache_contains);
}

static napi_value evict(napi_env env, napi_callback_info info)
{
    return with_key(env, info, twat_cache_invalidate_tag);
}

static napi_value touch(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    cache_handle *handle;
    key_arg key;
    uint64_t ttl;
    if (!twat_call(env, info, 2, argv, &handle) || !twat_ttl(env, argv[1], &ttl) ||
        !twat_key(env, argv[0], &key))
        return NULL;
    int32_t status = twat_cache_touch(handle->cache, key.data, key.len, ttl);
    twat_key_free(&key);
    return twat_bool_of(env, status);
}

static napi_value len(napi_env env, napi_callback_info info)
{
    cache_handle *handle;
    uint64_t n = 0;
    if (!twat_call(env, info, 0, NULL, &handle))
        return NULL;
    int32_t status = twat_cache_len(handle->cache, &n);
    return twat_count_of(env, status, n);
}

/* incr(key, delta, initial, ttl): big integers in and out. */
static napi_value incr(napi_env env, napi_callback_info info)
{
    napi_value argv[4], result;
    cache_handle *handle;
    key_arg key;
    uint64_t ttl;
    int64_t delta, initial, value = 0;
    if (!twat_call(env, info, 4, argv, &handle))
        return NULL;
    if (!twat_int64(env, argv[1], &delta) || !twat_int64(env, argv[2], &initial))
        return NULL;
    if (!twat_ttl(env, argv[3], &ttl) || !twat_key(env, argv[0], &key))
        return NULL;
    int32_t status =
        twat_cache_incr(handle->cache, key.data, key.len, delta, initial, ttl, &value);
    twat_key_free(&key);
    if (status < 0)
        return twat_throw_last(env, status);
    TRY(napi_create_bigint_int64(env, value, &result));
    return result;
}

static napi_value expire(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    cache_handle *handle;
    uint64_t removed = 0;
    if (!twat_call(env, info, 1, argv, &handle))
        return NULL;
    int32_t status = twat_cache_expire(handle->cache, &removed);
    return twat_count_of(env, status, removed);
}

static napi_value whole(napi_env env, napi_callback_info info, int32_t (*call)(twat_cache *))
{
    napi_value argv[1];
    cache_handle *handle;
    if (!twat_call(env, info, 1, argv, &handle))
        return NULL;
    int32_t status = call(handle->cache);
    return status < 0 ? twat_throw_last(env, status) : NULL;
}

static napi_value clear(napi_env env, napi_callback_info info)
{
    return whole(env, info, twat_cache_clear);
}

static napi_value flush(napi_env env, napi_callback_info info)
{
    return whole(env, info, twat_cache_flush);
}

/* stats(out): fills a Float64Array in the order of twat_stats. */
static napi_value stats(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    cache_handle *handle;
    double *out;
    twat_stats s = {.struct_size = sizeof s};
    if (!twat_call(env, info, 1, argv, &handle) || !twat_lengths(env, argv[0], 13, &out))
        return NULL;
    int32_t status = twat_cache_stats(handle->cache, &s);
    if (status < 0)
        return twat_throw_last(env, status);
    const uint64_t all[13] = {s.hits,     s.misses,  s.sets,   s.deletes, s.evictions,
                              s.expirations, s.rejected, s.corrupt, s.errors,  s.entries,
                              s.bytes,    s.max_entries, s.max_bytes};
    for (size_t i = 0; i < 13; i++)
        out[i] = (double)all[i];
    return NULL;
}

static napi_value json_of(napi_env env, int32_t status, twat_bytes *json)
{
    napi_value result;
    if (status < 0)
        return twat_throw_last(env, status);
    napi_status made = napi_create_string_utf8(env, json->data, json->len, &result);
    twat_bytes_free(json);
    TRY(made);
    return result;
}

static napi_value info_(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    cache_handle *handle;
    twat_bytes json = {0};
    if (!twat_call(env, info, 1, argv, &handle))
        return NULL;
    int32_t status = twat_cache_info(handle->cache, &json);
    return json_of(env, status, &json);
}

static napi_value check(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    cache_handle *handle;
    bool repair = false;
    twat_bytes json = {0};
    if (!twat_call(env, info, 1, argv, &handle))
        return NULL;
    TRY(napi_get_value_bool(env, argv[0], &repair));
    int32_t status = twat_cache_check(handle->cache, repair, &json);
    return json_of(env, status, &json);
}

typedef int32_t (*file_call)(twat_cache *, const char *, uint64_t *);

static napi_value with_file(napi_env env, napi_callback_info info, file_call call)
{
    napi_value argv[1];
    cache_handle *handle;
    key_arg path;
    uint64_t n = 0;
    if (!twat_call(env, info, 1, argv, &handle) || !twat_key(env, argv[0], &path))
        return NULL;
    char *text = memchr(path.data, 0, path.len) ? NULL : malloc(path.len + 1);
    if (text) {
        memcpy(text, path.data, path.len);
        text[path.len] = 0;
    }
    twat_key_free(&path);
    if (!text)
        return twat_throw(env, TWAT_E_ARG, "path: expected a path without NUL");
    int32_t status = call(handle->cache, text, &n);
    free(text);
    return twat_count_of(env, status, n);
}

static napi_value export_(napi_env env, napi_callback_info info)
{
    return with_file(env, info, twat_cache_export);
}

static napi_value import_(napi_env env, napi_callback_info info)
{
    return with_file(env, info, twat_cache_import);
}

/* close(): once or more often. */
static napi_value close_(napi_env env, napi_callback_info info)
{
    void *data = NULL;
    TRY(napi_get_cb_info(env, info, NULL, NULL, NULL, &data));
    cache_handle *handle = data;
    if (!handle->cache)
        return NULL;
    int32_t status = twat_handle_close(handle);
    return status < 0 ? twat_throw_last(env, status) : NULL;
}

const function_row twat_cache_functions[] = {
    {"get", get},       {"copy", copy},   {"view", view},   {"set", set},     {"setWith", set_with},
    {"delete", delete_}, {"has", has},    {"evict", evict}, {"touch", touch}, {"incr", incr},
    {"expire", expire}, {"clear", clear}, {"flush", flush}, {"stats", stats}, {"info", info_},
    {"check", check},   {"export", export_}, {"import", import_}, {"close", close_}, {"len", len},
    {NULL, NULL},
};
