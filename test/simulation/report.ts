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
  const left = seeds === 0 ? '' : `, about ${durationOf(((all - seeds) / seeds) * seconds)} left`
  return `${seeds} of ${all} seeds, ${pace} a second, ${failed.length} failed, ${faultsOf(counts)} faults, ${counts.get('crash') ?? 0} crashes${left}`
}

function durationOf(seconds: number): string {
  const minutes = Math.ceil(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

/** @param all How many seeds were asked for; fewer are done if somebody ended it. */
export function describeSummary({ seeds, failed, counts }: Tally, all: number, seconds: number): string {
  const rows = [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, count]) => `  ${String(count).padStart(9)}  ${kind}`)
  const broken = failed.map(({ seed, invariant }) => `  seed ${seed}: ${invariant}`)
  return [
    `${seeds === all ? seeds : `Ended after ${seeds} of ${all}`} seeds in ${Math.round(seconds)} s (${(seeds / seconds).toFixed(1)} a second), ${failed.length} failed`,
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
