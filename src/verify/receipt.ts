/** The receipt of one group: what each of its series was charged at which price, and what people added. */
import type { DatabaseSync } from 'node:sqlite'
import type { Books } from './books.ts'
import { difference, type Fixed, readFixed, sum, writeAmount, writeFixed } from './fixed.ts'
import type { EntryRow } from './hashes.ts'

/** The charges of a series at one price. */
export interface ReceiptLine {
  readonly site: string
  readonly metric: string
  readonly projectId: string
  readonly price: string
  readonly perUnit: string
  readonly entries: number
  readonly from: string
  readonly to: string
  /** In the unit of the meter, as a decimal. */
  readonly consumption: string
  readonly credits: string
  /** The number and the hash of the last of these entries. */
  readonly lastEntry: string
  readonly lastHash: string
}

/** An opening or an adjustment. */
export interface ReceiptRemark {
  readonly entry: string
  readonly kind: string
  readonly at: string
  readonly credits: string
  readonly reason: string
  readonly actor: string | null
  readonly hash: string
}

export interface Receipt {
  readonly group: string
  readonly charges: readonly ReceiptLine[]
  readonly remarks: readonly ReceiptRemark[]
  readonly total: string
  /** What Perun should show, not rounded; and what was published last, if anything. */
  readonly due: string
  readonly published: string | null
}

interface Sum {
  readonly first: EntryRow
  last: EntryRow
  entries: number
  consumption: Fixed
  amount: bigint
}

const nothing: Fixed = { units: 0n, places: 0 }

export function createReceipt(group: string, { series, groups }: Books) {
  const sums = new Map<string, Sum>()
  const remarks: ReceiptRemark[] = []

  function addCharge(row: EntryRow): void {
    const key = JSON.stringify([Number(row.series_id), row.price_version, row.per_unit])
    const sumOfPrice = sums.get(key) ?? { first: row, last: row, entries: 0, consumption: nothing, amount: 0n }
    sums.set(key, sumOfPrice)
    const [from, to] = [readFixed(row.from_value) ?? nothing, readFixed(row.to_value) ?? nothing]
    sumOfPrice.last = row
    sumOfPrice.entries += 1
    sumOfPrice.consumption = sum(sumOfPrice.consumption, difference(to, from))
    sumOfPrice.amount += row.amount
  }

  return {
    add(row: EntryRow): void {
      if (row.group_name !== group) return
      if (row.kind === 'charge') addCharge(row)
      else remarks.push(toRemark(row))
    },
    /** Returns nothing if the ledger does not have the group. */
    finish(db: DatabaseSync, due = 0n): Receipt | undefined {
      const book = groups.get(group)
      if (book === undefined) return undefined
      const select = db.prepare('SELECT published FROM groups WHERE name = ?')
      select.setReadBigInts(true)
      const { published } = select.get(group) as { published: bigint | null }
      return {
        group,
        charges: [...sums.values()].map((each) => toLine(each, series.get(each.first.series_id!))),
        remarks,
        total: writeAmount(book.used),
        due: writeAmount(due),
        published: published === null ? null : writeAmount(published),
      }
    },
  }
}

function toLine(
  { first, last, entries, consumption, amount }: Sum,
  series: { readonly site: string; readonly metric: string; readonly project_id: string } | undefined,
): ReceiptLine {
  return {
    site: series?.site ?? '',
    metric: series?.metric ?? '',
    projectId: series?.project_id ?? '',
    price: first.price_version ?? '',
    perUnit: first.per_unit ?? '',
    entries,
    from: instant(first.from_at ?? 0n),
    to: instant(last.at),
    consumption: writeFixed(consumption),
    credits: writeAmount(amount),
    lastEntry: `${last.number}`,
    lastHash: last.hash,
  }
}

function toRemark({ number, kind, at, amount, reason, actor, hash }: EntryRow): ReceiptRemark {
  return {
    entry: `${number}`,
    kind,
    at: instant(at),
    credits: writeAmount(amount),
    reason: reason ?? '',
    actor,
    hash,
  }
}

/** The last instant that a date can tell. */
const LATEST = 8_640_000_000_000_000n

function instant(at: bigint): string {
  return at > LATEST || at < -LATEST ? `${at} ms` : new Date(Number(at)).toISOString()
}
