/** What operators asked for is in the ledger once, and nothing else is. */
import type { DatabaseSync } from 'node:sqlite'
import Big from 'big.js'
import type { Asked } from './operators.ts'
import type { Verdict } from './story.ts'

interface AdjustmentRow {
  readonly id: string
  readonly group_name: string
  readonly amount: bigint
  readonly actor: string
  readonly corrects: bigint | null
}

interface RepricingRow {
  readonly id: string
  readonly from_at: bigint
  readonly to_at: bigint
  readonly per_unit: string
  readonly applied_at: bigint | null
  readonly undone_at: bigint | null
}

interface LineRow {
  readonly series_id: bigint
  readonly first: bigint
  readonly last: bigint
  readonly amount: bigint
}

interface ChargeRow {
  readonly from_at: bigint
  readonly at: bigint
  readonly from_value: string
  readonly to_value: string
  readonly per_unit: string
}

/** At rest: every adjustment that is neither a drift nor given back at first contact. */
export function checkCorrections(db: DatabaseSync, asked: ReadonlyMap<string, Asked>, verdict: Verdict): void {
  const all = <Row>(sql: string, ...parameters: (string | bigint | null)[]): Row[] => {
    const statement = db.prepare(sql)
    statement.setReadBigInts(true)
    return statement.all(...parameters) as Row[]
  }
  const adjustments = all<AdjustmentRow>(`SELECT id, group_name, amount, actor, corrects FROM entries
    WHERE id LIKE 'adjustment/%' OR id LIKE 'repricing/%'`)
  const byId = new Map(adjustments.map((row) => [row.id, row]))
  for (const row of adjustments) {
    if (row.id.startsWith('adjustment/')) requested(row)
    else repriced(row)
  }
  for (const [id, { isConfirmed }] of asked) {
    const isSo = !isConfirmed || byId.has(`adjustment/${id}`)
    verdict.check(isSo, 'what was confirmed to an operator is in the ledger', () => id)
  }
  for (const each of all<RepricingRow>('SELECT * FROM repricings')) repricing(each)

  function requested({ id, group_name, amount, actor }: AdjustmentRow): void {
    const request = asked.get(id.slice('adjustment/'.length))
    const isSo = request?.group === group_name && request.amount === amount && actor === 'olga'
    verdict.check(isSo, 'an adjustment was asked for', () => `${id}: ${amount} for ${group_name}`)
  }

  /** Undone is the exact opposite; else see `repricing`. */
  function repriced({ id, amount }: AdjustmentRow): void {
    const original = id.endsWith('/undo') ? byId.get(id.slice(0, -'/undo'.length)) : undefined
    const isSo = !id.endsWith('/undo') || original?.amount === -amount
    verdict.check(isSo, 'a correction is undone by its opposite', () => id)
  }

  /** Exactly what another price would have made of each series' charges in the period, rounded once. */
  function repricing({ id, from_at, to_at, per_unit, applied_at, undone_at }: RepricingRow): void {
    const lines = all<LineRow>(
      'SELECT series_id, first_entry AS first, last_entry AS last, amount FROM repricing_lines WHERE repricing_id = ?',
      id,
    )
    for (const { series_id, first, last, amount: previewed } of lines) {
      const charges = all<ChargeRow>(
        `SELECT from_at, at, from_value, to_value, per_unit FROM entries WHERE kind = 'charge' AND series_id = ?
          AND number BETWEEN ? AND ?`,
        ...[series_id, first, last],
      )
      const due = charges.reduce((sum, charge) => sum.plus(differenceOf(charge)), new Big(0)).times(1_000_000)
      const entry = byId.get(`repricing/${id}/${series_id}`)
      const amount = new Big((entry?.amount ?? previewed).toString())
      // Without an entry, because there is nothing to correct, the last charge may have gone on to grow.
      const isDue = entry === undefined ? previewed === 0n : amount.minus(due).abs().lte('0.5001')
      const isSo = applied_at === null ? entry === undefined : isDue
      verdict.check(
        isSo,
        'a re-pricing is what the other price makes',
        () => `${id}, ${series_id}: ${amount}, due ${due}`,
      )
      const isUndone = byId.has(`repricing/${id}/${series_id}/undo`)
      const hasOpposite = entry !== undefined && undone_at !== null
      verdict.check(isUndone === hasOpposite, 'a correction is undone as a whole', () => `${id}, ${series_id}`)
    }

    function differenceOf(charge: ChargeRow): Big {
      const begin = charge.from_at > from_at ? charge.from_at : from_at
      const end = charge.at < to_at ? charge.at : to_at
      if (begin >= end) return new Big(0)
      const share = new Big((end - begin).toString()).div((charge.at - charge.from_at).toString())
      const consumption = new Big(charge.to_value).minus(charge.from_value)
      return consumption.times(share).times(new Big(per_unit).minus(charge.per_unit))
    }
  }
}
