/* Statuses of the core and of N-API as JavaScript errors. */
#include "addon.h"

/* An N-API call failed. If it left an exception, that one stands. */
napi_value twat_napi_failed(napi_env env)
{
    const napi_extended_error_info *info = NULL;
    bool pending = false;
    if (napi_get_last_error_info(env, &info) != napi_ok)
        info = NULL;
    const char *text = info && info->error_message ? info->error_message : "an N-API call failed";
    if (napi_is_exception_pending(env, &pending) != napi_ok || pending)
        return NULL;
    return twat_throw(env, TWAT_E_ARG, text);
}

static bool new_error(napi_env env, int32_t status, const char *text, napi_value *out_error)
{
    addon *self = twat_addon(env);
    napi_value error_class, argv[2];
    if (!self || !self->error_class)
        return false;
    return napi_get_reference_value(env, self->error_class, &error_class) == napi_ok &&
           error_class &&
           napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &argv[0]) == napi_ok &&
           napi_create_string_utf8(env, twat_status_name(status), NAPI_AUTO_LENGTH, &argv[1]) ==
               napi_ok &&
           napi_new_instance(env, error_class, 2, argv, out_error) == napi_ok;
}

/* Leaves `*out_error` NULL where the environment can make no error any more
 * (it is being torn down). */
void twat_make_error(napi_env env, int32_t status, const char *text, napi_value *out_error)
{
    napi_value code, message;
    *out_error = NULL;
    if (new_error(env, status, text, out_error))
        return;
    *out_error = NULL;
    if (napi_create_string_utf8(env, twat_status_name(status), NAPI_AUTO_LENGTH, &code) == napi_ok &&
        napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) == napi_ok &&
        napi_create_error(env, code, message, out_error) != napi_ok)
        *out_error = NULL;
}

napi_value twat_throw(napi_env env, int32_t status, const char *text)
{
    napi_value error;
    bool pending = false;
    twat_make_error(env, status, text, &error);
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending)
        return NULL;
    if (!error || napi_throw(env, error) != napi_ok)
        (void)napi_throw_error(env, twat_status_name(status), text);
    return NULL;
}

napi_value twat_throw_last(napi_env env, int32_t status)
{
    return twat_throw(env, status, twat_last_error());
}

napi_value twat_bool_of(napi_env env, int32_t status)
{
    napi_value result;
    if (status < 0)
        return twat_throw_last(env, status);
    TRY(napi_get_boolean(env, status == TWAT_OK, &result));
    return result;
}

void twat_set_error_class(napi_env env, napi_value error_class)
{
    addon *self = twat_addon(env);
    if (!self)
        return;
    if (self->error_class && napi_delete_reference(env, self->error_class) != napi_ok)
        (void)twat_napi_failed(env);
    self->error_class = NULL;
    if (napi_create_reference(env, error_class, 1, &self->error_class) != napi_ok)
        (void)twat_napi_failed(env);
}

/* A status as a call that counts returns it. */
napi_value twat_count_of(napi_env env, int32_t status, uint64_t n)
{
    napi_value result;
    if (status < 0)
        return twat_throw_last(env, status);
    TRY(napi_create_double(env, (double)n, &result));
    return result;
}
