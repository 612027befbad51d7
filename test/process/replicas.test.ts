/**
 * Replicas on one ledger in PostgreSQL, and what can happen to any of them at any moment: killed, put to sleep for longer
 * than its lease and woken up, cut off from the database, stopped; while Perun loses some of its answers. In the end ledger
 * and Perun must both say what a few lines of decimal arithmetic make of the sites' first and last values, and never have
 * two replicas written one group at the same time.
 *
 * `make torture-replicas KILLS=500` kills more often. `SEED=…` has the same plan again, as far as processes allow it.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Big from 'big.js'
import { expect, onTestFailed, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { openPostgresLedger } from '#src/ledger/postgres/ledger.ts'
import { missing } from '../helpers/postgres.ts'
import { until } from '../helpers/worker.ts'
import { runWorker } from './processes.ts'
import { backwardSteps, type Meeting, meetings } from './replicas/stays.ts'
import { createTormentor } from './replicas/tormentor.ts'
import { QUIET, startWorld, usedBetween, type World } from './replicas/world.ts'

const KILLS = Number(process.env.KILLS || 24)
const SEED = Number(process.env.SEED || Math.floor(Math.random() * 2 ** 32))
const GROUPS = 48
const REPLICAS = 3
const LEASE = 2_000

test.skipIf(missing !== undefined)(
  'replicas that are killed, paused and cut off lose nothing, charge nothing twice and never write one group together',
  async () => {
    say(`${KILLS} kills of ${REPLICAS} replicas with SEED=${SEED}`)
    const world = await startWorld(GROUPS)
    const { perun, clock } = world
    const first = await world.values()
    const tormentor = createTormentor({ world, replicas: REPLICAS, lease: LEASE, seed: SEED })
    await tormentor.comfort()
    await until('Perun shows zero for all groups', () => world.isOpened())

    clock.go()
    await sleep(QUIET)
    await tormentor.torment(KILLS)
    clock.stand()
    const expected = usedBetween(first, await world.values())

    const workers = await tormentor.comfort()
    const shown = () => new Map(perun.readAll().map(({ name, used }) => [name, used]))
    const published = new Map([...expected].map(([name, used]) => [name, used.toFixed(2, Big.roundHalfEven)]))
    const isRight = () => [...shown()].every(([name, used]) => published.get(name) === used)
    await until('Perun shows what was used', isRight, 60_000).catch((error: unknown) => say(String(error)))
    const urls = await Promise.all(workers.map((worker) => worker.url()))
    await until('each replica says that each target is scraped by one of them', async () => {
      const told = await Promise.all(urls.map(stats))
      return told.every((one) => isShared(one, world.targets))
    })
    expect(new Set((await Promise.all(urls.map(stats))).map(selfOf)).size).toBe(REPLICAS)
    for (const worker of workers) worker.signal('SIGTERM')
    expect(await Promise.all(workers.map((worker) => worker.exit()))).toEqual(workers.map(() => 0))

    const [writes, scrapes] = [world.writes(), world.scrapes()]
    const [together, both] = [meetings(writes), meetings(scrapes)]
    const back = backwardSteps(perun.writes.map(({ group, used }) => ({ where: group, used: used! })))
    say([...tormentor.counts].map(([torment, count]) => `${count} ${torment}`).join('; '))
    say(`${tormentor.kills} kills; exit codes of the others: ${tormentor.exits.join(', ')}`)
    say(`${writes.length} writes, ${back.length} of them less than the one before`)
    say(`${scrapes.length} scrapes, ${both.length} of a target that another replica scraped`)
    onTestFailed(() => say(tormentor.diary.join('\n')))

    expect(together.map(toWords)).toEqual([])
    expect(await adjustmentsOf(world)).toEqual([])
    expect(await holdsOf(world)).toEqual([])
    expect(shown()).toEqual(published)
    await expectLedger(world, expected)
    expect(await verdict(world)).toBe(0)
    expect(expected.size).toBe(GROUPS)
  },
  180_000 + KILLS * 5_000,
)

interface Stats {
  readonly replicas: readonly {
    readonly id: number
    readonly state: string
    readonly answers: boolean
    readonly targets: readonly string[]
  }[]
}

async function stats(url: string): Promise<Stats> {
  return (await fetch(`${url}/stats`)).json() as Promise<Stats>
}

/** Whether there are all replicas and no others, and each target is at one of them. */
function isShared({ replicas }: Stats, targets: readonly string[]): boolean {
  if (replicas.length !== REPLICAS || replicas.some(({ state }) => state !== 'working')) return false
  const scraped = replicas.flatMap((replica) => replica.targets)
  return scraped.length === targets.length && targets.every((target) => scraped.includes(target))
}

const selfOf = ({ replicas }: Stats) => replicas.find(({ answers }) => answers)?.id

function say(words: string): void {
  process.stderr.write(`${words}\n`)
}

function toWords(pair: Meeting): string {
  const [{ where }] = pair
  const stays = pair.map(({ who, begin, end }) => `${who} ${begin.toFixed(1)}…${end?.toFixed(1)}`)
  return `${where}: ${stays.join(' and ')}`
}

/** What was taken for an edit, or not charged: nobody edits here, and all of it is to be charged. */
async function adjustmentsOf({ database, perun }: World): Promise<string[]> {
  const ledger = await openPostgresLedger(database)
  try {
    const found: string[] = []
    for (const { name } of perun.readAll()) {
      for (const entry of await ledger.entries(name, { limit: 100_000 }))
        if (entry.kind === 'adjustment')
          found.push(
            `${new Date(entry.recordedAt).toISOString()} ${name} ${formatCredits(entry.amount)}: ${entry.reason}`,
          )
    }
    return found
  } finally {
    await ledger.close()
  }
}

async function holdsOf({ database }: World): Promise<string[]> {
  const ledger = await openPostgresLedger(database)
  const holds = await ledger.holds({ limit: 1_000 }).finally(() => ledger.close())
  return holds.map(({ kind, site, group, reason }) => `${kind} of ${group ?? 'a site'} at ${site}: ${reason}`)
}

/** Totals, entries and what was published are what they should be, and nothing waits. */
async function expectLedger(world: World, expected: ReadonlyMap<string, Big>): Promise<void> {
  const ledger = await openPostgresLedger(world.database)
  try {
    expect(await ledger.dirtyGroups()).toEqual([])
    for (const [name, used] of expected) {
      const account = (await ledger.account(name))!
      expect(formatCredits(account.used), name).toBe(used.toFixed())
      const entries = await ledger.entries(name, { limit: 100_000 })
      expect(formatCredits(entries.reduce((sum, { amount }) => sum + amount, 0n))).toBe(used.toFixed())
      expect(formatCredits(account.published!)).toBe(used.round(2, Big.roundHalfEven).toFixed())
    }
  } finally {
    await ledger.close()
  }
}

/** Moves the ledger into a file and has it checked by the program that shares no code with the worker. Returns its exit code. */
async function verdict({ database, folder }: World): Promise<number | string | null> {
  const path = join(folder, 'moved.db')
  const run = async (program: string, ...words: string[]) => {
    const made = runWorker({}, undefined, [join(import.meta.dirname, '../../src', program), ...words])
    const code = await made.exit()
    if (code !== 0) say(made.output())
    return code
  }
  const moved = await run('move/main.ts', database, `sqlite:${path}`)
  return moved === 0 ? run('verify/main.ts', path) : moved
}
