/** A target that shows ever more projects: what it may open, what goes on being charged, and what people are told. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, suite, test } from 'vitest'
import { bill, type Outcome } from '#src/billing/biller.ts'
import { createIntake } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import type { Hold, Ledger } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { cpu, type Measured, meters, ram, reading, T0, testClock } from '../helpers/billing.ts'
import { memoryLog } from '../helpers/log.ts'

const ONE = 'http://one/metrics'
const TWO = 'http://two/metrics'

suite('a target may open so many series', () => {
  let folder: string
  let ledger: Ledger
  const open = () => openSqliteLedger(join(folder, 'credits.db'))
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'limit-'))
    ledger = open()
  })
  afterEach(async () => {
    await ledger.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const clock = testClock(T0 + 400 * HOUR)
  const { logger, lines } = memoryLog('billing')
  const outcomes: Partial<Record<Outcome, number>>[] = []
  beforeEach(() => {
    lines.length = 0
    outcomes.length = 0
  })

  async function take(source: string, measured: readonly Measured[], maxSeries = 4): Promise<void> {
    const intake = createIntake({
      ledger,
      maxSeries,
      meters,
      clock,
      logger,
      onChanged: () => {},
      onBilled: (billed) => outcomes.push(billed.outcomes),
    })
    const readings = measured.map(reading)
    await intake.take({ id: 'x', source, receivedAt: T0, readings, rejected: noRejections() })
  }
  const shown = (projects: readonly string[], minute: number, value = `${minute}`): Measured[] =>
    projects.map((project) => ({ project, at: T0 + minute * MINUTE, value }))
  const used = async (group: string) => (await ledger.account(group))?.used
  const holds = async () => (await ledger.holds({ limit: 10 })).map(({ kind, reason }) => ({ kind, reason }))

  test('and those beyond are not opened, while those that are known go on being charged', async () => {
    await take(ONE, shown(['a', 'b', 'c', 'd', 'e', 'f'], 0))
    await take(ONE, shown(['a', 'd', 'e', 'f'], 60))
    expect([await used('a'), await used('d')]).toEqual([60_000_000n, 60_000_000n])
    expect([await used('e'), await used('f')]).toEqual([undefined, undefined])
    expect((await ledger.summary()).series).toBe(4)
    expect(outcomes).toEqual([{ opened: 4 }, { surplus: 2 }, { charged: 2 }, { surplus: 2 }])
  })

  test('and a hold names the target, how many there are and what to do; it is said once', async () => {
    for (const minute of [0, 1, 2]) await take(ONE, shown(['a', 'b', 'c', 'd', 'e', 'f'], minute))
    expect(await holds()).toEqual([
      {
        kind: 'too many series',
        reason: `${ONE} shows 2 series more than it may open: it has opened 4 of 4 (OS_CREDITS_MAX_SERIES). They are not charged, those that it opened are. Find out why it shows so many projects; if all of them are real, raise the setting.`,
      },
    ])
    expect((await ledger.summary()).holds).toEqual({ 'too many series': 1 })
    expect(lines.filter(({ hold }) => hold === 'too many series')).toHaveLength(1)
  })

  test('and the hold ends by itself when the target shows no more than it may, or may open more', async () => {
    await take(ONE, shown(['a', 'b', 'c', 'd', 'e'], 0))
    expect(await holds()).toHaveLength(1)
    await take(ONE, shown(['a', 'b'], 1))
    expect(await holds()).toEqual([])
    await take(ONE, shown(['e'], 2))
    expect(await holds()).toHaveLength(1)
    await take(ONE, [], 4)
    expect(await holds()).toEqual([])
    await take(ONE, shown(['a', 'e'], 3))
    await take(ONE, shown(['a', 'e'], 4), 5)
    expect(await holds()).toEqual([])
    expect((await ledger.summary()).series).toBe(5)
  })

  // Each scrape shows other names, none of them too many by itself.
  test('and a bomb that is spread over many scrapes is noticed all the same, also after a restart', async () => {
    for (let scrape = 0; scrape < 10; scrape += 1) {
      await take(ONE, shown([`bomb ${scrape}`], scrape))
      await ledger.close()
      ledger = open()
    }
    expect((await ledger.summary()).series).toBe(4)
    expect(await holds()).toMatchObject([{ kind: 'too many series' }])
  })

  test('and one target that shows too many takes nothing from another', async () => {
    await take(ONE, shown(['a', 'b', 'c', 'd', 'e', 'f'], 0))
    await take(TWO, shown(['e', 'x', 'y'], 0))
    expect((await ledger.summary()).series).toBe(7)
    expect(await holds()).toHaveLength(1)
    // What another target opened is known, whoever shows it.
    await take(ONE, shown(['e'], 60))
    expect(await used('e')).toBe(60_000_000n)
  })

  test('and series of one project in one delivery count one by one, their readings do not', async () => {
    const measured = [cpu, ram].flatMap(({ metric }) => shown(['a', 'b', 'c'], 0).map((each) => ({ ...each, metric })))
    const again = measured.map((each) => ({ ...each, at: each.at + MINUTE }))
    await take(ONE, [...measured, ...again])
    expect((await ledger.summary()).series).toBe(4)
    expect((await holds())[0]?.reason).toContain('shows 2 series more')
    expect(outcomes.at(-1)).toEqual({ surplus: 4 })
  })

  test('and what was rolled back was not opened', async () => {
    const readings = shown(['a'], 0).map(reading)
    const impossible: Hold = { key: 'x', kind: 'refused', site: null as unknown as string, reason: 'x' }
    const context = { meters, verdicts: () => undefined, now: clock.now(), source: ONE, holds: [impossible] }
    const failing = ledger.record(
      readings.map(({ series }) => series),
      (stored) => bill(readings, stored, context).recording,
    )
    await expect(failing).rejects.toThrow('NOT NULL constraint failed: holds.site')
    expect(await ledger.openedBy(ONE)).toBe(0)
    await take(ONE, shown(['a'], 0))
    expect(await ledger.openedBy(ONE)).toBe(1)
  })

  // They are never opened, so they do not count; a hold for each of them would fill the ledger instead.
  test('and any number of new sites whose clock is ahead is one hold', async () => {
    const future = clock.now() + HOUR
    const sites = Array.from({ length: 3 }, (_, index) => ({
      project: 'p',
      site: `${index + 1}`,
      at: future,
      value: '1',
    }))
    await take(ONE, sites)
    await take(
      ONE,
      sites.map((each) => ({ ...each, site: `1${each.site}` })),
    )
    expect(await holds()).toMatchObject([
      { kind: 'clock ahead', reason: expect.stringContaining(`new series of ${ONE}`) },
    ])
    await take(ONE, shown(['p'], 0))
    expect(await holds()).toEqual([])
  })

  test('and a ledger from before tells who opened its series by the exporter of their last reading', async () => {
    await ledger.close()
    const path = join(folder, 'old.db')
    const old = new DatabaseSync(path)
    const migrations = join(import.meta.dirname, '../../src/ledger/sqlite/migrations')
    old.exec(readFileSync(join(migrations, '0001.sql'), 'utf8'))
    const insert = old.prepare(
      "INSERT INTO series (site, metric, project_id, project_name, at, value, origin, carry, pace) VALUES ('1', 'm', '', ?, 0, '0', ?, '0', 0)",
    )
    for (const [index, origin] of [ONE, `${ONE} exporter:8080`, `${TWO} x`, null].entries())
      insert.run(`p${index}`, origin)
    old.exec('PRAGMA user_version = 1')
    old.close()
    ledger = openSqliteLedger(path)
    expect([await ledger.openedBy(ONE), await ledger.openedBy(TWO)]).toEqual([2, 1])
  })
})
