#include "instances.h"

#include <structmember.h>

#include "results.h"

/* The end of a record. What it holds is released with its last reference, outside of any change. */
static void end(struct instance *instance)
{
    struct results *owner = instance->owner;
    if (owner == NULL)
        return;
    instance->owner = NULL;
    if (instance->before != NULL)
        instance->before->after = instance->after;
    else
        owner->instances = instance->after;
    if (instance->after != NULL)
        instance->after->before = instance->before;
    PyObject *address = PyLong_FromVoidPtr(instance->receiver);
    if (address == NULL || (PyDict_GetItemWithError(owner->by_address, address) == (PyObject *)instance &&
                            PyDict_DelItem(owner->by_address, address) < 0))
        PyErr_Clear();
    Py_XDECREF(address);
    /* The reference holds this record: they would hold each other. */
    Py_CLEAR(instance->reference);
}

void instance_add(struct instance *instance, struct entry *entry)
{
    Py_INCREF(instance);
    entry->instance = instance;
    entry->sibling_after = instance->entries;
    if (instance->entries != NULL)
        instance->entries->sibling_before = entry;
    instance->entries = entry;
}

void instance_remove(struct entry *entry)
{
    struct instance *instance = entry->instance;
    if (entry->sibling_before != NULL)
        entry->sibling_before->sibling_after = entry->sibling_after;
    else
        instance->entries = entry->sibling_after;
    if (entry->sibling_after != NULL)
        entry->sibling_after->sibling_before = entry->sibling_before;
    /* The entry still has its reference to the record. */
    instance_end_unused(instance);
}

void instance_end_unused(struct instance *instance)
{
    if (instance->entries == NULL)
        end(instance);
}

/* The weak reference's callback. */
static PyObject *instance_is_gone(PyObject *callable, PyObject *const *args, size_t count, PyObject *keywords)
{
    struct instance *instance = (struct instance *)callable;
    (void)args, (void)count, (void)keywords;
    if (instance->owner != NULL)
        results_drop_instance(instance->owner, instance);
    Py_RETURN_NONE;
}

struct instance *instance_of(struct results *results, PyObject *receiver)
{
    PyObject *address = PyLong_FromVoidPtr(receiver);
    if (address == NULL)
        return NULL;
    if (results->by_address == NULL && (results->by_address = PyDict_New()) == NULL) {
        Py_DECREF(address);
        return NULL;
    }
    struct instance *known = (struct instance *)PyDict_GetItemWithError(results->by_address, address);
    if (known != NULL || PyErr_Occurred()) {
        Py_DECREF(address);
        return (struct instance *)Py_XNewRef((PyObject *)known);
    }
    struct instance *made = PyObject_New(struct instance, results->instance_type);
    if (made == NULL) {
        Py_DECREF(address);
        return NULL;
    }
    made->vectorcall = instance_is_gone;
    made->owner = NULL;
    made->receiver = receiver;
    made->held = NULL;
    made->entries = NULL;
    made->before = made->after = NULL;
    made->reference = PyWeakref_NewRef(receiver, (PyObject *)made);
    if (made->reference == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        made->held = Py_NewRef(receiver);
    }
    if ((made->reference == NULL && made->held == NULL) ||
        PyDict_SetItem(results->by_address, address, (PyObject *)made) < 0) {
        Py_CLEAR(made->reference);
        Py_CLEAR(made);
    } else {
        made->owner = results;
        made->after = results->instances;
        if (results->instances != NULL)
            results->instances->before = made;
        results->instances = made;
    }
    Py_DECREF(address);
    return made;
}

static void instance_dealloc(struct instance *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject *held = self->held;
    PyObject_Free(self);
    Py_DECREF(type);
    Py_XDECREF(held);
}

static PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct instance, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, instance_dealloc},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "twat_cache._speed.Instance",
    .basicsize = sizeof(struct instance),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int instance_add_type(PyObject *module)
{
    struct speed *speed = speed_of(module);
    speed->instance_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return speed->instance_type == NULL ? -1 : 0;
}
