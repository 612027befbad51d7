/** Sorts and filters groups in SQL, and reads the rest only of those that are shown. */
import type { DatabaseSync } from 'node:sqlite'
import type { GroupOrder, GroupState, GroupTable, GroupTableQuery } from '../groupTable.ts'
import { type Row, toGroupRow } from '../rows.ts'
import { GROUP_COLUMNS } from './groupRows.ts'
import type { Watch } from './trouble.ts'

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
  granted: 'CAST(granted AS REAL)',
  left: 'CAST(granted AS REAL) - used / 1e6',
}

export function createGroupTable(db: DatabaseSync, watch: Watch): (query: GroupTableQuery) => Promise<GroupTable> {
  const statements = new Map<string, ReturnType<typeof db.prepare>>()
  const all = (sql: string, ...parameters: (string | number | null)[]) => {
    let statement = statements.get(sql)
    if (statement === undefined) {
      statement = db.prepare(sql)
      statement.setReadBigInts(true)
      statements.set(sql, statement)
    }
    return watch.read(() => statement.all(...parameters) as Row[])
  }

  return async ({ search, state, order, descending = false, limit, offset }) => {
    const filter = `(?1 IS NULL OR instr(lower(name), lower(?1)) > 0)${state === undefined ? '' : ` AND ${states[state]}`}`
    const [{ count }] = all(`SELECT count(*) AS count FROM groups WHERE ${filter}`, search ?? null) as [Row]
    const byName = typeof order !== 'string'
    const ranked = byName
      ? 'WITH ranked (ranked_name, rank) AS MATERIALIZED (SELECT value, key FROM json_each(?4))'
      : ''
    const join = byName ? 'LEFT JOIN ranked ON ranked_name = name' : ''
    const position = byName ? 'rank' : orders[order]
    const direction = descending && !byName ? 'DESC' : 'ASC'
    const sorting = `ORDER BY position ${direction} NULLS LAST, name`
    const rows = all(
      `${ranked} SELECT ${GROUP_COLUMNS} FROM (SELECT groups.*, ${position} AS position FROM groups ${join}
        WHERE ${filter} ${sorting} LIMIT ?2 OFFSET ?3) ${sorting}`,
      search ?? null,
      limit,
      offset,
      ...(byName ? [JSON.stringify(order)] : []),
    )
    return { rows: rows.map(toGroupRow), total: Number(count) }
  }
}
