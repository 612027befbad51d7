/** How benchmarks measure and print. Times on shared machines vary: compare figures of one run with each other. */
import { cpus } from 'node:os'

/** What the machine is, for the head of a report. */
export function describeMachine(): string {
  const [first] = cpus()
  return `${cpus().length} cores (${first?.model.trim() ?? 'unknown'}), Node ${process.version}`
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Runs `work` several times and gives the median of its seconds and the last result. */
export async function timed<Result>(runs: number, work: (run: number) => Promise<Result> | Result) {
  const seconds: number[] = []
  let result: Result | undefined
  for (let run = 0; run < runs; run += 1) {
    const begun = performance.now()
    result = await work(run)
    seconds.push((performance.now() - begun) / 1_000)
  }
  return { seconds: median(seconds), all: seconds, result: result as Result }
}

export function mib(bytes: number): string {
  return `${(bytes / 1_024 / 1_024).toFixed(0)} MiB`
}

/** Prints rows as aligned columns; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
}
