/* The module: what an environment gets when it loads the addon. */
#include "addon.h"

#include <stdlib.h>
#include <time.h>

static napi_value version(napi_env env, napi_callback_info info)
{
    napi_value result;
    (void)info;
    TRY(napi_create_string_utf8(env, twat_version_string(), NAPI_AUTO_LENGTH, &result));
    return result;
}

static napi_value set_error_class(napi_env env, napi_callback_info info)
{
    size_t argc = 1;
    napi_value argv[1];
    TRY(napi_get_cb_info(env, info, &argc, argv, NULL, NULL));
    twat_set_error_class(env, argv[0]);
    return NULL;
}

/* hash(bytes, out32): BLAKE3. */
static napi_value hash(napi_env env, napi_callback_info info)
{
    size_t argc = 2, len = 0, room = 0;
    napi_value argv[2];
    void *data, *out;
    TRY(napi_get_cb_info(env, info, &argc, argv, NULL, NULL));
    if (!twat_view(env, argv[0], "hash: expected bytes", &data, &len) ||
        !twat_view(env, argv[1], "hash: expected a buffer for the result", &out, &room))
        return NULL;
    if (room < TWAT_DIGEST_BYTES)
        return twat_throw(env, TWAT_E_ARG, "hash: expected room for 32 bytes");
    int32_t status = twat_hash(data, len, out);
    return status < 0 ? twat_throw_last(env, status) : NULL;
}

/* now(), tick(): the monotonic clock in milliseconds into the view `clock`.
 * now is exact; tick is what the kernel noted last, a few milliseconds old at
 * the most and several times cheaper. */
static napi_value clock_into(napi_env env, napi_callback_info info, clockid_t id)
{
    void *data = NULL;
    struct timespec now = {0};
    TRY(napi_get_cb_info(env, info, NULL, NULL, NULL, &data));
    addon *self = data;
    if (clock_gettime(id, &now) == 0)
        *self->clock = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
    return NULL;
}

static napi_value now(napi_env env, napi_callback_info info)
{
    return clock_into(env, info, CLOCK_MONOTONIC);
}

static napi_value tick(napi_env env, napi_callback_info info)
{
    return clock_into(env, info, CLOCK_MONOTONIC_COARSE);
}

/* One option as [name, type, default, range, engines, doc]. */
static bool option_row(napi_env env, const twat_option *option, napi_value *out)
{
    const char *texts[6] = {option->name,  option->type_name, option->default_value,
                            option->range, option->engines,   option->doc};
    napi_value text;
    if (napi_create_array_with_length(env, 6, out) != napi_ok)
        return false;
    for (uint32_t i = 0; i < 6; i++)
        if (napi_create_string_utf8(env, texts[i], NAPI_AUTO_LENGTH, &text) != napi_ok ||
            napi_set_element(env, *out, i, text) != napi_ok)
            return false;
    return true;
}

static napi_value options(napi_env env, napi_callback_info info)
{
    napi_value array, row;
    (void)info;
    TRY(napi_create_array(env, &array));
    for (size_t i = 0; i < twat_option_count(); i++) {
        twat_option option = {.struct_size = sizeof option};
        int32_t status = twat_option_info(i, &option);
        if (status < 0)
            return twat_throw_last(env, status);
        if (!option_row(env, &option, &row))
            return twat_napi_failed(env);
        TRY(napi_set_element(env, array, (uint32_t)i, row));
    }
    return array;
}

/* Runs after the hook that closed the caches, and after the finalizers that
 * can still reach this environment's data no more. */
static void addon_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    free(data);
}

static bool add_view(napi_env env, napi_value exports, napi_value memory, const char *name,
                     size_t offset, size_t len)
{
    napi_value view;
    return napi_create_typedarray(env, napi_uint8_array, len, memory, offset, &view) == napi_ok &&
           napi_set_named_property(env, exports, name, view) == napi_ok;
}

static bool share_memory(napi_env env, addon *self, napi_value exports)
{
    napi_value memory;
    void *data = NULL;
    if (napi_create_arraybuffer(env, CLOCK_AT + sizeof *self->clock, &data, &memory) != napi_ok ||
        napi_create_reference(env, memory, 1, &self->shared) != napi_ok)
        return false;
    self->result = data;
    self->argument = self->result + RESULT_BYTES;
    self->clock = (double *)(void *)(self->result + CLOCK_AT);
    return add_view(env, exports, memory, "result", 0, RESULT_BYTES) &&
           add_view(env, exports, memory, "argument", RESULT_BYTES, ARGUMENT_BYTES) &&
           add_view(env, exports, memory, "clock", CLOCK_AT, sizeof *self->clock);
}

static napi_value init(napi_env env, napi_value exports)
{
    static const function_row rows[] = {
        {"version", version}, {"setErrorClass", set_error_class}, {"hash", hash},
        {"options", options}, {"open", twat_open},                {"policy", twat_policy_open},
        {"now", now},         {"tick", tick},
    };
    addon *self = calloc(1, sizeof *self);
    if (!self)
        return twat_throw(env, TWAT_E_NOMEM, "no memory for the addon");
    if (napi_set_instance_data(env, self, addon_gone, NULL) != napi_ok) {
        free(self);
        return twat_napi_failed(env);
    }
    TRY(napi_add_env_cleanup_hook(env, twat_close_all, self));
    if (!share_memory(env, self, exports))
        return twat_napi_failed(env);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        napi_value function;
        TRY(napi_create_function(env, rows[i].name, NAPI_AUTO_LENGTH, rows[i].callback, self,
                                 &function));
        TRY(napi_set_named_property(env, exports, rows[i].name, function));
    }
    return exports;
}

NAPI_MODULE(twat_cache, init)
