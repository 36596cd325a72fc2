/* The eviction order for objects that stay in JavaScript. There an entry is
 * known by the index of its slot, the low 32 bits; the whole slot, with its
 * generation, is kept here. An index in the log is never one that was given
 * to another entry meanwhile: only an insertion gives one away, and it hands
 * the log over first. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

typedef struct policy_handle {
    twat_policy *policy;
    size_t refs;
    uint64_t *slots; /* by index */
    size_t n_slots;
    uint64_t *scratch; /* a log as whole slots */
    size_t n_scratch;
    /* Where only the last hit of an entry matters (lru, mru): the hand-over
     * in which an index was seen last, so that a log full of the same entries
     * costs as many moves as there are entries. */
    bool collapses;
    uint32_t *seen;
    size_t n_seen;
    uint32_t hand_over;
} policy_handle;

static void policy_unref(policy_handle *handle)
{
    if (--handle->refs)
        return;
    twat_policy_free(handle->policy);
    free(handle->slots);
    free(handle->scratch);
    free(handle->seen);
    free(handle);
}

static void function_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    policy_unref(data);
}

static bool call_args(napi_env env, napi_callback_info info, size_t argc, napi_value *argv,
                      policy_handle **out_handle)
{
    void *data = NULL;
    if (napi_get_cb_info(env, info, &argc, argv, NULL, &data) != napi_ok) {
        (void)twat_napi_failed(env);
        return false;
    }
    *out_handle = data;
    return true;
}

static bool int32s(napi_env env, napi_value value, int32_t **out, size_t *out_len)
{
    napi_typedarray_type type = napi_int8_array;
    void *data = NULL;
    bool is_typed = false;
    if (napi_is_typedarray(env, value, &is_typed) != napi_ok ||
        (is_typed &&
         napi_get_typedarray_info(env, value, &type, out_len, &data, NULL, NULL) != napi_ok)) {
        (void)twat_napi_failed(env);
        return false;
    }
    if (!is_typed || type != napi_int32_array) {
        (void)twat_throw(env, TWAT_E_ARG, "expected an Int32Array");
        return false;
    }
    *out = data;
    return true;
}

static bool room_for(napi_env env, uint64_t **array, size_t *have, size_t need)
{
    if (need <= *have)
        return true;
    size_t more = need * 2 + 64;
    uint64_t *grown = realloc(*array, more * sizeof *grown);
    if (!grown) {
        (void)twat_throw(env, TWAT_E_NOMEM, "no memory for a policy");
        return false;
    }
    for (size_t i = *have; i < more; i++)
        grown[i] = 0;
    *array = grown;
    *have = more;
    return true;
}

/* The slot of an index; entries that are in no policy (still pending) have
 * index -1 and slot 0, which is always stale. */
static uint64_t slot_of(const policy_handle *handle, int32_t index)
{
    return index >= 0 && (size_t)index < handle->n_slots ? handle->slots[index] : 0;
}

static bool room_to_see(napi_env env, policy_handle *handle)
{
    if (handle->n_seen >= handle->n_slots)
        return true;
    uint32_t *grown = calloc(handle->n_slots, sizeof *grown);
    if (!grown) {
        (void)twat_throw(env, TWAT_E_NOMEM, "no memory for a policy");
        return false;
    }
    free(handle->seen);
    handle->seen = grown;
    handle->n_seen = handle->n_slots;
    handle->hand_over = 0;
    return true;
}

/* Fills scratch from its end, last hits first; returns where they begin. */
static size_t last_hits(policy_handle *handle, const int32_t *indices, size_t n)
{
    size_t at = n;
    if (++handle->hand_over == 0) {
        memset(handle->seen, 0, handle->n_seen * sizeof *handle->seen);
        handle->hand_over = 1;
    }
    uint32_t now = handle->hand_over;
    for (size_t i = n; i-- > 0;) {
        uint32_t index = (uint32_t)indices[i];
        if (index >= handle->n_seen || handle->seen[index] == now)
            continue;
        handle->seen[index] = now;
        handle->scratch[--at] = slot_of(handle, indices[i]);
    }
    return at;
}

/* The log as whole slots. */
static bool whole_log(napi_env env, policy_handle *handle, napi_value log, napi_value count,
                      const uint64_t **out_hits, size_t *out_n)
{
    int32_t *indices;
    size_t len = 0, from = 0;
    uint32_t n = 0;
    if (!twat_uint32(env, count, &n)) {
        (void)twat_throw(env, TWAT_E_ARG, "hits: expected a number of slots");
        return false;
    }
    if (!int32s(env, log, &indices, &len) ||
        !room_for(env, &handle->scratch, &handle->n_scratch, n) ||
        !room_to_see(env, handle))
        return false;
    if (n > len) {
        (void)twat_throw(env, TWAT_E_ARG, "log: expected no more hits than it holds");
        return false;
    }
    if (handle->collapses)
        from = last_hits(handle, indices, n);
    else
        for (size_t i = 0; i < n; i++)
            handle->scratch[i] = slot_of(handle, indices[i]);
    *out_hits = handle->scratch + from;
    *out_n = n - from;
    return true;
}

static void tell_victims(const uint64_t *victims, size_t n, int32_t *out)
{
    out[0] = (int32_t)n;
    for (size_t i = 0; i < n; i++)
        out[i + 1] = (int32_t)(uint32_t)victims[i];
}

/* insert(log, nHits, high, low, cost, victims): the index of the new entry,
 * -1 where it is not admitted; victims[0] is how many left, their indices
 * follow, and a full array means that evicted() has more. */
static napi_value insert(napi_env env, napi_callback_info info)
{
    napi_value argv[6], result;
    policy_handle *handle;
    size_t n_hits, capacity, n = 0;
    uint32_t high, low;
    double cost;
    int32_t *out;
    uint64_t slot = 0, victims[64];
    const uint64_t *hits;
    if (!call_args(env, info, 6, argv, &handle) ||
        !whole_log(env, handle, argv[0], argv[1], &hits, &n_hits) ||
        !int32s(env, argv[5], &out, &capacity))
        return NULL;
    if (!twat_uint32(env, argv[2], &high) || !twat_uint32(env, argv[3], &low) ||
        !twat_is(env, argv[4], napi_number))
        return twat_throw(env, TWAT_E_ARG, "insert: expected a hash of two numbers and a cost");
    TRY(napi_get_value_double(env, argv[4], &cost));
    if (capacity < 65 || !(cost >= 0) || cost >= 0x1p63)
        return twat_throw(env, TWAT_E_ARG, "insert: expected a cost from 0 and room for victims");
    int32_t status =
        twat_policy_insert(handle->policy, hits, n_hits, (uint64_t)high << 32 | low,
                           (uint64_t)cost, &slot, victims, 64, &n);
    if (status < 0)
        return twat_throw_last(env, status);
    tell_victims(victims, n, out);
    uint32_t index = (uint32_t)slot;
    if (status == TWAT_MISS || index > INT32_MAX) {
        TRY(napi_create_int32(env, -1, &result));
        return result;
    }
    if (!room_for(env, &handle->slots, &handle->n_slots, (size_t)index + 1))
        return NULL;
    handle->slots[index] = slot;
    TRY(napi_create_int32(env, (int32_t)index, &result));
    return result;
}

/* evicted(victims): as after an insertion. */
static napi_value evicted(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    policy_handle *handle;
    size_t capacity, n = 0;
    int32_t *out;
    uint64_t victims[64];
    if (!call_args(env, info, 1, argv, &handle) || !int32s(env, argv[0], &out, &capacity))
        return NULL;
    if (capacity < 65)
        return twat_throw(env, TWAT_E_ARG, "evicted: expected room for victims");
    int32_t status = twat_policy_evicted(handle->policy, victims, 64, &n);
    if (status < 0)
        return twat_throw_last(env, status);
    tell_victims(victims, n, out);
    return NULL;
}

/* hits(log, nHits) */
static napi_value hits(napi_env env, napi_callback_info info)
{
    napi_value argv[2];
    policy_handle *handle;
    const uint64_t *slots;
    size_t n;
    if (!call_args(env, info, 2, argv, &handle) ||
        !whole_log(env, handle, argv[0], argv[1], &slots, &n))
        return NULL;
    int32_t status = twat_policy_hits(handle->policy, slots, n);
    return status < 0 ? twat_throw_last(env, status) : NULL;
}

/* remove(index) */
static napi_value remove_(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    policy_handle *handle;
    uint32_t index;
    if (!call_args(env, info, 1, argv, &handle))
        return NULL;
    if (!twat_uint32(env, argv[0], &index))
        return twat_throw(env, TWAT_E_ARG, "remove: expected the number of a slot");
    uint64_t slot = index < handle->n_slots ? handle->slots[index] : 0;
    return twat_bool_of(env, twat_policy_remove(handle->policy, slot));
}

static napi_value clear(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    policy_handle *handle;
    if (!call_args(env, info, 1, argv, &handle))
        return NULL;
    int32_t status = twat_policy_clear(handle->policy);
    return status < 0 ? twat_throw_last(env, status) : NULL;
}

/* stats(out): [evictions, rejected, entries, bytes, maxEntries, maxBytes] */
static napi_value stats(napi_env env, napi_callback_info info)
{
    napi_value argv[1];
    policy_handle *handle;
    double *out;
    twat_stats s = {.struct_size = sizeof s};
    if (!call_args(env, info, 1, argv, &handle) || !twat_lengths(env, argv[0], 6, &out))
        return NULL;
    int32_t status = twat_policy_stats(handle->policy, &s);
    if (status < 0)
        return twat_throw_last(env, status);
    const uint64_t all[6] = {s.evictions, s.rejected, s.entries,
                             s.bytes,     s.max_entries, s.max_bytes};
    for (size_t i = 0; i < 6; i++)
        out[i] = (double)all[i];
    return NULL;
}

static const function_row policy_functions[] = {
    {"insert", insert}, {"evicted", evicted}, {"hits", hits}, {"remove", remove_},
    {"clear", clear},   {"stats", stats},     {NULL, NULL},
};

/* policy(json, collapses): an object of functions and `needs` (0 nothing,
 * 1 marks, 2 log). */
napi_value twat_policy_open(napi_env env, napi_callback_info info)
{
    size_t argc = 2;
    napi_value argv[2], object, needs;
    twat_config *config = NULL;
    bool collapses = false;
    TRY(napi_get_cb_info(env, info, &argc, argv, NULL, NULL));
    TRY(napi_get_value_bool(env, argv[1], &collapses));
    TRY(napi_create_object(env, &object));
    policy_handle *handle = calloc(1, sizeof *handle);
    if (!handle)
        return twat_throw(env, TWAT_E_NOMEM, "no memory for a policy");
    handle->refs = 1;
    handle->collapses = collapses;
    bool done = twat_config_of(env, "memory", argv[0], &config);
    if (done) {
        int32_t status = twat_policy_new(config, &handle->policy);
        twat_config_free(config);
        if (status < 0)
            (void)twat_throw_last(env, status);
        done = status >= 0;
    }
    for (const function_row *row = policy_functions; done && row->name; row++) {
        handle->refs++;
        done = twat_add_function(env, object, row, handle, function_gone);
    }
    int32_t recorded = done ? twat_policy_needs(handle->policy) : 0;
    policy_unref(handle);
    if (!done)
        return NULL;
    if (recorded < 0)
        return twat_throw_last(env, recorded);
    TRY(napi_create_int32(env, recorded, &needs));
    TRY(napi_set_named_property(env, object, "needs", needs));
    return object;
}
