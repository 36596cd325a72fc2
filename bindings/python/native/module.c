/* The module `twat_cache._speed`: its functions, its state, and the addresses of the core. */

#include "memoizer.h"
#include "speed.h"

static PyObject *connect_core(PyObject *module, PyObject *addresses)
{
    struct speed *speed = speed_of(module);
    struct core core;
    if (!PyDict_Check(addresses)) {
        PyErr_Format(PyExc_TypeError, "connect: expected a dictionary of addresses, got: %R", addresses);
        return NULL;
    }
#define X(name)                                                                                                        \
    {                                                                                                                  \
        PyObject *address = PyDict_GetItemString(addresses, #name);                                                    \
        core.name = address == NULL ? NULL : (__typeof__(name) *)PyLong_AsVoidPtr(address);                            \
        if (core.name == NULL) {                                                                                       \
            if (!PyErr_Occurred())                                                                                     \
                PyErr_SetString(PyExc_ValueError, "connect: expected the address of " #name ", got none");             \
            return NULL;                                                                                               \
        }                                                                                                              \
    }
    SPEED_CORE(X)
#undef X
    speed->core = core;
    speed->connected = true;
    Py_RETURN_NONE;
}

/* Takes hooks by name; all of a list, or none. */
#define FIND(name)                                                                                                     \
    if (PyDict_GetItemString(hooks, #name) == NULL) {                                                                  \
        PyErr_SetString(PyExc_ValueError, "expected the hook " #name ", got none");                                    \
        return NULL;                                                                                                   \
    }
#define TAKE(name) Py_XSETREF(speed->name, Py_NewRef(PyDict_GetItemString(hooks, #name)));

static PyObject *configure_codec(PyObject *module, PyObject *hooks)
{
    struct speed *speed = speed_of(module);
    if (!PyDict_Check(hooks)) {
        PyErr_Format(PyExc_TypeError, "configure: expected a dictionary of hooks, got: %R", hooks);
        return NULL;
    }
    SPEED_HOOKS(FIND)
    SPEED_HOOKS(TAKE)
    Py_RETURN_NONE;
}

static PyObject *configure_keys(PyObject *module, PyObject *hooks)
{
    struct speed *speed = speed_of(module);
    if (!PyDict_Check(hooks)) {
        PyErr_SetString(PyExc_TypeError, "configure_keys: expected a dictionary of hooks");
        return NULL;
    }
    SPEED_KEY_HOOKS(FIND)
    SPEED_KEY_HOOKS(TAKE)
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"connect", connect_core, METH_O, "Take the addresses of the core's functions, by name (see CORE)."},
    {"configure", configure_codec, METH_O, "Take what Python does for the codec, by name."},
    {"configure_keys", configure_keys, METH_O, "Take what Python does for keys, by name."},
    {"encode_call", (PyCFunction)(void (*)(void))speed_encode_call, METH_FASTCALL, "The key of a call."},
    {"decode", (PyCFunction)(void (*)(void))speed_decode, METH_FASTCALL, "The one value that bytes are from a place on."},
    {"fetch", (PyCFunction)(void (*)(void))speed_fetch, METH_FASTCALL, "The value of a key of a store."},
    {"encode", speed_encode, METH_O, "A value as bytes of format 1."},
    {NULL, NULL, 0, NULL},
};

/* The names of the functions that `connect` expects. */
static PyObject *core_names(void)
{
#define X(name) #name,
    static const char *const names[] = {SPEED_CORE(X)};
#undef X
    Py_ssize_t n = sizeof names / sizeof *names;
    PyObject *tuple = PyTuple_New(n);
    for (Py_ssize_t i = 0; tuple != NULL && i < n; i++) {
        PyObject *name = PyUnicode_FromString(names[i]);
        if (name == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, name);
    }
    return tuple;
}

static int module_exec(PyObject *module)
{
    PyObject *names = core_names();
    int failed = PyModule_AddObjectRef(module, "CORE", names);
    Py_XDECREF(names);
    if (failed || PyModule_AddIntConstant(module, "EDITION", SPEED_EDITION) < 0)
        return -1;
    struct speed *speed = speed_of(module);
    speed->busy_name = PyUnicode_InternFromString("_busy");
    speed->pointer_name = PyUnicode_InternFromString("_pointer");
    if (speed->busy_name == NULL || speed->pointer_name == NULL)
        return -1;
    if (binder_add_type(module) < 0 || instance_add_type(module) < 0 || results_add_type(module) < 0 ||
        memoizer_add_type(module) < 0)
        return -1;
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct speed *speed = speed_of(module);
#define X(name) Py_VISIT(speed->name);
    SPEED_HOOKS(X)
    SPEED_KEY_HOOKS(X)
#undef X
    Py_VISIT(speed->binder_type);
    Py_VISIT(speed->instance_type);
    Py_VISIT(speed->memoizer_type);
    Py_VISIT(speed->results_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    struct speed *speed = speed_of(module);
#define X(name) Py_CLEAR(speed->name);
    SPEED_HOOKS(X)
    SPEED_KEY_HOOKS(X)
#undef X
    Py_CLEAR(speed->busy_name);
    Py_CLEAR(speed->pointer_name);
    Py_CLEAR(speed->binder_type);
    Py_CLEAR(speed->instance_type);
    Py_CLEAR(speed->memoizer_type);
    Py_CLEAR(speed->results_type);
    return 0;
}

static void module_free(void *module)
{
    module_clear((PyObject *)module);
    struct speed *speed = speed_of((PyObject *)module);
    if (speed != NULL)
        PyMem_RawFree(atomic_exchange(&speed->room, NULL));
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "twat_cache._speed",
    .m_doc = "The native part of twat-cache. Nothing here is public: the package works the same without it.",
    .m_size = sizeof(struct speed),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__speed(void)
{
    return PyModuleDef_Init(&definition);
}
