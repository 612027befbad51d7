/** At rest, what is on hold still has a reason to be. */
import type { DatabaseSync } from 'node:sqlite'
import type { Cloud } from './cloud.ts'
import type { Verdict } from './story.ts'

export function checkHolds(db: DatabaseSync, cloud: Cloud, verdict: Verdict): void {
  const keys = (sql: string) =>
    db
      .prepare(sql)
      .all()
      .map((row) => row.key as string)
  const emptied = keys(`SELECT key FROM holds WHERE closed_at IS NULL
    AND EXISTS (SELECT 1 FROM held_growths WHERE hold_id = holds.id)
    AND NOT EXISTS (SELECT 1 FROM held_growths WHERE hold_id = holds.id AND withdrawn = 0)`)
  verdict.check(emptied.length === 0, 'a hold has something to decide', () => emptied.join(', '))
  // All clocks are right by now; one that nothing is heard of any more is not known to be.
  const heard = new Set(
    cloud.siteNames.flatMap((site) => cloud.shown(site).map(({ series }) => `clock ahead/${site}/${series.metric}`)),
  )
  const ahead = keys("SELECT key FROM holds WHERE kind = 'clock ahead' AND closed_at IS NULL")
  const isOver = ahead.filter((key) => heard.has(key))
  verdict.check(isOver.length === 0, 'a hold about a clock ends when it is right', () => isOver.join(', '))
}
