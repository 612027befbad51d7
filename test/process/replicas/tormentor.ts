/** What replicas are made to go through, at moments that a seed chooses. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { How } from '#src/demo/perun/simulator.ts'
import { until } from '../../helpers/worker.ts'
import { randomOf } from '../kills.ts'
import { runWorker, type WorkerProcess } from '../processes.ts'
import type { World } from './world.ts'

/** What is done to a replica. */
export type Torment =
  | 'killed while it starts'
  | 'killed at work'
  | 'killed at work, a write on its way'
  | 'killed while it stops'
  | 'killed when it wakes up'
  | 'killed in its sleep'
  | 'stopped'
  | 'put to sleep for longer than its lease'
  | 'put to sleep for less than its lease'
  | 'cut off from the database'
  | 'let down by Perun'

/** How often each occurs, in the order in which they are drawn from. */
const deck: readonly Torment[] = [
  'killed at work',
  'killed at work',
  'killed at work, a write on its way',
  'killed at work, a write on its way',
  'killed while it starts',
  'killed while it stops',
  'killed when it wakes up',
  'killed in its sleep',
  'stopped',
  'put to sleep for longer than its lease',
  'put to sleep for longer than its lease',
  'put to sleep for longer than its lease',
  'put to sleep for less than its lease',
  'cut off from the database',
  'cut off from the database',
  'let down by Perun',
]

const lostAnswers: readonly How[] = [
  'drop-after',
  'internal-error',
  'truncated',
  'drop-before',
  'cut-after',
  'html-503',
]

export interface Tormentor {
  /** Torments all replicas at the same time until there were so many kills. */
  torment(kills: number): Promise<void>
  /** Brings all of them back to work. */
  comfort(): Promise<readonly WorkerProcess[]>
  readonly counts: ReadonlyMap<Torment, number>
  /** How many were killed. */
  readonly kills: number
  /** Exit codes of those that ended in order or by themselves. */
  readonly exits: readonly (number | string | null)[]
  /** What happened when, in words. */
  readonly diary: readonly string[]
}

export interface TormentorOptions {
  readonly world: World
  readonly replicas: number
  /** How long a replica is believed in that says nothing, in milliseconds. */
  readonly lease: number
  readonly seed: number
}

/** A place for a replica; processes come and go in it. */
interface Slot {
  readonly name: string
  readonly random: () => number
  born: number
  /** How the doors know the process that is there. */
  who: string
  worker: WorkerProcess | undefined
}

export function createTormentor({ world, replicas, lease, seed }: TormentorOptions): Tormentor {
  const counts = new Map<Torment, number>()
  const exits: (number | string | null)[] = []
  const diary: string[] = []
  let kills = 0
  const slots = Array.from({ length: replicas }, (_, index): Slot => {
    const name = String.fromCharCode(97 + index)
    return { name, random: randomOf(seed + index), born: 0, who: '', worker: undefined }
  })

  const tell = (slot: Slot, words: string) => diary.push(`${new Date().toISOString()} ${slot.who} ${words}`)

  function bear(slot: Slot): WorkerProcess {
    slot.born += 1
    slot.who = `${slot.name}${slot.born}`
    slot.worker = runWorker({ ...world.settings(slot.who), OS_CREDITS_REPLICA_LEASE: `${lease}ms` })
    tell(slot, 'is born')
    return slot.worker
  }

  /** The process of a slot when it is at work; a new one if the last has ended, by itself too. */
  async function atWork(slot: Slot): Promise<WorkerProcess> {
    for (;;) {
      const worker = slot.worker === undefined || slot.worker.hasEnded() ? bear(slot) : slot.worker
      await until('it listens', () => worker.says('Listening on') !== undefined || worker.hasEnded())
      if (!worker.hasEnded()) return worker
      await bury(slot, worker, 'ended by itself')
      // Its database may have been taken away while it started.
    }
  }

  async function bury(slot: Slot, worker: WorkerProcess, how: string): Promise<void> {
    const code = await worker.exit()
    slot.worker = undefined
    tell(slot, `${how} (${code})`)
    if (code === 'SIGKILL') return
    exits.push(code)
    if (code !== 0) tell(slot, `has said:\n${worker.output().split('\n').slice(-20).join('\n')}`)
  }

  async function kill(slot: Slot, worker: WorkerProcess): Promise<void> {
    worker.signal('SIGKILL')
    await bury(slot, worker, 'is killed')
    kills += 1
  }

  async function once(slot: Slot): Promise<void> {
    // Drawn in this order, whatever a replica does: so a seed means the same plan again.
    const [which, moment, length, other] = [slot.random(), slot.random(), slot.random(), slot.random()]
    const torment = deck[Math.floor(which * deck.length)]!
    counts.set(torment, (counts.get(torment) ?? 0) + 1)
    world.perun.faults.latency(Math.floor(other * 80))
    if (torment === 'killed while it starts') {
      if (slot.worker !== undefined && !slot.worker.hasEnded()) await kill(slot, slot.worker)
      const worker = bear(slot)
      await sleep(moment * 900)
      return kill(slot, worker)
    }
    const worker = await atWork(slot)
    await sleep(100 + moment * 1_000)
    tell(slot, `is to be ${torment}`)
    await inflict(slot, worker, torment, { length, other })
  }

  async function inflict(slot: Slot, worker: WorkerProcess, torment: Torment, draw: { length: number; other: number }) {
    const { length, other } = draw
    switch (torment) {
      case 'killed at work, a write on its way':
        await aWriteOf(slot.who)
        return kill(slot, worker)
      case 'killed while it stops':
        worker.signal('SIGTERM')
        await sleep(length * 60)
        return kill(slot, worker)
      case 'killed when it wakes up':
        await doze(worker, lease * (1.1 + length))
        await sleep(other * 100)
        return kill(slot, worker)
      case 'killed in its sleep':
        worker.signal('SIGSTOP')
        await sleep(lease * (0.2 + length * 1.5))
        return kill(slot, worker)
      case 'stopped':
        worker.signal('SIGTERM')
        return bury(slot, worker, 'stops')
      case 'put to sleep for longer than its lease':
        if (other < 0.5) await aWriteOf(slot.who)
        await doze(worker, lease * (1.1 + length))
        return void tell(slot, 'wakes up')
      case 'put to sleep for less than its lease':
        return doze(worker, lease * length * 0.9)
      case 'cut off from the database':
        return void tell(slot, `and others lose ${await cutConnections(world.database, length)} connections`)
      case 'let down by Perun':
        for (let index = 0; index < 3; index += 1)
          world.perun.faults.fail({
            how: lostAnswers[Math.floor(length * lostAnswers.length)]!,
            method: 'setAttributes',
          })
        return
      default:
        return kill(slot, worker)
    }
  }

  /** Resolves when Perun is about to get a write of it, or after a while without. */
  async function aWriteOf(who: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.set(who, resolve)
    await Promise.race([promise, sleep(1_000)])
    waiting.delete(who)
  }
  const waiting = new Map<string, () => void>()
  world.beforeWrite = ({ who }) => waiting.get(who)?.()

  return {
    async torment(most) {
      const until = kills + most
      const one = async (slot: Slot) => {
        while (kills < until) await once(slot)
      }
      await Promise.all(slots.map(one))
    },
    async comfort() {
      world.perun.faults.clear()
      return Promise.all(slots.map(atWork))
    },
    counts,
    get kills() {
      return kills
    },
    exits,
    diary,
  }
}

async function doze(worker: WorkerProcess, ms: number): Promise<void> {
  worker.signal('SIGSTOP')
  await sleep(ms)
  worker.signal('SIGCONT')
}

/** Ends this part of all connections that workers have. Returns how many. */
async function cutConnections(database: string, part: number): Promise<number> {
  const client = new pg.Client({ connectionString: database })
  await client.connect()
  try {
    const { rows } = await client.query(
      `SELECT pg_terminate_backend(pid) FROM (SELECT pid, row_number() OVER (ORDER BY md5(pid::text)) AS rank,
        count(*) OVER () AS number FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()) AS all_of_them WHERE rank <= number * $1::float8`,
      [part],
    )
    return rows.length
  } finally {
    await client.end()
  }
}
