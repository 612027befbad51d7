import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, suite, test } from 'vitest'
import { createHoldDesk } from '#src/billing/holds.ts'
import { formatCredits } from '#src/core/credits.ts'
import { decimal, formatDecimal } from '#src/core/decimals.ts'
import type { Meters } from '#src/core/meters.ts'
import { HOUR } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { cpu, meters, ram, recorder, silent, T0, testClock } from '../helpers/billing.ts'
import { audit } from '../ledger/contract/audit.ts'

const projects = ['alpha', 'beta', 'gamma']

/** A worker whose site counts RAM in another unit from the third hour on, and that is started anew before each delivery. */
async function switchedSite() {
  const folder = mkdtempSync(join(tmpdir(), 'held-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const clock = testClock(T0 + 100 * HOUR)
  const open = () => openSqliteLedger(join(folder, 'credits.db'))
  async function withLedger<Result>(work: (ledger: ReturnType<typeof open>) => Promise<Result>): Promise<Result> {
    const ledger = open()
    try {
      return await work(ledger)
    } finally {
      await ledger.close()
    }
  }
  const read = (hour: number, value: number) =>
    withLedger((ledger) =>
      recorder(
        ledger,
        clock,
      )(
        ...projects.map((project, index) => {
          return { project, at: T0 + hour * HOUR, value: String(value * (index + 1)), metric: ram.metric }
        }),
      ),
    )
  const holds = () => withLedger((ledger) => ledger.holds({ limit: 9 }))
  const used = () =>
    withLedger(async (ledger) =>
      Promise.all(projects.map(async (each) => formatCredits((await ledger.account(each))!.used))),
    )
  const decide = (verdict: 'accept' | 'dismiss') =>
    withLedger(async (ledger) => {
      const desk = createHoldDesk({ ledger, meters, clock, logger: silent, onChanged: () => {} })
      const [hold] = await ledger.holds({ limit: 1 })
      const resolved = await desk(hold!.id, { verdict, actor: 'erika', reason: 'looked at it' })
      await audit(ledger)
      return resolved.kind
    })
  for (const [hour, value] of [
    [0, 400],
    [1, 410],
    [2, 420 * 1_024],
    [3, 430 * 1_024],
    [4, 440 * 1_024],
  ] as const)
    await read(hour, value)
  return { read, holds, used, decide }
}

suite('another unit of a site', () => {
  test('is one hold, over restarts of the worker', async () => {
    const { holds, used } = await switchedSite()
    expect(await holds()).toMatchObject([{ kind: 'unit switched', site: '8676', seenAt: T0 + 100 * HOUR }])
    expect(await used()).toEqual(['3', '6', '9'])
  })

  test('that is accepted charges exactly what was held, once, and then what follows', async () => {
    const { read, holds, used, decide } = await switchedSite()
    expect(await decide('accept')).toBe('closed')
    // 3 for what came before, and 0.3 for each of the units from 410 to 440 × 1,024.
    const accepted = 3 + 0.3 * (440 * 1_024 - 410)
    expect(await used()).toEqual([1, 2, 3].map((factor) => String(accepted * factor)))
    await read(5, 440 * 1_024 + 10)
    expect(await used()).toEqual([1, 2, 3].map((factor) => String((accepted + 3) * factor)))
    expect(await holds()).toEqual([])
  })

  test('that is dismissed charges what follows', async () => {
    const { read, used, decide } = await switchedSite()
    await decide('dismiss')
    await read(5, 440 * 1_024 + 10)
    expect(await used()).toEqual(['6', '12', '18'])
  })

  test('ends by itself with the old unit, and charges what was consumed meanwhile', async () => {
    const { read, holds, used } = await switchedSite()
    await read(5, 450)
    expect(await holds()).toEqual([])
    expect(await used()).toEqual(['15', '30', '45'])
  })

  test('that was accepted is not charged again when the old unit is back', async () => {
    const { read, used, decide } = await switchedSite()
    await decide('accept')
    const before = await used()
    await read(5, 450)
    expect(await used()).toEqual(before)
  })
})

test('A return to a line is told of, also where what exceeds that line is held', async () => {
  const ledger = openSqliteLedger(':memory:')
  onTestFinished(() => ledger.close())
  const limited: Meters = new Map([[cpu.metric, { ...cpu, maxGrowthPerHour: decimal('60') }]])
  const read = recorder(ledger, testClock(T0 + 100 * HOUR), undefined, limited)
  for (const [hour, value] of ['1000', '1050', '1100', '500', '1300'].entries()) {
    await read({ project: 'alpha', at: T0 + hour * HOUR, value })
  }
  expect(formatCredits((await ledger.account('alpha'))!.used)).toBe('100')
  const [hold] = await ledger.holds({ limit: 2 })
  const growths = await ledger.heldGrowths(hold!.id, 9)
  expect(growths.map(({ from, to }) => [formatDecimal(from.value), formatDecimal(to.value)])).toEqual([
    ['1100', '1300'],
  ])
  expect((await ledger.notes('alpha', 9)).map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
    'recovered: Back on the line it left at 1100 at 2026-01-01T02:00:00.000Z, now 1300 at 2026-01-01T04:00:00.000Z: 0 was charged since, 200 is held now.',
    expect.stringMatching(/^rebased: /),
    expect.stringMatching(/^opened: /),
  ])
})
