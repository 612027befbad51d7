/** Sorts and filters groups in SQL, and reads the rest only of those that are shown. */
import type { GroupOrder, GroupState, GroupTable, GroupTableQuery } from '../groupTable.ts'
import { toGroupRow } from '../rows.ts'
import { GROUP_COLUMNS, IS_SEARCHED } from './groupRows.ts'
import { one, type Sql } from './sql.ts'

const HELD = 'EXISTS (SELECT 1 FROM holds WHERE group_name = name AND closed_at IS NULL)'
const KNOWN = "EXISTS (SELECT 1 FROM accounts WHERE group_name = name AND contact <> 'new')"

/** As `groupState` in `http/groupJson.ts` has them. */
const states: Readonly<Record<GroupState, string>> = {
  held: HELD,
  new: `NOT ${HELD} AND NOT ${KNOWN}`,
  waiting: `NOT ${HELD} AND ${KNOWN} AND dirty = 1`,
  active: `NOT ${HELD} AND ${KNOWN} AND dirty = 0`,
}

const orders: Readonly<Record<GroupOrder, string>> = {
  name: 'name',
  used: 'used',
  granted: 'approximate(granted)',
  left: 'approximate(granted) - used / 1e6',
}

export async function groupTable(
  sql: Sql,
  { search, state, order, descending = false, limit, offset }: GroupTableQuery,
): Promise<GroupTable> {
  const filter = state === undefined ? IS_SEARCHED : `${IS_SEARCHED} AND ${states[state]}`
  const counted = await one<{ count: bigint }>(sql.all(`SELECT count(*) AS count FROM groups WHERE ${filter}`, search))
  const byName = typeof order !== 'string'
  const join = byName
    ? 'LEFT JOIN unnest($4::text[]) WITH ORDINALITY AS ranked (ranked_name, rank) ON ranked_name COLLATE "C" = name'
    : ''
  const direction = descending && !byName ? 'DESC' : 'ASC'
  const sorting = `ORDER BY position ${direction} NULLS LAST, name`
  const rows = await sql.all(
    `SELECT ${GROUP_COLUMNS} FROM (SELECT groups.*, ${byName ? 'rank' : orders[order]} AS position FROM groups ${join}
      WHERE ${filter} ${sorting} LIMIT $2 OFFSET $3) AS page ${sorting}`,
    ...[search, limit, offset, ...(byName ? [order] : [])],
  )
  return { rows: rows.map(toGroupRow), total: Number(counted!.count) }
}
