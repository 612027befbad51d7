/** Works out what changes of series write, row by row, so that all of it is written by a handful of statements. */
import { formatDecimal } from '../../core/decimals.ts'
import { type ChargeEntry, windowOf } from '../../core/entries.ts'
import type { Posting, SeriesChange } from '../ledger.ts'
import { chargeBase, chargeHash, type Hash, NO_HASH, sealOf } from '../receipts.ts'
import { columnsOf, identityOf, noOpenEntry } from '../seriesRows.ts'
import { createTotals, type Totals } from '../totals.ts'
import type { Value } from './sql.ts'

export interface ChangePlan {
  /** New entries, as `ENTRY_COLUMNS` has them. */
  readonly appended: readonly Value[][]
  /** Growth of entries: number, at, to_value, amount, carry_out, hash. */
  readonly extended: readonly Value[][]
  /** The numbers of the entries that will not change any more. */
  readonly closed: readonly number[]
  /** What series become: id, the mutable columns, seal. */
  readonly series: readonly Value[][]
  readonly totals: Totals
}

/** Columns of a charge, in the order of its row. */
export const ENTRY_COLUMNS = [
  ...[
    'number',
    'id',
    'kind',
    'group_name',
    'site',
    'at',
    'amount',
    'recorded_at',
    'series_id',
    'from_at',
    'from_value',
  ],
  ...['to_value', 'price_version', 'per_unit', 'carry_in', 'carry_out', 'actor', 'reason', 'hash'],
]

export interface ChangeFacts {
  /** The number of a series; each has one by now. */
  readonly idOf: (change: SeriesChange) => number
  /** What opens series that are new. */
  readonly source: string | undefined
  /** The number of the first new entry. */
  readonly first: number
  /** The name of a new entry of a series: its own, or one that is free. */
  readonly freeName: (name: string, series: number) => string
}

export function appendsOf(changes: readonly SeriesChange[]): ChargeEntry[] {
  return changes.flatMap(({ postings }) =>
    postings.flatMap((posting) => (posting.kind === 'append' ? posting.entry : [])),
  )
}

export function planChanges(changes: readonly SeriesChange[], facts: ChangeFacts): ChangePlan {
  const [appended, extended, closed, series]: [Value[][], Value[][], number[], Value[][]] = [[], [], [], []]
  const totals = createTotals()
  let next = facts.first

  function append(entry: ChargeEntry, id: number, hash: Hash) {
    const number = next++
    appended.push(entryRow(number, entry, id, hash))
    return { number, window: windowOf(entry.to.at), priceVersion: entry.priceVersion }
  }

  for (const change of changes) {
    const { before, postings, closes } = change
    const id = facts.idOf(change)
    const openedBy = before === undefined ? facts.source : before.chain.openedBy
    let { head, openBase } = before?.chain ?? { head: NO_HASH }
    let open = before?.open
    if (before === undefined) totals.add(change.series, 0n, 0)
    for (const posting of postings) {
      if (posting.kind === 'append') {
        const entry = { ...posting.entry, id: facts.freeName(posting.entry.id, id) }
        openBase = chargeBase(head, entry)
        head = chargeHash(openBase, entry.to, entry.carryOut)
        if (open !== undefined) closed.push(open.number)
        open = append(entry, id, head)
      } else {
        head = chargeHash(openBase!, posting.to, posting.carryOut)
        extended.push(extensionRow(posting, head))
      }
      totals.add(change.series, posting.kind === 'append' ? posting.entry.amount : posting.amount, open!.number)
    }
    if (closes && open !== undefined) closed.push(open.number)
    const stillOpen = closes || open === undefined ? noOpenEntry : openColumns(open, openBase)
    const columns = [...columnsOf(change), ...stillOpen, head]
    series.push([id, ...columns, sealOf([...identityOf(change.series), openedBy ?? null, ...columns])])
  }
  return { appended, extended, closed, series, totals }
}

function openColumns(
  { number, window, priceVersion }: { number: number; window: number; priceVersion: string },
  openBase?: Hash,
) {
  return [number, window, priceVersion, openBase ?? null]
}

function entryRow(number: number, entry: ChargeEntry, series: number, hash: Hash): Value[] {
  const { from, to } = entry
  return [
    ...[number, entry.id, 'charge', entry.group, entry.series.site, to.at, entry.amount, entry.recordedAt, series],
    ...[from.at, formatDecimal(from.value), formatDecimal(to.value), entry.priceVersion, formatDecimal(entry.perUnit)],
    ...[formatDecimal(entry.carryIn), formatDecimal(entry.carryOut)],
    ...[entry.accepted?.actor ?? null, entry.accepted?.reason ?? null, hash],
  ]
}

function extensionRow({ number, to, amount, carryOut }: Extract<Posting, { kind: 'extend' }>, hash: Hash): Value[] {
  return [number, to.at, formatDecimal(to.value), amount, formatDecimal(carryOut), hash]
}
