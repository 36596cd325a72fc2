/* Methods: which results belong to which instance. An instance is not kept alive by them. */
#ifndef TWAT_INSTANCES_H
#define TWAT_INSTANCES_H

#include "entries.h"

struct results;

/*
 * The results of one instance. It is the callback of the weak reference to the
 * instance, whose end removes them before its address can be used again. An
 * instance without weak references is held, as long as it has results.
 */
struct instance {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    struct results *owner; /* borrowed; NULL once this has ended */
    PyObject *receiver;    /* borrowed: an address only */
    PyObject *reference, *held;
    struct entry *entries;
    struct instance *before, *after; /* of one owner */
};

/* The record of an instance, made where there is none: a new reference. This may run Python code. */
struct instance *instance_of(struct results *results, PyObject *receiver);

/* Without Python code. The last entry that leaves ends the record. */
void instance_add(struct instance *instance, struct entry *entry);
void instance_remove(struct entry *entry);

/* Ends a record without entries. */
void instance_end_unused(struct instance *instance);

int instance_add_type(PyObject *module);

#endif
