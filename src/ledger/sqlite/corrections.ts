/** What people correct; see `../corrections.ts` for what is promised. */
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Credits } from '../../core/credits.ts'
import { formatDecimal } from '../../core/decimals.ts'
import type { AdjustmentEntry } from '../../core/entries.ts'
import { summaryOf, toLine, toRepricing, toRepricingGroup } from '../correctionRows.ts'
import type { CorrectionFacts, CorrectionLedger, Repricing, StoredCharge } from '../corrections.ts'
import { SELECT_ENTRIES, toEntry } from '../entryRows.ts'
import type { StoredEntry } from '../ledger.ts'
import type { Row } from '../rows.ts'
import { type SeriesColumns, seriesOf } from '../seriesRows.ts'
import type { LineWatch } from './notices.ts'
import { createRemarkWriter } from './remarks.ts'
import type { SeriesStore } from './seriesStore.ts'

/** Series whose charges are read without letting others work. */
const SERIES_AT_ONCE = 50

const SELECT_LINES = `SELECT repricing_lines.*, site, metric, project_id, project_name FROM repricing_lines
  JOIN series ON series.id = series_id`

/** Amounts summed in two halves: together they may be more than an integer of SQLite holds. */
const SUM = 'coalesce(sum(amount >> 32), 0) AS high, coalesce(sum(amount & 4294967295), 0) AS low'

export function createCorrections(
  db: DatabaseSync,
  inTransaction: <Result>(work: () => Result) => Result,
  lines: LineWatch,
  store: Pick<SeriesStore, 'drop'>,
): CorrectionLedger {
  const prepare = (sql: string) => {
    const statement = db.prepare(sql)
    statement.setReadBigInts(true)
    return statement
  }
  const selectUsed = prepare('SELECT used FROM groups WHERE name = ?')
  const selectEntry = prepare(`${SELECT_ENTRIES} WHERE number = ?`)
  const selectNamed = prepare(`${SELECT_ENTRIES} WHERE entries.id = ?`)
  const selectRepricing = prepare('SELECT * FROM repricings WHERE id = ?')
  const selectRepricings = prepare('SELECT * FROM repricings ORDER BY previewed_at DESC, id')
  const selectLines = prepare(`${SELECT_LINES} WHERE repricing_id = ? ORDER BY series_id`)
  const selectNewer = prepare(`SELECT 1 FROM entries JOIN series ON series.id = series_id
    WHERE number > ? AND kind = 'charge' AND metric = ? AND from_at < ? AND entries.at > ? LIMIT 1`)
  const selectGrown = prepare(`SELECT 1 FROM repricing_lines JOIN entries ON number = last_entry
    WHERE repricing_id = ? AND hash <> last_hash LIMIT 1`)
  const selectSeries = prepare('SELECT id, site, metric, project_id, project_name FROM series WHERE metric = ?')
  const selectCharges = prepare(`${SELECT_ENTRIES} WHERE group_name = ? AND entries.at > ? AND from_at < ?
    AND series_id = ? AND kind = 'charge' ORDER BY number`)
  // What crosses the end of the period is the first charge of its series that ends after it.
  const selectSince = prepare(`WITH own AS MATERIALIZED (SELECT id, project_name, coalesce((SELECT at FROM entries
      WHERE group_name = project_name AND series_id = series.id AND kind = 'charge' AND at > ?3 ORDER BY at LIMIT 1), ?3) AS until
    FROM series WHERE id = ?1)
    SELECT count(*) AS entries, ${SUM} FROM own JOIN entries ON group_name = project_name AND series_id = own.id
    WHERE number > ?4 AND kind = 'charge' AND at > ?2 AND at <= until AND from_at < ?3`)
  const selectGroups = prepare(`SELECT project_name AS name, used, granted, ${SUM}
    FROM repricing_lines JOIN series ON series.id = series_id JOIN groups ON name = project_name
    WHERE repricing_id = ?1 AND (?2 IS NULL OR project_name > ?2)
    GROUP BY project_name ORDER BY project_name LIMIT ?3`)
  const selectTotals = prepare(`SELECT used, count(*) AS series, ${SUM}
    FROM repricing_lines JOIN series ON series.id = series_id JOIN groups ON name = project_name
    WHERE repricing_id = ? GROUP BY project_name`)
  const insertRepricing = db.prepare(`INSERT INTO repricings
    (id, metric, from_at, to_at, per_unit, reason, actor, previewed_at, seen_entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const insertLine = db.prepare(`INSERT INTO repricing_lines
    (repricing_id, series_id, first_entry, last_entry, last_hash, consumption, amount) VALUES (?, ?, ?, ?, ?, ?, ?)`)
  const updateRepricing = db.prepare(`UPDATE repricings
    SET applied_at = ?, applied_by = ?, undone_at = ?, undone_by = ?, undone_why = ? WHERE id = ?`)
  const setDirty = db.prepare('UPDATE groups SET dirty = 1 WHERE name = ?')
  const writeRemarks = createRemarkWriter(db, store)

  const facts: CorrectionFacts = {
    used: (group) => selectUsed.get(group)?.used as Credits | undefined,
    entry: (number) => entryOrNone(selectEntry.get(number)),
    entryNamed: (id) => entryOrNone(selectNamed.get(id)),
    entriesNamed: (ids) =>
      new Map(ids.map((id) => entryOrNone(selectNamed.get(id))).flatMap((entry) => (entry ? [[entry.id, entry]] : []))),
    repricing: (id) => repricingOrNone(selectRepricing.get(id)),
    repricings: () => selectRepricings.all().map(toRepricing),
    *lines(id) {
      for (const row of selectLines.iterate(id)) yield toLine(row)
    },
    hasMoved({ id, metric, period, seenEntry }) {
      const isNewer = selectNewer.get(seenEntry, metric, period.to, period.from) !== undefined
      return isNewer || selectGrown.get(id) !== undefined
    },
  }

  function write(entries: Iterable<AdjustmentEntry>): string[] {
    const changed = new Set<string>()
    // Collected first: the statement that gives the lines must not read what is being written.
    for (const [group, own] of Map.groupBy([...entries], (entry) => entry.group)) {
      if (writeRemarks(group, own) === 0) continue
      setDirty.run(group)
      lines.look(group, { at: own[0]!.recordedAt })
      changed.add(group)
    }
    return [...changed]
  }

  function update({ id, applied, undone }: Repricing): void {
    const applying = [applied?.at ?? null, applied?.actor ?? null]
    updateRepricing.run(...applying, undone?.at ?? null, undone?.actor ?? null, undone?.reason ?? null, id)
  }

  return {
    async correct(decide) {
      return inTransaction(() => {
        const { entries, repricing } = decide(facts)
        const changed = write(entries)
        if (repricing !== undefined) update(repricing)
        return changed
      })
    },
    async entryNamed(id) {
      return facts.entryNamed(id)
    },
    async charges(metric, { from, to }, visit) {
      for (const [index, row] of selectSeries.all(metric).entries()) {
        if (index % SERIES_AT_ONCE === 0) await nextTurn()
        const charges = selectCharges.all(row.project_name as string, from, to, row.id as bigint).map(toEntry)
        const series = seriesOf(row as unknown as SeriesColumns)
        if (charges.length > 0) visit(series, Number(row.id), charges as StoredCharge[])
      }
    },
    async savePreview({ id, metric, period, perUnit, reason, actor, previewedAt, seenEntry }, lines) {
      inTransaction(() => {
        const what = [id, metric, period.from, period.to, formatDecimal(perUnit)]
        insertRepricing.run(...what, reason, actor, previewedAt, seenEntry)
        for (const { seriesNumber, first, last, lastHash, consumption, amount } of lines)
          insertLine.run(id, seriesNumber, first, last, lastHash, formatDecimal(consumption), amount)
      })
    },
    async repricings() {
      return facts.repricings()
    },
    async repricing(id) {
      return facts.repricing(id)
    },
    async repricingGroups(id, { after, limit }) {
      return selectGroups.all(id, after ?? null, limit).map((row) => toRepricingGroup(withAmount(row)))
    },
    async repricingSummary(id) {
      return summaryOf(selectTotals.iterate(id).map(withAmount))
    },
    async chargedAfterPreview({ metric, period, seenEntry }) {
      let [entries, amount] = [0, 0n]
      for (const [index, { id }] of selectSeries.all(metric).entries()) {
        if (index % SERIES_AT_ONCE === 0) await nextTurn()
        const row = selectSince.get(id as bigint, period.from, period.to, seenEntry)!
        entries += Number(row.entries)
        amount += toSum(row)
      }
      return { entries, amount }
    },
  }
}

function entryOrNone(row: Row | undefined): StoredEntry | undefined {
  return row === undefined ? undefined : toEntry(row)
}

function repricingOrNone(row: Row | undefined): Repricing | undefined {
  return row === undefined ? undefined : toRepricing(row)
}

function withAmount(row: Row): Row {
  return { ...row, amount: toSum(row) }
}

function toSum({ high, low }: Row): Credits {
  return ((high as bigint) << 32n) + (low as bigint)
}
