/** What people correct; see `../corrections.ts` for what is promised. */
import type { Credits } from '../../core/credits.ts'
import { formatDecimal } from '../../core/decimals.ts'
import type { AdjustmentEntry } from '../../core/entries.ts'
import type { Period } from '../../core/repricing.ts'
import { summaryOf, toRepricingGroup } from '../correctionRows.ts'
import type {
  Correction,
  CorrectionFacts,
  CorrectionLedger,
  Repricing,
  RepricingLine,
  StoredCharge,
} from '../corrections.ts'
import { SELECT_ENTRIES, toEntry } from '../entryRows.ts'
import { type SeriesColumns, seriesOf } from '../seriesRows.ts'
import type { Database } from './database.ts'
import { allRepricings, decideWith, entryNamed, repricingWith } from './facts.ts'
import { lockGroups } from './groupLocks.ts'
import type { LineWatch } from './lineWatch.ts'
import { locks } from './locks.ts'
import type { Numbers } from './numbers.ts'
import { writeRemarks } from './remarks.ts'
import { one, type Sql } from './sql.ts'
import { inTheWay } from './trouble.ts'

/** Series whose charges are read by one statement. */
const SERIES_AT_ONCE = 50

interface Means {
  readonly numbers: Numbers
  readonly lines: LineWatch
  /** Asks for the work of groups whose totals changed. */
  readonly ask: (sql: Sql, groups: readonly string[]) => Promise<void>
}

export function createCorrections(database: Database, { numbers, lines, ask }: Means): CorrectionLedger {
  const { sql, transact } = database
  return {
    correct: (decide) =>
      transact(async (sql) => {
        const { entries, repricing } = await decideAlone(sql, numbers, decide)
        const changed = await write(sql, numbers, lines, entries)
        if (repricing !== undefined) await update(sql, repricing)
        await ask(sql, changed)
        return changed
      }),
    entryNamed: (id) => entryNamed(sql, id),
    async charges(metric, period, visit) {
      const all = await sql.all<SeriesColumns & { id: bigint }>(
        'SELECT id, site, metric, project_id, project_name FROM series WHERE metric = $1 ORDER BY id',
        metric,
      )
      for (let start = 0; start < all.length; start += SERIES_AT_ONCE) {
        const part = all.slice(start, start + SERIES_AT_ONCE)
        const charges = await chargesOf(sql, part, period)
        for (const row of part) {
          const own = charges.get(row.id)
          if (own !== undefined) visit(seriesOf(row), Number(row.id), own)
        }
      }
    },
    savePreview: (repricing, lines) => transact((sql) => savePreview(sql, repricing, lines)),
    repricings: () => allRepricings(sql),
    repricing: (id) => repricingWith(sql, id),
    async repricingGroups(id, { after, limit }) {
      return (await sql.all(SELECT_GROUPS, id, after, limit)).map(toRepricingGroup)
    },
    repricingSummary: async (id) => summaryOf(await sql.all(SELECT_TOTALS, id)),
    async chargedAfterPreview({ metric, period, seenEntry }) {
      type Since = { entries: bigint; amount: Credits }
      const row = await one<Since>(sql.all(SELECT_SINCE, metric, period.from, period.to, seenEntry))
      return { entries: Number(row!.entries), amount: row!.amount }
    },
  }
}

/**
 * Decides while nothing that it looks at can change: corrections come one after another, and once it is known which groups
 * it is about these are held, and no entry is added.
 */
async function decideAlone(sql: Sql, numbers: Numbers, decide: (facts: CorrectionFacts) => Correction) {
  await sql.all('SELECT pg_advisory_xact_lock($1, 0)', locks.corrections)
  const groupsOf = ({ entries }: { entries: readonly AdjustmentEntry[] }) => [
    ...new Set(entries.map(({ group }) => group)),
  ]
  const held = groupsOf(await decideWith(sql, decide))
  await lockGroups(sql, held)
  await numbers.freeze(sql)
  const decided = await decideWith(sql, decide)
  if (groupsOf(decided).every((group) => held.includes(group))) return decided
  throw inTheWay('Other groups are corrected than a moment ago')
}

async function write(
  sql: Sql,
  numbers: Numbers,
  lines: LineWatch,
  entries: readonly AdjustmentEntry[],
): Promise<string[]> {
  const changed = await writeRemarks(sql, numbers, entries)
  await sql.run('UPDATE groups SET dirty = 1 WHERE name = ANY($1::text[])', changed)
  const at = new Map(entries.toReversed().map(({ group, recordedAt }) => [group, recordedAt]))
  await lines.look(
    sql,
    changed.map((group) => ({ group, at: at.get(group)! })),
  )
  return changed
}

async function update(sql: Sql, { id, applied, undone }: Repricing): Promise<void> {
  await sql.run(
    `UPDATE repricings SET applied_at = $1, applied_by = $2, undone_at = $3, undone_by = $4, undone_why = $5 WHERE id = $6`,
    ...[applied?.at, applied?.actor, undone?.at, undone?.actor, undone?.reason, id],
  )
}

async function savePreview(sql: Sql, repricing: Repricing, lines: readonly RepricingLine[]): Promise<void> {
  const { id, metric, period, perUnit, reason, actor, previewedAt, seenEntry } = repricing
  await sql.run(
    `INSERT INTO repricings (id, metric, from_at, to_at, per_unit, reason, actor, previewed_at, seen_entry)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    ...[id, metric, period.from, period.to, formatDecimal(perUnit), reason, actor, previewedAt, seenEntry],
  )
  await sql.run(
    `INSERT INTO repricing_lines (repricing_id, series_id, first_entry, last_entry, last_hash, consumption, amount)
      SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[])`,
    id,
    lines.map(({ seriesNumber }) => seriesNumber),
    lines.map(({ first }) => first),
    lines.map(({ last }) => last),
    lines.map(({ lastHash }) => lastHash),
    lines.map(({ consumption }) => formatDecimal(consumption)),
    lines.map(({ amount }) => amount),
  )
}

/** The charges of some series that overlap a period, in their order. */
async function chargesOf(
  sql: Sql,
  series: readonly { readonly id: bigint; readonly project_name: string }[],
  { from, to }: Period,
): Promise<Map<bigint, StoredCharge[]>> {
  const rows = await sql.all(
    `${SELECT_ENTRIES} WHERE group_name = ANY($1::text[]) AND entries.at > $2 AND from_at < $3
      AND series_id = ANY($4::bigint[]) AND kind = 'charge' ORDER BY number`,
    ...[series.map(({ project_name }) => project_name), from, to, series.map(({ id }) => id)],
  )
  const found = Map.groupBy(rows, (row) => row.series_id as bigint)
  return new Map([...found].map(([id, own]) => [id, own.map(toEntry) as StoredCharge[]]))
}

const SELECT_GROUPS = `SELECT project_name AS name, used, granted, sum(amount) AS amount
  FROM repricing_lines JOIN series ON series.id = series_id JOIN groups ON name = project_name
  WHERE repricing_id = $1 AND ($2::text IS NULL OR project_name > $2)
  GROUP BY project_name, used, granted ORDER BY project_name LIMIT $3`

const SELECT_TOTALS = `SELECT used, count(*) AS series, sum(amount) AS amount
  FROM repricing_lines JOIN series ON series.id = series_id JOIN groups ON name = project_name
  WHERE repricing_id = $1 GROUP BY project_name, used`

/** What crosses the end of the period is the first charge of its series that ends after it. */
const SELECT_SINCE = `WITH own AS MATERIALIZED (SELECT id, project_name, coalesce((SELECT min(entries.at) FROM entries
    WHERE group_name = project_name AND series_id = series.id AND kind = 'charge' AND entries.at > $3), $3) AS until
  FROM series WHERE metric = $1)
  SELECT count(*) AS entries, coalesce(sum(amount), 0) AS amount
  FROM own JOIN entries ON group_name = project_name AND series_id = own.id
  WHERE number > $4 AND kind = 'charge' AND entries.at > $2 AND entries.at <= until AND from_at < $3`
