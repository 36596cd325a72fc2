// Compiled by tsc --strict --experimentalDecorators, and run: legacy decorators do what standard ones do.
import { cached } from 'twat-cache'

let runs = 0

class Report {
  scale = 2

  @cached
  bare(x: number): { x: number } { runs++; return { x: x * this.scale } }

  @cached({ max: 10 })
  withOptions(this: Report, x: number): { x: number } { runs++; return { x: x * this.scale } }

  @cached
  static total(x: number): { x: number } { runs++; return { x } }
}

const report = new Report()
const same = [report.bare(1) === report.bare(1), report.withOptions(1) === report.withOptions(1), Report.total(1) === Report.total(1)]
if (runs !== 3 || !same.every(Boolean) || report.bare(2).x !== 4) throw new Error(`ran ${runs} times`)
console.log('legacy decorators')
