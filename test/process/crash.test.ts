/**
 * Kills workers in the middle of their work, again and again, on one ledger, with a Perun that loses some of its answers.
 * In the end Perun and the ledger must both say what a few lines of decimal arithmetic make of the exporter's first and last
 * values: nothing lost, nothing charged twice.
 */
import Big from 'big.js'
import { expect, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { startExporter } from '#src/demo/exporter/exporter.ts'
import { type How, startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { until } from '../helpers/worker.ts'
import { perunSettings, runWorker, temporaryFolder, type WorkerProcess, workerSettings } from './processes.ts'

const SITE = 8676
const ROUNDS = 10
const GROUPS = 30
const price: Record<string, string> = { project_vcpu_usage: '1', project_mb_usage: '0.3' }
const prices = '{"project_vcpu_usage":1,"project_mb_usage":0.3}'
const lostAnswers: How[] = ['drop-after', 'internal-error', 'truncated', 'drop-before', 'cut-after']

const groupName = (index: number) => `group ${index}`

/** Sizes without a common measure, so that amounts do not come out round. */
const cloud = `[domain]\n${Array.from({ length: GROUPS }, (_, index) => {
  const machine = `{ cpus = ${1 + (index % 7)}, ram = ${1 + (index % 5) * 3}, instance_id = "1" }`
  return `[[domain.projects]]\nproject_id = "p${index}"\nproject_name = "${groupName(index)}"\nmachines = [${machine}]`
}).join('\n')}`

/** The exporter's clock: stands still until it is let go, then goes a thousand times faster than ours. */
function standingClock() {
  const begin = Date.now()
  let [passed, since] = [0, undefined as number | undefined]
  const now = () => begin + passed + (since === undefined ? 0 : Date.now() - since)
  return {
    now,
    go: () => {
      since = Date.now()
    },
    stand: () => {
      passed = now() - begin
      since = undefined
    },
  }
}

async function valuesOf(url: string): Promise<Map<string, Big>> {
  const text = await (await fetch(url)).text()
  const lines = text.matchAll(/^(project_\w+_usage)\{.*project_name="([^"]+)"\} (\S+)/gm)
  return new Map(Array.from(lines, ([, metric, name, value]) => [`${metric} ${name}`, new Big(value!)]))
}

/** Growth of each series times its price, in whole micro-credits, summed by group. */
function growthInCredits(first: Map<string, Big>, last: Map<string, Big>): Map<string, Big> {
  const used = new Map<string, Big>()
  for (const [key, value] of last) {
    const [metric, ...words] = key.split(' ')
    const credits = value.minus(first.get(key)!).times(price[metric!]!).round(6, Big.roundDown)
    used.set(words.join(' '), (used.get(words.join(' ')) ?? new Big(0)).plus(credits))
  }
  return used
}

test('a worker that is killed at any moment loses nothing and charges nothing twice', async () => {
  const clock = standingClock()
  await using exporter = await startExporter({ cloud, clock, timeFactor: 100_000, startDate: clock.now() - 3_600_000 })
  await using perun = await startPerun({ latency: 3 })
  for (let index = 0; index < GROUPS; index += 1)
    perun.addGroup({ name: groupName(index), granted: '100000', resources: [SITE] })
  const folder = temporaryFolder()
  const settings = {
    ...workerSettings(folder, exporter.url),
    ...perunSettings(perun),
    OS_CREDITS_SCRAPE_INTERVAL: '20ms',
    OS_CREDITS_SCRAPE_TIMEOUT: '19ms',
    OS_CREDITS_PERUN_TIMEOUT: '500ms',
    OS_CREDITS_WORKERS: '4',
    LOG_LEVEL: 'info',
    METRICS_TO_BILL: prices,
  }
  const first = await valuesOf(exporter.url)
  expect(first.size).toBe(2 * GROUPS)

  // First contact under fire: the values stand still, so whatever reading a series is opened with is the first one.
  await killSome(settings, perun, 3)
  let worker = runWorker(settings)
  await until('Perun shows zero for all groups', () => perun.readAll().every(({ used }) => used === '0.00'))
  clock.go()
  worker.signal('SIGKILL')
  await worker.ended()
  const writes = await killSome(settings, perun, ROUNDS)
  clock.stand()
  perun.faults.clear()
  const last = await valuesOf(exporter.url)
  const expected = growthInCredits(first, last)

  worker = runWorker(settings)
  const shown = () => new Map(perun.readAll().map(({ name, used }) => [name, used]))
  const published = new Map([...expected].map(([name, used]) => [name, used.toFixed(2, Big.roundHalfEven)]))
  const isRight = () => [...shown()].every(([name, used]) => published.get(name) === used)
  await until('Perun shows what was used', isRight).catch(() => {})
  worker.signal('SIGTERM')
  expect(await worker.exit()).toBe(0)

  expect(shown()).toEqual(published)
  // Else the test has killed nothing that was at work.
  expect(writes).toBeGreaterThan(GROUPS)
  const ledger = openSqliteLedger(`${folder}/credits.db`)
  for (const [name, used] of expected) {
    expect(formatCredits((await ledger.account(name))!.used)).toBe(used.toFixed())
    const entries = await ledger.entries(name, { limit: 1_000 })
    expect(formatCredits(entries.reduce((sum, { amount }) => sum + amount, 0n))).toBe(used.toFixed())
    expect(entries.filter(({ kind }) => kind === 'adjustment')).toEqual([])
  }
  expect(await ledger.holds({ limit: 1_000 })).toEqual([])
  await ledger.close()
}, 60_000)

/** Starts workers one after another and kills each at some moment of its work. Returns how often Perun was written to. */
async function killSome(
  settings: Record<string, string>,
  perun: Awaited<ReturnType<typeof startPerun>>,
  rounds: number,
): Promise<number> {
  const before = perun.writes.length
  for (let round = 0; round < rounds; round += 1) {
    // After most of them the worker pauses, so not in every round.
    if (round % 2 === 1) perun.faults.fail({ how: lostAnswers[(round - 1) / 2]!, method: 'setAttributes' })
    const worker: WorkerProcess = runWorker(settings)
    await worker.url()
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 400))
    worker.signal('SIGKILL')
    await worker.ended()
  }
  return perun.writes.length - before
}
