/*
 * The native part of the Python package: what its files share.
 *
 * The extension is linked against nothing of ours. The addresses of the core's
 * functions come from the library that ctypes has loaded (`connect`), so that a
 * process has one library and one registry of open stores.
 *
 * All state belongs to the module object: each interpreter has its own.
 */
#ifndef TWAT_SPEED_H
#define TWAT_SPEED_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "twat_cache.h"

/* Raised by one whenever Python and C would no longer understand each other; `_speedups.EDITION` is the same number. */
#define SPEED_EDITION 2

/* The functions of the core that are called from here. */
#define SPEED_CORE(X)                                                                                                  \
    X(twat_bytes_free)                                                                                                 \
    X(twat_cache_get)                                                                                                  \
    X(twat_cache_get_into)                                                                                             \
    X(twat_cache_set)                                                                                                  \
    X(twat_policy_clear)                                                                                               \
    X(twat_policy_evicted)                                                                                             \
    X(twat_policy_free)                                                                                                \
    X(twat_policy_hits)                                                                                                \
    X(twat_policy_insert)                                                                                              \
    X(twat_policy_remove)

struct core {
#define X(name) __typeof__(name) *name;
    SPEED_CORE(X)
#undef X
};

/*
 * What Python does for the codec (`configure`): classes that are raised, and functions for what is rare.
 *
 *   malformed, unencodable   what the pure codec raises
 *   read_pure(data, start)   the pure reader, which has the last word
 *   read_extension(kind, inner), read_datetime(fields), rebuild(name, fields)
 *   write_rare(value, depth) a bytearray as it is, the list of an array's fields, or the name and fields of a named type
 *   error_of(status)         the exception of a call of the core that has just failed
 */
#define SPEED_HOOKS(X)                                                                                                 \
    X(malformed) X(unencodable) X(read_pure) X(read_extension) X(read_datetime) X(rebuild) X(write_rare) X(error_of)

/*
 * What Python does for keys (`configure_keys`):
 *
 *   write_key(value)                              a bytearray: the canonical form of what is rare
 *   key_pure(prefix, arguments, keywords, names)  the key, or the error that names the argument
 */
#define SPEED_KEY_HOOKS(X) X(write_key) X(key_pure)

/* What one module object holds. */
struct speed {
    struct core core;
    bool connected;
#define X(name) PyObject *name;
    SPEED_HOOKS(X)
    SPEED_KEY_HOOKS(X)
#undef X
    PyObject *busy_name, *pointer_name; /* attributes of `_ffi/handle.py`, `Handle` */
    _Atomic(char *) room;               /* of store.c */
    PyTypeObject *binder_type, *instance_type, *memoizer_type, *results_type;
};

static inline struct speed *speed_of(PyObject *module)
{
    return (struct speed *)PyModule_GetState(module);
}

/* The format byte before a value. */
enum { FORMAT_RAW = 0, FORMAT_MSGPACK = 1 };

/*
 * reader.c. `speed_read` reads the one value that the bytes are. NULL with `refused` and without an exception: the pure
 * reader is to be asked; NULL without `refused`: an exception that is final.
 */
PyObject *speed_read(struct speed *speed, const char *data, size_t size, bool *refused);
PyObject *speed_decode(PyObject *module, PyObject *const *args, Py_ssize_t n);

/* writer.c */
PyObject *speed_encode(PyObject *module, PyObject *value);
PyObject *speed_encode_call(PyObject *module, PyObject *const *args, Py_ssize_t n);

/* store.c */
PyObject *speed_fetch(PyObject *module, PyObject *const *args, Py_ssize_t n);

#endif
