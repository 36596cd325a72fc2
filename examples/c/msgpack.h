/* Prints MessagePack as one would write it: enough for the canonical keys of
 * docs/format.md. Prints nothing and answers 0 where the bytes are not it. */
#ifndef TWAT_EXAMPLES_MSGPACK_H
#define TWAT_EXAMPLES_MSGPACK_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What is left to read, and where the text goes. */
typedef struct msgpack_text {
    const unsigned char *next;
    size_t left;
    char *out;
    size_t room;
    int ok;
} msgpack_text;

static inline void msgpack_say(msgpack_text *text, const char *format, ...)
{
    va_list arguments;
    int n;
    va_start(arguments, format);
    n = vsnprintf(text->out, text->room, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= text->room) {
        text->ok = 0;
        return;
    }
    text->out += n;
    text->room -= (size_t)n;
}

static inline uint64_t msgpack_number(msgpack_text *text, size_t bytes)
{
    uint64_t number = 0;
    if (text->left < bytes) {
        text->ok = 0;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | text->next[i];
    text->next += bytes;
    text->left -= bytes;
    return number;
}

static inline void msgpack_string(msgpack_text *text, uint64_t len)
{
    if (text->left < len) {
        text->ok = 0;
        return;
    }
    msgpack_say(text, "\"");
    for (uint64_t i = 0; i < len; i++) {
        unsigned char c = text->next[i];
        if (c < ' ' || c == '"' || c == '\\' || c == 0x7f)
            msgpack_say(text, "\\x%02x", c);
        else
            msgpack_say(text, "%c", c);
    }
    msgpack_say(text, "\"");
    text->next += len;
    text->left -= len;
}

static inline void msgpack_binary(msgpack_text *text, uint64_t len)
{
    if (text->left < len) {
        text->ok = 0;
        return;
    }
    for (uint64_t i = 0; i < len && i < 16; i++)
        msgpack_say(text, "%02x", text->next[i]);
    if (len > 16)
        msgpack_say(text, "… (%" PRIu64 " bytes)", len);
    text->next += len;
    text->left -= len;
}

static inline void msgpack_value(msgpack_text *text, int depth);

static inline void msgpack_items(msgpack_text *text, uint64_t n, int pairs, int depth)
{
    msgpack_say(text, pairs ? "{" : "[");
    for (uint64_t i = 0; i < n && text->ok; i++) {
        if (i > 0)
            msgpack_say(text, ", ");
        msgpack_value(text, depth);
        if (pairs) {
            msgpack_say(text, ": ");
            msgpack_value(text, depth);
        }
    }
    msgpack_say(text, pairs ? "}" : "]");
}

/* Extensions: containers (tuple, set, named type) hold MessagePack again, the
 * textual ones (decimal, date, time, path) text, the rest bytes. */
static inline void msgpack_extension(msgpack_text *text, uint64_t len, int depth)
{
    static const char *const names[] = {"timestamp", "tuple", "set",   "int",   "decimal",
                                        "date",      "time",  "uuid",  "complex", "path",
                                        "array",     "type",  "undefined", "default"};
    int type = (int8_t)msgpack_number(text, 1);
    const unsigned char *end;
    if (!text->ok || text->left < len || type < -1 || type > 13 || type == 0) {
        text->ok = 0;
        return;
    }
    end = text->next + len;
    msgpack_say(text, "%s(", names[type < 0 ? 0 : type]);
    if (type == 1 || type == 2 || type == 10 || type == 11)
        msgpack_value(text, depth);
    else if (type == 4 || type == 5 || type == 6 || type == 9)
        msgpack_string(text, len);
    else
        msgpack_binary(text, len);
    msgpack_say(text, ")");
    if (text->next != end)
        text->ok = 0;
}

static inline void msgpack_float(msgpack_text *text, size_t bytes)
{
    uint64_t bits = msgpack_number(text, bytes);
    uint32_t low = (uint32_t)bits;
    double wide;
    float narrow;
    memcpy(&wide, &bits, sizeof wide);
    memcpy(&narrow, &low, sizeof narrow);
    msgpack_say(text, "%.17g", bytes == 8 ? wide : (double)narrow);
}

static inline void msgpack_value(msgpack_text *text, int depth)
{
    unsigned c = (unsigned)msgpack_number(text, 1);
    if (!text->ok || depth == 0) {
        text->ok = 0;
        return;
    }
    depth--;
    if (c < 0x80)
        msgpack_say(text, "%u", c);
    else if (c < 0x90)
        msgpack_items(text, c & 15, 1, depth);
    else if (c < 0xa0)
        msgpack_items(text, c & 15, 0, depth);
    else if (c < 0xc0)
        msgpack_string(text, c & 31);
    else if (c == 0xc0)
        msgpack_say(text, "nil");
    else if (c == 0xc2 || c == 0xc3)
        msgpack_say(text, c == 0xc3 ? "true" : "false");
    else if (c >= 0xc4 && c <= 0xc6)
        msgpack_binary(text, msgpack_number(text, (size_t)1 << (c - 0xc4)));
    else if (c >= 0xc7 && c <= 0xc9)
        msgpack_extension(text, msgpack_number(text, (size_t)1 << (c - 0xc7)), depth);
    else if (c == 0xca || c == 0xcb)
        msgpack_float(text, c == 0xca ? 4 : 8);
    else if (c >= 0xcc && c <= 0xcf)
        msgpack_say(text, "%" PRIu64, msgpack_number(text, (size_t)1 << (c - 0xcc)));
    else if (c >= 0xd0 && c <= 0xd3) {
        unsigned shift = 64 - 8 * (1u << (c - 0xd0));
        int64_t number = (int64_t)(msgpack_number(text, (size_t)1 << (c - 0xd0)) << shift);
        msgpack_say(text, "%" PRId64, number >> shift);
    } else if (c >= 0xd4 && c <= 0xd8)
        msgpack_extension(text, (uint64_t)1 << (c - 0xd4), depth);
    else if (c >= 0xd9 && c <= 0xdb)
        msgpack_string(text, msgpack_number(text, (size_t)1 << (c - 0xd9)));
    else if (c == 0xdc || c == 0xdd)
        msgpack_items(text, msgpack_number(text, c == 0xdc ? 2 : 4), 0, depth);
    else if (c == 0xde || c == 0xdf)
        msgpack_items(text, msgpack_number(text, c == 0xde ? 2 : 4), 1, depth);
    else if (c >= 0xe0)
        msgpack_say(text, "%d", (int)(signed char)c);
    else
        text->ok = 0;
}

/* Writes the bytes as text into out; 1 if they are one MessagePack value. */
static inline int msgpack_to_text(const void *bytes, size_t len, char *out, size_t room)
{
    msgpack_text text = {(const unsigned char *)bytes, len, out, room, room > 0};
    msgpack_value(&text, 32);
    return text.ok && text.left == 0;
}

#endif
