/* A buffer that grows, and what is written into it of MessagePack: heads, texts, bytes, numbers, extensions. */
#ifndef TWAT_PACK_H
#define TWAT_PACK_H

#include "speed.h"
#include "wire.h"

#define FIRST_ROOM 448
#define LONGEST UINT32_MAX

struct writer {
    struct speed *speed;
    PyObject *bytes;
    uint8_t *start, *at, *end;
    int depth;
    bool canonical;
};

static bool grow(struct writer *w, size_t n)
{
    size_t used = (size_t)(w->at - w->start), room = (size_t)(w->end - w->start);
    size_t wanted = room * 2 > used + n ? room * 2 : used + n + FIRST_ROOM;
    if (wanted > PY_SSIZE_T_MAX - 64 || n > PY_SSIZE_T_MAX - 64 - used) {
        PyErr_NoMemory();
        return false;
    }
    if (_PyBytes_Resize(&w->bytes, (Py_ssize_t)wanted) < 0)
        return false;
    w->start = (uint8_t *)PyBytes_AS_STRING(w->bytes);
    w->at = w->start + used;
    w->end = w->start + wanted;
    return true;
}

static inline bool reserve(struct writer *w, size_t n)
{
    return (size_t)(w->end - w->at) >= n || grow(w, n);
}

static inline bool write_byte(struct writer *w, uint8_t byte)
{
    if (!reserve(w, 1))
        return false;
    *w->at++ = byte;
    return true;
}

static bool write_raw(struct writer *w, const void *data, size_t n)
{
    if (!reserve(w, n))
        return false;
    memcpy(w->at, data, n);
    w->at += n;
    return true;
}

static bool unencodable(struct writer *w, const char *text)
{
    PyErr_SetString(w->speed->unencodable, text);
    return false;
}

/* The head of something of `n` items or bytes; `head` is that of the form with two bytes of length. */
static bool write_head(struct writer *w, uint8_t head, size_t n)
{
    if (n > LONGEST) {
        PyErr_Format(w->speed->unencodable, "something of %zu items or bytes, more than MessagePack's 2^32 - 1", n);
        return false;
    }
    if (!reserve(w, 5))
        return false;
    if (n < 0x10000) {
        w->at[0] = head;
        store16(w->at + 1, (uint16_t)n);
        w->at += 3;
    } else {
        w->at[0] = head + 1;
        store32(w->at + 1, (uint32_t)n);
        w->at += 5;
    }
    return true;
}

static inline bool write_array_head(struct writer *w, size_t n)
{
    return n < 16 ? write_byte(w, (uint8_t)(0x90 | n)) : write_head(w, 0xDC, n);
}

static inline bool write_map_head(struct writer *w, size_t n)
{
    return n < 16 ? write_byte(w, (uint8_t)(0x80 | n)) : write_head(w, 0xDE, n);
}

static inline bool write_short_head(struct writer *w, uint8_t head, size_t n)
{
    if (n >= 0x100)
        return write_head(w, head + 1, n);
    if (!reserve(w, 2))
        return false;
    w->at[0] = head;
    w->at[1] = (uint8_t)n;
    w->at += 2;
    return true;
}

static inline bool write_text_of(struct writer *w, const void *text, size_t n)
{
    if (n < 32) {
        if (!reserve(w, n + 1))
            return false;
        *w->at++ = (uint8_t)(0xA0 | n);
        memcpy(w->at, text, n);
        w->at += n;
        return true;
    }
    return write_short_head(w, 0xD9, n) && write_raw(w, text, n);
}

static bool write_text(struct writer *w, PyObject *text)
{
    if (PyUnicode_IS_COMPACT_ASCII(text))
        return write_text_of(w, PyUnicode_1BYTE_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
    /* Not by the text's own cache of its UTF-8, which would stay as long as the text. */
    PyObject *bytes = PyUnicode_AsUTF8String(text);
    if (bytes == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            return false;
        PyErr_Clear();
        return unencodable(w, "a text with a lone surrogate");
    }
    bool done = write_text_of(w, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return done;
}

static bool write_bytes(struct writer *w, PyObject *bytes)
{
    size_t n = (size_t)PyBytes_GET_SIZE(bytes);
    return write_short_head(w, 0xC4, n) && write_raw(w, PyBytes_AS_STRING(bytes), n);
}

/* A head and a number of 1, 2, 4 or 8 bytes. */
static inline bool write_wide(struct writer *w, uint8_t head, uint64_t number, int width)
{
    w->at[0] = head;
    switch (width) {
    case 1:
        w->at[1] = (uint8_t)number;
        break;
    case 2:
        store16(w->at + 1, (uint16_t)number);
        break;
    case 4:
        store32(w->at + 1, (uint32_t)number);
        break;
    default:
        store64(w->at + 1, number);
    }
    w->at += 1 + width;
    return true;
}

static inline bool write_natural(struct writer *w, uint64_t n)
{
    if (n < 0x80) {
        *w->at++ = (uint8_t)n;
        return true;
    }
    if (n < 0x100)
        return write_wide(w, 0xCC, n, 1);
    if (n < 0x10000)
        return write_wide(w, 0xCD, n, 2);
    return n <= UINT32_MAX ? write_wide(w, 0xCE, n, 4) : write_wide(w, 0xCF, n, 8);
}

/* Extensions: the head needs the length, so that of the most common size is left free and corrected at the end. */

#define EXT_ROOM 3

static bool begin_extension(struct writer *w, size_t *start)
{
    if (!reserve(w, EXT_ROOM))
        return false;
    *start = (size_t)(w->at - w->start);
    w->at += EXT_ROOM;
    return true;
}

static bool end_extension(struct writer *w, size_t start, uint8_t kind)
{
    size_t n = (size_t)(w->at - w->start) - start - EXT_ROOM;
    size_t head = (n == 1 || n == 2 || n == 4 || n == 8 || n == 16) ? 2 : n < 0x100 ? 3 : n < 0x10000 ? 4 : 6;
    if (n > LONGEST) {
        PyErr_Format(w->speed->unencodable, "something of %zu items or bytes, more than MessagePack's 2^32 - 1", n);
        return false;
    }
    if (head > EXT_ROOM && !reserve(w, head - EXT_ROOM))
        return false;
    uint8_t *at = w->start + start;
    if (head != EXT_ROOM)
        memmove(at + head, at + EXT_ROOM, n);
    if (head == 2) {
        at[0] = (uint8_t)(0xD4 + lowest_bit(n));
    } else if (head == 3) {
        at[0] = 0xC7;
        at[1] = (uint8_t)n;
    } else if (head == 4) {
        at[0] = 0xC8;
        store16(at + 1, (uint16_t)n);
    } else {
        at[0] = 0xC9;
        store32(at + 1, (uint32_t)n);
    }
    at[head - 1] = kind;
    w->at = at + head + n;
    return true;
}

#endif
