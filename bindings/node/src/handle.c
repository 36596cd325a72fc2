/* The life of a cache in JavaScript: opened, shared by its functions, closed
 * by call, by the collector or with the environment. */
#include "addon.h"

#include <stdlib.h>

addon *twat_addon(napi_env env)
{
    void *data = NULL;
    return napi_get_instance_data(env, &data) == napi_ok ? data : NULL;
}

static void link_open(addon *self, cache_handle *handle)
{
    handle->owner = self;
    handle->next = self->open;
    if (self->open)
        self->open->prev = handle;
    self->open = handle;
}

static void unlink_open(cache_handle *handle)
{
    if (!handle->owner)
        return;
    if (handle->prev)
        handle->prev->next = handle->next;
    else
        handle->owner->open = handle->next;
    if (handle->next)
        handle->next->prev = handle->prev;
    handle->prev = handle->next = NULL;
    handle->owner = NULL;
}

/* Waits for async work that still uses the cache (it runs on libuv's pool,
 * not on this thread), then closes it. Closing twice does nothing. */
int32_t twat_handle_close(cache_handle *handle)
{
    twat_cache *cache = handle->cache;
    pthread_mutex_lock(&handle->lock);
    while (handle->running)
        pthread_cond_wait(&handle->idle, &handle->lock);
    handle->cache = NULL;
    pthread_mutex_unlock(&handle->lock);
    unlink_open(handle);
    return twat_cache_close(cache);
}

void twat_handle_ref(cache_handle *handle)
{
    handle->refs++;
}

void twat_handle_unref(cache_handle *handle)
{
    if (--handle->refs)
        return;
    /* Nobody is left to be told of a failed last flush. */
    (void)twat_handle_close(handle);
    pthread_cond_destroy(&handle->idle);
    pthread_mutex_destroy(&handle->lock);
    free(handle);
}

/* The hook that runs when the environment ends: a worker that is terminated,
 * or the process. The handles themselves go with their functions. */
void twat_close_all(void *data)
{
    addon *self = data;
    while (self->open)
        (void)twat_handle_close(self->open);
}

static void function_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    twat_handle_unref(data);
}

/* Adds a function bound to `data`. `finalize` runs exactly once: when the
 * function is collected, or here if it never came to be. */
bool twat_add_function(napi_env env, napi_value object, const function_row *row, void *data,
                       napi_finalize finalize)
{
    napi_value function;
    if (napi_create_function(env, row->name, NAPI_AUTO_LENGTH, row->callback, data, &function) !=
            napi_ok ||
        napi_add_finalizer(env, function, data, finalize, NULL, NULL) != napi_ok) {
        (void)twat_napi_failed(env);
        finalize(env, data, NULL);
        return false;
    }
    if (napi_set_named_property(env, object, row->name, function) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    return true;
}

static bool add_table(napi_env env, napi_value object, const function_row *rows, cache_handle *handle)
{
    for (; rows->name; rows++) {
        twat_handle_ref(handle);
        if (!twat_add_function(env, object, rows, handle, function_gone))
            return false;
    }
    return true;
}

/* A configuration of `engine` (which the JSON may override). */
bool twat_config_of(napi_env env, const char *engine, napi_value json, twat_config **out_config)
{
    void *data = NULL;
    size_t len = 0;
    twat_config *config = NULL;
    if (!twat_view(env, json, "configuration: expected JSON as bytes", &data, &len))
        return false;
    int32_t status = twat_config_new(engine, &config);
    if (status == TWAT_OK)
        status = twat_config_load(config, data, len);
    if (status < 0) {
        (void)twat_throw_last(env, status);
        twat_config_free(config);
        return false;
    }
    *out_config = config;
    return true;
}

static cache_handle *new_handle(twat_cache *cache)
{
    cache_handle *handle = calloc(1, sizeof *handle);
    if (!handle)
        return NULL;
    if (pthread_mutex_init(&handle->lock, NULL) != 0) {
        free(handle);
        return NULL;
    }
    if (pthread_cond_init(&handle->idle, NULL) != 0) {
        pthread_mutex_destroy(&handle->lock);
        free(handle);
        return NULL;
    }
    handle->cache = cache;
    return handle;
}

/* open(json): an object of functions, all bound to one cache. */
napi_value twat_open(napi_env env, napi_callback_info info)
{
    size_t argc = 1;
    napi_value argv[1], object;
    twat_config *config = NULL;
    twat_cache *cache = NULL;
    addon *self = twat_addon(env);
    TRY(napi_get_cb_info(env, info, &argc, argv, NULL, NULL));
    TRY(napi_create_object(env, &object));
    if (!self || !twat_config_of(env, "auto", argv[0], &config))
        return NULL;
    int32_t status = twat_cache_open(config, &cache);
    twat_config_free(config);
    if (status < 0)
        return twat_throw_last(env, status);
    cache_handle *handle = new_handle(cache);
    if (!handle) {
        (void)twat_cache_close(cache);
        return twat_throw(env, TWAT_E_NOMEM, "no memory for a cache");
    }
    link_open(self, handle);
    twat_handle_ref(handle);
    bool done = add_table(env, object, twat_cache_functions, handle) &&
                add_table(env, object, twat_many_functions, handle) &&
                add_table(env, object, twat_async_functions, handle);
    twat_handle_unref(handle);
    return done ? object : NULL;
}

/* The arguments (absent ones are undefined) and the open cache of a call;
 * false with a pending exception where either cannot be had. */
bool twat_call(napi_env env, napi_callback_info info, size_t argc, napi_value *argv,
               cache_handle **out_handle)
{
    void *data = NULL;
    if (napi_get_cb_info(env, info, &argc, argv, NULL, &data) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    *out_handle = data;
    if (!(*out_handle)->cache) {
        (void)twat_throw(env, TWAT_E_CLOSED, "the cache is closed");
        return false;
    }
    return true;
}
