/**
 * A replica that falls asleep in the middle of a publish, at the worst moments: others take over and publish newer credits.
 * When it wakes up it knows nothing of that, and must not write what it was about to write.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Big from 'big.js'
import pg from 'pg'
import { expect, test } from 'vitest'
import { missing } from '../helpers/postgres.ts'
import { until } from '../helpers/worker.ts'
import { runWorker, type WorkerProcess } from './processes.ts'
import { backwardSteps, meetings } from './replicas/stays.ts'
import { QUIET, startWorld, usedBetween, type World } from './replicas/world.ts'

const GROUPS = 12
const LEASE = '2s'
const stopHere = join(import.meta.dirname, 'replicas/stopHere.ts')

const moments = [
  ['while Perun has a write of it, and another one is to follow', 'written'],
  ['when it has just looked whether its write is still the newest', 'looked'],
] as const

test.skipIf(missing !== undefined).each(moments)(
  'a replica that falls asleep %s, writes nothing of it when it wakes up',
  async (_, moment) => {
    const world = await startWorld(GROUPS)
    const { perun, clock } = world
    const first = await world.values()
    const file = join(world.folder, 'stop')
    const start = (who: string, preload?: string) =>
      runWorker({ ...world.settings(who), OS_CREDITS_REPLICA_LEASE: LEASE, STOP_FILE: file }, preload)
    const sleeper = start('sleeper', stopHere)
    await until('Perun shows zero for all groups', () => world.isOpened())
    clock.go()
    await until('it publishes', () => perun.readAll().every(({ used }) => used !== '0.00'))
    await sleep(QUIET)

    await fallAsleep(world, sleeper, moment, file)
    const other = start('other')
    const writtenBy = (who: string) => world.writes().filter((write) => write.who === who && write.end !== undefined)
    const groups = perun.readAll().map(({ name }) => name)
    await until('the other one has published all groups', () => {
      const written = new Set(writtenBy('other').map(({ where }) => where))
      return groups.every((name) => written.has(name))
    })
    await until('the sleeper is taken for dead', async () => (await replicasOf(world)) === 1)
    sleeper.signal('SIGCONT')
    await until('it is one of them again', async () => (await replicasOf(world)) === 2)

    clock.stand()
    const expected = usedBetween(first, await world.values())
    const isRight = () =>
      perun.readAll().every(({ name, used }) => used === expected.get(name)!.toFixed(2, Big.roundHalfEven))
    // What the sleeper gave up may wait for the look at all groups that is made each minute.
    await until('Perun shows what was used', isRight, 120_000)
    for (const worker of [sleeper, other]) worker.signal('SIGTERM')
    expect([await sleeper.exit(), await other.exit()]).toEqual([0, 0])
    expect(meetings(world.writes())).toEqual([])
    expect(backwardSteps(perun.writes.map(({ group, used }) => ({ where: group, used: used! })))).toEqual([])
  },
  300_000,
)

async function replicasOf({ database }: World): Promise<number> {
  const client = new pg.Client({ connectionString: database })
  await client.connect()
  const { rows } = await client.query('SELECT 1 FROM replicas WHERE gone_at IS NULL').finally(() => client.end())
  return rows.length
}

/** Resolves when it sleeps. */
async function fallAsleep(world: World, worker: WorkerProcess, moment: string, file: string): Promise<void> {
  if (moment !== 'written') writeFileSync(file, '')
  else {
    const { promise, resolve } = Promise.withResolvers<void>()
    world.beforeWrite = ({ where, site }) => {
      const sites = world.perun.read(where).resources
      if (sites.length === 1 || site !== Math.min(...sites)) return
      world.beforeWrite = () => {}
      worker.signal('SIGSTOP')
      resolve()
    }
    await promise
  }
  await until('it sleeps', () => stateOf(worker.pid) === 'T')
}

/** `T` is a process that is stopped. */
function stateOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
}
