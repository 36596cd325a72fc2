/* Binds arguments to parameters as the interpreter does, without running Python code. */

#include "binder.h"

#include <stdlib.h>
#include <structmember.h>

void bound_release(struct bound *bound)
{
    if (bound->named != bound->small)
        PyMem_Free(bound->named);
    if (bound->extra != bound->small_extra)
        PyMem_Free(bound->extra);
}

static enum binding no_memory(void)
{
    PyErr_NoMemory();
    return BIND_FAILED;
}

/* The index of a parameter that may be given by name, or -1. */
static Py_ssize_t index_of(const struct binder *binder, PyObject *name)
{
    for (Py_ssize_t i = binder->positional_only; i < binder->count; i++)
        if (PyTuple_GET_ITEM(binder->names, i) == name)
            return i;
    for (Py_ssize_t i = binder->positional_only; i < binder->count; i++) {
        PyObject *known = PyTuple_GET_ITEM(binder->names, i);
        if (PyUnicode_GET_LENGTH(known) == PyUnicode_GET_LENGTH(name) && PyUnicode_Compare(known, name) == 0)
            return i;
    }
    return -1;
}

static int by_name(const void *a, const void *b)
{
    return PyUnicode_Compare(((const struct keyword *)a)->name, ((const struct keyword *)b)->name);
}

static enum binding bind_keywords(const struct binder *binder, PyObject *const *values, PyObject *keywords,
                                  struct bound *bound)
{
    Py_ssize_t given = PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t i = 0; i < given; i++) {
        PyObject *name = PyTuple_GET_ITEM(keywords, i);
        /* A subclass of str may compare as it likes: the interpreter decides. */
        if (!PyUnicode_CheckExact(name))
            return NOT_BOUND;
        Py_ssize_t index = index_of(binder, name);
        if (index >= 0) {
            if (bound->named[index] != NULL)
                return NOT_BOUND;
            bound->named[index] = values[i];
            continue;
        }
        if (binder->double_star == STAR_NONE)
            return NOT_BOUND;
        if (bound->extra == bound->small_extra && bound->extra_count == BOUND_SMALL / 2) {
            struct keyword *more = PyMem_New(struct keyword, given);
            if (more == NULL)
                return no_memory();
            memcpy(more, bound->small_extra, sizeof bound->small_extra);
            bound->extra = more;
        }
        bound->extra[bound->extra_count++] = (struct keyword){name, values[i]};
    }
    if (bound->extra_count > 1)
        qsort(bound->extra, (size_t)bound->extra_count, sizeof *bound->extra, by_name);
    return BOUND;
}

enum binding bind_call(const struct binder *binder, PyObject *const *args, Py_ssize_t count, PyObject *keywords,
                       struct bound *bound)
{
    Py_ssize_t taken = count < binder->positional ? count : binder->positional;
    bound->named = bound->small;
    bound->extra = bound->small_extra;
    bound->star = args + taken;
    bound->star_count = count - taken;
    bound->extra_count = 0;
    bound->defaulted = false;
    if (bound->star_count > 0 && binder->star == STAR_NONE)
        return NOT_BOUND;
    if (binder->count > BOUND_SMALL) {
        bound->named = PyMem_New(PyObject *, binder->count);
        if (bound->named == NULL) {
            bound->named = bound->small;
            return no_memory();
        }
    }
    for (Py_ssize_t i = 0; i < taken; i++)
        bound->named[i] = args[i];
    for (Py_ssize_t i = taken; i < binder->count; i++)
        bound->named[i] = NULL;
    if (keywords != NULL && PyTuple_GET_SIZE(keywords) > 0) {
        enum binding result = bind_keywords(binder, args + count, keywords, bound);
        if (result != BOUND)
            return result;
    }
    for (Py_ssize_t i = taken; i < binder->count; i++) {
        if (bound->named[i] != NULL)
            continue;
        PyObject *value = PyTuple_GET_ITEM(binder->defaults, i);
        if (value == binder->missing)
            return NOT_BOUND;
        bound->named[i] = value;
        bound->defaulted = true;
    }
    return BOUND;
}

/* The names of what is passed by keyword, or NULL: an error, or none. */
static PyObject *keyword_names(const struct binder *binder, const struct bound *bound)
{
    Py_ssize_t only = binder->count - binder->positional;
    if (only + bound->extra_count == 0)
        return NULL;
    PyObject *names = PyTuple_New(only + bound->extra_count);
    if (names == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < only; i++)
        PyTuple_SET_ITEM(names, i, Py_NewRef(PyTuple_GET_ITEM(binder->names, binder->positional + i)));
    for (Py_ssize_t i = 0; i < bound->extra_count; i++)
        PyTuple_SET_ITEM(names, only + i, Py_NewRef(bound->extra[i].name));
    return names;
}

PyObject *bound_call(const struct binder *binder, const struct bound *bound, PyObject *callable)
{
    Py_ssize_t positional = binder->positional + bound->star_count;
    Py_ssize_t total = binder->count + bound->star_count + bound->extra_count;
    PyObject *small[BOUND_SMALL + 1], **stack = small;
    if (total > BOUND_SMALL && (stack = PyMem_New(PyObject *, total + 1)) == NULL)
        return PyErr_NoMemory();
    /* One place before the arguments, which a method may write its receiver to. */
    PyObject **at = stack + 1, *result = NULL;
    for (Py_ssize_t i = 0; i < binder->positional; i++)
        *at++ = bound->named[i];
    for (Py_ssize_t i = 0; i < bound->star_count; i++)
        *at++ = bound->star[i];
    for (Py_ssize_t i = binder->positional; i < binder->count; i++)
        *at++ = bound->named[i];
    for (Py_ssize_t i = 0; i < bound->extra_count; i++)
        *at++ = bound->extra[i].value;
    PyObject *names = keyword_names(binder, bound);
    if (names != NULL || !PyErr_Occurred())
        result = PyObject_Vectorcall(callable, stack + 1, (size_t)positional | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    Py_XDECREF(names);
    if (stack != small)
        PyMem_Free(stack);
    return result;
}

/* Called: the positional part of a key, and a dictionary of the other keywords or None; or `missing`. */

static PyObject *positional_part(const struct binder *binder, const struct bound *bound)
{
    Py_ssize_t stars = binder->star == STAR_IN_KEY ? bound->star_count : 0, at = 0, count = stars;
    for (Py_ssize_t i = 0; i < binder->count; i++)
        count += binder->in_key[i];
    PyObject *tuple = PyTuple_New(count);
    if (tuple == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < binder->count; i++) {
        if (!binder->in_key[i])
            continue;
        PyObject *value = bound->named[i];
        if (binder->stand_ins != NULL && value == PyTuple_GET_ITEM(binder->defaults, i) &&
            PyTuple_GET_ITEM(binder->stand_ins, i) != binder->missing)
            value = PyTuple_GET_ITEM(binder->stand_ins, i);
        PyTuple_SET_ITEM(tuple, at++, Py_NewRef(value));
    }
    for (Py_ssize_t i = 0; i < stars; i++)
        PyTuple_SET_ITEM(tuple, at++, Py_NewRef(bound->star[i]));
    return tuple;
}

static PyObject *keyword_part(const struct binder *binder, const struct bound *bound)
{
    if (binder->double_star != STAR_IN_KEY)
        Py_RETURN_NONE;
    PyObject *words = PyDict_New();
    for (Py_ssize_t i = 0; words != NULL && i < bound->extra_count; i++) {
        int ignored = binder->ignored == NULL ? 0 : PySet_Contains(binder->ignored, bound->extra[i].name);
        if (ignored < 0 || (!ignored && PyDict_SetItem(words, bound->extra[i].name, bound->extra[i].value) < 0))
            Py_CLEAR(words);
    }
    return words;
}

static PyObject *binder_call(PyObject *callable, PyObject *const *args, size_t count, PyObject *keywords)
{
    const struct binder *self = (struct binder *)callable;
    struct bound bound;
    PyObject *result = NULL;
    enum binding status = bind_call(self, args, PyVectorcall_NARGS(count), keywords, &bound);
    if (status == BOUND) {
        PyObject *positional = positional_part(self, &bound);
        PyObject *words = positional == NULL ? NULL : keyword_part(self, &bound);
        if (words != NULL)
            result = PyTuple_Pack(2, positional, words);
        Py_XDECREF(positional);
        Py_XDECREF(words);
    } else if (status == NOT_BOUND) {
        result = Py_NewRef(self->missing);
    }
    bound_release(&bound);
    return result;
}

/* The type */

static int binder_traverse(struct binder *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->names);
    Py_VISIT(self->defaults);
    Py_VISIT(self->missing);
    Py_VISIT(self->stand_ins);
    Py_VISIT(self->ignored);
    return 0;
}

/* Nobody clears a binder before it is released: what it holds is immutable, and those that use it stay valid. */
static void binder_dealloc(struct binder *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->names);
    Py_XDECREF(self->defaults);
    Py_XDECREF(self->missing);
    Py_XDECREF(self->stand_ins);
    Py_XDECREF(self->ignored);
    PyMem_Free(self->in_key);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static bool all_text(PyObject *names)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++)
        if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(names, i)))
            return false;
    return true;
}

static PyObject *binder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *words[] = {"names", "defaults", "missing", "in_key", "positional_only", "positional",
                            "star", "double_star", "ignored", "stand_ins", NULL};
    PyObject *names, *defaults, *missing, *in_key, *ignored, *stand_ins;
    Py_ssize_t positional_only, positional;
    int star, double_star;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!OO!nniiOO:Binder", words, &PyTuple_Type, &names, &PyTuple_Type,
                                     &defaults, &missing, &PyTuple_Type, &in_key, &positional_only, &positional, &star,
                                     &double_star, &ignored, &stand_ins))
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(names);
    if (PyTuple_GET_SIZE(defaults) != count || PyTuple_GET_SIZE(in_key) != count || !all_text(names) ||
        positional_only < 0 || positional_only > positional || positional > count ||
        (stand_ins != Py_None && (!PyTuple_CheckExact(stand_ins) || PyTuple_GET_SIZE(stand_ins) != count)) ||
        (ignored != Py_None && !PyFrozenSet_CheckExact(ignored))) {
        PyErr_SetString(PyExc_ValueError, "Binder: expected tuples of one length that describe a signature");
        return NULL;
    }
    struct binder *self = (struct binder *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->in_key = PyMem_Malloc(count > 0 ? (size_t)count : 1);
    if (self->in_key == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    self->vectorcall = binder_call;
    self->names = Py_NewRef(names);
    self->stand_ins = stand_ins == Py_None ? NULL : Py_NewRef(stand_ins);
    self->defaults = Py_NewRef(defaults);
    self->missing = Py_NewRef(missing);
    self->ignored = ignored == Py_None ? NULL : Py_NewRef(ignored);
    self->count = count;
    self->positional_only = positional_only;
    self->positional = positional;
    self->star = (enum star)star;
    self->double_star = (enum star)double_star;
    self->plain = star == STAR_NONE && double_star == STAR_NONE && positional == count;
    for (Py_ssize_t i = 0; i < count; i++) {
        self->in_key[i] = PyTuple_GET_ITEM(in_key, i) == Py_True;
        self->plain = self->plain && self->in_key[i];
    }
    return (PyObject *)self;
}

static PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct binder, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, members},
    {Py_tp_new, binder_new},
    {Py_tp_dealloc, binder_dealloc},
    {Py_tp_traverse, binder_traverse},
    {Py_tp_doc, "What a function takes, and which of it is part of a key."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "twat_cache._speed.Binder",
    .basicsize = sizeof(struct binder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int binder_add_type(PyObject *module)
{
    struct speed *speed = speed_of(module);
    speed->binder_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    if (speed->binder_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Binder", (PyObject *)speed->binder_type);
}
