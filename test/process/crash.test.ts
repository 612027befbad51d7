/**
 * Kills workers in the middle of their work, again and again, on one ledger, with a Perun that loses some of its answers.
 * In the end Perun and the ledger must both say what a few lines of decimal arithmetic make of the exporters' first and last
 * values: nothing lost, nothing charged twice.
 *
 * `make torture KILLS=500` kills more often. `SEED=…` kills at the same moments again, as far as processes allow it.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Big from 'big.js'
import { expect, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { startExporter } from '#src/demo/exporter/exporter.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { until } from '../helpers/worker.ts'
import { createKiller } from './kills.ts'
import { perunSettings, runWorker, temporaryFolder, workerSettings } from './processes.ts'
import { growthInCredits, pricesFile, standingClock, valuesOf } from './truth.ts'

const KILLS = Number(process.env.KILLS || 44)
const SEED = Number(process.env.SEED || Math.floor(Math.random() * 2 ** 32))
/** While no total moves: whatever reading a series is opened with is the first one. */
const FIRST_CONTACT = 8

const SITES = [8676, 9001, 9002]
const GROUPS = 60
const groupName = (index: number) => `group ${index}`
/** Each group is at one site at least, a third of them at two, a third at all. */
const isAt = (site: number, group: number) => site <= group % SITES.length

/** Sizes without a common measure, so that amounts do not come out round. */
function cloudOf(site: number): string {
  const projects = Array.from({ length: GROUPS }, (_, index) => index).filter((index) => isAt(site, index))
  const tables = projects.map((index) => {
    const machine = `{ cpus = ${1 + ((index + site) % 7)}, ram = ${1 + (index % 5) * 3}, instance_id = "1" }`
    return `[[domain.projects]]\nproject_id = "p${index}"\nproject_name = "${groupName(index)}"\nmachines = [${machine}]`
  })
  return `[domain]\n${tables.join('\n')}`
}

test(
  'a worker that is killed at any moment loses nothing and charges nothing twice',
  async () => {
    process.stderr.write(`\n${KILLS} kills with SEED=${SEED}\n`)
    const clock = standingClock()
    const timing = { clock, timeFactor: 20_000, startDate: clock.now() - 3_600_000 }
    const exporters = await Promise.all(SITES.map((_, site) => startExporter({ cloud: cloudOf(site), ...timing })))
    await using perun = await startPerun()
    for (let index = 0; index < GROUPS; index += 1) {
      const resources = SITES.filter((_, site) => isAt(site, index))
      perun.addGroup({ name: groupName(index), granted: '1000000000', resources })
    }
    const folder = temporaryFolder()
    const targets = exporters.map(({ url }, site) => ({ targets: [url], labels: { location_id: `${SITES[site]}` } }))
    writeFileSync(join(folder, 'targets.json'), JSON.stringify(targets))
    writeFileSync(join(folder, 'prices.json'), pricesFile)
    const { USAGE_EXPORTER_URLS: _, OS_CREDITS_LOCATION_ID: __, ...common } = workerSettings(folder, '')
    const settings = {
      ...common,
      ...perunSettings(perun),
      USAGE_EXPORTER_TARGETS_FILE: join(folder, 'targets.json'),
      OS_CREDITS_SCRAPE_INTERVAL: '60ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '59ms',
      OS_CREDITS_PERUN_TIMEOUT: '500ms',
      OS_CREDITS_WORKERS: '8',
      LOG_LEVEL: 'info',
      OS_CREDITS_PRICES_FILE: join(folder, 'prices.json'),
    }
    // What is waited for must come: an exporter of a busy machine may need longer than before each kill.
    const patient = { ...settings, OS_CREDITS_SCRAPE_INTERVAL: '500ms', OS_CREDITS_SCRAPE_TIMEOUT: '499ms' }
    const ledgerPath = join(folder, 'credits.db')
    const isLong = KILLS > 100
    const onKilled = (count: number) => {
      if (isLong && count % 25 === 0)
        process.stderr.write(`${count} of ${KILLS} kills, ${perun.writes.length} writes\n`)
    }
    const killer = createKiller({ settings, perun, ledger: ledgerPath, seed: SEED, onKilled })
    const first = await Promise.all(exporters.map(({ url }) => valuesOf(url)))

    await killer.kill(FIRST_CONTACT)
    perun.faults.clear()
    let worker = runWorker(patient)
    // A site that a busy machine has not read by then would be opened while its totals move.
    const sitesOf = (name: string) => SITES.filter((_, site) => isAt(site, Number(name.split(' ')[1])))
    await until('Perun shows zero for all groups, and each of their sites', () =>
      perun
        .readAll()
        .every(({ name, used, timestamps }) => used === '0.00' && sitesOf(name).every((site) => site in timestamps)),
    )
    worker.signal('SIGKILL')
    await worker.ended()
    const before = perun.writes.length
    clock.go()
    await killer.kill(KILLS - FIRST_CONTACT, 'setAttributes')
    const writes = perun.writes.length - before
    clock.stand()
    perun.faults.clear()
    const last = await Promise.all(exporters.map(({ url }) => valuesOf(url)))
    const expected = growthInCredits(first.map((values, site) => ({ first: values, last: last[site]! })))

    worker = runWorker(patient)
    const shown = () => new Map(perun.readAll().map(({ name, used }) => [name, used]))
    const published = new Map([...expected].map(([name, used]) => [name, used.toFixed(2, Big.roundHalfEven)]))
    const isRight = () => [...shown()].every(([name, used]) => published.get(name) === used)
    await until('Perun shows what was used', isRight, 60_000).catch(() => {
      const said = worker.log().map((line) => JSON.stringify(line))
      process.stderr.write(`${[...killer.diary, ...said].join('\n')}\n`)
    })
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)

    const ledger = openSqliteLedger(ledgerPath)
    expect(await ledger.holds({ limit: 1_000 })).toEqual([])
    expect(shown()).toEqual(published)
    process.stderr.write(
      `${[...killer.phases].map(([phase, count]) => `${count} ${phase}`).join('; ')}; ${writes} writes\n`,
    )
    // Else the test has killed nothing that was at work.
    expect(writes).toBeGreaterThan(GROUPS / 2)
    const hit = [...killer.phases.keys()]
    expect(hit).toEqual(expect.arrayContaining(['before its ledger was open', 'while stopping', 'after a pause']))
    expect(hit.filter((phase) => phase.startsWith('at work'))).not.toEqual([])
    expect(expected.size).toBe(GROUPS)
    for (const [name, used] of expected) {
      expect(formatCredits((await ledger.account(name))!.used)).toBe(used.toFixed())
      const entries = await ledger.entries(name, { limit: 100_000 })
      expect(formatCredits(entries.reduce((sum, { amount }) => sum + amount, 0n))).toBe(used.toFixed())
      expect(entries.filter(({ kind }) => kind === 'adjustment')).toEqual([])
    }
    await ledger.close()
    await Promise.all(exporters.map((exporter) => exporter.close()))
  },
  120_000 + KILLS * 3_000,
)
