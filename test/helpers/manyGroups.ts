/** A ledger of very many groups, recorded as a site would: each has used something for some days and has a grant. */
import { DAY } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { cpu, T0 } from './billing.ts'
import { projectName } from './cloud.ts'
import { deliver } from './ledger.ts'

/** Groups recorded in one transaction. */
const PART = 2_000

/**
 * Group `index` uses `index % 64 + 1` credits a day and has a grant of `1000 + index`; every tenth one none, every seventh
 * one was never looked up in Perun.
 */
export async function recordGroups(ledger: Ledger, groups: number, days: number): Promise<void> {
  for (let day = 0; day <= days; day += 1) {
    for (let first = 0; first < groups; first += PART) {
      const part = Array.from({ length: Math.min(PART, groups - first) }, (_, index) => first + index)
      const value = (index: number) => String(day * ((index % 64) + 1))
      await deliver(
        ledger,
        ...part.map((index) => ({
          project: projectName(index),
          at: T0 + day * DAY,
          metric: cpu.metric,
          value: value(index),
        })),
      )
    }
  }
  const settlements = Array.from({ length: groups }, async (_, index) => {
    if (index % 7 === 0) return
    const group = projectName(index)
    const { used } = (await ledger.account(group))!
    const granted = index % 10 === 0 ? {} : { granted: String(1_000 + index) }
    const at = T0 + days * DAY
    const contacts = [{ site: '8676', contact: 'active' as const }]
    const published = { used, sites: [{ site: '8676', upTo: at }] }
    await ledger.settle({ group, at, contacts, ...granted, published, dealtWith: used }, { urgent: false })
  })
  await Promise.all(settlements)
}
