/** Gives the entries of a ledger that was written before there were receipts their hashes, and its series their seals. */
import type { DatabaseSync } from 'node:sqlite'
import { SELECT_ENTRIES, toEntry } from '../entryRows.ts'
import { chargeBase, chargeHash, type Hash, NO_HASH, remarkHash } from '../receipts.ts'
import { SEALED_OF_SERIES } from '../seriesRows.ts'

/** Entries read at a time: a ledger of millions does not fit into memory at once. */
const PAGE = 10_000

/** The caller has begun a transaction. */
export function chainEntries(db: DatabaseSync): void {
  const select = db.prepare(`${SELECT_ENTRIES} WHERE number > ? ORDER BY number LIMIT ${PAGE}`)
  select.setReadBigInts(true)
  const setHash = db.prepare('UPDATE entries SET hash = ? WHERE number = ?')
  const ofSeries = new Map<number, { head: Hash; base: Hash; number: number }>()
  const ofGroup = new Map<string, Hash>()
  let last = 0
  for (let rows = select.all(last); rows.length > 0; rows = select.all(last)) {
    for (const row of rows) {
      const entry = toEntry(row)
      last = entry.number
      if (entry.kind === 'charge') {
        const id = Number(row.series_id)
        const base = chargeBase(ofSeries.get(id)?.head ?? NO_HASH, entry)
        const head = chargeHash(base, entry.to, entry.carryOut)
        ofSeries.set(id, { head, base, number: last })
        setHash.run(head, last)
      } else {
        const head = remarkHash(ofGroup.get(entry.group) ?? NO_HASH, entry)
        ofGroup.set(entry.group, head)
        setHash.run(head, last)
      }
    }
  }
  const setSeries = db.prepare(
    'UPDATE series SET head = ?1, open_base = CASE WHEN open_number = ?2 THEN ?3 END WHERE id = ?4',
  )
  for (const [id, { head, base, number }] of ofSeries) setSeries.run(head, number, base, id)
  const setGroup = db.prepare('UPDATE groups SET head = ? WHERE name = ?')
  for (const [name, head] of ofGroup) setGroup.run(head, name)
  db.exec(`UPDATE series SET seal = seal(${SEALED_OF_SERIES})`)
}
