/*
 * Writes MessagePack with our extension types (docs/format.md): the bytes are those that `_serialize/msgpack_writer.py` writes.
 *
 * A value is found by its exact type, so that a subclass never passes for its base. What is not known here
 * is described by Python (`_serialize/values.py`, `_rare`): as bytes, or as parts that are written here.
 *
 * Python code may run between any two items, and may change what is being written: each item
 * is held while it is written, and a container that has changed is an error.
 *
 * Keys of calls are written canonically: what Python's own `encode_call` would write. It is asked for whatever is
 * refused here, so that it has the last word on errors and on values of many levels.
 */

#include "pack.h"
#include "speed.h"
#include "wire.h"

/* As `MAX_DEPTH` of `_serialize/msgpack_writer.py`. */
#define MAX_DEPTH 64

static bool write_value(struct writer *w, PyObject *value);

static bool enter(struct writer *w)
{
    if (++w->depth > MAX_DEPTH)
        return unencodable(w, "a value of more than 64 levels");
    return true;
}

static bool write_rare(struct writer *w, PyObject *value);

static bool write_int(struct writer *w, PyObject *value)
{
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!reserve(w, 9))
        return false;
    if (overflow == 0) {
        if (n >= 0)
            return write_natural(w, (uint64_t)n);
        if (n >= -32) {
            *w->at++ = (uint8_t)n;
            return true;
        }
        if (n >= INT8_MIN)
            return write_wide(w, 0xD0, (uint64_t)n, 1);
        if (n >= INT16_MIN)
            return write_wide(w, 0xD1, (uint64_t)n, 2);
        return n >= INT32_MIN ? write_wide(w, 0xD2, (uint64_t)n, 4) : write_wide(w, 0xD3, (uint64_t)n, 8);
    }
    if (overflow > 0) {
        unsigned long long natural = PyLong_AsUnsignedLongLong(value);
        if (!PyErr_Occurred())
            return write_natural(w, natural);
        PyErr_Clear();
    }
    return write_rare(w, value); /* a big integer */
}

static bool write_float(struct writer *w, PyObject *value)
{
    double number = PyFloat_AS_DOUBLE(value);
    uint64_t bits;
    memcpy(&bits, &number, 8);
    if (number != number && w->canonical)
        bits = UINT64_C(0x7FF8000000000000);
    return reserve(w, 9) && write_wide(w, 0xCB, bits, 8);
}

/* Containers */

static bool write_held(struct writer *w, PyObject *item)
{
    bool done = write_value(w, item);
    Py_DECREF(item);
    return done;
}

static PyObject *list_item(PyObject *list, Py_ssize_t i)
{
#ifdef Py_GIL_DISABLED
    PyObject *item = PyList_GetItemRef(list, i);
    if (item == NULL)
        PyErr_Clear();
    return item;
#else
    return i < PyList_GET_SIZE(list) ? Py_NewRef(PyList_GET_ITEM(list, i)) : NULL;
#endif
}

static bool write_list(struct writer *w, PyObject *list)
{
    Py_ssize_t n = PyList_GET_SIZE(list);
    if (!write_array_head(w, (size_t)n) || !enter(w))
        return false;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = list_item(list, i);
        if (item == NULL)
            break;
        if (!write_held(w, item))
            return false;
    }
    if (PyList_GET_SIZE(list) != n)
        return unencodable(w, "a list that changed while it was written");
    w->depth--;
    return true;
}

static bool write_tuple(struct writer *w, PyObject *tuple)
{
    Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    size_t start;
    if (!begin_extension(w, &start) || !write_array_head(w, (size_t)n) || !enter(w))
        return false;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!write_value(w, PyTuple_GET_ITEM(tuple, i)))
            return false;
    w->depth--;
    return end_extension(w, start, EXT_TUPLE);
}

/* Items of sets, and pairs of maps in keys, are sorted by the bytes of the item or of the pair's key. */

struct size {
    size_t sorted_by, all;
};

struct piece {
    const uint8_t *at;
    struct size size;
};

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    size_t n = a->size.sorted_by, m = b->size.sorted_by;
    int order = memcmp(a->at, b->at, n < m ? n : m);
    return order != 0 ? order : (n > m) - (n < m);
}

/* Puts the items that were written from `start` on, of these sizes, into their order. */
static bool sort_items(struct writer *w, size_t start, const struct size *sizes, size_t n)
{
    size_t total = (size_t)(w->at - w->start) - start;
    uint8_t *copy = PyMem_Malloc(total + 1);
    struct piece *pieces = PyMem_Calloc(n, sizeof *pieces);
    bool done = copy != NULL && pieces != NULL;
    if (done) {
        memcpy(copy, w->start + start, total);
        const uint8_t *from = copy;
        for (size_t i = 0; i < n; from += sizes[i++].all)
            pieces[i] = (struct piece){from, sizes[i]};
        qsort(pieces, n, sizeof *pieces, compare_pieces);
        uint8_t *to = w->start + start;
        for (size_t i = 0; i < n; to += pieces[i++].size.all) {
            if (i > 0 && compare_pieces(&pieces[i - 1], &pieces[i]) == 0)
                done = unencodable(w, "a set with two items, or a map with two keys, that encode alike");
            memcpy(to, pieces[i].at, pieces[i].size.all);
        }
    } else {
        PyErr_NoMemory();
    }
    PyMem_Free(pieces);
    PyMem_Free(copy);
    return done;
}

static bool write_set_items(struct writer *w, PyObject *set)
{
    PyObject *items = PySequence_List(set); /* nobody changes this one */
    if (items == NULL)
        return false;
    size_t n = (size_t)PyList_GET_SIZE(items), start = 0;
    struct size *sizes = PyMem_Calloc(n + 1, sizeof *sizes);
    bool done = sizes != NULL;
    if (!done)
        PyErr_NoMemory();
    done = done && write_array_head(w, n) && enter(w);
    if (done)
        start = (size_t)(w->at - w->start);
    for (size_t i = 0; done && i < n; i++) {
        size_t before = (size_t)(w->at - w->start);
        done = write_value(w, PyList_GET_ITEM(items, (Py_ssize_t)i));
        sizes[i].sorted_by = sizes[i].all = (size_t)(w->at - w->start) - before;
    }
    done = done && (n < 2 || sort_items(w, start, sizes, n));
    w->depth--;
    PyMem_Free(sizes);
    Py_DECREF(items);
    return done;
}

/* Maps */

/* Takes key and item over. */
static bool write_pair(struct writer *w, PyObject *key, PyObject *item, struct size *size)
{
    size_t before = (size_t)(w->at - w->start);
    bool done = write_held(w, key);
    size_t between = (size_t)(w->at - w->start);
    if (!done)
        Py_DECREF(item);
    else
        done = write_held(w, item);
    if (size != NULL)
        *size = (struct size){between - before, (size_t)(w->at - w->start) - before};
    return done;
}

/* The pairs; where there are `sizes`, they are noted. */
static bool write_pairs(struct writer *w, PyObject *map, Py_ssize_t n, struct size *sizes)
{
    Py_ssize_t at = 0, written = 0;
    PyObject *key, *item;
    while (written < n && PyDict_GET_SIZE(map) == n && PyDict_Next(map, &at, &key, &item)) {
        Py_INCREF(key);
        Py_INCREF(item);
        if (!write_pair(w, key, item, sizes == NULL ? NULL : &sizes[written]))
            return false;
        written++;
    }
    if (written == n && PyDict_GET_SIZE(map) == n)
        return true;
    if (w->canonical)
        return unencodable(w, "a map that changed while it was written");
    PyErr_SetString(PyExc_RuntimeError, "dictionary changed size during iteration");
    return false;
}

static bool write_all_pairs(struct writer *w, PyObject *map, Py_ssize_t n, struct size *sizes)
{
    bool done;
#ifdef Py_GIL_DISABLED
    Py_BEGIN_CRITICAL_SECTION(map);
    done = write_pairs(w, map, n, sizes);
    Py_END_CRITICAL_SECTION();
#else
    done = write_pairs(w, map, n, sizes);
#endif
    return done;
}

static bool write_sorted_pairs(struct writer *w, PyObject *map, Py_ssize_t n)
{
    struct size *sizes = PyMem_Calloc((size_t)n, sizeof *sizes);
    if (sizes == NULL) {
        PyErr_NoMemory();
        return false;
    }
    size_t start = (size_t)(w->at - w->start);
    bool done = write_all_pairs(w, map, n, sizes) && sort_items(w, start, sizes, (size_t)n);
    PyMem_Free(sizes);
    return done;
}

static bool write_map(struct writer *w, PyObject *map)
{
    Py_ssize_t n = PyDict_GET_SIZE(map);
    if (!write_map_head(w, (size_t)n) || !enter(w))
        return false;
    bool done = w->canonical && n > 1 ? write_sorted_pairs(w, map, n) : write_all_pairs(w, map, n, NULL);
    w->depth--;
    return done;
}

static bool write_set(struct writer *w, PyObject *set)
{
    size_t start;
    return begin_extension(w, &start) && write_set_items(w, set) && end_extension(w, start, EXT_SET);
}

static bool write_frozenset(struct writer *w, PyObject *set)
{
    static const char name[] = "builtins.frozenset";
    size_t start;
    return begin_extension(w, &start) && write_byte(w, 0x92) && write_text_of(w, name, sizeof name - 1) &&
           write_set_items(w, set) && end_extension(w, start, EXT_NAMED);
}

/* What Python says of a value: its bytes, the fields of an array, or the name and the fields of a named type. */
static bool write_parts(struct writer *w, PyObject *parts)
{
    size_t start;
    if (PyByteArray_CheckExact(parts))
        return write_raw(w, PyByteArray_AS_STRING(parts), (size_t)PyByteArray_GET_SIZE(parts));
    if (PyList_CheckExact(parts))
        return begin_extension(w, &start) && write_list(w, parts) && end_extension(w, start, EXT_ARRAY);
    if (PyTuple_CheckExact(parts) && PyTuple_GET_SIZE(parts) == 2 && PyUnicode_Check(PyTuple_GET_ITEM(parts, 0)))
        return begin_extension(w, &start) && write_byte(w, 0x92) && write_text(w, PyTuple_GET_ITEM(parts, 0)) &&
               write_value(w, PyTuple_GET_ITEM(parts, 1)) && end_extension(w, start, EXT_NAMED);
    PyErr_SetString(PyExc_TypeError, "write_rare: expected a bytearray, a list, or a name with fields");
    return false;
}

static bool write_rare(struct writer *w, PyObject *value)
{
    PyObject *parts;
    if (w->canonical) {
        parts = PyObject_CallOneArg(w->speed->write_key, value);
    } else {
        PyObject *depth = PyLong_FromLong(w->depth);
        if (depth == NULL)
            return false;
        parts = PyObject_CallFunctionObjArgs(w->speed->write_rare, value, depth, NULL);
        Py_DECREF(depth);
    }
    if (parts == NULL)
        return false;
    bool done = write_parts(w, parts);
    Py_DECREF(parts);
    return done;
}

static bool write_value(struct writer *w, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type)
        return write_text(w, value);
    if (type == &PyLong_Type)
        return write_int(w, value);
    if (type == &PyFloat_Type)
        return write_float(w, value);
    if (value == Py_None)
        return write_byte(w, 0xC0);
    if (type == &PyBool_Type)
        return write_byte(w, value == Py_True ? 0xC3 : 0xC2);
    if (type == &PyDict_Type)
        return write_map(w, value);
    if (type == &PyList_Type)
        return write_list(w, value);
    if (type == &PyTuple_Type)
        return write_tuple(w, value);
    if (type == &PyBytes_Type)
        return write_bytes(w, value);
    if (type == &PySet_Type)
        return write_set(w, value);
    if (type == &PyFrozenSet_Type)
        return write_frozenset(w, value);
    return write_rare(w, value);
}

static bool begin(struct writer *w)
{
    w->bytes = PyBytes_FromStringAndSize(NULL, FIRST_ROOM);
    if (w->bytes == NULL)
        return false;
    w->start = w->at = (uint8_t *)PyBytes_AS_STRING(w->bytes);
    w->end = w->start + FIRST_ROOM;
    return true;
}

/* The bytes, or NULL where they could not all be written. */
static PyObject *finish(struct writer *w, bool done)
{
    if (!done)
        Py_CLEAR(w->bytes);
    else
        _PyBytes_Resize(&w->bytes, w->at - w->start);
    return w->bytes;
}

PyObject *speed_encode(PyObject *module, PyObject *value)
{
    struct writer w = {.speed = speed_of(module)};
    if (w.speed->write_rare == NULL) {
        PyErr_SetString(PyExc_TypeError, "encode: expected a call of configure before");
        return NULL;
    }
    if (!begin(&w))
        return NULL;
    return finish(&w, write_byte(&w, FORMAT_MSGPACK) && write_value(&w, value));
}

static bool write_call(struct writer *w, PyObject *prefix, PyObject *arguments, PyObject *keywords)
{
    Py_ssize_t n = PyTuple_GET_SIZE(arguments);
    if (!write_raw(w, PyBytes_AS_STRING(prefix), (size_t)PyBytes_GET_SIZE(prefix)) || !write_array_head(w, (size_t)n))
        return false;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!write_value(w, PyTuple_GET_ITEM(arguments, i)))
            return false;
    return keywords == Py_None ? write_byte(w, 0x80) : write_map(w, keywords);
}

/* encode_call(prefix, names, arguments, keywords): the key of a call. The first two are a function's own. */
PyObject *speed_encode_call(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct writer w = {.speed = speed_of(module), .canonical = true};
    if (n != 4 || w.speed->write_key == NULL) {
        PyErr_SetString(PyExc_TypeError, "encode_call: expected prefix, names, arguments and keywords");
        return NULL;
    }
    PyObject *prefix = args[0], *names = args[1], *arguments = args[2], *keywords = args[3];
    if (w.speed->unencodable != NULL && PyBytes_CheckExact(prefix) && PyTuple_CheckExact(arguments) &&
        (keywords == Py_None || PyDict_CheckExact(keywords))) {
        if (!begin(&w))
            return NULL;
        PyObject *key = finish(&w, write_call(&w, prefix, arguments, keywords));
        if (key != NULL)
            return key;
        if (!PyErr_ExceptionMatches(w.speed->unencodable) && !PyErr_ExceptionMatches(PyExc_RecursionError))
            return NULL;
        PyErr_Clear();
    }
    return PyObject_CallFunctionObjArgs(w.speed->key_pure, prefix, arguments, keywords, names, NULL);
}
