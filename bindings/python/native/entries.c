/*
 * The table of results.
 *
 * `==` of a key may run any Python code: it may raise, call the function, clear
 * the cache or let other threads do so. So a stored key is held while it is
 * compared, and after each comparison the table is only trusted if it has not
 * changed; else the look-up begins anew.
 */

#include "entries.h"

#define RESTARTS 64
#define SMALLEST 8

/* As in tuples, after xxHash. */
#define PRIME_1 ((Py_uhash_t)11400714785074694791ULL)
#define PRIME_2 ((Py_uhash_t)14029467366897019727ULL)
#define PRIME_5 ((Py_uhash_t)2870177450012600261ULL)

static inline Py_uhash_t mixed(Py_uhash_t sum, Py_uhash_t lane)
{
    sum += lane * PRIME_2;
    sum = (sum << 31) | (sum >> (8 * sizeof sum - 31));
    return sum * PRIME_1;
}

static inline Py_uhash_t hash_of_address(const void *address)
{
    return (Py_uhash_t)(uintptr_t)address >> 4;
}

int key_hash(struct key *key)
{
    if (key->count == 1 && !key->identity) {
        key->hash = PyObject_Hash(key->items[0]);
        return key->hash == -1 ? -1 : 0;
    }
    Py_uhash_t sum = PRIME_5 + (Py_uhash_t)key->extra;
    Py_ssize_t i = 0;
    if (key->identity)
        sum = mixed(sum, hash_of_address(key->items[i++]));
    for (; i < key->first_type; i++) {
        Py_hash_t lane = PyObject_Hash(key->items[i]);
        if (lane == -1)
            return -1;
        sum = mixed(sum, (Py_uhash_t)lane);
    }
    for (; i < key->count; i++)
        sum = mixed(sum, hash_of_address(key->items[i]));
    key->hash = (Py_hash_t)(sum + (Py_uhash_t)key->count);
    return 0;
}

/* Numbers in sequence or in steps of a power of two must not meet in one place. */
static inline size_t home(const struct table *table, Py_hash_t hash)
{
    return (size_t)(((uint64_t)hash * 0x9E3779B97F4A7C15ULL) >> table->shift);
}

static inline enum lookup compare(const struct table *table, uint64_t changes, const struct entry *entry,
                                  const struct key *key)
{
    if (entry->count != (uint32_t)key->count || entry->extra != (uint32_t)key->extra ||
        entry->first_type != (uint32_t)key->first_type)
        return NOT_FOUND;
    Py_ssize_t i = 0, count = key->count, first_type = key->first_type;
    if (entry->identity || key->identity) {
        if (!entry->identity || entry->items[0] != key->items[0])
            return NOT_FOUND;
        i = 1;
    }
    for (; i < count; i++) {
        PyObject *stored = entry->items[i], *asked = key->items[i];
        if (stored == asked)
            continue;
        if (i >= first_type)
            return NOT_FOUND;
        Py_INCREF(stored);
        int equal = PyObject_RichCompareBool(stored, asked, Py_EQ);
        Py_DECREF(stored);
        if (equal < 0)
            return LOOKUP_FAILED;
        if (table->changes != changes)
            return UNSTABLE;
        if (!equal)
            return NOT_FOUND;
    }
    return FOUND;
}

enum lookup table_find(struct table *table, struct key *key, struct entry **found)
{
    for (int attempt = 0; attempt < RESTARTS; attempt++) {
        uint64_t changes = key->seen = table->changes;
        if (table->used == 0)
            return NOT_FOUND;
        enum lookup result = NOT_FOUND;
        size_t mask = table->room - 1;
        for (size_t at = home(table, key->hash);; at = (at + 1) & mask) {
            const struct bucket *bucket = &table->buckets[at];
            if (bucket->entry == NULL)
                return NOT_FOUND;
            if (bucket->hash != key->hash)
                continue;
            struct entry *entry = bucket->entry;
            result = compare(table, changes, entry, key);
            if (result == FOUND)
                *found = entry;
            if (result != NOT_FOUND)
                break;
        }
        if (result != UNSTABLE)
            return result;
    }
    return UNSTABLE;
}

static void place(struct table *table, struct bucket bucket)
{
    size_t mask = table->room - 1, at = home(table, bucket.hash);
    while (table->buckets[at].entry != NULL)
        at = (at + 1) & mask;
    table->buckets[at] = bucket;
}

bool table_reserve(struct table *table)
{
    /* At most three of five buckets are used. */
    if ((table->used + 1) * 5 <= table->room * 3)
        return true;
    struct table larger = *table;
    larger.room = table->room == 0 ? SMALLEST : table->room * 2;
    larger.buckets = PyMem_Calloc(larger.room, sizeof *larger.buckets);
    if (larger.buckets == NULL)
        return false;
    larger.shift = 64;
    for (size_t room = larger.room; room > 1; room >>= 1)
        larger.shift--;
    for (size_t at = 0; at < table->room; at++)
        if (table->buckets[at].entry != NULL)
            place(&larger, table->buckets[at]);
    PyMem_Free(table->buckets);
    *table = larger;
    table->changes++;
    return true;
}

void table_add(struct table *table, struct entry *entry)
{
    place(table, (struct bucket){entry->hash, entry});
    table->used++;
    table->changes++;
}

void table_remove(struct table *table, struct entry *entry)
{
    size_t mask = table->room - 1, at = home(table, entry->hash);
    while (table->buckets[at].entry != entry)
        at = (at + 1) & mask;
    for (size_t next = at;;) {
        next = (next + 1) & mask;
        if (table->buckets[next].entry == NULL)
            break;
        /* A bucket may move up unless its home lies between the gap and itself. */
        size_t own = home(table, table->buckets[next].hash);
        if (((next - own) & mask) >= ((next - at) & mask)) {
            table->buckets[at] = table->buckets[next];
            at = next;
        }
    }
    table->buckets[at].entry = NULL;
    table->used--;
    table->changes++;
}

void table_release(struct table *table)
{
    PyMem_Free(table->buckets);
    table->buckets = NULL;
    table->used = table->room = 0;
    table->changes++;
}

struct entry *entry_new(const struct key *key, PyObject *value, bool identity)
{
    struct entry *entry = PyMem_Malloc(sizeof *entry + (size_t)key->count * sizeof(PyObject *));
    if (entry == NULL)
        return NULL;
    *entry = (struct entry){
        .hash = key->hash,
        .value = Py_NewRef(value),
        .count = (uint32_t)key->count,
        .extra = (uint32_t)key->extra,
        .first_type = (uint32_t)key->first_type,
        .identity = identity,
    };
    for (Py_ssize_t i = 0; i < key->count; i++) {
        entry->items[i] = key->items[i];
        if (i > 0 || !identity)
            Py_INCREF(entry->items[i]);
    }
    return entry;
}

void entries_free(struct entry *chain)
{
    while (chain != NULL) {
        struct entry *entry = chain;
        chain = chain->newer;
        for (uint32_t i = entry->identity ? 1 : 0; i < entry->count; i++)
            Py_DECREF(entry->items[i]);
        Py_DECREF(entry->value);
        Py_XDECREF((PyObject *)entry->instance);
        PyMem_Free(entry);
    }
}
