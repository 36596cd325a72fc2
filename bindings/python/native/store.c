/*
 * The byte path: looks a key up in a store and reads the value from where it is, without a `bytes` object between.
 *
 * The interpreter lock is kept where a look-up is bounded (memory, a mapped page), since winning it back beside a busy
 * thread costs a thousand times as much, and given up where a call may wait for a disk or a server.
 */

#include "speed.h"

/* Larger values are read in place, from the core's own copy. As `_ffi.bytecache._BUFFER`. */
#define ROOM (64 * 1024)

/* What a call knows of its store and codec; `_serialize.values` has the same numbers. */
enum {
    QUICK = 1,      /* a look-up of a small value never waits */
    LOCAL = 2,      /* nor does one of a large value */
    RAW_BYTES = 4,  /* format 0 is a value of type bytes */
};

struct call {
    struct speed *speed;
    PyObject *store, *key, *decode;
    long flags;
    PyObject *busy, *token; /* how `close` knows of a call that has given the interpreter lock up */
    twat_cache *cache;
};

/* Raises what a negative status means. */
static PyObject *fail(struct speed *speed, int32_t status)
{
    PyObject *number = PyLong_FromLong(status);
    PyObject *error = number == NULL ? NULL : PyObject_CallOneArg(speed->error_of, number);
    Py_XDECREF(number);
    if (error != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return NULL;
}

/* Reads the store's pointer; before, where others may run meanwhile, says that a call is under way. */
static bool begin(struct call *call, bool waits)
{
#ifdef Py_GIL_DISABLED
    waits = true;
#endif
    if (waits) {
        call->busy = PyObject_GetAttr(call->store, call->speed->busy_name);
        call->token = call->busy == NULL ? NULL : PyLong_FromVoidPtr(call); /* no other call has this address */
        if (call->token == NULL || PySet_Add(call->busy, call->token) < 0)
            return false;
    }
    PyObject *pointer = PyObject_GetAttr(call->store, call->speed->pointer_name);
    if (pointer == NULL)
        return false;
    if (pointer == Py_None)
        fail(call->speed, TWAT_E_CLOSED);
    else
        call->cache = PyLong_AsVoidPtr(pointer);
    Py_DECREF(pointer);
    return call->cache != NULL;
}

static void end(struct call *call)
{
    if (call->token != NULL) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        if (PySet_Discard(call->busy, call->token) < 0)
            PyErr_Clear();
        PyErr_Restore(type, value, trace);
    }
    Py_CLEAR(call->token);
    Py_CLEAR(call->busy);
    call->cache = NULL;
}

/* The value that bytes are. What is not read here `decode(key, bytes)` reads, which also says what is wrong. */
static PyObject *value_of(struct call *call, const char *data, size_t size)
{
    bool refused = true;
    if (size > 0 && data[0] == FORMAT_MSGPACK) {
        PyObject *value = speed_read(call->speed, data + 1, size - 1, &refused);
        if (value != NULL)
            return value;
        if (!refused && PyErr_ExceptionMatches(call->speed->malformed)) {
            PyErr_Clear();
            refused = true;
        }
    } else if (size > 0 && data[0] == FORMAT_RAW && (call->flags & RAW_BYTES)) {
        return PyBytes_FromStringAndSize(data + 1, (Py_ssize_t)size - 1);
    }
    if (!refused)
        return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    PyObject *value = bytes == NULL ? NULL : PyObject_CallFunctionObjArgs(call->decode, call->key, bytes, NULL);
    Py_XDECREF(bytes);
    return value;
}

/* The status of a look-up into a buffer. */
static int32_t get_small(struct call *call, char *room, size_t *size)
{
    const char *key = PyBytes_AS_STRING(call->key);
    size_t key_size = (size_t)PyBytes_GET_SIZE(call->key);
    int32_t status;
    if (call->flags & QUICK)
        return call->speed->core.twat_cache_get_into(call->cache, key, key_size, room, ROOM, size);
    Py_BEGIN_ALLOW_THREADS
    status = call->speed->core.twat_cache_get_into(call->cache, key, key_size, room, ROOM, size);
    Py_END_ALLOW_THREADS
    return status;
}

static int32_t get_large(struct call *call, twat_bytes *value)
{
    const char *key = PyBytes_AS_STRING(call->key);
    size_t key_size = (size_t)PyBytes_GET_SIZE(call->key);
    int32_t status;
    if (call->flags & LOCAL)
        return call->speed->core.twat_cache_get(call->cache, key, key_size, value);
    Py_BEGIN_ALLOW_THREADS
    status = call->speed->core.twat_cache_get(call->cache, key, key_size, value);
    Py_END_ALLOW_THREADS
    return status;
}

/* A large value, read where the core has it. */
static PyObject *fetch_large(struct call *call, PyObject *missing)
{
    twat_bytes value = {0};
    int32_t status = TWAT_OK;
    bool begun = begin(call, !(call->flags & LOCAL));
    if (begun)
        status = get_large(call, &value);
    if (begun && status < 0)
        fail(call->speed, status);
    end(call);
    if (!begun || status < 0)
        return NULL;
    if (status == TWAT_MISS)
        return Py_NewRef(missing);
    PyObject *found = value_of(call, value.data, value.len);
    call->speed->core.twat_bytes_free(&value);
    return found;
}

/* fetch(store, decode, missing, flags, key): the value of a key, or `missing`. The key is last, for `functools.partial`. */
PyObject *speed_fetch(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct speed *speed = speed_of(module);
    if (n != 5 || !PyBytes_Check(args[4]) || !speed->connected || speed->error_of == NULL) {
        PyErr_SetString(PyExc_TypeError, "fetch: expected a store, decode, missing, flags and a key of bytes");
        return NULL;
    }
    struct call call = {.speed = speed, .store = args[0], .decode = args[1], .key = args[4]};
    call.flags = PyLong_AsLong(args[3]);
    if (call.flags == -1 && PyErr_Occurred())
        return NULL;
    /* One buffer is kept between calls; who finds it taken makes another. */
    char *room = atomic_exchange(&speed->room, NULL);
    if (room == NULL && (room = PyMem_RawMalloc(ROOM)) == NULL)
        return PyErr_NoMemory();
    size_t size = 0;
    int32_t status = TWAT_OK;
    bool begun = begin(&call, !(call.flags & QUICK));
    if (begun)
        status = get_small(&call, room, &size);
    if (begun && status < 0)
        fail(speed, status);
    end(&call);
    PyObject *found = NULL;
    if (begun && status == TWAT_OK)
        found = value_of(&call, room, size);
    else if (begun && status == TWAT_MISS)
        found = Py_NewRef(args[2]);
    PyMem_RawFree(atomic_exchange(&speed->room, room));
    if (begun && status == TWAT_TRUNCATED)
        found = fetch_large(&call, args[2]);
    return found;
}
