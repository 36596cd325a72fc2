// Compiled by tsc --strict, never run: what is right compiles, what is wrong is refused.
import twat, { Cache, KeyvTwat, Tuple, TwatCacheError, cached, memoize, type Memoized, type Stats } from 'twat-cache'

interface User { id: number; name: string }

const getUser: Memoized<(id: number) => Promise<User>> = memoize(async (id: number): Promise<User> => ({ id, name: 'x' }), {
  max: 1000, ttl: 60_000, policy: 's3fifo', cacheIf: (user) => user.id > 0, sizeOf: (user) => user.name.length,
})
const user: Promise<User> = getUser(1)
const stats: Stats = getUser.stats()
const gone: boolean = getUser.delete(1)
// @ts-expect-error the argument is a number
getUser('1')
// @ts-expect-error no such option
memoize((x: number) => x, { maxx: 1 })
// @ts-expect-error no such policy
memoize((x: number) => x, { policy: 'lruu' })

const cache = new Cache<User>({ engine: 'disk', path: './cache', maxBytes: 1e9 })
cache.set('k', { id: 1, name: 'x' }, { ttl: 5000, tags: ['a'] }).set(['user', 1], { id: 2, name: 'y' })
const found: User | undefined = cache.get('k')
const bytes: Uint8Array | undefined = cache.getBuffer('b')
// @ts-expect-error not a User
cache.set('k', 5)
for (const [key, value] of cache) { void key; const name: string = value.name; void name }

async function asynchronous(): Promise<void> {
  await using other = new Cache()
  const value: unknown = await other.getAsync('k')
  void value
}

class Report {
  @cached({ max: 10 })
  build(year: number): string { return `${year}` }

  @cached
  plain(): number { return 1 }

  @cached
  own(this: Report, year: number): string { return this.build(year) }

  @cached({ ttl: 5, tags: ['year:{0}'] })
  static total(this: typeof Report, year: number): number { return year }
}

const tagged = memoize((user: User): User => user, {
  tags: (given) => `user:${given.id}`, onError: (error, { operation }) => void [error, operation],
  onEvict: (value, { args: [first], reason }) => void [value.name, first.id, reason], clock: () => 1,
})
const peeked: User | undefined = tagged.peek({ id: 1, name: 'x' })
const forgotten: boolean = tagged.invalidate({ id: 1, name: 'x' }) && tagged.invalidateTag('user:1') && tagged.evict('user:1') && tagged.cache.evict('user:1')
const failures: number = tagged.stats().failures
const anything: unknown = new Cache().get('k')
const looked: User | null = cache.lookup('k', null)
Cache.disabled = false
// @ts-expect-error a value of unknown kind is narrowed first
new Cache().get('k').name
// @ts-expect-error the argument is a user
tagged.peek(1)
// @ts-expect-error no field can be decorated
class Wrong { @cached field = 1 }

const total = new Cache({ engine: 'tiered', tiers: [{ engine: 'memory', max: 10 }, { engine: 'disk', path: './c' }] })
const store = new KeyvTwat({ url: 'redis://localhost' })
try { total.clear() } catch (error) { if (error instanceof TwatCacheError) { const code: string = error.code; void code } }
void [peeked, forgotten, failures, anything, looked, Wrong, user, stats, gone, found, bytes, asynchronous, new Report().build(1), store, twat.coreVersion, Tuple.of(1)]
