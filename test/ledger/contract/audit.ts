/** Whether a ledger adds up. */
import { expect } from 'vitest'
import { add, compare, decimal, multiply, subtract } from '#src/core/decimals.ts'
import type { ChargeEntry } from '#src/core/entries.ts'
import type { Ledger, StoredEntry } from '#src/ledger/ledger.ts'
import { addedUp, told } from '../../helpers/history.ts'
import { chargesOf } from '../../helpers/ledger.ts'

/** Fails unless the ledger adds up: totals and history are sums of entries, each entry computes, and none overlap. */
export async function audit(ledger: Ledger): Promise<void> {
  const { rows } = await ledger.groups({ limit: 100_000 })
  for (const { group, used, sites } of rows) {
    const entries = await ledger.entries(group, { limit: 100_000 })
    expect(
      entries.reduce((sum, { amount }) => sum + amount, 0n),
      group,
    ).toBe(used)
    await auditHistory(ledger, group, entries)
    const charges = await chargesOf(ledger, group)
    for (const site of sites) {
      const own = charges.filter(({ series }) => series.site === site.site)
      expect(own.reduce((sum, { amount }) => sum + amount, 0n)).toBe(site.charged)
    }
    for (const list of Map.groupBy(charges, ({ series }) => JSON.stringify(series)).values()) auditSeries(list)
  }
}

/** What was summed up beforehand is what the entries say. */
async function auditHistory(ledger: Ledger, group: string, entries: readonly StoredEntry[]): Promise<void> {
  const ends = entries.map(({ at }) => at)
  const bounds = [Math.min(0, ...ends) - 1, Math.max(0, ...ends)]
  const { before, buckets } = (await ledger.consumption(group, bounds))!
  expect([before, buckets.map(told)]).toEqual([0n, addedUp(entries, bounds).buckets.map(told)])
}

function auditSeries(charges: readonly ChargeEntry[]): void {
  for (const [index, { from, to, perUnit, carryIn, carryOut, amount }] of charges.entries()) {
    const exact = multiply(multiply(subtract(to.value, from.value), perUnit), decimal('1000000'))
    expect(compare(add({ digits: amount, scale: 0 }, carryOut), add(exact, carryIn))).toBe(0)
    expect(amount).toBeGreaterThanOrEqual(0n)
    const before = charges[index - 1]
    expect(compare(carryIn, before?.carryOut ?? decimal('0'))).toBe(0)
    if (before !== undefined) expect(from.at).toBeGreaterThanOrEqual(before.to.at)
  }
}
