/** Ledgers that the worker's own code wrote, with a bit of everything in them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import { createHoldDesk } from '#src/billing/holds.ts'
import { createIntake } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { decimal } from '#src/core/decimals.ts'
import type { Meters } from '#src/core/meters.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import type { Ledger, Settlement } from '#src/ledger/ledger.ts'
import { openDatabase } from '#src/ledger/sqlite/database.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { cpu, type Measured, ram, reading, silent, T0 } from '../helpers/billing.ts'

/** A folder of its own, removed when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'verify-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A vCPU hour costs more from half past two on. */
const prices = [
  { version: 'cpu@always=1', from: Number.NEGATIVE_INFINITY, perUnit: decimal('1') },
  { version: 'cpu@later=1.1000007', from: T0 + 2.5 * HOUR, perUnit: decimal('1.1000007') },
]
export const meters: Meters = new Map([
  [cpu.metric, { ...cpu, prices }],
  [ram.metric, ram],
])

/** The replacement character is what bytes that are no UTF-8 are read as; here it is the name itself. */
export const STRANGE = 'Großes "Mikroskop" \uFFFD\n<b>'

const ram1 = { metric: ram.metric }

/** Minutes after the start, project, value and the rest of the series. */
const told: readonly (readonly [number, string, string, Partial<Measured>?])[] = [
  [0, 'alpha', '100'],
  [0, 'alpha', '200.5', ram1],
  [0, 'alpha', '7', { site: '9' }],
  [0, STRANGE, '0'],
  [0, 'beta', '50'],
  [0, 'gamma', '1'],
  [7, 'alpha', '101.0047221891027555'],
  [7, 'alpha', '203.3333333333333333', ram1],
  [20, 'alpha', '102.000000700001'],
  [61, 'alpha', '104.25'],
  [61, 'alpha', '210.1', ram1],
  [61, 'alpha', '9', { site: '9' }],
  [61, STRANGE, '3.3333333'],
  [61, 'beta', '51'],
  // Beta loses machines for some minutes.
  [70, 'beta', '20'],
  [80, 'beta', '20.5'],
  [90, 'beta', '51.5'],
  // Nobody grows by five millions in an hour.
  [121, 'alpha', '5000104.25'],
  [121, STRANGE, '5000003.5'],
  [121, 'beta', '5000051.75'],
  // The price changes in between.
  [180, 'alpha', '5000109.125'],
  [180, 'alpha', '9000'],
  [200, STRANGE, '5000004'],
  [241, 'alpha', '300', ram1],
  [241, 'alpha', '12.5', { site: '9' }],
]

/** Writes a ledger that is closed then: one file. */
export async function writeVariedLedger(path: string): Promise<void> {
  const ledger = openSqliteLedger(path, { notifyAt: [50, 80, 100, 1_000] })
  for (const [minute, project, value, rest = {}] of told) {
    await deliver(ledger, T0 + minute * MINUTE, { project, at: T0 + minute * MINUTE, value, ...rest })
  }
  await decideAboutHolds(ledger)
  await publish(ledger)
  for (const minute of [260, 270, 330]) {
    await deliver(ledger, T0 + minute * MINUTE, {
      project: 'alpha',
      at: T0 + minute * MINUTE,
      value: `${5_000_100 + minute / 7}`,
    })
  }
  await ledger.close()
  await reprice(path)
}

async function deliver(ledger: Ledger, now: number, ...measured: Measured[]): Promise<void> {
  const intake = createIntake({
    ...{ ledger, meters, clock: { now: () => now }, logger: silent, onChanged: () => {}, maxSeries: 1_000 },
    smallSites: 'charge',
  })
  const rejected = noRejections()
  await intake.take({ id: 'd', source: 'test', receivedAt: now, readings: measured.map(reading), rejected })
}

/** One is accepted, one dismissed, one still open. */
async function decideAboutHolds(ledger: Ledger): Promise<void> {
  const clock = { now: () => T0 + 5 * HOUR }
  const decide = createHoldDesk({ ledger, meters, clock, logger: silent, onChanged: () => {} })
  const holds = await ledger.holds({ limit: 9 })
  const of = (group: string) => holds.find((each) => each.group === group)!.id
  await decide(of('alpha'), { verdict: 'accept', actor: 'erika', reason: 'They rented a supercomputer' })
  await decide(of('beta'), { verdict: 'dismiss', actor: 'erika', reason: 'A wrong weight table' })
}

async function publish(ledger: Ledger): Promise<void> {
  const at = T0 + 5 * HOUR
  const facts = { group: 'alpha', recordedAt: at }
  const settle = (settlement: Omit<Settlement, 'group' | 'at'>, group = 'alpha') =>
    ledger.settle({ group, at, ...settlement })
  const shown = 4_711_110_000n
  await settle({
    entries: [{ ...facts, kind: 'opening', id: 'opening/alpha', site: '8676', amount: 5n, reason: 'First contact' }],
    contacts: [
      { site: '8676', contact: 'active' },
      { site: '9', contact: 'not assigned', retryAt: at + MINUTE },
    ],
    granted: '1000',
    intended: [{ number: 1, site: '8676', used: shown, upTo: at }],
    holds: [{ key: 'not assigned/9/alpha', kind: 'not assigned', site: '9', group: 'alpha', reason: 'Assign it' }],
  })
  const drift = { site: '8676', expected: 1n, shown: 3n, modifiedAt: '2026-01-01 05:00:00', modifiedBy: 'max' }
  const remark = { ...facts, kind: 'adjustment', site: '8676', reason: 'Edited there', actor: 'max' } as const
  await settle({
    entries: [
      { ...remark, id: 'drift/alpha/1', amount: 2n },
      { ...remark, id: 'gift', amount: -1_000_003n, reason: 'a gift', actor: 'somebody' },
      { ...remark, id: 'correction', amount: -7n, reason: 'a mistake', corrects: { first: 1, last: 1 } },
    ],
    drifts: [
      { ...drift, entryId: 'drift/alpha/1' },
      { site: '8676', expected: 3n },
    ],
    answered: [1],
    intended: [{ number: 2, site: '8676', used: shown + 10_000n, upTo: at }],
    released: [{ key: 'not assigned/9/alpha', reason: 'No longer so' }],
  })
  await tell(ledger, at)
  await ledger.mute({ group: 'alpha', at, actor: 'erika', reason: 'On holiday' })
  await ledger.noteTakenOver({ site: '8676', at, begun: 2, missing: 1 })
  const { used } = (await ledger.account('beta'))!
  await settle(
    {
      entries: [
        { ...facts, group: 'beta', kind: 'opening', id: 'opening/beta', site: '8676', amount: 0n, reason: 'New' },
      ],
      contacts: [{ site: '8676', contact: 'active' }],
      published: { used: 1_500_000n, sites: [{ site: '8676', upTo: at }] },
      dealtWith: used,
    },
    'beta',
  )
}

/** A message that could not be sent yet. */
async function tell(ledger: Ledger, at: number): Promise<void> {
  await ledger.notice({ group: 'alpha', kind: 'runs out', line: 14, granted: '1000', used: 5n, at })
  const [notice] = await ledger.waitingNotices()
  const to = [{ channel: 'mail', to: 'erika@example.org' } as const]
  await ledger.addressNotice(notice!.id, { at, to, copyTo: 'cloud@example.org', state: 'addressed' })
  await ledger.closeMessage(1, { content: '{"subject":"…"}', told: [notice!.id], muted: [], at })
  await ledger.beginAttempt(1, { at, retryAt: at + MINUTE })
  await ledger.failAttempt(1, 'No answer')
}

/** One change of a price that was applied and undone, and one that was only previewed. */
async function reprice(path: string): Promise<void> {
  const corrected = { kind: 'adjustment', group: 'alpha', site: '8676', recordedAt: T0 + 6 * HOUR } as const
  const rest = { ...corrected, reason: 'cheaper', actor: 'erika', corrects: { first: 1, last: 1 } }
  const ledger = openSqliteLedger(path)
  const id = 'repricing/first/1'
  await ledger.settle({ group: 'alpha', at: T0 + 6 * HOUR, entries: [{ ...rest, id, amount: -50n }] })
  await ledger.settle({ group: 'alpha', at: T0 + 7 * HOUR, entries: [{ ...rest, id: `${id}/undo`, amount: 50n }] })
  await ledger.close()
  const database = openDatabase(path)
  const insert = database.db.prepare(`INSERT INTO repricings (id, metric, from_at, to_at, per_unit, reason, actor,
    previewed_at, seen_entry, applied_at, applied_by, undone_at, undone_by, undone_why)
    VALUES (?, '${cpu.metric}', 1, 2, '0.9', 'cheaper', 'erika', 3, 4, ?, ?, ?, ?, ?)`)
  insert.run('first', 4, 'erika', 5, 'max', 'No')
  insert.run('second', null, null, null, null, null)
  const line = database.db.prepare(`INSERT INTO repricing_lines
    (repricing_id, series_id, first_entry, last_entry, last_hash, consumption, amount)
    VALUES (?, 1, 1, 1, (SELECT hash FROM entries WHERE number = 1), '1.5', -50)`)
  for (const repricing of ['first', 'second']) line.run(repricing)
  database.close()
}

/** Writes it again with small pages, so that nearly every byte of the file means something. */
export function compact(path: string): void {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM')
  db.close()
}
