// An HTTP server whose slow handler is memoized:
//
//   node server.mjs [PORT]
//
//   GET /primes/100000   how many primes there are below; slow once, then at once
//   GET /stats           hits, misses and the hit ratio
import { createServer } from 'node:http'
import { memoize } from 'twat-cache'

/** Counts primes below n by trial, to be slow. */
function countPrimes(n) {
  let count = 0
  for (let i = 2; i < n; i++) {
    let prime = true
    for (let d = 2; d * d <= i && prime; d++) prime = i % d !== 0
    if (prime) count++
  }
  return { n, count, at: new Date().toISOString() }
}

const primes = memoize(countPrimes, { max: 1000, ttl: 10 * 60_000 })

function answer(url) {
  const [, number] = /^\/primes\/(\d{1,7})$/.exec(url) ?? []
  if (number !== undefined) return [200, primes(Number(number))]
  if (url === '/stats') {
    const { hits, misses, hitRatio, entries } = primes.stats()
    return [200, { hits, misses, hitRatio, entries }]
  }
  return [404, { error: 'try /primes/100000 or /stats' }]
}

const server = createServer((request, response) => {
  const [status, body] = answer(request.url)
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
})
server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/stats`)
})
process.on('SIGTERM', () => server.close())
