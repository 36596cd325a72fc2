// Interleaved rounds, the best of each: what else runs on the machine slows
// some rounds of every row, hardly all of one.
export function measure(rows, { rounds = 12, ms = 25, least = 1000 } = {}) {
  const best = new Map()
  const sizes = new Map()
  for (const [name, body] of rows) sizes.set(name, calibrate(body, ms, least))
  for (let round = 0; round < rounds; round++) {
    for (const [name, body] of rows) {
      const n = sizes.get(name)
      const start = process.hrtime.bigint()
      body(n)
      const each = Number(process.hrtime.bigint() - start) / n
      best.set(name, Math.min(best.get(name) ?? Infinity, each))
    }
  }
  return best
}

/** How many turns of the body take about so many milliseconds; at least `least`. */
function calibrate(body, ms, least) {
  let n = least
  for (;;) {
    const start = performance.now()
    body(n)
    const took = performance.now() - start
    if (took > ms / 4) return Math.max(least, Math.round((n * ms) / took))
    n *= 4
  }
}

export async function measureAsync(rows, { rounds = 5, turns = 3000 } = {}) {
  const best = new Map()
  for (let round = 0; round < rounds; round++) {
    for (const [name, body] of rows) {
      const start = process.hrtime.bigint()
      await body(turns)
      const each = Number(process.hrtime.bigint() - start) / turns
      best.set(name, Math.min(best.get(name) ?? Infinity, each))
    }
  }
  return best
}
