/** What people read of a simulation. */
import type { Sent, Tally } from './workers.ts'

export function describeFailure({ seed, configuration, violation, story }: Omit<Sent, 'counts'>): string {
  return [
    '',
    `FAILED seed ${seed}: ${violation!.invariant}`,
    `  ${violation!.detail}`,
    `  configuration ${JSON.stringify(configuration)}`,
    '  the end of its story:',
    ...story.map((line) => `    ${line}`),
    `  again: make simulate SEED=${seed}`,
    '',
    '',
  ].join('\n')
}

export function describeProgress({ seeds, failed, counts }: Tally, all: number, seconds: number): string {
  const pace = (seeds / seconds).toFixed(1)
  return `${seeds} of ${all} seeds, ${pace} a second, ${failed.length} failed, ${faultsOf(counts)} faults, ${counts.get('crash') ?? 0} crashes`
}

export function describeSummary({ seeds, failed, counts }: Tally, seconds: number): string {
  const rows = [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, count]) => `  ${String(count).padStart(9)}  ${kind}`)
  const broken = failed.map(({ seed, invariant }) => `  seed ${seed}: ${invariant}`)
  return [
    `${seeds} seeds in ${Math.round(seconds)} s (${(seeds / seconds).toFixed(1)} a second), ${failed.length} failed`,
    ...broken,
    ...rows,
    '',
  ].join('\n')
}

/** What is counted and is no fault. */
const others = new Set(['commits', 'entries', 'stopped', 'hold accepted', 'hold dismissed', 'adjustment asked for'])

function faultsOf(counts: Tally['counts']): number {
  return [...counts].reduce(
    (sum, [kind, count]) =>
      others.has(kind) || kind.startsWith('edits ') || kind.startsWith('repricing ') ? sum : sum + count,
    0,
  )
}
