/* Results by the arguments of their calls: a hash table that survives whatever a key's `__eq__` does. */
#ifndef TWAT_ENTRIES_H
#define TWAT_ENTRIES_H

#include "speed.h"

struct instance;

/* A result. Allocated with its key behind it; owned by the table. */
struct entry {
    Py_hash_t hash;
    uint64_t slot;   /* the core's number of it; 0 where nothing is bounded */
    double deadline; /* seconds of the store's clock */
    PyObject *value;
    struct entry *older, *newer; /* in the order in which they were stored */
    struct instance *instance;   /* whose method's result it is, or NULL */
    struct entry *sibling_before, *sibling_after;
    uint32_t count, extra, first_type;
    bool identity; /* the first argument is an instance: it is compared by address, and not held */
    bool marked;   /* the hit is in the ring already (sieve) */
    bool is_error; /* the value is an exception that the function raised */
    PyObject *items[];
};

/* The key of a call. Its items are borrowed, and outlive it. */
struct key {
    PyObject *const *items;
    /* Of the items, `extra` pairs belong to keywords that no parameter takes; types begin at `first_type`. */
    Py_ssize_t count, extra, first_type;
    Py_hash_t hash;
    bool identity;
    /* The number of changes to the table when this key was looked up and not found. */
    uint64_t seen;
};

struct bucket {
    Py_hash_t hash;
    struct entry *entry;
};

/* Open addressing with linear probing. A removal moves later buckets up, so that there are no tombstones. */
struct table {
    struct bucket *buckets;
    size_t used, room; /* `room` is 0 or a power of two */
    int shift;
    uint64_t changes;
};

enum lookup { LOOKUP_FAILED = -1, NOT_FOUND = 0, FOUND = 1, UNSTABLE = 2 };

/* Compares by `==` where it must, so that Python code may run. UNSTABLE: the table changes whenever it is looked at. */
enum lookup table_find(struct table *table, struct key *key, struct entry **found);

/* Computes the hash of a key; -1 with an exception where an item has none. */
int key_hash(struct key *key);

/* Without Python code. `table_add` needs room that was reserved. */
bool table_reserve(struct table *table);
void table_add(struct table *table, struct entry *entry);
void table_remove(struct table *table, struct entry *entry);
void table_release(struct table *table);

/* A new entry with references of its own, or NULL without an exception: no memory. */
struct entry *entry_new(const struct key *key, PyObject *value, bool identity);

/* Releases a chain of entries (by `newer`) that are in no table any more. This may run any Python code. */
void entries_free(struct entry *chain);

#endif
