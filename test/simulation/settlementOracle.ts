/** What the ledger says is recorded of a publish is in the file from that instant on, in whatever company it was written. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Ledger, Settlement } from '#src/ledger/ledger.ts'
import type { Verdict } from './story.ts'
import type { Life } from './timeline.ts'

interface Parts {
  readonly life: Life
  /** Another connection to the file. */
  readonly reader: () => DatabaseSync | undefined
  readonly verdict: Verdict
}

/** Looks at each settlement as soon as whoever asked for it is told that it is written. */
export function watchSettlements(ledger: Ledger, { life, reader, verdict }: Parts): void {
  const { settle } = ledger
  const watched: Ledger['settle'] = async (settlement, options) => {
    await settle(settlement, options)
    const db = life.isDead ? undefined : reader()
    if (db === undefined) return
    const missing = missingOf(settlement, db)
    verdict.check(missing === undefined, 'what is said to be recorded is in the file', () => `${missing}`)
  }
  Object.assign(ledger, { settle: watched })
}

/** A group is published by one at a time, so nothing else has changed these meanwhile. */
function missingOf(settlement: Settlement, db: DatabaseSync): string | undefined {
  const { group, entries = [], holds = [], intended = [], answered = [], arrived = [], published } = settlement
  const row = statement(db, 'SELECT published, newest_intention AS newest FROM groups WHERE name = ?').get(group)
  const hasEntry = statement(db, 'SELECT 1 FROM entries WHERE id = ?')
  const hasHold = statement(db, 'SELECT 1 FROM holds WHERE key = ? AND closed_at IS NULL')
  const hasIntention = statement(db, 'SELECT 1 FROM intentions WHERE group_name = ? AND number = ?')
  const entry = entries.find(({ id }) => hasEntry.get(id) === undefined)
  if (entry !== undefined) return `entry ${entry.id}`
  const hold = holds.find(({ key }) => hasHold.get(key) === undefined)
  if (hold !== undefined) return `hold ${hold.key}`
  const write = intended.find(({ number }) => Number(row!.newest) < number)
  if (write !== undefined) return `write ${write.number} of ${group}`
  const doubted = [...answered, ...arrived].find((number) => hasIntention.get(group, number) !== undefined)
  if (doubted !== undefined) return `end of write ${doubted} of ${group}`
  return published === undefined || row!.published === published.used ? undefined : `what Perun shows of ${group}`
}

function statement(db: DatabaseSync, sql: string): StatementSync {
  const prepared = db.prepare(sql)
  prepared.setReadBigInts(true)
  return prepared
}
