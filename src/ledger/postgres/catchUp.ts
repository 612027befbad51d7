/** What catching up asks and notes; see `../catchUp.ts`. */
import type { CatchUpLedger } from '../catchUp.ts'
import type { Database } from './database.ts'

interface TakenRow {
  readonly site: string
  readonly at: bigint
  readonly begun: bigint
  readonly missing: bigint
}

export function createCatchUpNotes({ sql, transact }: Database): CatchUpLedger {
  return {
    async chargedUpTo() {
      const newest = 'SELECT site, max(at) AS at FROM series GROUP BY site ORDER BY site'
      const rows = await sql.all<Pick<TakenRow, 'site' | 'at'>>(newest)
      return new Map(rows.map(({ site, at }) => [site, Number(at)]))
    },
    async takenOver() {
      const rows = await sql.all<TakenRow>('SELECT site, at, begun, missing FROM taken_over ORDER BY site')
      return rows.map(({ site, at, begun, missing }) => ({
        site,
        at: Number(at),
        begun: Number(begun),
        missing: Number(missing),
      }))
    },
    async noteTakenOver({ site, at, begun, missing }) {
      const insert = 'INSERT INTO taken_over (site, at, begun, missing) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING'
      await transact((sql) => sql.run(insert, site, at, begun, missing))
    },
  }
}
