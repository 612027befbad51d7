/** What people are to be told; see `../notices.ts` for what is promised. */
import { toMute, toNotice } from '../noticeRows.ts'
import type { NoticeCounts, NoticeLedger } from '../notices.ts'
import type { Database } from './database.ts'
import { lockGroups } from './groupLocks.ts'
import { isKnown } from './history.ts'
import { writeNotice } from './lineWatch.ts'
import { one } from './sql.ts'

export function createNotices(database: Database): NoticeLedger {
  const { sql, transact } = database
  return {
    notice: (notice) =>
      transact(async (sql) => {
        await lockGroups(sql, [notice.group])
        return (await writeNotice(sql, notice, 'waiting')) === 'waiting'
      }),
    async waitingNotices(page) {
      const rows = await sql.all(
        "SELECT * FROM notices WHERE state = 'waiting' AND id > $1 ORDER BY id LIMIT $2",
        ...[page?.after ?? 0, page?.limit],
      )
      return rows.map(toNotice)
    },
    async noticeCounts() {
      const rows = await sql.all('SELECT state, count(*) AS count FROM notices GROUP BY state')
      return Object.fromEntries(rows.map((row) => [row.state, Number(row.count)])) as NoticeCounts
    },
    async notices({ group, before = Number.MAX_SAFE_INTEGER, limit }) {
      const rows = await sql.all(
        'SELECT * FROM notices WHERE ($1::text IS NULL OR group_name = $1) AND id < $2 ORDER BY id DESC LIMIT $3',
        ...[group, before, limit],
      )
      return rows.map(toNotice)
    },
    async settleNotices(ids, state) {
      const settle = "UPDATE notices SET state = $1 WHERE id = ANY($2::bigint[]) AND state = 'waiting'"
      await transact((sql) => sql.run(settle, state, ids))
    },
    mute: ({ group, at, actor, reason }) =>
      transact(async (sql) => {
        await lockGroups(sql, [group])
        if (!(await isKnown(sql, group))) return false
        await sql.run('DELETE FROM mutes WHERE group_name = $1', group)
        const insert = 'INSERT INTO mutes (group_name, at, actor, reason) VALUES ($1, $2, $3, $4)'
        await sql.run(insert, group, at, actor, reason)
        return true
      }),
    unmute: (group) =>
      transact(async (sql) => {
        await sql.run('DELETE FROM mutes WHERE group_name = $1', group)
        return isKnown(sql, group)
      }),
    async muted(group) {
      const row = await one(sql.all('SELECT * FROM mutes WHERE group_name = $1', group))
      return row === undefined ? undefined : toMute(row)
    },
  }
}
