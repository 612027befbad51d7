/** Kills of workers at moments that a seed chooses, and what each of them hit. */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import type { How, PerunSimulator } from '#src/demo/perun/simulator.ts'
import { until } from '../helpers/worker.ts'
import { runWorker, type WorkerProcess } from './processes.ts'

/** What a worker is made to go through before it is killed. */
type Round = 'start' | 'work' | 'stop' | 'pause'

/** What it was doing when it was killed, told by its log and by what is in the ledger. */
export type Phase =
  | 'before its ledger was open'
  | 'before it listened'
  | 'at work'
  | 'at work, a write to Perun unanswered'
  | 'after a pause'
  | 'while stopping'
  | 'stopped before the kill'

const rounds: readonly Round[] = ['work', 'start', 'work', 'stop', 'pause', 'work', 'start', 'stop']

const lostAnswers: readonly How[] = [
  'drop-after',
  'internal-error',
  'truncated',
  'drop-before',
  'cut-after',
  'html-503',
]

/** From 0 up to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Killer {
  /**
   * Starts workers one after another and kills each.
   *
   * @param awaited The method of Perun that a worker is mostly left alone for first, however busy the machine is; any if not given.
   */
  kill(count: number, awaited?: string): Promise<void>
  readonly phases: ReadonlyMap<Phase, number>
  /** The moment of each kill, in words. */
  readonly diary: readonly string[]
}

export interface KillerOptions {
  readonly settings: Readonly<Record<string, string>>
  readonly perun: PerunSimulator
  readonly ledger: string
  readonly seed: number
  /** Called after each kill. */
  readonly onKilled?: (count: number) => void
}

export function createKiller({ settings, perun, ledger, seed, onKilled }: KillerOptions): Killer {
  const random = randomOf(seed)
  const phases = new Map<Phase, number>()
  const diary: string[] = []

  async function killOne(awaited: string | undefined): Promise<void> {
    const round = rounds[diary.length % rounds.length]!
    // Drawn in this order, whatever the worker does: so a seed means the same plan again.
    const [moment, calm, fault, latency] = [random(), random(), random(), random()]
    // After most faults a worker pauses, so not in every round.
    const how = fault < 0.4 ? lostAnswers[Math.floor((fault / 0.4) * lostAnswers.length)] : undefined
    perun.faults.clear()
    perun.faults.latency(Math.floor(latency * 25))
    if (how !== undefined) perun.faults.fail({ how, method: 'setAttributes' })
    const born = Date.now()
    const worker = runWorker(settings)
    const { byMethod } = perun.calls
    const calls = () =>
      awaited === undefined ? Object.values(byMethod).reduce((sum, count) => sum + count, 0) : (byMethod[awaited] ?? 0)
    const waited = await lead(worker, round, { moment, calm, calls })
    worker.signal('SIGKILL')
    await worker.ended()
    const phase = phaseOf(worker, round, lookInto(ledger, born))
    phases.set(phase, (phases.get(phase) ?? 0) + 1)
    diary.push(`${diary.length + 1}: ${round}, ${waited}, ${how ?? 'no fault'}: ${phase}`)
    onKilled?.(diary.length)
  }

  return {
    async kill(count, awaited) {
      for (let index = 0; index < count; index += 1) await killOne(awaited)
    },
    phases,
    diary,
  }
}

/** What decides about the moment: `moment` and `calm` are from 0 up to 1. */
interface Chosen {
  readonly moment: number
  readonly calm: number
  /** Calls that Perun has got so far, of those that are waited for. */
  readonly calls: () => number
}

/** Brings a worker to the moment of its end. Says what it waited for. */
async function lead(worker: WorkerProcess, round: Round, { moment, calm, calls }: Chosen): Promise<string> {
  const before = calls()
  if (round === 'start') {
    if (calm < 0.5) {
      const ms = Math.floor(moment * 350)
      await sleep(ms)
      return `${ms} ms after its birth`
    }
    await until('it has read its settings', () => worker.says('Credits worker') !== undefined, 20_000, 1)
    const ms = Math.floor(moment * 50)
    await sleep(ms)
    return `${ms} ms after it read its settings`
  }
  await worker.url()
  // On a busy machine 300 ms may be over before there is anything to lose: mostly it has begun to publish.
  const isPublishing = (round === 'work' || round === 'pause') && calm < 0.8
  if (isPublishing) await until('it asks Perun', () => calls() > before || worker.hasEnded(), 20_000, 1)
  const ms = Math.floor(moment * 300)
  await sleep(ms)
  if (round === 'work') return `${ms} ms of ${isPublishing ? 'publishing' : 'work'}`
  const rest = Math.floor(calm * (round === 'stop' ? 40 : 700))
  worker.signal(round === 'stop' ? 'SIGTERM' : 'SIGSTOP')
  if (round === 'stop') {
    await until('it stops', () => worker.says('Stopping') !== undefined || worker.hasEnded())
    await sleep(rest)
    return `${ms} ms of work, ${rest} ms of stopping`
  }
  await sleep(rest)
  worker.signal('SIGCONT')
  await sleep(100)
  return `${ms} ms of ${isPublishing ? 'publishing' : 'work'}, ${rest} ms of sleep, 100 ms of work`
}

function phaseOf(worker: WorkerProcess, round: Round, unanswered: number): Phase {
  if (worker.says('Stopped') !== undefined) return 'stopped before the kill'
  if (worker.says('Stopping') !== undefined) return 'while stopping'
  if (worker.says('Ledger opened') === undefined) return 'before its ledger was open'
  if (worker.says('Listening on') === undefined) return 'before it listened'
  if (round === 'pause') return 'after a pause'
  return unanswered > 0 ? 'at work, a write to Perun unanswered' : 'at work'
}

/**
 * Writes to Perun without an answer that were begun since an instant, after a look at what a killed worker left.
 *
 * @throws {Error} if a total is not the sum of its entries, or the file is not whole.
 */
function lookInto(ledger: string, since: number): number {
  const db = new DatabaseSync(ledger)
  try {
    const one = (sql: string) => Object.values(db.prepare(sql).get()!)[0]
    if (one("SELECT count(*) FROM sqlite_schema WHERE name = 'groups'") === 0) return 0
    const wrong = one(`SELECT count(*) FROM groups
      WHERE used <> (SELECT coalesce(sum(amount), 0) FROM entries WHERE group_name = name)`)
    if (wrong !== 0) throw new Error(`${wrong} totals are not the sum of their entries`)
    if (one('PRAGMA quick_check(1)') !== 'ok') throw new Error('The file is not whole')
    return Number(one(`SELECT count(*) FROM intentions WHERE at >= ${since}`))
  } finally {
    db.close()
  }
}
