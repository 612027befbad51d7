/** Whether what was moved is what there was: row by row, and by computing totals and hashes again. */
import type { Credits } from '../core/credits.ts'
import { toEntry } from '../ledger/entryRows.ts'
import { chargeBase, chargeHash, type Hash, NO_HASH, remarkHash } from '../ledger/receipts.ts'
import { keyOf, type Row, type Store, type Target, type Value } from './store.ts'
import { allColumns, type Table, tables } from './tables.ts'

/** Told how many rows were done. */
export type Tell = (table: string, rows: number) => void

/** @returns What is wrong, a sentence each; at most so many. */
export async function check(source: Store, target: Target, batch: number, tell: Tell, most = 20): Promise<string[]> {
  const problems: string[] = []
  for (const table of tables) {
    const [there, here] = [await source.count(table), await target.count(table)]
    if (there !== here) problems.push(`${table.name} has ${here} rows instead of ${there}.`)
    for await (const rows of pages(source, table, batch)) {
      problems.push(
        ...differences(
          table,
          rows,
          await target.find(
            table,
            rows.map((row) => keyOf(table, row)),
          ),
        ),
      )
      if (problems.length >= most) return problems.slice(0, most)
      tell(table.name, rows.length)
    }
  }
  problems.push(...(await recompute(target, batch, tell)))
  return problems.slice(0, most)
}

async function* pages(store: Store, table: Table, batch: number): AsyncGenerator<Row[]> {
  let after: readonly Value[] | undefined
  for (;;) {
    const rows = await store.read(table, after, batch)
    if (rows.length > 0) yield rows
    if (rows.length < batch) return
    after = keyOf(table, rows.at(-1)!)
  }
}

function differences(table: Table, there: readonly Row[], here: readonly Row[]): string[] {
  const name = (row: Row) => JSON.stringify(keyOf(table, row).map(String))
  const found = new Map(here.map((row) => [name(row), row]))
  return there.flatMap((row) => {
    const own = found.get(name(row))
    if (own === undefined) return [`${table.name} ${name(row)} is missing.`]
    const columns = allColumns(table).filter((_, index) => own[index] !== row[index])
    return columns.length === 0 ? [] : [`${table.name} ${name(row)} differs in ${columns.join(', ')}.`]
  })
}

interface Chain {
  head: Hash
  sum: Credits
}

/** The hashes of all entries, the heads of all chains, and the totals of all groups. */
async function recompute(target: Store, batch: number, tell: Tell): Promise<string[]> {
  const problems: string[] = []
  const [series, groups] = [await rowsBy(target, 'series', batch), await rowsBy(target, 'groups', batch)]
  const ofSeries = new Map<bigint, Hash>()
  const ofGroup = new Map<string, Chain>()
  const entries = tableNamed('entries')
  for await (const rows of pages(target, entries, batch)) {
    for (const values of rows) {
      const row = named(entries, values)
      const own = series.get(row.series_id as bigint)
      const entry = toEntry({ ...row, metric: own?.metric ?? null, project_id: own?.project_id ?? null })
      const chain = ofGroup.get(entry.group) ?? { head: NO_HASH, sum: 0n }
      ofGroup.set(entry.group, chain)
      chain.sum += entry.amount
      let hash: Hash
      if (entry.kind === 'charge') {
        const id = row.series_id as bigint
        hash = chargeHash(chargeBase(ofSeries.get(id) ?? NO_HASH, entry), entry.to, entry.carryOut)
        ofSeries.set(id, hash)
      } else {
        hash = remarkHash(chain.head, entry)
        chain.head = hash
      }
      if (hash !== entry.hash) problems.push(`entries ${entry.number} has another hash than its content.`)
    }
    tell('hashes', rows.length)
  }
  for (const [id, row] of series) {
    if (row.head !== (ofSeries.get(id as bigint) ?? NO_HASH)) problems.push(`series ${id} ends with another hash.`)
  }
  for (const [name, row] of groups) {
    const { head, sum } = ofGroup.get(name as string) ?? { head: NO_HASH, sum: 0n }
    if (row.head !== head) problems.push(`groups ${JSON.stringify(name)} ends with another hash.`)
    if (row.used !== sum) problems.push(`groups ${JSON.stringify(name)} used ${row.used}, its entries are ${sum}.`)
  }
  return problems
}

function tableNamed(name: string): Table {
  return tables.find((table) => table.name === name)!
}

function named(table: Table, row: Row): Record<string, Value> {
  return Object.fromEntries(allColumns(table).map((column, index) => [column, row[index]!]))
}

async function rowsBy(store: Store, name: string, batch: number): Promise<Map<Value, Record<string, Value>>> {
  const table = tableNamed(name)
  const found = new Map<Value, Record<string, Value>>()
  for await (const rows of pages(store, table, batch)) {
    for (const row of rows) found.set(row[0]!, named(table, row))
  }
  return found
}
