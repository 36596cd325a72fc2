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
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "twat_cache.h"

/* Raised by one whenever Python and C would no longer understand each other; `_speedups.EDITION` is the same number. */
#define SPEED_EDITION 1

/* The functions of the core that are called from here. */
#define SPEED_CORE(X)                                                                                                  \
    X(twat_bytes_free)                                                                                                 \
    X(twat_cache_get)                                                                                                  \
    X(twat_cache_get_into)                                                                                             \
    X(twat_cache_set)

struct core {
#define X(name) __typeof__(name) *name;
    SPEED_CORE(X)
#undef X
};

/* What one module object holds. Each file clears and visits its own objects. */
struct speed {
    struct core core;
    bool connected;
};

static inline struct speed *speed_of(PyObject *module)
{
    return (struct speed *)PyModule_GetState(module);
}

#endif
