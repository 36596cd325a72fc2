/* twat-cache: one embeddable cache for every language.
 *
 * This header is the specification. Conventions, for every function:
 *
 *   Status    int32_t: 0 is OK, positive is an outcome, negative an error
 *             (unknown negatives are failures). twat_last_error() has the text.
 *   Errors    each function lists its own. TWAT_E_CLOSED, TWAT_E_NOMEM and
 *             TWAT_E_PANIC are possible everywhere. "Engine errors" are: in
 *             stores on disk TWAT_E_IO, TWAT_E_FULL, TWAT_E_BUSY (a lock is held
 *             for too long) and TWAT_E_CORRUPT; over redis TWAT_E_UNAVAILABLE,
 *             TWAT_E_BUSY, TWAT_E_IO and TWAT_E_FULL; in memory none.
 *   Outputs   come last, are named out_... and are written only on success.
 *   Bytes     a pointer and a length; NULL with 0 is empty. NULL with more, or
 *             a length beyond PTRDIFF_MAX, is TWAT_E_ARG. Inputs are copied
 *             before the call returns.
 *   Text      NUL-terminated UTF-8, and only configuration is text.
 *   Time      uint64_t milliseconds.
 *   Threads   any call, any thread, any time, except close and free while another
 *             call runs on the same handle. Exceptions are noted.
 *   Release   every free and close takes NULL.
 *   Fork      handles go on working in parent and child.
 *
 * A miss is never an error.
 */

#ifndef TWAT_CACHE_H
#define TWAT_CACHE_H

/* Generated from src/ffi by cbindgen; `TWAT_BLESS=1 cargo test --test header` rewrites it. */

#include <stddef.h>
#include <stdint.h>

/*
 Success.
 */
#define TWAT_OK 0

/*
 There is no such entry, or a scan has ended. Not an error.
 */
#define TWAT_MISS 1

/*
 The buffer is too small. The length that is written is the length that is needed.
 */
#define TWAT_TRUNCATED 2

/*
 An add found an entry and did not change it.
 */
#define TWAT_EXISTS 3

/*
 Another caller is still computing the value. Not an error. (4 is reserved.)
 */
#define TWAT_PENDING 5

/*
 An argument is wrong.
 */
#define TWAT_E_ARG -1

/*
 An option is unknown, out of range, or contradicts another.
 */
#define TWAT_E_CONFIG -2

/*
 Out of memory.
 */
#define TWAT_E_NOMEM -3

/*
 The operating system refused a read or a write.
 */
#define TWAT_E_IO -4

/*
 There is no room: the disk is full, or the cache refuses new entries.
 */
#define TWAT_E_FULL -5

/*
 A key or value is larger than the engine can store.
 */
#define TWAT_E_TOO_LARGE -6

/*
 Another process or thread holds a lock that is needed.
 */
#define TWAT_E_BUSY -7

/*
 Stored bytes are damaged.
 */
#define TWAT_E_CORRUPT -8

/*
 A server is down or did not answer in time.
 */
#define TWAT_E_UNAVAILABLE -9

/*
 The handle is closed.
 */
#define TWAT_E_CLOSED -10

/*
 The engine does not support the operation.
 */
#define TWAT_E_UNSUPPORTED -11

/*
 A newer version of the library wrote the store or file.
 */
#define TWAT_E_VERSION -12

/*
 There is a bug in the library. The handle can only be closed.
 */
#define TWAT_E_PANIC -99

/*
 As `ttl_ms`: the time to live of the cache (option `ttl_ms`).
 */
#define TWAT_TTL_DEFAULT 0

/*
 As `ttl_ms`: the entry does not expire.
 */
#define TWAT_TTL_NEVER UINT64_MAX

/*
 In `twat_set_options.flags`: store only if there is no entry yet.
 */
#define TWAT_SET_ADD 1

/*
 In `twat_fetch_options.flags`: ask for a lease whatever is stored. What is stored stays
 until the lease is set.
 */
#define TWAT_FETCH_REFRESH 1

/*
 The counts of `entries` and `bytes` are exact: nothing expired, invalidated
 or unsettled is among them.
 */
#define TWAT_STATS_EXACT 1

/*
 Hits need not be reported (fifo, lifo, rr, none).
 */
#define TWAT_POLICY_NEEDS_NOTHING 0

/*
 Each slot that was hit since the last report is reported once, in any order
 (sieve).
 */
#define TWAT_POLICY_NEEDS_MARK 1

/*
 Every hit is reported, in order (lru, mru, lfu, s3fifo).
 */
#define TWAT_POLICY_NEEDS_LOG 2

/*
 Bytes of a digest, a MAC, and a secret.
 */
#define TWAT_DIGEST_BYTES 32

/*
 Bytes that a namespace has at most.
 */
#define TWAT_NAMESPACE_BYTES 200

/*
 An open cache.

 Threads: any call may run on any thread at any time, except close, which
 must not overlap another call on the same handle.
 Not from a signal handler. Threads are made by the C library
 (`pthread_create` or a library over it), not by a bare `clone`.
 After `fork` parent and child may both go on using it; the child's figures
 begin at 0.
 */
typedef struct twat_cache twat_cache;

/*
 A configuration under construction.

 Threads: one at a time.
 */
typedef struct twat_config twat_config;

/*
 The right to compute the value of a key, from `twat_cache_fetch`.

 A lease saves work; it does not exclude others: who gets none may compute all the same.
 What it promises is that a computation that began before its key was written, deleted
 or invalidated never overwrites what came after.

 Threads: any, one call at a time. A child of `fork` cannot use its parent's leases; it
 may free them.
 */
typedef struct twat_lease twat_lease;

/*
 An eviction order over slots. The host keeps keys, objects and a log of
 hits; the policy says which slots are evicted.

 A slot is a 64-bit number, never 0; one that was removed or evicted is
 stale, and stale slots are ignored everywhere.
 Its low 32 bits are an index that no other live slot has, and that is below
 the greatest number of entries there have been at one time: a host may keep its
 entries in an array. The rest tells apart those that had the index before.

 Threads: any; calls are serialised. A host protects its dictionary and the
 policy with one lock, so that an insertion changes both.
 After `fork` it survives with its host's dictionary.
 */
typedef struct twat_policy twat_policy;

/*
 A walk over the keys of a cache.
 */
typedef struct twat_scan twat_scan;

/*
 A byte string that the library hands out.

 `data` points at `len` bytes that no later call changes, not even one that
 deletes the entry or closes the cache. An empty value has `len` 0 and a
 `data` that is not NULL. Mapped values (large ones on disk) begin on a
 64-byte boundary. `owner` is the library's.

 Ownership: release it with `twat_bytes_free`, from any thread.
 */
typedef struct twat_bytes {
    /*
     The first byte.
     */
    const void *data;
    /*
     The number of bytes.
     */
    size_t len;
    /*
     Reserved for the library: it keeps the bytes alive.
     */
    void *owner;
} twat_bytes;

/*
 One row of the table of options.

 Ownership: every text is static.
 */
typedef struct twat_option {
    /*
     Set by the caller to `sizeof(twat_option)`.
     */
    size_t struct_size;
    /*
     The key for `twat_config_set`.
     */
    const char *name;
    /*
     `text`, `u64`, `bool` or `octal`.
     */
    const char *type_name;
    /*
     As text; empty where there is none.
     */
    const char *default_value;
    /*
     What is accepted, in words.
     */
    const char *range;
    /*
     Engines that take it, separated by blanks.
     */
    const char *engines;
    /*
     What it does, in a sentence.
     */
    const char *doc;
} twat_option;

/*
 A byte string that the caller owns, for calls over many keys.
 */
typedef struct twat_slice {
    /*
     The first byte; NULL with `len` 0 is empty.
     */
    const void *data;
    /*
     The number of bytes.
     */
    size_t len;
} twat_slice;

/*
 How `twat_cache_set_with` stores. Zero it, set `struct_size`, then what you
 need.
 */
typedef struct twat_set_options {
    /*
     Set by the caller to `sizeof(twat_set_options)`.
     */
    size_t struct_size;
    /*
     Milliseconds, `TWAT_TTL_DEFAULT` or `TWAT_TTL_NEVER`.
     */
    uint64_t ttl_ms;
    /*
     Weight against `max_bytes`; 0 takes the bytes of key, value and overhead.
     */
    uint64_t cost;
    /*
     `TWAT_SET_ADD`.
     */
    uint64_t flags;
    /*
     What the entry can be invalidated by, besides its key.
     */
    const struct twat_slice *tags;
    /*
     How many tags.
     */
    size_t n_tags;
} twat_set_options;

/*
 How `twat_cache_fetch` asks. Zero it, set `struct_size`, then what you need.
 */
typedef struct twat_fetch_options {
    /*
     Set by the caller to `sizeof(twat_fetch_options)`.
     */
    size_t struct_size;
    /*
     Milliseconds to wait for another caller who computes the value; 0 does not wait.
     */
    uint64_t wait_ms;
    /*
     `TWAT_FETCH_REFRESH`.
     */
    uint64_t flags;
} twat_fetch_options;

/*
 Figures of a cache since it was opened, in entries and bytes.
 */
typedef struct twat_stats {
    /*
     Set by the caller to `sizeof(twat_stats)`; the library writes the
     smaller of that and its own.
     */
    size_t struct_size;
    /*
     Gets that found a value.
     */
    uint64_t hits;
    /*
     Gets that did not.
     */
    uint64_t misses;
    /*
     Values stored.
     */
    uint64_t sets;
    /*
     Entries deleted by call.
     */
    uint64_t deletes;
    /*
     Entries that were evicted.
     */
    uint64_t evictions;
    /*
     Entries that were removed because they had expired.
     */
    uint64_t expirations;
    /*
     Values refused: too large, or no room.
     */
    uint64_t rejected;
    /*
     Stored values that failed their checksum and were removed.
     */
    uint64_t corrupt;
    /*
     Calls that failed otherwise.
     */
    uint64_t errors;
    /*
     Entries held now; without `TWAT_STATS_EXACT` some may be expired or invalidated.
     (`twat_cache_len` counts the others.)
     */
    uint64_t entries;
    /*
     Bytes accounted to them.
     */
    uint64_t bytes;
    /*
     The bound on entries; 0 for none.
     */
    uint64_t max_entries;
    /*
     The bound on bytes; 0 for none.
     */
    uint64_t max_bytes;
    /*
     `TWAT_STATS_EXACT`.
     */
    uint64_t flags;
} twat_stats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The text of the last failure on this thread.

 Written only by calls that return a negative status, and changed by nothing
 else: a miss, a success or a destructor between the failure and this call
 leave it as it is. Empty before the first failure. At most 511 bytes of
 UTF-8, cut at a character's boundary.

 Ownership: static to the thread; never freed; overwritten by the thread's
 next failure.
 Errors: none; never NULL.
 Since: 3.0.0
 */
const char *twat_last_error(void);

/*
 The name of a status, `"TWAT_E_CONFIG"`; `"TWAT_E_UNKNOWN"` for a number
 that this version does not know.

 Ownership: static; never freed.
 Errors: none; never NULL.
 Since: 3.0.0
 */
const char *twat_status_name(int32_t status);

/*
 The version as `major * 1000000 + minor * 1000 + patch`.

 Errors: none.
 Since: 3.0.0
 */
uint32_t twat_version_number(void);

/*
 The version as text, `"3.0.0"`.

 Ownership: static; never freed.
 Errors: none; never NULL.
 Since: 3.0.0
 */
const char *twat_version_string(void);

/*
 Whether this build has an engine: 1 if it does, 0 if not.

 Errors: `TWAT_E_ARG` for NULL or what is not UTF-8.
 Since: 3.0.0
 */
int32_t twat_has_engine(const char *engine);

/*
 Releases a byte string and zeroes it.

 Ownership: `bytes` itself stays the caller's. Releasing a zeroed one, or
 NULL, does nothing.
 Errors: none.
 Threads: any, also while the cache is in use or after it is closed.
 Since: 3.0.0
 */
void twat_bytes_free(struct twat_bytes *bytes);

/*
 Makes a configuration of an engine: `"memory"`, `"disk"`, `"file"`,
 `"redis"`, `"tiered"`, `"null"` or `"auto"`.

 Ownership: release it with `twat_config_free`.
 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for an unknown engine.
 Since: 3.0.0
 */
int32_t twat_config_new(const char *engine, struct twat_config **out_config);

/*
 Sets an option from text: decimal integers, `true` or `false`, UTF-8. Times
 and sizes may have a unit (`twat_parse_duration`, `twat_parse_size`); without
 one they are milliseconds and bytes. The name and the value are checked immediately; contradictions between
 options are found when the cache is opened.

 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for an unknown key (the text
 offers the nearest one) or a value out of range (the text has the range);
 the configuration is then as it was.
 Since: 3.0.0
 */
int32_t twat_config_set(struct twat_config *config,
                        const char *key,
                        const char *value);

/*
 Sets an option from a number (0 and 1 for truth values).

 Errors: as `twat_config_set`.
 Since: 3.0.0
 */
int32_t twat_config_set_u64(struct twat_config *config, const char *key, uint64_t value);

/*
 Reads options from a MessagePack map or a JSON object and lays them over
 the configuration: scalars by option name, `"engine"`, and `"tiers"` as an
 array of such maps.

 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for bytes that are neither,
 and as `twat_config_set`; the configuration is then as it was.
 Since: 3.0.0
 */
int32_t twat_config_load(struct twat_config *config, const void *bytes, size_t len);

/*
 Adds a tier below those already there; only for engine `"tiered"`.

 Ownership: `tier` is copied and stays the caller's.
 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for another engine.
 Since: 3.0.0
 */
int32_t twat_config_add_tier(struct twat_config *config, const struct twat_config *tier);

/*
 Releases a configuration. NULL does nothing.

 Errors: none.
 Since: 3.0.0
 */
void twat_config_free(struct twat_config *config);

/*
 How many options there are.

 Errors: none.
 Since: 3.0.0
 */
size_t twat_option_count(void);

/*
 Describes an option; `index` runs from 0 to `twat_option_count() - 1`.

 The caller sets `struct_size`; at most so many bytes are written.

 Ownership: the texts are static.
 Errors: `TWAT_E_ARG` for NULL, an index beyond the table or a `struct_size`
 below the first version's.
 Since: 3.0.0
 */
int32_t twat_option_info(size_t index, struct twat_option *inout_option);

/*
 Opens a cache. The configuration is copied and may be freed.

 Ownership: release `*out_cache` with `twat_cache_close`.
 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for options that contradict
 each other, a store open in this process, or the engine;
 `TWAT_E_UNSUPPORTED` for an engine that this build does not have; for stores
 `TWAT_E_IO`, `TWAT_E_BUSY`, `TWAT_E_VERSION`. Nothing is created then.
 Since: 3.0.0
 */
int32_t twat_cache_open(const struct twat_config *config, struct twat_cache **out_cache);

/*
 Closes a cache and releases the handle, whatever the status. NULL does
 nothing. Values that were handed out stay valid.

 Errors: those of `twat_cache_flush`.
 Threads: must not overlap another call on this handle.
 Since: 3.0.0
 */
int32_t twat_cache_close(struct twat_cache *cache);

/*
 Removes an entry: `TWAT_OK`, or `TWAT_MISS` where there was none.

 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_delete(struct twat_cache *cache, const void *key, size_t key_len);

/*
 Whether a get would hit: `TWAT_OK` or `TWAT_MISS`. Counts nothing and
 changes no order.

 Errors: as `twat_cache_get`.
 Since: 3.0.0
 */
int32_t twat_cache_contains(struct twat_cache *cache, const void *key, size_t key_len);

/*
 Counts the entries that a get would hit (of this namespace) into `*out_len`. What is
 expired or invalidated does not count, whether or not it was removed already.

 Constant time where no such entry can be there; else, and always over redis, a walk
 over all keys. (`entries` of `twat_cache_stats` is what is held, in constant time.)

 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_len(struct twat_cache *cache, uint64_t *out_len);

/*
 Makes every entry that carries the tag a miss, immediately for all processes
 of the store and in constant time: `TWAT_OK`, or `TWAT_MISS` where no entry
 ever carried it.

 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_invalidate_tag(struct twat_cache *cache, const void *tag, size_t tag_len);

/*
 Removes all that is expired or invalidated by a tag; `*out_removed` (which
 may be NULL) is the number of entries that were removed.

 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_expire(struct twat_cache *cache, uint64_t *out_removed);

/*
 Removes every entry (of this namespace).

 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_clear(struct twat_cache *cache);

/*
 Waits until all acknowledged changes are as durable as the disk or server can make them.

 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_flush(struct twat_cache *cache);

/*
 Describes the cache as a JSON object: the engine, why it was chosen, and
 figures of the engine.

 Ownership: release `*out_json` with `twat_bytes_free`. Not NUL-terminated.

 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_info(struct twat_cache *cache, struct twat_bytes *out_json);

/*
 Verifies every entry and, in stores, the file in which they are stored. With
 `repair` 1, damaged entries are removed. `*out_json` is a JSON object with at least
 `entries` and `bad`.

 Ownership: release `*out_json` with `twat_bytes_free`. Not NUL-terminated.

 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_check(struct twat_cache *cache, int32_t repair, struct twat_bytes *out_json);

/*
 Writes every live entry (of this namespace) with its remaining time and
 tags to a file, which is replaced as a whole or not at all; `*out_entries`
 (which may be NULL) is how many.

 Errors: `TWAT_E_ARG`; `TWAT_E_IO`, `TWAT_E_FULL`; as `twat_cache_get`.
 Since: 3.0.0
 */
int32_t twat_cache_export(struct twat_cache *cache, const char *path, uint64_t *out_entries);

/*
 Sets every entry of an export file; `*out_entries` (which may be NULL) is
 how many. The file is verified as a whole before the first is set.

 Errors: `TWAT_E_ARG`; `TWAT_E_IO`, `TWAT_E_FULL`; as `twat_cache_set`;
 `TWAT_E_CORRUPT`, `TWAT_E_VERSION` for the file.
 Since: 3.0.0
 */
int32_t twat_cache_import(struct twat_cache *cache, const char *path, uint64_t *out_entries);

/*
 Gets a value: `TWAT_OK` with `*out_value`, or `TWAT_MISS`.

 Ownership: release `*out_value` with `twat_bytes_free`; it may outlive its
 entry and the cache.
 Errors: `TWAT_E_ARG`; engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_get(struct twat_cache *cache,
                       const void *key,
                       size_t key_len,
                       struct twat_bytes *out_value);

/*
 Copies a value into the caller's buffer: `TWAT_OK` with `*out_len` bytes,
 `TWAT_TRUNCATED` with the length needed in `*out_len` and the buffer as it
 was, or `TWAT_MISS`.

 Errors: as `twat_cache_get`.
 Since: 3.0.0
 */
int32_t twat_cache_get_into(struct twat_cache *cache,
                            const void *key,
                            size_t key_len,
                            void *buffer,
                            size_t capacity,
                            size_t *out_len);

/*
 Stores a value, replacing what was there. Key and value are copied.

 Errors: `TWAT_E_ARG`; `TWAT_E_TOO_LARGE` for a value that can never fit and
 `TWAT_E_FULL` where nothing may be evicted (both are counted as rejected, and the
 stored value is kept); engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_set(struct twat_cache *cache,
                       const void *key,
                       size_t key_len,
                       const void *value,
                       size_t value_len,
                       uint64_t ttl_ms);

/*
 Stores a value where there is none: `TWAT_OK`, or `TWAT_EXISTS` with
 nothing changed. Atomic between threads and, in shared engines, processes.

 Errors: as `twat_cache_set`.
 Since: 3.0.0
 */
int32_t twat_cache_add(struct twat_cache *cache,
                       const void *key,
                       size_t key_len,
                       const void *value,
                       size_t value_len,
                       uint64_t ttl_ms);

/*
 Stores a value with options (`options` may be NULL): `TWAT_OK`, or `TWAT_EXISTS` under `TWAT_SET_ADD`.

 Errors: as `twat_cache_set`; `TWAT_E_ARG` for a `struct_size` below the
 first version's, for unknown flags, and for a field that is set and that this
 library does not know: the end of a newer program's struct must be zeros.
 Since: 3.0.0
 */
int32_t twat_cache_set_with(struct twat_cache *cache,
                            const void *key,
                            size_t key_len,
                            const void *value,
                            size_t value_len,
                            const struct twat_set_options *options);

/*
 Stores the content of a file, in bounded memory where the engine has value
 files: `TWAT_OK`, or `TWAT_EXISTS` under `TWAT_SET_ADD`.

 Errors: as `twat_cache_set_with`; `TWAT_E_IO` for a file that cannot be read.
 Since: 3.0.0
 */
int32_t twat_cache_set_file(struct twat_cache *cache,
                            const void *key,
                            size_t key_len,
                            const char *path,
                            const struct twat_set_options *options);

/*
 Gives an entry a new time to live from now: `TWAT_OK`, or `TWAT_MISS`.

 Errors: as `twat_cache_set`.
 Since: 3.0.0
 */
int32_t twat_cache_touch(struct twat_cache *cache,
                         const void *key,
                         size_t key_len,
                         uint64_t ttl_ms);

/*
 Adds `delta` to a stored integer, atomically between threads and, in shared
 engines, processes; `*out_value` (which may be NULL) is the sum. A
 missing integer starts at `initial` and gets `ttl_ms`; an existing one
 keeps its time to live and its tags.

 A stored integer is a counter (format byte 4 and 8 bytes, little-endian) or a
 MessagePack integer (format byte 1), which is what the languages store for a
 number. The sum is stored as a counter; a big integer (extension 3) stays one.

 Errors: as `twat_cache_set`; `TWAT_E_UNSUPPORTED` where the key holds anything else (the
 text names it); `TWAT_E_TOO_LARGE` for a sum beyond 64 bits: sums never wrap around.
 The stored value is kept then.
 Since: 3.0.0
 */
int32_t twat_cache_incr(struct twat_cache *cache,
                        const void *key,
                        size_t key_len,
                        int64_t delta,
                        int64_t initial,
                        uint64_t ttl_ms,
                        int64_t *out_value);

/*
 Gets a value, or the right to compute it, which one caller has among the threads of the
 process and, in engines `disk` and `file`, among all processes that share the store.

 | status | `*out_value` | `*out_lease` | the caller |
 |---|---|---|---|
 | `TWAT_OK` | the value | NULL | uses it |
 | `TWAT_MISS` | – | given | computes, then calls `twat_lease_set` or `twat_lease_fail` |
 | `TWAT_PENDING` | – | NULL | another caller is computing, or failed a moment ago: computes without storing, or asks again |

 Waits at most `wait_ms` (`options` may be NULL: no waiting), asleep in the kernel. When
 the owner of a lease dies, a waiter gets it within 50 ms. An owner that is stopped keeps it:
 others get `TWAT_PENDING` after `wait_ms`, and from then on at once.

 Ownership: release `*out_value` with `twat_bytes_free` and `*out_lease` with
 `twat_lease_free`.
 Errors: as `twat_cache_get`; `TWAT_E_UNSUPPORTED` for engine `redis`, for tiers that end in
 it, for a store that is open read-only, and on systems other than Linux for a store;
 `TWAT_E_ARG` for unknown flags; `TWAT_E_FULL` for a store without room for its leases.
 Since: 3.0.0
 */
int32_t twat_cache_fetch(struct twat_cache *cache,
                         const void *key,
                         size_t key_len,
                         const struct twat_fetch_options *options,
                         struct twat_bytes *out_value,
                         struct twat_lease **out_lease);

/*
 Stores the computed value, ends the lease and wakes all who wait for it: `TWAT_OK`, or
 `TWAT_MISS` with nothing stored where the key was written, deleted or invalidated since the
 grant. `options` may be NULL. Free the lease afterwards in each case.

 Errors: as `twat_cache_set_with`; `TWAT_E_ARG` for a lease that was set or failed before and
 for `TWAT_SET_ADD`; `TWAT_E_CLOSED` in a forked child and after the cache was closed.
 Since: 3.0.0
 */
int32_t twat_lease_set(struct twat_lease *lease,
                       const void *value,
                       size_t value_len,
                       const struct twat_set_options *options);

/*
 Ends the lease after the computation failed, and wakes all who wait for it. For
 `retry_after_ms` callers in this process get `TWAT_PENDING` for the key (or the value, where
 one is set meanwhile); with 0 the next one gets a lease.

 Errors: `TWAT_E_ARG` and `TWAT_E_CLOSED` as `twat_lease_set`.
 Since: 3.0.0
 */
int32_t twat_lease_fail(struct twat_lease *lease, uint64_t retry_after_ms);

/*
 Whether the lease still holds: `TWAT_OK`, or `TWAT_MISS` where its key was written, deleted
 or invalidated since the grant, so that a long computation can be given up. Leases of this
 release do not time out.

 Errors: `TWAT_E_ARG` and `TWAT_E_CLOSED` as `twat_lease_set`.
 Since: 3.0.0
 */
int32_t twat_lease_renew(struct twat_lease *lease);

/*
 Releases a lease. One that was neither set nor failed is abandoned: the next who waits
 gets a lease. NULL does nothing.

 Errors: none.
 Threads: any, also after the cache was closed; must not overlap another call on the lease.
 Since: 3.0.0
 */
void twat_lease_free(struct twat_lease *lease);

/*
 Gets many keys. `out_values[i]` belongs to `keys[i]`; a miss is zeroed
 (`data` NULL), an empty value has `len` 0 and a `data` that is not NULL.

 Ownership: release each value with `twat_bytes_free` (this is allowed for zeroed ones, too).
 Errors: as `twat_cache_get`; then nothing is written.
 Since: 3.0.0
 */
int32_t twat_cache_get_many(struct twat_cache *cache,
                            const struct twat_slice *keys,
                            size_t n,
                            struct twat_bytes *out_values);

/*
 Sets many keys, `values[i]` under `keys[i]`, all with the same options
 (`options` may be NULL; `TWAT_SET_ADD` is not for this call). Engines with
 transactions use one: all or nothing.

 Errors: as `twat_cache_set_with`.
 Since: 3.0.0
 */
int32_t twat_cache_set_many(struct twat_cache *cache,
                            const struct twat_slice *keys,
                            const struct twat_slice *values,
                            size_t n,
                            const struct twat_set_options *options);

/*
 Deletes many keys; `*out_deleted` (which may be NULL) is how many were there.

 Errors: as `twat_cache_delete`.
 Since: 3.0.0
 */
int32_t twat_cache_delete_many(struct twat_cache *cache,
                               const struct twat_slice *keys,
                               size_t n,
                               uint64_t *out_deleted);

/*
 Deletes every key that begins with `prefix`; `*out_deleted` (which may be
 NULL) is how many there were.

 Errors: as `twat_cache_delete`.
 Since: 3.0.0
 */
int32_t twat_cache_delete_prefix(struct twat_cache *cache,
                                 const void *prefix,
                                 size_t prefix_len,
                                 uint64_t *out_deleted);

/*
 Begins a walk over the keys that begin with `prefix` (all, if it is empty).
 Keys that are there from beginning to end come exactly once, in no
 particular order; keys set or deleted meanwhile may come or not. It holds
 no lock and no transaction between two steps, and does not keep the cache
 open.

 Ownership: release `*out_scan` with `twat_scan_free`.
 Errors: `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_cache_scan(struct twat_cache *cache,
                        const void *prefix,
                        size_t prefix_len,
                        struct twat_scan **out_scan);

/*
 The next key: `TWAT_OK` with `*out_key`, or `TWAT_MISS` at the end.

 Ownership: release `*out_key` with `twat_bytes_free`.
 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CLOSED` when the cache was closed, or
 the process forked, since the walk began; engine errors.
 Since: 3.0.0
 */
int32_t twat_scan_next(struct twat_scan *scan, struct twat_bytes *out_key);

/*
 Ends a walk. NULL does nothing.

 Errors: none.
 Since: 3.0.0
 */
void twat_scan_free(struct twat_scan *scan);

/*
 Reads the statistics.

 Errors: `TWAT_E_ARG` for NULL or a `struct_size` below the first version's;
 engine errors.
 Since: 3.0.0
 */
int32_t twat_cache_stats(struct twat_cache *cache, struct twat_stats *inout_stats);

/*
 Makes a policy from the options `policy`, `max_entries`, `max_bytes` (the
 sum of costs) and `seed`; the configuration's engine does not matter.

 Ownership: release `*out_policy` with `twat_policy_free`.
 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for other options, or for
 `tinylfu`, which has no such form.
 Since: 3.0.0
 */
int32_t twat_policy_new(const struct twat_config *config, struct twat_policy **out_policy);

/*
 What the host has to record: `TWAT_POLICY_NEEDS_NOTHING`, `_MARK` or `_LOG`.

 Errors: `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_policy_needs(struct twat_policy *policy);

/*
 Hands over the log of hits, then makes room and adds an entry.

 `fingerprint` is a 64-bit hash of the key, the same for the same key;
 `cost` counts against `max_bytes`. `TWAT_OK`: `*out_slot` is the new entry's
 slot, and the `*out_n` slots in `out_victims` were evicted: delete their
 entries. `TWAT_TRUNCATED`: the same, but more slots were evicted than there
 was room for; fetch them with `twat_policy_evicted`. `TWAT_MISS`: not
 admitted (it costs more than `max_bytes`, or policy `none` is full); nothing
 was evicted, `*out_slot` is 0 and `*out_n` 0. Slots of an earlier
 `TWAT_TRUNCATED` that were not fetched yet are kept for the next insertion that
 is admitted, or for `twat_policy_evicted`.

 Errors: `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_policy_insert(struct twat_policy *policy,
                           const uint64_t *hits,
                           size_t n_hits,
                           uint64_t fingerprint,
                           uint64_t cost,
                           uint64_t *out_slot,
                           uint64_t *out_victims,
                           size_t capacity,
                           size_t *out_n);

/*
 The slots that were evicted and not returned yet: `TWAT_OK`, or
 `TWAT_TRUNCATED` when there are still more.

 Errors: `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_policy_evicted(struct twat_policy *policy,
                            uint64_t *out_victims,
                            size_t capacity,
                            size_t *out_n);

/*
 Hands over a log of hits, oldest first.

 Errors: `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_policy_hits(struct twat_policy *policy, const uint64_t *hits, size_t n_hits);

/*
 Reports that the host removed an entry (deleted, expired): `TWAT_OK`, or
 `TWAT_MISS` for a stale slot.

 Errors: `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_policy_remove(struct twat_policy *policy, uint64_t slot);

/*
 Removes every slot; all of them are stale then. Statistics are kept.

 Errors: `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_policy_clear(struct twat_policy *policy);

/*
 Reads the statistics: `hits` (logged ones), `sets`, `deletes`, `evictions`,
 `rejected`, `entries`, `bytes` (the sum of costs) and the bounds.

 Errors: as `twat_cache_stats`.
 Since: 3.0.0
 */
int32_t twat_policy_stats(struct twat_policy *policy, struct twat_stats *inout_stats);

/*
 Releases a policy. NULL does nothing.

 Errors: none.
 Since: 3.0.0
 */
void twat_policy_free(struct twat_policy *policy);

/*
 The BLAKE3 hash of some bytes, 32 bytes into `out_digest`.

 Errors: `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_hash(const void *data, size_t len, void *out_digest);

/*
 The keyed BLAKE3 MAC over several parts, 32 bytes into `out_mac`. Each
 part's length is part of what is signed, so that no two lists of parts
 have one MAC: for each part, 8 bytes of little-endian length, then the part.

 Errors: `TWAT_E_ARG` for NULL, or a secret that is not
 `TWAT_DIGEST_BYTES` long.
 Since: 3.0.0
 */
int32_t twat_mac(const void *secret,
                 size_t secret_len,
                 const struct twat_slice *parts,
                 size_t n_parts,
                 void *out_mac);

/*
 Milliseconds of a time such as `"90s"`, `"1h30m"` or `"1.5 days"`.

 Units: `ms`, `s`, `m` (minutes), `h`, `d`, `w`, and their English words; the
 longest first, each once. Parts of a millisecond are rounded up. A number
 without a unit is refused: seconds and milliseconds are both common.

 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for any other text.
 Since: 3.0.0
 */
int32_t twat_parse_duration(const char *text, uint64_t *out_ms);

/*
 Bytes of a size such as `"500 MB"` (10^6) or `"1.5 GiB"` (2^30).

 Units: `B`, `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB`, `TiB`, in capital
 or small letters. Parts of a byte are dropped. A number without a unit and
 single letters such as `M` are refused.

 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for any other text.
 Since: 3.0.0
 */
int32_t twat_parse_size(const char *text, uint64_t *out_bytes);

/*
 The number of a share such as `"10%"`: whole per cent from 0 to 100.

 Errors: `TWAT_E_ARG` for NULL; `TWAT_E_CONFIG` for any other text.
 Since: 3.0.0
 */
int32_t twat_parse_percent(const char *text, uint64_t *out_percent);

/*
 The namespace that holds the results of a function: its name, or for a name
 of more than `TWAT_NAMESPACE_BYTES` bytes its beginning, `~` and its hash.

 All languages use this one, so that a function has one place in a store.
 Bytes that are not UTF-8 become `?`. At most `TWAT_NAMESPACE_BYTES` bytes and
 no closing NUL are written; `*out_len` is their number.

 Errors: `TWAT_TRUNCATED`, and the length needed, where `capacity` is too
 small; `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_name_namespace(const void *name,
                            size_t name_len,
                            char *buffer,
                            size_t capacity,
                            size_t *out_len);

/*
 Which of some names a misspelt one was meant to be; capital letters, `_` and
 `-` do not count. `*out_index` is its place in `known`.

 Errors: `TWAT_MISS` where none is near; `TWAT_E_ARG` for NULL.
 Since: 3.0.0
 */
int32_t twat_option_nearest(const char *found,
                            const char *const *known,
                            size_t n_known,
                            size_t *out_index);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TWAT_CACHE_H */
