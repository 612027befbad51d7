/** Whether a ledger adds up. */
import { expect } from 'vitest'
import { add, compare, decimal, multiply, subtract } from '#src/core/decimals.ts'
import type { ChargeEntry } from '#src/core/entries.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { chargesOf } from '../../helpers/ledger.ts'

/** Fails unless the ledger adds up: totals are sums of entries, each entry computes, and none overlap. */
export async function audit(ledger: Ledger): Promise<void> {
  const { rows } = await ledger.groups({ limit: 100_000 })
  for (const { group, used, sites } of rows) {
    const entries = await ledger.entries(group, { limit: 100_000 })
    expect(
      entries.reduce((sum, { amount }) => sum + amount, 0n),
      group,
    ).toBe(used)
    const charges = await chargesOf(ledger, group)
    for (const site of sites) {
      const own = charges.filter(({ series }) => series.site === site.site)
      expect(own.reduce((sum, { amount }) => sum + amount, 0n)).toBe(site.charged)
    }
    for (const list of Map.groupBy(charges, ({ series }) => JSON.stringify(series)).values()) auditSeries(list)
  }
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
