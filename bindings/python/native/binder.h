/* Arguments of a call, bound to the parameters of a function. */
#ifndef TWAT_BINDER_H
#define TWAT_BINDER_H

#include "speed.h"

/* Whether a function takes any number of arguments of a kind, and whether these are part of a key. */
enum star { STAR_NONE, STAR_IGNORED, STAR_IN_KEY };

/* What a function takes. Immutable, so that several objects share one. */
struct binder {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *names;       /* a tuple of exact str: the positional parameters, then the keyword-only ones */
    PyObject *defaults;    /* a tuple, one item for each name; `missing` where there is no default */
    PyObject *missing;
    PyObject *stand_ins;   /* a tuple of what stands in keys in place of defaults, `missing` for none; or NULL */
    PyObject *ignored;     /* a frozenset of keywords that are no part of a key, or NULL */
    unsigned char *in_key; /* one for each name */
    Py_ssize_t count, positional_only, positional;
    enum star star, double_star;
    /* A call of `count` positional arguments is its own key. */
    bool plain;
};

struct keyword {
    PyObject *name, *value;
};

#define BOUND_SMALL 8

/* A call that was bound. All references are borrowed from the caller's arguments and from the binder. */
struct bound {
    PyObject **named;
    PyObject *const *star;
    struct keyword *extra; /* sorted by name */
    Py_ssize_t star_count, extra_count;
    /* An argument was left out, and its default stands there. */
    bool defaulted;
    PyObject *small[BOUND_SMALL];
    struct keyword small_extra[BOUND_SMALL / 2];
};

enum binding { BIND_FAILED = -1, NOT_BOUND = 0, BOUND = 1 };

/* NOT_BOUND: the function does not take these arguments, and says so best itself. Runs no Python code. */
enum binding bind_call(const struct binder *binder, PyObject *const *args, Py_ssize_t count, PyObject *keywords,
                       struct bound *bound);
void bound_release(struct bound *bound);

/* Calls something with the bound arguments, defaults included. */
PyObject *bound_call(const struct binder *binder, const struct bound *bound, PyObject *callable);

int binder_add_type(PyObject *module);

#endif
