/** What Perun should show of each group, computed from its entries, beside what the worker has published. */
import type { DatabaseSync } from 'node:sqlite'
import { type Books, rows } from './books.ts'
import { roundAmount, writeAmount, writeRounded } from './fixed.ts'
import type { Problems } from './problems.ts'

interface GroupRow {
  readonly name: string
  readonly dirty: bigint
  readonly opened: bigint
  readonly published: bigint | null
}

/** What Perun should show of a group, in micro-credits, not rounded yet. */
export type Due = ReadonlyMap<string, bigint>

/** What counts where Perun has the group: charges at sites that are not in contact are not shown. */
export function dueOf(db: DatabaseSync, { groups }: Books): Due {
  const due = new Map([...groups.values()].map(({ name, used }) => [name, used]))
  const apart = "SELECT group_name, site FROM accounts WHERE contact <> 'active'"
  for (const { group_name: name, site } of rows<{ group_name: string; site: string }>(db, apart)) {
    const charged = groups.get(name)?.sites.get(site)?.charged
    if (charged !== undefined) due.set(name, due.get(name)! - charged)
  }
  return due
}

/** Groups with work left are not compared: the worker has not come to them, or they are on hold. */
export function compareMirror(db: DatabaseSync, due: Due, precision: number, problems: Problems): void {
  const settled = `SELECT name, dirty, opened, published FROM groups
    WHERE dirty = 0 AND opened = 1 AND published IS NOT NULL`
  for (const { name, published } of rows<GroupRow>(db, settled)) {
    const amount = due.get(name)
    if (amount === undefined || roundAmount(amount, precision) === published) continue
    const what = `published (rounded to ${precision} decimals)`
    problems.add('groups', name, what, writeRounded(amount, precision), writeAmount(published!))
  }
}
