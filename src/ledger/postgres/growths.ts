/** Keeps growth that is held back, and withdraws it when its series comes back. */
import { formatDecimal } from '../../core/decimals.ts'
import { type Series, seriesKey } from '../../core/series.ts'
import type { HeldGrowth, Recording } from '../ledger.ts'
import type { Sql } from './sql.ts'

/** The number of a series that is stored. */
export type IdOf = (series: Series) => number | undefined

/** What happens to one series happens in its order; that of different ones is written together. */
function rounds<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[][] {
  const counts = new Map<string, number>()
  const found: Item[][] = []
  for (const item of items) {
    const key = keyOf(item)
    const round = counts.get(key) ?? 0
    counts.set(key, round + 1)
    found[round] = [...(found[round] ?? []), item]
  }
  return found
}

/** Growth that goes on from the last one of its series with the same hold is kept as one with it. */
export async function writeGrowths(sql: Sql, growths: readonly HeldGrowth[], idOf: IdOf): Promise<void> {
  const known = growths.filter(({ series }) => idOf(series) !== undefined)
  for (const round of rounds(known, ({ holdKey, series }) => `${holdKey} ${seriesKey(series)}`)) {
    const columns = [
      round.map(({ series }) => idOf(series)),
      round.map(({ holdKey }) => holdKey),
      round.map(({ from }) => from.at),
      round.map(({ from }) => formatDecimal(from.value)),
      round.map(({ to }) => to.at),
      round.map(({ to }) => formatDecimal(to.value)),
    ]
    const extended = await sql.all<{ place: bigint }>(EXTEND, ...columns)
    const places = new Set(extended.map(({ place }) => Number(place)))
    const rest = columns.map((column) => column.filter((_, index) => !places.has(index + 1)))
    if (rest[0]!.length > 0) await sql.run(INSERT, ...rest)
  }
}

const WANTED = `unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[])
  WITH ORDINALITY AS wanted (series_id, key, from_at, from_value, to_at, to_value, place)
  JOIN holds ON holds.key = wanted.key COLLATE "C" AND closed_at IS NULL`

const EXTEND = `UPDATE held_growths AS growth SET to_at = wanted.to_at, to_value = wanted.to_value FROM ${WANTED}
  WHERE growth.series_id = wanted.series_id AND growth.hold_id = holds.id AND growth.withdrawn = 0
    AND growth.to_value = wanted.from_value AND growth.to_at <= wanted.from_at
    AND growth.to_at = (SELECT max(to_at) FROM held_growths AS every
      WHERE every.series_id = wanted.series_id AND every.hold_id = holds.id)
  RETURNING wanted.place`

const INSERT = `INSERT INTO held_growths (hold_id, series_id, from_at, from_value, to_at, to_value)
  SELECT holds.id, series_id, from_at, from_value, to_at, to_value FROM ${WANTED} ON CONFLICT DO NOTHING`

/** What was held of a series since it left a line is no growth any more; a hold of which nothing is left ends. */
export async function withdraw(sql: Sql, withdrawn: Recording['withdrawn'], idOf: IdOf, at: number): Promise<void> {
  const known = withdrawn.filter(({ series }) => idOf(series) !== undefined)
  for (const round of rounds(known, ({ series }) => seriesKey(series))) {
    const columns = [
      round.map(({ series }) => idOf(series)),
      round.map(({ from }) => from.at),
      round.map(({ from }) => formatDecimal(from.value)),
      round.map(({ until }) => until),
    ]
    await sql.run(CUT, ...columns)
    const [ids, from, , until] = columns
    const back = await sql.all<{ series_id: bigint }>(WITHDRAW, ids!, from!, until!)
    if (back.length > 0) await sql.run(CLOSE_EMPTIED, at, [...new Set(back.map(({ series_id }) => series_id))])
  }
}

const CUT = `UPDATE held_growths AS growth SET to_at = wanted.from_at, to_value = wanted.from_value
  FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS wanted (series_id, from_at, from_value, until)
  WHERE growth.series_id = wanted.series_id AND withdrawn = 0 AND growth.from_at < wanted.from_at
    AND growth.to_at > wanted.from_at AND growth.to_at < wanted.until
    AND hold_id IN (SELECT id FROM holds WHERE closed_at IS NULL)`

const WITHDRAW = `UPDATE held_growths AS growth SET withdrawn = 1
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS wanted (series_id, from_at, until)
  WHERE growth.series_id = wanted.series_id AND growth.from_at >= wanted.from_at AND growth.to_at < wanted.until
  RETURNING growth.series_id`

const CLOSE_EMPTIED = `UPDATE holds SET closed_at = $1, closed_why = 'The totals came back.'
  WHERE closed_at IS NULL AND id IN (SELECT hold_id FROM held_growths WHERE series_id = ANY($2::bigint[]))
    AND NOT EXISTS (SELECT 1 FROM held_growths WHERE hold_id = holds.id AND withdrawn = 0)`
