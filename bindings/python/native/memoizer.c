/*
 * A memoized function: a callable that looks its result up, or calls the function
 * and stores what it returns.
 *
 * Only the call is here. What people manage a cache by (`cache_info` and the like)
 * are methods of the Python object `memo`, which `memo.attach` puts into the
 * attributes when the first of them is asked for: 10,000 functions have no use for
 * 70,000 bound methods.
 */

#include "memoizer.h"

#include <math.h>
#include <structmember.h>

struct memoizer {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    struct results *results;
    PyObject *memo;
    /* Callables, NULL where there is none. */
    PyObject *check_value; /* refuses values that can be used only once */
    PyObject *cache_if, *sizeof_value, *copy, *on_call, *errors;
    bool keeps_nothing, is_attached;
    PyObject *attributes, *weak_references;
};

/* A hit */

/* Steals the value. */
static PyObject *finished(struct memoizer *self, PyObject *value, const char *event, const struct call *call)
{
    if (self->copy != NULL) {
        PyObject *copy = PyObject_CallOneArg(self->copy, value);
        Py_SETREF(value, copy);
        if (value == NULL)
            return NULL;
    }
    if (self->on_call != NULL) {
        PyObject *key = call->key.items[call->key.count - 1];
        PyObject *told = PyObject_CallFunction(self->on_call, "sOO", event, key, value);
        if (told == NULL)
            Py_CLEAR(value);
        Py_XDECREF(told);
    }
    return value;
}

/* A kept exception, raised anew. Steals it. */
static PyObject *raised(PyObject *kept)
{
    PyObject *error = PyObject_CallMethod(kept, "again", NULL);
    Py_DECREF(kept);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    return NULL;
}

/* A miss */

static inline bool is_plain(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return value == Py_None || type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type ||
           type == &PyBytes_Type || type == &PyBool_Type || type == &PyComplex_Type;
}

/* Whether a value can be used twice, as far as that is seen at a glance. */
static bool is_plain_at_a_glance(PyObject *value)
{
    if (!PyTuple_CheckExact(value))
        return is_plain(value);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); i++)
        if (!is_plain(PyTuple_GET_ITEM(value, i)))
            return false;
    return true;
}

static int check_value(struct memoizer *self, PyObject *value)
{
    if (is_plain_at_a_glance(value))
        return 0;
    PyObject *answer = PyObject_CallOneArg(self->check_value, value);
    Py_XDECREF(answer);
    return answer == NULL ? -1 : 0;
}

/* 1: to be stored. */
static int is_wanted(struct memoizer *self, PyObject *value, uint64_t *cost)
{
    *cost = 1;
    if (self->cache_if != NULL) {
        PyObject *answer = PyObject_CallOneArg(self->cache_if, value);
        int wanted = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (wanted <= 0)
            return wanted;
    }
    if (self->sizeof_value != NULL) {
        PyObject *size = PyObject_CallOneArg(self->sizeof_value, value);
        *cost = size == NULL ? (uint64_t)-1 : PyLong_AsUnsignedLongLong(size);
        Py_XDECREF(size);
        if (*cost == (uint64_t)-1 && PyErr_Occurred())
            return -1;
    }
    return 1;
}

static int put(struct memoizer *self, struct call *call, PyObject *value, double ttl, uint64_t cost, bool is_error)
{
    int status;
    Py_BEGIN_CRITICAL_SECTION(self->results);
    status = results_put(self->results, call, value, ttl, cost, is_error);
    Py_END_CRITICAL_SECTION();
    return status;
}

static int keep(struct memoizer *self, struct call *call, PyObject *value, bool is_held)
{
    if (check_value(self, value) < 0)
        return -1;
    if (self->keeps_nothing || !is_held)
        return 0;
    uint64_t cost = 1;
    int wanted = is_wanted(self, value, &cost);
    return wanted <= 0 ? wanted : put(self, call, value, self->results->ttl, cost, false);
}

/* Asks about an exception of the function, and keeps it: its value, time to live and cost. It stays raised. */
static void keep_error(struct memoizer *self, struct call *call)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    PyObject *row = PyObject_CallMethod(self->memo, "kept_error", "O", error), *kept, *ttl;
    unsigned long long cost;
    int failed = row == NULL;
    if (row != NULL && row != Py_None) {
        double seconds = self->results->ttl;
        failed = !PyArg_ParseTuple(row, "OOK", &kept, &ttl, &cost);
        if (!failed && ttl != Py_None) {
            seconds = PyFloat_AsDouble(ttl);
            failed = seconds == -1 && PyErr_Occurred();
        }
        failed = failed || put(self, call, kept, seconds, cost, true) < 0;
    }
    Py_XDECREF(row);
    if (failed) {
        /* What went wrong here, in the context of the function's exception. */
        PyObject *new_type, *new_error, *new_traceback;
        PyErr_Fetch(&new_type, &new_error, &new_traceback);
        PyErr_NormalizeException(&new_type, &new_error, &new_traceback);
        if (new_error != error)
            PyException_SetContext(new_error, Py_NewRef(error));
        Py_XDECREF(type);
        Py_XDECREF(error);
        Py_XDECREF(traceback);
        PyErr_Restore(new_type, new_error, new_traceback);
        return;
    }
    PyErr_Restore(type, error, traceback);
}

static PyObject *missed(struct memoizer *self, PyObject *const *args, size_t count, PyObject *keywords,
                        struct call *call)
{
    bool is_held = call_hold(call);
    PyObject *value;
    if (call->is_bound && call->bound.defaulted)
        value = bound_call(self->results->binder, &call->bound, self->function);
    else
        value = PyObject_Vectorcall(self->function, args, count, keywords);
    if (value == NULL) {
        if (self->errors != NULL && !self->keeps_nothing && is_held && PyErr_ExceptionMatches(self->errors))
            keep_error(self, call);
        return NULL;
    }
    if (keep(self, call, value, is_held) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    return finished(self, value, "miss", call);
}

static PyObject *memoizer_call(PyObject *callable, PyObject *const *args, size_t count, PyObject *keywords)
{
    struct memoizer *self = (struct memoizer *)callable;
    struct results *results = self->results;
    struct call call;
    PyObject *value = NULL;
    bool is_error = false;
    enum lookup found = LOOKUP_FAILED;
    enum binding bound;
    Py_BEGIN_CRITICAL_SECTION(results);
    bound = call_prepare(results, args, PyVectorcall_NARGS(count), keywords, &call);
    if (bound == BOUND) {
        found = results_get(results, &call, &value, &is_error);
        results->misses += found == NOT_FOUND || found == UNSTABLE;
    }
    Py_END_CRITICAL_SECTION();
    if (found == FOUND) {
        if (is_error)
            value = raised(value);
        else if (self->copy != NULL || self->on_call != NULL)
            value = finished(self, value, "hit", &call);
    } else if (found != LOOKUP_FAILED) {
        value = missed(self, args, count, keywords, &call);
    } else if (bound == NOT_BOUND) {
        /* The function says best what is wrong. */
        value = PyObject_Vectorcall(self->function, args, count, keywords);
    }
    call_release(&call);
    return value;
}

/* Attributes */

static int attach(struct memoizer *self)
{
    if (self->is_attached)
        return 0;
    self->is_attached = true;
    PyObject *done = PyObject_CallMethod(self->memo, "attach", "O", self->attributes);
    if (done == NULL) {
        self->is_attached = false;
        return -1;
    }
    Py_DECREF(done);
    return 0;
}

static PyObject *memoizer_getattro(PyObject *object, PyObject *name)
{
    struct memoizer *self = (struct memoizer *)object;
    PyObject *value = PyObject_GenericGetAttr(object, name);
    if (value != NULL || self->is_attached || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return value;
    PyErr_Clear();
    return attach(self) < 0 ? NULL : PyObject_GenericGetAttr(object, name);
}

static PyObject *get_attributes(struct memoizer *self, void *unused)
{
    (void)unused;
    return attach(self) < 0 ? NULL : Py_NewRef(self->attributes);
}

static int set_attributes(struct memoizer *self, PyObject *value, void *unused)
{
    (void)unused;
    if (value == NULL || !PyDict_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "__dict__: expected a dictionary");
        return -1;
    }
    PyObject *before = self->attributes;
    self->attributes = Py_NewRef(value);
    Py_DECREF(before);
    return 0;
}

static PyObject *memoizer_get(PyObject *self, PyObject *instance, PyObject *type)
{
    (void)type;
    if (instance == NULL || instance == Py_None)
        return Py_NewRef(self);
    return PyMethod_New(self, instance);
}

static PyObject *memoizer_repr(struct memoizer *self)
{
    PyObject *name = PyObject_GetAttrString((PyObject *)self, "__qualname__");
    if (name == NULL) {
        PyErr_Clear();
        return PyUnicode_FromFormat("<memoized %R>", self->function);
    }
    PyObject *text = PyUnicode_FromFormat("<memoized function %S at %p>", name, self);
    Py_DECREF(name);
    return text;
}

/* Pickled by name, or as the Python part decides. */
static PyObject *memoizer_reduce(struct memoizer *self, PyObject *unused)
{
    (void)unused;
    return PyObject_CallMethod(self->memo, "reduced", "O", (PyObject *)self);
}

static PyObject *itself(PyObject *self, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(self);
}

static PyMethodDef methods[] = {
    {"__reduce__", (PyCFunction)memoizer_reduce, METH_NOARGS, NULL},
    {"__copy__", itself, METH_NOARGS, NULL},
    {"__deepcopy__", itself, METH_O, NULL},
    {NULL},
};

static PyMemberDef members[] = {
    {"__memo__", T_OBJECT, offsetof(struct memoizer, memo), READONLY, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct memoizer, attributes), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct memoizer, weak_references), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct memoizer, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"__dict__", (getter)get_attributes, (setter)set_attributes, NULL, NULL},
    {NULL},
};

/* The type */

static int memoizer_traverse(struct memoizer *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->function);
    Py_VISIT(self->results);
    Py_VISIT(self->memo);
    Py_VISIT(self->check_value);
    Py_VISIT(self->cache_if);
    Py_VISIT(self->sizeof_value);
    Py_VISIT(self->copy);
    Py_VISIT(self->on_call);
    Py_VISIT(self->errors);
    Py_VISIT(self->attributes);
    return 0;
}

/* The function stays, since a finalizer may still call it: what it is in a cycle with can be cleared, too. */
static int memoizer_clear(struct memoizer *self)
{
    if (self->attributes != NULL)
        PyDict_Clear(self->attributes);
    return 0;
}

static void memoizer_dealloc(struct memoizer *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak_references != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    Py_XDECREF(self->function);
    Py_XDECREF(self->results);
    Py_XDECREF(self->memo);
    Py_XDECREF(self->check_value);
    Py_XDECREF(self->cache_if);
    Py_XDECREF(self->sizeof_value);
    Py_XDECREF(self->copy);
    Py_XDECREF(self->on_call);
    Py_XDECREF(self->errors);
    Py_XDECREF(self->attributes);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *or_null(PyObject *object)
{
    return object == Py_None ? NULL : Py_NewRef(object);
}

static PyObject *memoizer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"function", "results", "memo", "attributes", "check_value", "cache_if", "sizeof",
                            "copy", "on_call", "errors", "keeps_nothing", NULL};
    PyObject *function, *results, *memo, *attributes, *check, *cache_if, *size, *copy, *on_call, *errors;
    int keeps_nothing;
    struct speed *speed = PyType_GetModuleState(type);
    if (speed == NULL)
        return NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO!OO!OOOOOOp:Memoizer", words, &function, speed->results_type,
                                     &results, &memo, &PyDict_Type, &attributes, &check, &cache_if, &size, &copy,
                                     &on_call, &errors, &keeps_nothing))
        return NULL;
    struct memoizer *self = (struct memoizer *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->vectorcall = memoizer_call;
    self->function = Py_NewRef(function);
    self->results = (struct results *)Py_NewRef(results);
    self->memo = Py_NewRef(memo);
    self->attributes = Py_NewRef(attributes);
    self->check_value = Py_NewRef(check);
    self->cache_if = or_null(cache_if);
    self->sizeof_value = or_null(size);
    self->copy = or_null(copy);
    self->on_call = or_null(on_call);
    self->errors = or_null(errors);
    self->keeps_nothing = keeps_nothing;
    return (PyObject *)self;
}

static PyType_Slot slots[] = {
    {Py_tp_new, memoizer_new},
    {Py_tp_dealloc, memoizer_dealloc},
    {Py_tp_traverse, memoizer_traverse},
    {Py_tp_clear, memoizer_clear},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_getattro, memoizer_getattro},
    {Py_tp_descr_get, memoizer_get},
    {Py_tp_repr, memoizer_repr},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "twat_cache._speed.Memoizer",
    .basicsize = sizeof(struct memoizer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int memoizer_add_type(PyObject *module)
{
    struct speed *speed = speed_of(module);
    speed->memoizer_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    if (speed->memoizer_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Memoizer", (PyObject *)speed->memoizer_type);
}
