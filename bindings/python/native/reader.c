/*
 * Reads MessagePack with our extension types (docs/format.md).
 *
 * What is read here is read as `_serialize/msgpack_reader.py` does in Python, which has the last
 * word: bytes that this reader does not take for a value are read once more by that
 * one, whose answer or error it is. So this one refuses whatever is rare, deep or
 * malformed, and says no more about it.
 *
 * A length in the bytes is never trusted: strings must be there, and all containers
 * together may claim as many items as there are bytes.
 */

#include "speed.h"
#include "wire.h"

/* The writer's 64 levels, each with a named type around it, and some to spare. */
#define MAX_LEVELS 160
/* Keys of dictionaries that are kept, so that records share them. A power of two. */
#define KEYS 512
#define KEYS_BITS 9

struct reader {
    struct speed *speed;
    const uint8_t *at, *end;
    size_t unclaimed; /* items that containers may still claim */
    int levels;
    uint64_t known[KEYS / 64]; /* which of `keys` are set */
    PyObject *keys[KEYS];
};

static PyObject *read_value(struct reader *r);

/* NULL without an exception: what is here is not read by this reader. */
static PyObject *refuse(void)
{
    return NULL;
}

static inline size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

/* A big-endian number of 1, 2 or 4 bytes; false where the bytes end before. */
static inline bool read_length(struct reader *r, int width, size_t *n)
{
    if (left(r) < (size_t)width)
        return false;
    *n = width == 1 ? r->at[0] : width == 2 ? load16(r->at) : load32(r->at);
    r->at += width;
    return true;
}

static inline bool claim(struct reader *r, size_t n)
{
    if (n > r->unclaimed || n > left(r))
        return false;
    r->unclaimed -= n;
    return true;
}

static inline PyObject *read_text(struct reader *r, size_t n)
{
    if (n > left(r))
        return refuse();
    const uint8_t *text = r->at;
    r->at += n;
    return PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)n, NULL);
}

static PyObject *read_bytes(struct reader *r, size_t n)
{
    if (n > left(r))
        return refuse();
    const uint8_t *bytes = r->at;
    r->at += n;
    return PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)n);
}

static PyObject *read_list(struct reader *r, size_t n)
{
    if (!claim(r, n) || ++r->levels > MAX_LEVELS)
        return refuse();
    PyObject *list = PyList_New((Py_ssize_t)n);
    if (list == NULL)
        return NULL;
    /* Nobody may find it by the collector while it has holes. */
    PyObject_GC_UnTrack(list);
    for (size_t i = 0; i < n; i++) {
        PyObject *item = read_value(r);
        if (item == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    PyObject_GC_Track(list);
    r->levels--;
    return list;
}

static inline bool is_atom(PyObject *item)
{
    return PyUnicode_CheckExact(item) || PyLong_CheckExact(item) || PyFloat_CheckExact(item) || item == Py_None ||
           PyBool_Check(item) || PyBytes_CheckExact(item);
}

static PyObject *read_tuple(struct reader *r, size_t n)
{
    if (!claim(r, n) || ++r->levels > MAX_LEVELS)
        return refuse();
    PyObject *tuple = PyTuple_New((Py_ssize_t)n);
    if (tuple == NULL || n == 0) {
        r->levels--;
        return tuple; /* the empty one is everybody's */
    }
    PyObject_GC_UnTrack(tuple);
    bool atoms = true;
    for (size_t i = 0; i < n; i++) {
        PyObject *item = read_value(r);
        if (item == NULL) {
            Py_DECREF(tuple);
            return NULL;
        }
        atoms = atoms && is_atom(item);
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, item);
    }
    /* As the collector itself would leave it, in time: with nothing to follow it is not tracked. */
    if (!atoms)
        PyObject_GC_Track(tuple);
    r->levels--;
    return tuple;
}

/* Where a short text would be kept. */
static inline unsigned slot_of(const uint8_t *text, size_t n)
{
    uint64_t first, last;
    if (n >= 8) {
        memcpy(&first, text, 8);
        memcpy(&last, text + n - 8, 8);
    } else {
        first = last = 0;
        memcpy(&first, text, n);
    }
    uint64_t mixed = (first ^ (uint64_t)n << 59) * UINT64_C(0x9E3779B97F4A7C15) + last * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (unsigned)((mixed ^ mixed >> 29) * UINT64_C(0xBF58476D1CE4E5B9) >> (64 - KEYS_BITS));
}

/* A key of at most 31 bytes, which other dictionaries of the value mostly have too. */
static PyObject *read_short_key(struct reader *r, size_t n)
{
    if (n > left(r))
        return refuse();
    unsigned slot = slot_of(r->at, n);
    uint64_t bit = UINT64_C(1) << (slot % 64), *known = &r->known[slot / 64];
    if (*known & bit) {
        PyObject *key = r->keys[slot];
        if ((size_t)PyUnicode_GET_LENGTH(key) == n && memcmp(PyUnicode_1BYTE_DATA(key), r->at, n) == 0) {
            r->at += n;
            return Py_NewRef(key);
        }
    }
    PyObject *key = read_text(r, n);
    if (key != NULL && PyUnicode_IS_COMPACT_ASCII(key)) {
        if (*known & bit)
            Py_DECREF(r->keys[slot]);
        *known |= bit;
        r->keys[slot] = Py_NewRef(key);
    }
    return key;
}

static PyObject *read_map(struct reader *r, size_t n)
{
    if (n > left(r) / 2 || !claim(r, n) || ++r->levels > MAX_LEVELS)
        return refuse();
    PyObject *map = PyDict_New();
    if (map == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        PyObject *key, *item = NULL;
        if (r->at < r->end && (*r->at & 0xE0) == 0xA0) {
            size_t length = *r->at++ & 31;
            key = read_short_key(r, length);
        } else {
            key = read_value(r);
        }
        if (key != NULL)
            item = read_value(r);
        int failed = item == NULL || PyDict_SetItem(map, key, item) < 0;
        Py_XDECREF(key);
        Py_XDECREF(item);
        if (failed) {
            Py_DECREF(map);
            return NULL;
        }
    }
    r->levels--;
    return map;
}

/* The header of an array; false for anything else. */
static bool read_array_header(struct reader *r, size_t *n)
{
    if (left(r) < 1)
        return false;
    uint8_t head = *r->at++;
    if ((head & 0xF0) == 0x90) {
        *n = head & 15;
        return true;
    }
    return (head == 0xDC && read_length(r, 2, n)) || (head == 0xDD && read_length(r, 4, n));
}

static PyObject *read_set(struct reader *r)
{
    size_t n;
    PyObject *list = read_array_header(r, &n) ? read_list(r, n) : refuse();
    PyObject *set = list == NULL ? NULL : PySet_New(list);
    Py_XDECREF(list);
    return set;
}

/* A named type of name and fields. A date-time is read from its bytes, since it may be outside of the calendar. */
static PyObject *read_named(struct reader *r, size_t n)
{
    static const char date_time[] = "\x92\xb1" "datetime.datetime";
    const size_t skipped = sizeof date_time - 1;
    if (n >= skipped && memcmp(r->at, date_time, skipped) == 0) {
        PyObject *fields = PyBytes_FromStringAndSize((const char *)r->at + skipped, (Py_ssize_t)(n - skipped));
        PyObject *made = fields == NULL ? NULL : PyObject_CallOneArg(r->speed->read_datetime, fields);
        Py_XDECREF(fields);
        r->at += n;
        return made;
    }
    if (n < 3 || *r->at != 0x92 || ++r->levels > MAX_LEVELS)
        return refuse();
    const uint8_t *end = r->at + n;
    r->at++;
    PyObject *name = read_value(r), *fields = NULL, *made = NULL;
    if (name != NULL && PyUnicode_CheckExact(name))
        fields = read_value(r);
    if (fields != NULL && r->at == end)
        made = PyObject_CallFunctionObjArgs(r->speed->rebuild, name, fields, NULL);
    Py_XDECREF(name);
    Py_XDECREF(fields);
    r->levels--;
    return made;
}

/* What Python makes of an extension: of its bytes, or of the value inside, once it is known to end with the extension. */
static PyObject *read_other(struct reader *r, int kind, size_t n)
{
    const uint8_t *end = r->at + n;
    PyObject *inner, *made = NULL;
    if (kind != EXT_ARRAY) {
        inner = read_bytes(r, n);
    } else if (++r->levels > MAX_LEVELS) {
        return refuse();
    } else {
        inner = read_value(r);
        r->levels--;
    }
    PyObject *number = inner == NULL || r->at != end ? NULL : PyLong_FromLong(kind);
    if (number != NULL)
        made = PyObject_CallFunctionObjArgs(r->speed->read_extension, number, inner, NULL);
    Py_XDECREF(number);
    Py_XDECREF(inner);
    return made;
}

static PyObject *read_extension(struct reader *r, size_t n)
{
    if (left(r) < 1 || n > left(r) - 1)
        return refuse();
    int kind = (int8_t)*r->at++;
    const uint8_t *end = r->at + n;
    size_t items;
    PyObject *made;
    switch (kind) {
    case EXT_TUPLE:
        made = read_array_header(r, &items) ? read_tuple(r, items) : refuse();
        break;
    case EXT_SET:
        made = read_set(r);
        break;
    case EXT_NAMED:
        made = read_named(r, n);
        break;
    default:
        made = read_other(r, kind, n);
    }
    if (made != NULL && r->at != end) {
        Py_DECREF(made);
        return refuse();
    }
    return made;
}

static PyObject *read_number(struct reader *r, uint8_t head)
{
    static const uint8_t widths[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8};
    size_t width = widths[head - 0xCA];
    if (left(r) < width)
        return refuse();
    const uint8_t *at = r->at;
    r->at += width;
    switch (head) {
    case 0xCA: {
        uint32_t bits = load32(at);
        float number;
        memcpy(&number, &bits, 4);
        return PyFloat_FromDouble(number);
    }
    case 0xCB: {
        uint64_t bits = load64(at);
        double number;
        memcpy(&number, &bits, 8);
        return PyFloat_FromDouble(number);
    }
    case 0xCC:
        return PyLong_FromLong(at[0]);
    case 0xCD:
        return PyLong_FromLong(load16(at));
    case 0xCE:
        return PyLong_FromLongLong(load32(at));
    case 0xCF:
        return PyLong_FromUnsignedLongLong(load64(at));
    case 0xD0:
        return PyLong_FromLong((int8_t)at[0]);
    case 0xD1:
        return PyLong_FromLong((int16_t)load16(at));
    case 0xD2:
        return PyLong_FromLong((int32_t)load32(at));
    default:
        return PyLong_FromLongLong((int64_t)load64(at));
    }
}

/* What has its length beside it: heads C4 to C9 and D9 to DF. */
static PyObject *read_sized(struct reader *r, uint8_t head)
{
    size_t n;
    int width = head <= 0xC6 ? 1 << (head - 0xC4) : head <= 0xC9 ? 1 << (head - 0xC7) : head <= 0xDB ? 1 << (head - 0xD9)
                : head & 1 ? 4 : 2;
    if (!read_length(r, width, &n))
        return refuse();
    if (head <= 0xC6)
        return read_bytes(r, n);
    if (head <= 0xC9)
        return read_extension(r, n);
    if (head <= 0xDB)
        return read_text(r, n);
    return head <= 0xDD ? read_list(r, n) : read_map(r, n);
}

static PyObject *read_value(struct reader *r)
{
    if (r->at >= r->end)
        return refuse();
    uint8_t head = *r->at++;
    if (head < 0x80)
        return PyLong_FromLong(head);
    if (head < 0x90)
        return read_map(r, head & 15);
    if (head < 0xA0)
        return read_list(r, head & 15);
    if (head < 0xC0)
        return read_text(r, head & 31);
    if (head >= 0xE0)
        return PyLong_FromLong((int8_t)head);
    switch (head) {
    case 0xC0:
        Py_RETURN_NONE;
    case 0xC1:
        return refuse();
    case 0xC2:
        Py_RETURN_FALSE;
    case 0xC3:
        Py_RETURN_TRUE;
    }
    if (head >= 0xCA && head <= 0xD3)
        return read_number(r, head);
    if (head >= 0xD4 && head <= 0xD8)
        return read_extension(r, (size_t)1 << (head - 0xD4));
    return read_sized(r, head);
}

static void forget_keys(struct reader *r)
{
    for (int word = 0; word < KEYS / 64; word++)
        for (uint64_t known = r->known[word]; known != 0; known &= known - 1)
            Py_DECREF(r->keys[word * 64 + lowest_bit(known)]);
}

/* Whether an exception is one that reading once more by Python may explain or undo. */
static bool is_for_python(struct speed *speed)
{
    return !PyErr_Occurred() ||
           (PyErr_ExceptionMatches(PyExc_Exception) && !PyErr_ExceptionMatches(speed->malformed) &&
            !PyErr_ExceptionMatches(PyExc_MemoryError));
}

PyObject *speed_read(struct speed *speed, const char *data, size_t size, bool *refused)
{
    struct reader r;
    r.speed = speed;
    r.at = (const uint8_t *)data;
    r.end = r.at + size;
    r.unclaimed = size;
    r.levels = 0;
    memset(r.known, 0, sizeof r.known);
    PyObject *value = read_value(&r);
    if (value != NULL && r.at != r.end)
        Py_CLEAR(value);
    forget_keys(&r);
    *refused = value == NULL && is_for_python(speed);
    if (*refused)
        PyErr_Clear();
    return value;
}

PyObject *speed_decode(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct speed *speed = speed_of(module);
    Py_buffer data;
    if (n != 2 || speed->read_pure == NULL) {
        PyErr_SetString(PyExc_TypeError, "decode: expected bytes and where the value starts");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]);
    if ((start == -1 && PyErr_Occurred()) || PyObject_GetBuffer(args[0], &data, PyBUF_SIMPLE) < 0)
        return NULL;
    bool refused = true;
    PyObject *value = NULL;
    if (start >= 0 && start <= data.len)
        value = speed_read(speed, (const char *)data.buf + start, (size_t)(data.len - start), &refused);
    PyBuffer_Release(&data);
    return refused ? PyObject_Vectorcall(speed->read_pure, args, 2, NULL) : value;
}
