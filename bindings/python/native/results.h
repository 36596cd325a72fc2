/* The results of one memoized function: the table, the order of eviction, times to live, the counts. */
#ifndef TWAT_RESULTS_H
#define TWAT_RESULTS_H

#include "binder.h"
#include "clock.h"
#include "entries.h"
#include "instances.h"
#include "order.h"

#if PY_VERSION_HEX < 0x030D0000
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

/* Entries in the order in which they were stored. */
struct list {
    struct entry *oldest, *newest;
};

enum { LASTING, EXPIRING };

struct results {
    PyObject_HEAD
    const struct speed *speed;
    PyTypeObject *instance_type; /* held, since the module may be cleared first */
    struct binder *binder;
    /* Callables, NULL where there is none; all but `timer` never change. */
    PyObject *custom_key;  /* the whole key of a call */
    PyObject *freeze;      /* (items, error): the same number of items, each of which has a hash */
    PyObject *is_method;   /* whether the first argument is the receiver of the function as its method */
    PyObject *open_policy; /* makes the core's policy: its address */
    PyObject *on_evict;    /* (key, value) */
    PyObject *timer;
    bool typed, per_instance;
    double ttl; /* infinite where results do not expire */
    struct table table;
    struct order order;
    struct list lists[2]; /* entries that last, and those that expire */
    struct instance *instances;
    PyObject *by_address; /* the same, by the address of the receiver */
    uint64_t hits, misses;
    struct coarse_clock clock;
};

#define CALL_SMALL 8

/* A call on its way: its key, and what the key borrows from. */
struct call {
    struct key key;
    struct bound bound;
    bool is_bound;
    double now; /* the time of the look-up by a clock of the user's own */
    PyObject **items;
    PyObject *owned;
    PyObject *small[CALL_SMALL];
};

/* NOT_BOUND: the function does not take these arguments. After any answer `call_release` is due. */
enum binding call_prepare(struct results *results, PyObject *const *args, Py_ssize_t count, PyObject *keywords,
                          struct call *call);
void call_release(struct call *call);

/* Looks up a live result and records the hit. FOUND: a new reference in `value`. UNSTABLE counts as not found. */
enum lookup results_get(struct results *results, struct call *call, PyObject **value, bool *is_error);

/* Stores a result unless a live one is there. `ttl` and `cost` are those of this result. -1 with an exception. */
int results_put(struct results *results, struct call *call, PyObject *value, double ttl, uint64_t cost, bool is_error);

/* Holds what a key borrows from objects that may change while Python code runs. False: no memory. */
bool call_hold(struct call *call);

void results_drop_instance(struct results *results, struct instance *instance);

int results_add_type(PyObject *module);

#endif
