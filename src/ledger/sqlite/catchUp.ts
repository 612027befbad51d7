/** What catching up asks and notes; see `../catchUp.ts`. */
import type { DatabaseSync } from 'node:sqlite'
import type { CatchUpLedger, TakenOver } from '../catchUp.ts'
import type { Watch } from './trouble.ts'

export function createCatchUpNotes(
  db: DatabaseSync,
  watch: Watch,
  inTransaction: <Result>(work: () => Result) => Result,
): CatchUpLedger {
  const selectNewest = db.prepare('SELECT site, max(at) AS at FROM series GROUP BY site ORDER BY site')
  const selectTaken = db.prepare('SELECT site, at, begun, missing FROM taken_over ORDER BY site')
  const insert = db.prepare(
    'INSERT INTO taken_over (site, at, begun, missing) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )

  return {
    async chargedUpTo() {
      const rows = watch.read(() => selectNewest.all()) as unknown as { site: string; at: number }[]
      return new Map(rows.map(({ site, at }) => [site, at]))
    },
    async takenOver() {
      const rows = watch.read(() => selectTaken.all()) as unknown as TakenOver[]
      return rows.map((row) => ({ ...row }))
    },
    async noteTakenOver({ site, at, begun, missing }) {
      inTransaction(() => insert.run(site, at, begun, missing))
    },
  }
}
