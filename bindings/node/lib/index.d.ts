/// <reference lib="esnext.disposable" />

/** `Buffer` where its types are installed (@types/node), else `Uint8Array`. */
export type Bytes = typeof globalThis extends { Buffer: { prototype: infer B extends Uint8Array } } ? B : Uint8Array

export type Engine = 'auto' | 'memory' | 'disk' | 'file' | 'redis' | 'tiered' | 'null'
export type Policy =
  | 'lru' | 'lfu' | 'fifo' | 'lifo' | 'mru' | 'rr' | 'sieve' | 's3fifo' | 'tinylfu' | 'none' | 'ttl'
export type Encoding = 'msgpack' | 'json' | 'binary'

/** A `URL` of scheme file. */
export interface FileUrl { readonly href: string; readonly protocol: string; readonly pathname: string }

/** Text, bytes, an integer, or a list of these. */
export type Key = string | Uint8Array | number | bigint | readonly Key[]

/** Options of the core, in camelCase. Numbers may be bigints where they are large. */
export interface CoreOptions {
  /** Entries at most; `Infinity` is no limit, 0 is an error. The same as `maxEntries`. */
  max?: number | bigint
  maxEntries?: number | bigint
  /** Bytes at most (key, value and overhead); `Infinity` is no limit, 0 is an error. */
  maxBytes?: number | bigint
  policy?: Policy
  seed?: number | bigint
  /** Milliseconds an entry lives; `Infinity` (and absent): no expiry; 0 is an error. The same as `ttlMs`. */
  ttl?: number | bigint
  ttlMs?: number | bigint
  /** The directory of a store. */
  path?: string | FileUrl
  namespace?: string
  shards?: number
  create?: boolean
  readOnly?: boolean | 'auto' | 'true' | 'false'
  inlineMaxBytes?: number
  mapSize?: number | bigint
  durability?: 'process' | 'system'
  verify?: 'first' | 'always'
  check?: 'auto' | 'open' | 'never'
  /** Permissions, as a number (`0o700`) or octal text. */
  dirMode?: number | string
  fileMode?: number | string
  compression?: 'none' | 'lz4' | 'zstd'
  compressionLevel?: number
  compressMinBytes?: number
  url?: string | { readonly href: string; readonly protocol: string }
  username?: string
  password?: string
  keyPrefix?: string
  connectTimeoutMs?: number
  timeoutMs?: number
  poolSize?: number
  /** File or directory of PEM certificates that are trusted. */
  tlsCa?: string
  /** The client's certificate and key, PEM files. */
  tlsCert?: string
  tlsKey?: string
  /** The name that the server's certificate must have. Default: the host of `url`. */
  tlsName?: string
  smallMaxBytes?: number
  large?: 'through' | 'around'
  tierTtlMs?: number
  fallback?: boolean
}

export interface TierOptions extends CoreOptions {
  engine: Engine
  tiers?: TierOptions[]
}

export interface CacheOptions extends CoreOptions {
  /** Absent: redis with a `url`, disk with a `path`, else memory. */
  engine?: Engine
  /** Fastest first, for engine `tiered`. */
  tiers?: TierOptions[]
  /** How values become bytes. Default `msgpack`. */
  encoding?: Encoding
}

export interface SetOptions {
  /** Milliseconds above 0; absent: the cache's own; `Infinity`: no expiry. */
  ttl?: number | bigint
  tag?: string | Uint8Array
  /** One tag or several. */
  tags?: string | Uint8Array | Iterable<string | Uint8Array>
}

export interface CounterOptions {
  /** What a missing counter starts at. Default 0. */
  initial?: number | bigint
  ttl?: number | bigint
}

export interface Stats {
  hits: number
  misses: number
  sets: number
  deletes: number
  evictions: number
  expirations: number
  rejected: number
  corrupt: number
  errors: number
  entries: number
  bytes: number
  maxEntries: number
  maxBytes: number
  /** hits / (hits + misses); 0 before the first get. */
  hitRatio: number
}

export class Cache<V = unknown> implements Iterable<[Key, V]> {
  constructor(options?: CacheOptions)
  /**
   * Whether caching is switched off in this environment (also by `TWAT_CACHE_DISABLE=1`): reads miss, writes are
   * dropped, memoized functions run. Counters and removals still act.
   */
  static disabled: boolean
  /** The value, or undefined for a miss. */
  get(key: Key): V | undefined
  /** The value, or `miss`: tells a stored undefined from none. Without `miss`: a symbol. */
  lookup<M = symbol>(key: Key, miss?: M): V | M
  set(key: Key, value: V, options?: SetOptions | number): this
  /** Stores only where nothing is stored yet; tells whether it did. */
  add(key: Key, value: V, options?: SetOptions | number): boolean
  has(key: Key): boolean
  delete(key: Key): boolean
  /** A new time to live from now; false where there is no entry. */
  touch(key: Key, ttl?: number | bigint): boolean
  getMany(keys: Iterable<Key>): Array<V | undefined>
  setMany(entries: Iterable<readonly [Key, V]> | Record<string, V>, options?: SetOptions | number): this
  /** How many there were. */
  deleteMany(keys: Iterable<Key>): number
  deletePrefix(prefix: string | Uint8Array): number
  clear(): void
  /** Bytes that `setBuffer` or `set` stored. `copy: false` gives the library's own memory for values of 16 KiB or more: it must not be written to. */
  getBuffer(key: Key, options?: { copy?: boolean }): Bytes | undefined
  setBuffer(key: Key, value: Uint8Array | ArrayBuffer | DataView, options?: SetOptions | number): this
  /**
   * Adds to a stored integer, atomically among all that share the store. A missing one starts at `initial`; one that
   * is there keeps its ttl. A BigInt where a number is not exact. Throws for anything but an integer and for a sum
   * beyond 64 bits.
   */
  incr(key: Key, delta?: number | bigint, options?: CounterOptions): number | bigint
  decr(key: Key, delta?: number | bigint, options?: CounterOptions): number | bigint
  /** Makes every entry with the tag a miss; false where no entry ever had it. */
  invalidateTag(tag: string | Uint8Array): boolean
  /** The same as `invalidateTag`. */
  evict(tag: string | Uint8Array): boolean
  /** Removes what is expired; how many entries left. */
  expire(): number
  keys(prefix?: string | Uint8Array): Generator<Key, void, undefined>
  values(prefix?: string | Uint8Array): Generator<V, void, undefined>
  entries(prefix?: string | Uint8Array): Generator<[Key, V], void, undefined>
  [Symbol.iterator](): Generator<[Key, V], void, undefined>
  /**
   * How many entries a get would hit; expired and invalidated ones do not count. Constant time where none such
   * can be there, else (and always over redis) a walk over all keys.
   */
  readonly size: number
  /** Whether a call may wait for a network; then the async twins are the better ones. */
  readonly mayBlock: boolean
  stats(): Stats
  /** In words: the engine chosen and why, and what the engine has to say. */
  info(): Record<string, unknown> & { engine: string; reason: string }
  check(options?: { repair?: boolean }): Record<string, unknown> & { entries: number; bad: number }
  /** Writes every entry to a file; how many. */
  export(path: string | FileUrl): number
  import(path: string | FileUrl): number
  flush(): void
  close(): void
  [Symbol.dispose](): void

  getAsync(key: Key): Promise<V | undefined>
  lookupAsync<M = symbol>(key: Key, miss?: M): Promise<V | M>
  setAsync(key: Key, value: V, options?: SetOptions | number): Promise<this>
  addAsync(key: Key, value: V, options?: SetOptions | number): Promise<boolean>
  hasAsync(key: Key): Promise<boolean>
  deleteAsync(key: Key): Promise<boolean>
  touchAsync(key: Key, ttl?: number | bigint): Promise<boolean>
  incrAsync(key: Key, delta?: number | bigint, options?: CounterOptions): Promise<number | bigint>
  decrAsync(key: Key, delta?: number | bigint, options?: CounterOptions): Promise<number | bigint>
  invalidateTagAsync(tag: string | Uint8Array): Promise<boolean>
  getManyAsync(keys: Iterable<Key>): Promise<Array<V | undefined>>
  setManyAsync(entries: Iterable<readonly [Key, V]> | Record<string, V>, options?: SetOptions | number): Promise<this>
  deleteManyAsync(keys: Iterable<Key>): Promise<number>
  deletePrefixAsync(prefix: string | Uint8Array): Promise<number>
  getBufferAsync(key: Key): Promise<Bytes | undefined>
  setBufferAsync(key: Key, value: Uint8Array | ArrayBuffer | DataView, options?: SetOptions | number): Promise<this>
  clearAsync(): Promise<void>
  flushAsync(): Promise<void>
  closeAsync(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface MemoizeOptions<A extends any[] = any[], R = any> extends CacheOptions {
  /** What stands for the arguments in the key. */
  key?: (...args: A) => unknown
  /** The function's name in a shared store. Required there. */
  name?: string
  /** Whether a result is kept. */
  cacheIf?: (result: Awaited<R>) => boolean
  /** The cost of an object against `maxBytes`. */
  sizeOf?: (result: Awaited<R>) => number
  /** Over a store of bytes: whether the function gives promises (known for `async` functions). */
  async?: boolean
  /** Tags of a call: templates with fields such as `{0}` or `{0.id}`, or a function of the arguments. */
  tags?: string | Uint8Array | Iterable<string | Uint8Array>
    | ((...args: A) => string | Uint8Array | Iterable<string | Uint8Array>)
  /** Is called with what could not be read or kept; the call succeeds all the same. */
  onError?: (error: unknown, what: Failure) => void
  /** Objects in memory: is called for entries that leave by a bound or by their time to live. */
  onEvict?: (value: R, what: { args: A; reason: 'evict' | 'expire' }) => void
  /** Objects in memory: milliseconds that only grow, in place of the monotonic clock (for fake timers). */
  clock?: () => number
}

/** What failed: the function's name, and the step. */
export interface Failure {
  name: string
  operation: 'get' | 'set' | 'cacheIf' | 'sizeOf' | 'tags' | 'onEvict'
}

export interface MemoizedStats extends Stats {
  /** Results that could not be read or kept; their calls succeeded without caching. */
  failures: number
}

/** What `memoize` keeps live objects in. */
export interface ObjectCache {
  /** How many entries are kept; those whose time is over do not count. With a ttl: a walk over all of them. */
  readonly size: number
  stats(): MemoizedStats
  invalidateTag(tag: string | Uint8Array): boolean
  /** The same as `invalidateTag`. */
  evict(tag: string | Uint8Array): boolean
  clear(): void
  close(): void
}

export interface MemoizedMembers<A extends any[], R = unknown> {
  readonly cache: ObjectCache | Cache
  clear(): void
  /** Forgets one call; false where it was not remembered. */
  invalidate(...args: A): boolean
  /** The same as `invalidate`. */
  delete(...args: A): boolean
  has(...args: A): boolean
  /** What is remembered of a call, without running the function; undefined for a miss. Over a store: the value itself. */
  peek(...args: A): R | Awaited<R> | undefined
  /** Forgets every call with the tag; false where none had it. */
  invalidateTag(tag: string | Uint8Array): boolean
  /** The same as `invalidateTag`. */
  evict(tag: string | Uint8Array): boolean
  stats(): MemoizedStats
}

export type Memoized<F extends (...args: any[]) => any> = F & MemoizedMembers<Parameters<F>, ReturnType<F>>

/** Over live objects in memory, or (with engine, path, url or tiers) over a store of bytes. */
export function memoize<F extends (...args: any[]) => any>(
  fn: F, options?: MemoizeOptions<Parameters<F>, ReturnType<F>>): Memoized<F>

/** A decorator of methods: standard, and legacy (`experimentalDecorators`). */
export interface CachedDecorator {
  <This, A extends any[], R>(
    method: (this: This, ...args: A) => R,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: A) => R>,
  ): (this: This, ...args: A) => R
  <M extends (this: any, ...args: any[]) => any>(
    target: object, name: string | symbol, descriptor: TypedPropertyDescriptor<M>): TypedPropertyDescriptor<M>
}
/** Decorates a method, with or without options. Each instance has a cache of its own. */
export const cached: CachedDecorator & ((options?: MemoizeOptions) => CachedDecorator)

/** A Keyv storage adapter. */
export class KeyvTwat {
  constructor(options?: CacheOptions | Cache)
  readonly cache: Cache
  namespace?: string | undefined
  opts: any
  get<T>(key: string): Promise<T | undefined>
  getMany<T>(keys: string[]): Promise<Array<T | undefined>>
  set(key: string, value: any, ttl?: number): Promise<boolean>
  setMany(entries: Array<{ key: string; value: any; ttl?: number }>): Promise<any>
  has(key: string): Promise<boolean>
  hasMany(keys: string[]): Promise<boolean[]>
  delete(key: string): Promise<boolean>
  deleteMany(keys: string[]): Promise<boolean>
  clear(): Promise<void>
  iterator<T>(namespace?: string): AsyncGenerator<Array<string | Awaited<T> | undefined>, void>
  disconnect(): Promise<void>
  on(event: string, listener: (...args: any[]) => void): this
  once(event: string, listener: (...args: any[]) => void): this
  off(event: string, listener: (...args: any[]) => void): this
  emit(event: string, ...args: any[]): boolean
}

/** `code` is the name of a status of the C ABI, such as `TWAT_E_CONFIG`. */
export class TwatCacheError extends Error {
  constructor(message: string, code?: string)
  readonly code: string
}

type TypedArray = Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array
  | Float32Array | Float64Array | BigInt64Array | BigUint64Array

/** An array of any shape and type, as NumPy has them. */
export class NdArray {
  constructor(data: TypedArray, shape: number[], dtype?: string, order?: 'C' | 'F')
  data: TypedArray
  shape: number[]
  dtype: string
  order: 'C' | 'F'
}

/** A list that other languages write as a tuple. */
export class Tuple<T = any> extends Array<T> {}

/** A number that other languages write as a float even where it is integral. */
export class Float {
  constructor(value: number)
  value: number
}

/** Types of other languages that JavaScript lacks. Read back, they are text or lists. */
export class Extension {
  private constructor()
  static decimal(text: string): Extension
  static date(text: string): Extension
  static time(text: string): Extension
  static uuid(text: string): Extension
  static complex(real: number, imaginary: number): Extension
  static path(text: string): Extension
  static named(name: string, fields: unknown): Extension
  static timestamp(seconds: number, nanoseconds?: number): Extension
}

/** The call that a stored key of a memoized function stands for; undefined for other keys. */
export function callOf(key: Key): { name: string; args: unknown[]; kwargs: Record<string, unknown> } | undefined

/** The version of the core that is in use. */
export const coreVersion: string
