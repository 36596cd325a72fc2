/* Arguments: strings and typed arrays as bytes, times, lists. */
#include "addon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_UNITS = 512 };

/* Narrows UTF-16 to UTF-8; `out` has room for 3 bytes a unit. Returns the
 * length, or SIZE_MAX at a lone surrogate: written as U+FFFD, two different
 * keys would be one. */
static size_t narrow(const char16_t *in, size_t n, uint8_t *out)
{
    size_t i = 0, at = 0;
    while (i < n) {
        uint64_t four;
        while (i + 4 <= n) {
            memcpy(&four, in + i, sizeof four);
            if (four & UINT64_C(0xff80ff80ff80ff80))
                break;
            out[at] = (uint8_t)in[i];
            out[at + 1] = (uint8_t)in[i + 1];
            out[at + 2] = (uint8_t)in[i + 2];
            out[at + 3] = (uint8_t)in[i + 3];
            i += 4;
            at += 4;
        }
        if (i == n)
            break;
        uint32_t c = in[i++];
        if (c < 0x80) {
            out[at++] = (uint8_t)c;
        } else if (c < 0x800) {
            out[at++] = (uint8_t)(0xc0 | c >> 6);
            out[at++] = (uint8_t)(0x80 | (c & 0x3f));
        } else if (c < 0xd800 || c > 0xdfff) {
            out[at++] = (uint8_t)(0xe0 | c >> 12);
            out[at++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
            out[at++] = (uint8_t)(0x80 | (c & 0x3f));
        } else {
            if (c > 0xdbff || i == n || in[i] < 0xdc00 || in[i] > 0xdfff)
                return SIZE_MAX;
            c = 0x10000 + ((c & 0x3ff) << 10) + (in[i++] & 0x3ff);
            out[at++] = (uint8_t)(0xf0 | c >> 18);
            out[at++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
            out[at++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
            out[at++] = (uint8_t)(0x80 | (c & 0x3f));
        }
    }
    return at;
}

/* The whole of a string that did not fit the buffer on the stack. */
static bool long_string(napi_env env, napi_value value, char16_t **out_units, size_t *out_n)
{
    size_t n = 0;
    if (napi_get_value_string_utf16(env, value, NULL, 0, &n) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    char16_t *units = malloc((n + 1) * sizeof *units);
    if (!units) {
        (void)twat_throw(env, TWAT_E_NOMEM, "no memory for a key");
        return false;
    }
    if (napi_get_value_string_utf16(env, value, units, n + 1, out_n) != napi_ok) {
        free(units);
        (void)twat_napi_failed(env);
        return false;
    }
    *out_units = units;
    return true;
}

static bool string_key(napi_env env, napi_value value, const char16_t *units, size_t n, key_arg *key)
{
    char16_t *whole = NULL;
    bool done = false;
    if (n == KEY_UNITS - 1) {
        if (!long_string(env, value, &whole, &n))
            return false;
        units = whole;
    }
    uint8_t *out = key->small;
    if (n * 3 > sizeof key->small) {
        out = key->heap = malloc(n * 3);
        if (!out)
            (void)twat_throw(env, TWAT_E_NOMEM, "no memory for a key");
    }
    if (out) {
        key->data = out;
        key->len = narrow(units, n, out);
        done = key->len != SIZE_MAX;
        if (!done) {
            twat_key_free(key);
            (void)twat_throw(env, TWAT_E_ARG,
                             "key: expected well-formed text, found a lone surrogate");
        }
    }
    free(whole);
    return done;
}

/* A key from a string or a typed array. On failure an exception is pending
 * and nothing has to be freed. */
bool twat_key(napi_env env, napi_value value, key_arg *key)
{
    char16_t units[KEY_UNITS];
    size_t n = 0;
    void *data = NULL;
    key->heap = NULL;
    if (twat_is(env, value, napi_string)) {
        if (napi_get_value_string_utf16(env, value, units, KEY_UNITS, &n) == napi_ok)
            return string_key(env, value, units, n, key);
        (void)twat_napi_failed(env);
        return false;
    }
    if (!twat_view(env, value, "key: expected a string or bytes", &data, &key->len))
        return false;
    key->data = data;
    return true;
}

void twat_key_free(key_arg *key)
{
    free(key->heap);
    key->heap = NULL;
}

/* The bytes of a typed array or Buffer. */
bool twat_view(napi_env env, napi_value value, const char *what, void **out_data, size_t *out_len)
{
    bool is_view = false;
    if (napi_is_buffer(env, value, &is_view) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    if (!is_view) {
        (void)twat_throw(env, TWAT_E_ARG, what);
        return false;
    }
    if (napi_get_buffer_info(env, value, out_data, out_len) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    return true;
}

/* Whether a value is of a type. Asked before a value is read: a host may
 * convert what it reads (Deno answers 0 for an object read as a number). */
bool twat_is(napi_env env, napi_value value, napi_valuetype expected)
{
    napi_valuetype type;
    return napi_typeof(env, value, &type) == napi_ok && type == expected;
}

bool twat_uint32(napi_env env, napi_value value, uint32_t *out)
{
    return twat_is(env, value, napi_number) && napi_get_value_uint32(env, value, out) == napi_ok;
}

/* A BigInt of 64 bits. */
bool twat_int64(napi_env env, napi_value value, int64_t *out)
{
    bool whole = false;
    if (twat_is(env, value, napi_bigint) &&
        napi_get_value_bigint_int64(env, value, out, &whole) == napi_ok && whole)
        return true;
    (void)twat_throw(env, TWAT_E_ARG, "counter: expected integers of 64 bits");
    return false;
}

/* A value: a number is so many bytes of the buffer for arguments. */
bool twat_value(napi_env env, addon *self, napi_value value, const void **out, size_t *out_len)
{
    uint32_t n = 0;
    void *data = NULL;
    if (self && twat_uint32(env, value, &n) && n <= ARGUMENT_BYTES) {
        *out = self->argument;
        *out_len = n;
        return true;
    }
    if (!twat_view(env, value, "value: expected bytes", &data, out_len))
        return false;
    *out = data;
    return true;
}

/* Milliseconds: 0 is the cache's own, Infinity is never. */
bool twat_ttl(napi_env env, napi_value value, uint64_t *out_ttl)
{
    double ms = -1;
    if (!twat_is(env, value, napi_number) || napi_get_value_double(env, value, &ms) != napi_ok ||
        isnan(ms) || ms < 0) {
        (void)twat_throw(env, TWAT_E_ARG, "ttl: expected milliseconds from 0");
        return false;
    }
    *out_ttl = ms >= 0x1p63 ? TWAT_TTL_NEVER : (uint64_t)ceil(ms);
    return true;
}

static bool append(napi_env env, slice_list *list, size_t *used, size_t *room, const key_arg *key)
{
    if (*used + key->len > *room) {
        size_t more = (*used + key->len) * 2 + 256;
        uint8_t *grown = realloc(list->arena, more);
        if (!grown) {
            (void)twat_throw(env, TWAT_E_NOMEM, "no memory for keys");
            return false;
        }
        list->arena = grown;
        *room = more;
    }
    if (key->len)
        memcpy(list->arena + *used, key->data, key->len);
    list->slices[list->n++].len = key->len;
    *used += key->len;
    return true;
}

static bool one_element(napi_env env, napi_value array, uint32_t i, slice_list *list, size_t *used,
                        size_t *room)
{
    napi_handle_scope scope;
    napi_value element;
    key_arg key;
    bool done = false;
    if (napi_open_handle_scope(env, &scope) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    if (napi_get_element(env, array, i, &element) != napi_ok) {
        (void)twat_napi_failed(env);
    } else if (twat_key(env, element, &key)) {
        done = append(env, list, used, room, &key);
        twat_key_free(&key);
    }
    if (napi_close_handle_scope(env, scope) != napi_ok && done) {
        (void)twat_napi_failed(env);
        done = false;
    }
    return done;
}

/* Copies an array of strings and bytes. On failure nothing has to be freed. */
bool twat_slices(napi_env env, napi_value array, slice_list *list)
{
    uint32_t n = 0;
    size_t used = 0, room = 0;
    *list = (slice_list){0};
    if (napi_get_array_length(env, array, &n) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    list->slices = calloc(n ? n : 1, sizeof *list->slices);
    if (!list->slices) {
        (void)twat_throw(env, TWAT_E_NOMEM, "no memory for keys");
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!one_element(env, array, i, list, &used, &room)) {
            twat_slices_free(list);
            return false;
        }
    }
    /* The arena moves while it grows, so pointers are set at the end. */
    size_t at = 0;
    for (size_t i = 0; i < list->n; i++) {
        list->slices[i].data = list->slices[i].len ? list->arena + at : NULL;
        at += list->slices[i].len;
    }
    return true;
}

void twat_slices_free(slice_list *list)
{
    free(list->slices);
    free(list->arena);
    *list = (slice_list){0};
}

/* A Float64Array with room for n numbers. */
bool twat_lengths(napi_env env, napi_value value, size_t n, double **out)
{
    napi_typedarray_type type;
    size_t len = 0;
    void *data = NULL;
    bool is_typed = false;
    if (napi_is_typedarray(env, value, &is_typed) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    if (is_typed && napi_get_typedarray_info(env, value, &type, &len, &data, NULL, NULL) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    if (!is_typed || type != napi_float64_array || len < n) {
        (void)twat_throw(env, TWAT_E_ARG, "lengths: expected a Float64Array with one number a key");
        return false;
    }
    *out = data;
    return true;
}

/* Cuts one block of bytes into n slices. */
bool twat_cut(napi_env env, const uint8_t *data, size_t len, const double *lengths, size_t n,
              twat_slice **out_slices)
{
    twat_slice *slices = calloc(n ? n : 1, sizeof *slices);
    size_t at = 0;
    if (!slices) {
        (void)twat_throw(env, TWAT_E_NOMEM, "no memory for values");
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!(lengths[i] >= 0) || lengths[i] > (double)(len - at)) {
            free(slices);
            (void)twat_throw(env, TWAT_E_ARG, "lengths: expected no more than the bytes given");
            return false;
        }
        slices[i].data = data + at;
        slices[i].len = (size_t)lengths[i];
        at += slices[i].len;
    }
    *out_slices = slices;
    return true;
}

static void free_external(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)data;
    twat_bytes_free(hint);
    free(hint);
}

/* A Buffer with a copy of the bytes. `bytes` is released. */
napi_value twat_copy_of(napi_env env, twat_bytes *bytes)
{
    napi_value buffer;
    napi_status status = napi_create_buffer_copy(env, bytes->len, bytes->data, NULL, &buffer);
    twat_bytes_free(bytes);
    TRY(status);
    return buffer;
}

/* A Buffer over the library's own bytes where the host allows it, else a copy.
 * Node runs finalizers in a turn of the event loop of their own: until then
 * the bytes are held, however often the collector has run. So this is only for
 * those who ask for it. `bytes` is released in any case. */
napi_value twat_external_of(napi_env env, twat_bytes *bytes)
{
    napi_value buffer = NULL;
    twat_bytes *kept = malloc(sizeof *kept);
    if (kept) {
        *kept = *bytes;
        napi_status status = napi_create_external_buffer(env, kept->len, (void *)kept->data,
                                                         free_external, kept, &buffer);
        if (status == napi_ok)
            return buffer;
        free(kept);
    }
    /* No memory, or a host that forbids external buffers (Electron). */
    return twat_copy_of(env, bytes);
}
