/**
 * How well causes of falls and jumps are told, and whether anything is charged wrongly: labelled events of made-up sites.
 *
 *   node bench/classify.ts [runs=12] [seed=1]
 *
 * Each run is one event at one site, in the real intake with a ledger in memory. Run `n` of a label has the seed
 * `seed + n`. Ends with exit code 1 if a single micro-credit was charged that was not consumed.
 */
import { labels } from '../test/helpers/labelled/events.ts'
import { type Result, runLabelled, verdictNames } from '../test/helpers/labelled/run.ts'
import { table } from './report.ts'

const runs = Number(process.argv[2] ?? 12)
const seed = Number(process.argv[3] ?? 1)
const sizes = [
  { title: 'Sites with 10 to 2,000 projects', projects: [10, 2_000] },
  { title: 'Small sites with 1 to 9 projects', projects: [1, 9] },
] as const

let isWrong = false
for (const { title, projects } of sizes) {
  const rows: string[][] = []
  for (const label of labels) {
    const results: Result[] = []
    for (let run = 0; run < runs; run += 1) {
      const result = await runLabelled({ label, seed: seed + run, projects })
      results.push(result)
      if (result.wrong === 0n) continue
      isWrong = true
      console.error(
        `${label}, seed ${seed + run}, ${result.projects} projects: ${result.wrong} micro-credits too many, ${result.verdict}`,
      )
    }
    rows.push([label, ...verdictNames.map((name) => countOf(results, name)), ...sums(results)])
  }
  console.log(`\n${title}: ${runs} runs of each.\n`)
  table([['what happened', ...verdictNames, 'on hold', 'charged wrongly', 'not charged'], ...rows])
}
process.exitCode = isWrong ? 1 : 0

function countOf(results: readonly Result[], name: string): string {
  const number = results.filter(({ verdict }) => verdict === name).length
  return number === 0 ? '.' : String(number)
}

function sums(results: readonly Result[]): string[] {
  const sum = (of: (result: Result) => bigint) => results.reduce((total, result) => total + of(result), 0n)
  const truth = sum((each) => each.truth)
  const share = (Number(sum((each) => each.missing)) / Number(truth)) * 100
  const held = results.filter(({ isHeld }) => isHeld).length
  return [String(held), String(sum((each) => each.wrong)), `${share.toFixed(2)} %`]
}
