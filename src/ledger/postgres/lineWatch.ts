/** Looks whether groups reached a line of their grant, in the transaction that changed a total or a grant. */
import type { Credits } from '../../core/credits.ts'
import type { Instant } from '../../core/time.ts'
import { lookAtLines, watchedLines } from '../lines.ts'
import type { Notice, NoticeState } from '../notices.ts'
import type { Database } from './database.ts'
import { locks } from './locks.ts'
import { one, type Sql } from './sql.ts'

/** A group to look at. */
export interface Look {
  readonly group: string
  readonly at: Instant
  readonly entry?: number | undefined
  /** The grant as it was, if that may have changed; no text if the group is only now opened. */
  readonly grantBefore?: { readonly text: string | undefined } | undefined
}

export interface LineWatch {
  /** The caller holds the groups. */
  look(sql: Sql, looks: readonly Look[]): Promise<void>
}

/** @param percents Parts of a grant at which people are told, rising. */
export function createLineWatch(percents: readonly number[]): LineWatch {
  return {
    async look(sql, looks) {
      if (looks.length === 0) return
      const byGroup = new Map(looks.map((each) => [each.group, each]))
      const rows = await sql.all<ShownRow>(SELECT_SHOWN, [...byGroup.keys()])
      const nexts: (Credits | null)[] = []
      for (const { name: group, used, granted, opened } of rows) {
        const { at, entry, grantBefore } = byGroup.get(group)!
        const view = lookAtLines({ used, granted: opened === 1n ? granted : null, grantBefore, percents })
        const facts = { group, kind: 'threshold', granted: view.granted, used, at } as const
        for (const { line, isTold } of view.reached) {
          const notice = { ...facts, line, ...(entry !== undefined && { entry }) }
          await writeNotice(sql, notice, isTold ? 'waiting' : 'passed')
        }
        nexts.push(view.next)
      }
      await setNextLines(sql, rows, nexts)
    },
  }
}

interface ShownRow {
  readonly name: string
  readonly granted: string | null
  readonly opened: bigint
  readonly used: Credits
}

/** Only what Perun shows counts. */
const SELECT_SHOWN = `SELECT name, granted, opened, (used - (SELECT coalesce(sum(charged), 0) FROM accounts
  WHERE group_name = name AND contact <> 'active'))::bigint AS used FROM groups WHERE name = ANY($1::text[]) ORDER BY name`

async function setNextLines(
  sql: Sql,
  rows: readonly { readonly name: string }[],
  nexts: readonly (Credits | null)[],
): Promise<void> {
  await sql.run(
    `UPDATE groups SET next_line = wanted.next FROM unnest($1::text[], $2::bigint[]) AS wanted (name, next)
      WHERE groups.name = wanted.name COLLATE "C" AND next_line IS DISTINCT FROM wanted.next`,
    ...[rows.map(({ name }) => name), nexts],
  )
}

/**
 * Writes a notice that is not there yet; one of a muted group is told to nobody. The caller holds the group. Returns the state
 * it got, if it is new.
 */
export async function writeNotice(sql: Sql, notice: Notice, wanted: NoticeState): Promise<NoticeState | undefined> {
  const { group, kind, line, granted, used, at, entry } = notice
  const row = await one<{ state: NoticeState }>(
    sql.all(
      `INSERT INTO notices (group_name, kind, line, granted, used, at, entry, state)
        SELECT $1, $2, $3, $4, $5, $6, $7,
          CASE WHEN $8::text = 'waiting' AND EXISTS (SELECT 1 FROM mutes WHERE group_name = $1) THEN 'muted' ELSE $8::text END
        WHERE NOT EXISTS (SELECT 1 FROM notices WHERE (group_name, kind, line, granted) = ($1, $2, $3, $4))
        RETURNING state`,
      ...[group, kind, line, granted, used, at, entry, wanted],
    ),
  )
  return row?.state
}

/** Groups whose next line is computed in one statement. */
const PAGE = 2_000

/** Computes the next line of each group anew if other lines are watched than the last time. */
export async function watchLines(database: Database, percents: readonly number[]): Promise<void> {
  const wanted = watchedLines(percents)
  await database.transact(async (sql) => {
    const known = await one<{ percents: string }>(sql.all('SELECT percents FROM watched_lines'))
    if (known?.percents === wanted) return
    // Only one of several workers that start does it.
    await sql.all('SELECT pg_advisory_xact_lock($1, 0)', locks.migration)
    for (let after = ''; ; ) {
      const rows = await sql.all<{ name: string; used: Credits; granted: string }>(
        `SELECT name, used, granted FROM groups WHERE opened = 1 AND granted IS NOT NULL AND name > $1
          ORDER BY name LIMIT ${PAGE} FOR NO KEY UPDATE`,
        after,
      )
      const nexts = rows.map(({ used, granted }) => lookAtLines({ used, granted, percents }).next)
      await setNextLines(sql, rows, nexts)
      if (rows.length < PAGE) break
      after = rows.at(-1)!.name
    }
    await sql.run('DELETE FROM watched_lines')
    await sql.run('INSERT INTO watched_lines (percents) VALUES ($1)', wanted)
  })
}
