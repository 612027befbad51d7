/** Writes what readings made of their series: watermarks, entries, totals, notes and holds, in one transaction. */
import { LARGEST_TOTAL } from '../../core/credits.ts'
import type { Point } from '../../core/decide.ts'
import { decimal } from '../../core/decimals.ts'
import { type Series, seriesKey } from '../../core/series.ts'
import { type Recorded, type Recording, type SeriesChange, type StoredSeries, TotalTooLargeError } from '../ledger.ts'
import { MUTABLE, type SeriesStateRow, toStoredSeries } from '../seriesRows.ts'
import type { Total } from '../totals.ts'
import { appendsOf, type ChangePlan, ENTRY_COLUMNS, planChanges } from './changes.ts'
import { addToDays } from './days.ts'
import { type IdOf, withdraw, writeGrowths } from './growths.ts'
import { releaseHolds, saveHolds } from './holdRows.ts'
import type { LineWatch } from './lineWatch.ts'
import { freeNames } from './names.ts'
import { writeNotes } from './notes.ts'
import type { Numbers } from './numbers.ts'
import type { Sql, Value } from './sql.ts'

export interface Recorder {
  /** What is stored of each series, in their order. */
  load(sql: Sql, series: readonly Series[]): Promise<(StoredSeries | undefined)[]>
  /** Writes it all; the caller holds the groups. */
  write(sql: Sql, recording: Recording): Promise<Recorded>
}

export function createRecorder(numbers: Numbers, lines: LineWatch): Recorder {
  async function write(sql: Sql, recording: Recording): Promise<Recorded> {
    const { at, changes, notes, holds, released, withdrawn, heldGrowths } = recording
    const idOf = await numberSeries(sql, recording)
    const freeName = await freeNames(sql, changes, idOf)
    const opened = await saveHolds(
      sql,
      holds.map((hold) => ({ ...hold, at })),
    )
    await releaseHolds(
      sql,
      released.map((key) => ({ key, at, why: 'No longer so.' })),
    )
    await writeGrowths(sql, heldGrowths, idOf)
    await withdraw(sql, withdrawn, idOf, at)
    await writeNotes(sql, notes, idOf)
    const appends = appendsOf(changes).length
    const first = appends === 0 ? 0 : await numbers.take(sql, appends)
    const facts = { idOf: ({ series }: SeriesChange) => idOf(series)!, source: recording.source, first, freeName }
    const plan = planChanges(changes, facts)
    await writePlan(sql, plan)
    await addTotals(sql, plan.totals.all(), at)
    return { groups: [...plan.totals.groups], opened }
  }

  async function addTotals(sql: Sql, totals: readonly Total[], at: number): Promise<void> {
    if (totals.length === 0) return
    const inAccounts = await sql.all<{ name: string }>(ADD_TO_ACCOUNTS, ...columnsOf(totals), LARGEST_TOTAL)
    const ofGroups = sumsOf(totals)
    const inGroups = await sql.all<{ name: string; is_line_reached: boolean | null }>(
      ...([
        ADD_TO_GROUPS,
        ofGroups.map(({ group }) => group),
        ofGroups.map(({ amount }) => amount),
        LARGEST_TOTAL,
      ] as const),
    )
    if (inAccounts.length < totals.length || inGroups.length < ofGroups.length)
      throw tooLarge(totals, inAccounts, inGroups)
    const entries = new Map(ofGroups.map(({ group, entry }) => [group, entry]))
    const reached = inGroups.filter(({ is_line_reached }) => is_line_reached)
    await lines.look(
      sql,
      reached.map(({ name }) => ({ group: name, at, entry: entries.get(name) })),
    )
  }

  return { load, write }
}

async function load(sql: Sql, series: readonly Series[]): Promise<(StoredSeries | undefined)[]> {
  if (series.length === 0) return []
  const stored: (StoredSeries | undefined)[] = series.map(() => undefined)
  for (const row of await sql.all<LoadedRow>(SELECT_SERIES, ...identities(series))) {
    stored[Number(row.place) - 1] = toStoredSeries(row, () => startOf(row))
  }
  return stored
}

interface LoadedRow extends SeriesStateRow {
  readonly place: bigint
  /** Instant and value, with a space between, where the open entry begins. */
  readonly open_from: string | null
}

function startOf({ open_from }: LoadedRow): Point | undefined {
  if (open_from === null) return undefined
  const [at, value] = open_from.split(' ') as [string, string]
  return { at: Number(at), value: decimal(value) }
}

const WANTED_SERIES = 'unnest($1::text[], $2::text[], $3::text[], $4::text[])'
const SAME_SERIES = `series.project_name = wanted.project_name COLLATE "C" AND series.site = wanted.site COLLATE "C"
  AND series.metric = wanted.metric COLLATE "C" AND series.project_id = wanted.project_id COLLATE "C"`

/** Where open entries begin comes with them, as nobody can wait for it when it is asked for. */
const SELECT_SERIES = `SELECT place, series.id, opened_by, ${MUTABLE.map((name) => `series.${name}`).join(', ')},
    (SELECT from_at || ' ' || from_value FROM entries WHERE number = open_number) AS open_from
  FROM ${WANTED_SERIES} WITH ORDINALITY AS wanted (site, metric, project_id, project_name, place)
  JOIN series ON ${SAME_SERIES}`

function identities(series: readonly Series[]): string[][] {
  return [
    series.map(({ site }) => site),
    series.map(({ metric }) => metric),
    series.map(({ projectId }) => projectId),
    series.map(({ projectName }) => projectName),
  ]
}

/** The numbers of all series that a recording is about; new ones get theirs. */
async function numberSeries(sql: Sql, recording: Recording): Promise<IdOf> {
  const { changes, notes, heldGrowths, withdrawn, source } = recording
  const ids = new Map<string, number>()
  for (const { series, before } of changes) if (before !== undefined) ids.set(seriesKey(series), before.number)
  const fresh = changes.filter(({ series }) => !ids.has(seriesKey(series))).map(({ series }) => series)
  if (fresh.length > 0) await openSeries(sql, fresh, source)
  const others = [...fresh, ...[...notes, ...heldGrowths, ...withdrawn].map(({ series }) => series)]
  const unknown = others.filter((series) => !ids.has(seriesKey(series)))
  for (const [index, stored] of (await load(sql, unknown)).entries()) {
    if (stored !== undefined) ids.set(seriesKey(unknown[index]!), stored.number)
  }
  return (series) => ids.get(seriesKey(series))
}

async function openSeries(sql: Sql, series: readonly Series[], source: string | undefined): Promise<void> {
  await sql.run(
    `INSERT INTO series (site, metric, project_id, project_name, opened_by, at, value, carry, pace)
      SELECT site, metric, project_id, project_name, $5, 0, '0', '0', 0
      FROM ${WANTED_SERIES} WITH ORDINALITY AS wanted (site, metric, project_id, project_name, place)
      ORDER BY place ON CONFLICT DO NOTHING`,
    ...identities(series),
    source,
  )
  await sql.run(
    `INSERT INTO accounts (group_name, site) SELECT DISTINCT name, site FROM unnest($1::text[], $2::text[]) AS wanted (name, site)
      WHERE NOT EXISTS (SELECT 1 FROM accounts
        WHERE group_name = wanted.name COLLATE "C" AND accounts.site = wanted.site COLLATE "C")`,
    ...[series.map(({ projectName }) => projectName), series.map(({ site }) => site)],
  )
}

async function writePlan(sql: Sql, { appended, extended, closed, series }: ChangePlan): Promise<void> {
  if (appended.length > 0) await sql.run(INSERT_ENTRIES, ...transposed(appended))
  if (extended.length > 0) await sql.run(EXTEND_ENTRIES, ...transposed(extended))
  await addToDays(sql, closed)
  if (series.length > 0) await sql.run(UPDATE_SERIES, ...transposed(series))
}

function transposed(rows: readonly Value[][]): Value[][] {
  return rows[0]!.map((_, column) => rows.map((row) => row[column]))
}

const TYPES: Readonly<Record<string, string>> = {
  ...{
    number: 'bigint',
    at: 'bigint',
    amount: 'bigint',
    recorded_at: 'bigint',
    series_id: 'bigint',
    from_at: 'bigint',
  },
  ...{ id: 'bigint', pace: 'double precision', still_since: 'bigint', open_number: 'bigint', open_window: 'bigint' },
}

/** Arrays as rows: `unnest($1::bigint[], …) AS wanted (at, …)`. */
function rowsOf(columns: readonly string[], types = TYPES): string {
  return `unnest(${columns.map((name, index) => `$${index + 1}::${types[name] ?? 'text'}[]`).join(', ')}) AS wanted (${columns.join(', ')})`
}

/** The id of an entry is a text. */
const INSERT_ENTRIES = `INSERT INTO entries (${ENTRY_COLUMNS.join(', ')})
  SELECT * FROM ${rowsOf(ENTRY_COLUMNS, { ...TYPES, id: 'text' })}`

const EXTEND_ENTRIES = `UPDATE entries SET at = wanted.at, to_value = wanted.to_value, amount = entries.amount + wanted.amount,
    carry_out = wanted.carry_out, hash = wanted.hash
  FROM ${rowsOf(['number', 'at', 'to_value', 'amount', 'carry_out', 'hash'])}
  WHERE entries.number = wanted.number AND kind = 'charge'`

const UPDATE_SERIES = `UPDATE series SET ${MUTABLE.map((name) => `${name} = wanted.${name}`).join(', ')}, seal = wanted.seal
  FROM ${rowsOf(['id', ...MUTABLE, 'seal'])} WHERE series.id = wanted.id`

const ADD_TO_ACCOUNTS = `UPDATE accounts SET charged = charged + wanted.amount
  FROM unnest($1::text[], $2::text[], $3::bigint[]) AS wanted (name, site, amount)
  WHERE group_name = wanted.name COLLATE "C" AND accounts.site = wanted.site COLLATE "C" AND charged <= $4::bigint - wanted.amount
  RETURNING group_name AS name`

const ADD_TO_GROUPS = `UPDATE groups SET used = used + wanted.amount, dirty = 1
  FROM unnest($1::text[], $2::bigint[]) AS wanted (name, amount)
  WHERE groups.name = wanted.name COLLATE "C" AND used <= $3::bigint - wanted.amount
  RETURNING groups.name, used >= next_line AS is_line_reached`

function columnsOf(totals: readonly Total[]): Value[][] {
  return [totals.map(({ group }) => group), totals.map(({ site }) => site), totals.map(({ amount }) => amount)]
}

/** Each group once, with all of its sites. */
function sumsOf(totals: readonly Total[]): Omit<Total, 'site'>[] {
  const sums = new Map<string, Omit<Total, 'site'>>()
  for (const { group, amount, entry } of totals) {
    const sum = sums.get(group)
    sums.set(group, { group, amount: amount + (sum?.amount ?? 0n), entry: Math.max(entry, sum?.entry ?? 0) })
  }
  return [...sums.values()]
}

type Named = readonly { readonly name: string }[]

function tooLarge(totals: readonly Total[], inAccounts: Named, inGroups: Named): TotalTooLargeError {
  const added = new Set(inGroups.map(({ name }) => name))
  const accounts = new Map<string, number>()
  for (const { name } of inAccounts) accounts.set(name, (accounts.get(name) ?? 0) + 1)
  for (const { group } of totals) accounts.set(group, (accounts.get(group) ?? 0) - 1)
  const names = totals.map(({ group }) => group).filter((group) => !added.has(group) || accounts.get(group)! < 0)
  return new TotalTooLargeError([...new Set(names)])
}
