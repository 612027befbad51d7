/**
 * What must be true of a ledger, looked at after every commit and once more at rest.
 *
 * It reads the tables with SQL and computes with big.js: nothing of the arithmetic under test is used.
 */
import { existsSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import Big from 'big.js'
import { type Cloud, formatUnits, keyOf, nameOf, type Said, type SimulatedSeries } from './cloud.ts'
import { knownBugs } from './knownBugs.ts'
import type { Price } from './prices.ts'
import type { Verdict } from './story.ts'

export interface EntryRow {
  readonly number: bigint
  readonly id: string
  readonly kind: 'charge' | 'adjustment' | 'opening'
  readonly group_name: string
  readonly site: string | null
  readonly at: bigint
  readonly amount: bigint
  readonly series_id: bigint | null
  readonly from_at: bigint | null
  readonly from_value: string | null
  readonly to_value: string | null
  readonly per_unit: string | null
  readonly carry_in: string | null
  readonly carry_out: string | null
  readonly actor: string | null
}

interface SeriesRow {
  readonly id: bigint
  readonly site: string
  readonly metric: string
  readonly project_id: string
  readonly project_name: string
  readonly at: bigint
  readonly value: string
  readonly carry: string
  readonly open_number: bigint | null
}

/** A watermark that was seen in the ledger, with what is behind it. */
interface Mark {
  readonly at: bigint
  readonly value: string
  readonly said: Said | undefined
}

interface Held {
  readonly series_id: bigint
  readonly from_value: string
  readonly to_value: string
  readonly to_at: bigint
  readonly withdrawn: bigint
  readonly isAccepted: bigint
}

const MICRO = 1_000_000

export class LedgerOracle {
  readonly #path: string
  readonly #cloud: Cloud
  readonly #prices: Readonly<Record<string, readonly Price[]>>
  readonly #verdict: Verdict
  #db: DatabaseSync | undefined
  #statements: Statements | undefined
  readonly #marks = new Map<bigint, Mark[]>()
  readonly #series = new Map<bigint, SeriesRow>()
  readonly #entries = new Map<bigint, EntryRow>()
  /** Of the entries of each group, and of the charges of each group at each site. */
  readonly #sums = new Map<string, bigint>()
  #open = new Set<bigint>()

  constructor(parts: {
    path: string
    cloud: Cloud
    prices: Readonly<Record<string, readonly Price[]>>
    verdict: Verdict
  }) {
    this.#path = parts.path
    this.#cloud = parts.cloud
    this.#prices = parts.prices
    this.#verdict = parts.verdict
  }

  get entries(): Iterable<EntryRow> {
    return this.#entries.values()
  }

  get size(): number {
    return this.#entries.size
  }

  /** What the ledger says that Perun shows of a group, in micro-credits. */
  published(group: string): bigint | null | undefined {
    const row = this.#prepared()?.published.get(group) as { published: bigint | null } | undefined
    return row?.published
  }

  close(): void {
    this.#db?.close()
    this.#db = undefined
    this.#statements = undefined
  }

  #prepared(): Statements | undefined {
    if (this.#statements !== undefined) return this.#statements
    if (!existsSync(this.#path)) return undefined
    this.#db ??= new DatabaseSync(this.#path, { readOnly: true })
    const tables = this.#db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'held_growths'").get()!
    if (tables.n === 0) return undefined
    this.#statements = prepare(this.#db)
    return this.#statements
  }

  /** After each commit: what has changed is right. */
  look(): void {
    const statements = this.#prepared()
    if (statements === undefined) return
    const wasOpen = this.#open
    this.#open = new Set()
    for (const row of statements.series.all() as unknown as SeriesRow[]) this.#lookAtSeries(row)
    const changed = statements.changed.all(BigInt(this.#entries.size), JSON.stringify([...wasOpen].map(Number)))
    for (const row of changed as unknown as EntryRow[]) this.#lookAtEntry(row, wasOpen)
    this.#lookAtTotals(statements)
  }

  #lookAtSeries(row: SeriesRow): void {
    const known = this.#series.get(row.id)
    this.#series.set(row.id, row)
    if (row.open_number !== null) this.#open.add(row.open_number)
    if (known?.at === row.at && known.value === row.value) return
    const key = keyOf(seriesOf(row))
    const marks = this.#marks.get(row.id) ?? []
    this.#marks.set(row.id, marks)
    const last = marks.at(-1)
    const name = () => `${key}: ${last?.value} at ${last?.at} → ${row.value} at ${row.at}`
    this.#verdict.check(last === undefined || row.at > last.at, 'a watermark only moves forward', name)
    const said = this.#said(key, row, last)
    this.#verdict.check(said !== undefined, 'a watermark was said by an exporter', name)
    marks.push({ at: row.at, value: row.value, said })
  }

  /** A fall by the noise of a sum of doubles leaves the value as it was. */
  #said(key: string, { at, value }: SeriesRow, last: Mark | undefined): Said | undefined {
    const said = this.#cloud.behind(key, Number(at), value)
    if (said !== undefined || last?.value !== value) return said
    return this.#cloud.isNear(key, Number(at), value) ? last.said : undefined
  }

  #lookAtEntry(row: EntryRow, wasOpen: ReadonlySet<bigint>): void {
    const before = this.#entries.get(row.number)
    this.#entries.set(row.number, row)
    this.#addUp(row, before)
    const what = () => describe(row)
    if (before !== undefined) {
      if (isSame(before, row)) return
      this.#verdict.check(
        wasOpen.has(row.number),
        'a closed entry never changes',
        () => `${describe(before)} → ${what()}`,
      )
      const isKept = before.from_value === row.from_value && before.from_at === row.from_at && before.id === row.id
      const isGrown = row.amount >= before.amount && row.at >= before.at
      this.#verdict.check(isKept && isGrown, 'an open entry only grows', () => `${describe(before)} → ${what()}`)
    }
    if (row.kind !== 'charge') return
    this.#verdict.check(row.amount >= 0n, 'a charge is not negative', what)
    this.#lookAtArithmetic(row)
    const series = this.#series.get(row.series_id!)!
    this.#verdict.check(
      series.project_name === row.group_name && series.site === row.site,
      'a charge is for its own series',
      what,
    )
    this.#lookAtPrice(row, series.metric)
  }

  /** amount + carry out = (to − from) × price × 10⁶ + carry in */
  #lookAtArithmetic(row: EntryRow): void {
    const left = new Big(row.amount.toString()).plus(row.carry_out!)
    const right = new Big(row.to_value!).minus(row.from_value!).times(row.per_unit!).times(MICRO).plus(row.carry_in!)
    this.#verdict.check(left.eq(right), 'a charge is exact', () => `${describe(row)}: ${left} is not ${right}`)
  }

  /** One price, the one that was valid all the time from its first to its last reading. */
  #lookAtPrice(row: EntryRow, metric: string): void {
    const prices = this.#prices[metric]!
    const valid = prices.findLast(({ from }) => from <= Number(row.from_at!)) ?? prices[0]!
    const crosses = prices.some(({ from }) => from > Number(row.from_at!) && from < Number(row.at))
    this.#verdict.check(!crosses && new Big(valid.price).eq(row.per_unit!), 'a charge has the price of its time', () =>
      describe(row),
    )
  }

  #lookAtTotals(statements: Statements): void {
    for (const { name, used } of statements.totals.all() as unknown as TotalRow[]) {
      const sum = this.#sums.get(name) ?? 0n
      this.#verdict.check(used === sum, 'a total is the sum of its entries', () => `${name}: ${used} is not ${sum}`)
    }
    for (const { group_name: group, site, charged } of statements.accounts.all() as unknown as AccountRow[]) {
      const sum = this.#sums.get(accountKey(group, site)) ?? 0n
      this.#verdict.check(
        charged === sum,
        'an account is the sum of its charges',
        () => `${group} at ${site}: ${charged} is not ${sum}`,
      )
    }
  }

  /** As charges never fall and no entry is deleted, a total can only fall by an adjustment. */
  #addUp(row: EntryRow, before: EntryRow | undefined): void {
    const growth = row.amount - (before?.amount ?? 0n)
    const keys = row.kind === 'charge' ? [row.group_name, accountKey(row.group_name, row.site!)] : [row.group_name]
    for (const key of keys) this.#sums.set(key, (this.#sums.get(key) ?? 0n) + growth)
  }

  /** When nothing happens any more: every series from its first reading to its last one. */
  rest(): void {
    const statements = this.#prepared()
    if (statements === undefined) return
    this.look()
    const rows = statements.entries.all() as unknown as EntryRow[]
    this.#verdict.check(
      rows.length === this.#entries.size && rows.every((row) => isSame(row, this.#entries.get(row.number))),
      'an entry is never deleted, and a closed one never changes',
      () => `${rows.length} entries, ${this.#entries.size} were seen`,
    )
    const charges = Map.groupBy(
      rows.filter(({ kind }) => kind === 'charge'),
      (row) => row.series_id!,
    )
    const held = Map.groupBy(statements.held.all() as unknown as Held[], (row) => row.series_id)
    const notes = Map.groupBy(statements.notes.all() as unknown as NoteRow[], (row) => row.series_id)
    const behind = this.#behind()
    this.#verdict.check(behind.length === 0, 'the ledger knows the last total', () => behind.join('\n'))
    for (const [id, row] of this.#series) {
      this.#restOf(row, charges.get(id) ?? [], held.get(id) ?? [], notes.get(id) ?? [])
    }
  }

  /** Series whose last total is not in the ledger though their exporter shows it and nothing keeps it back. */
  #behind(): string[] {
    const known = new Map([...this.#series.values()].map((row) => [keyOf(seriesOf(row)), row.value]))
    return this.#cloud.siteNames
      .flatMap((site) => this.#cloud.shown(site))
      .filter(({ series, value }) => !isNearly(known.get(keyOf(series)), formatUnits(value)))
      .map(({ series, value }) => `${nameOf(series)}: ${known.get(keyOf(series))} instead of ${formatUnits(value)}`)
  }

  #restOf(row: SeriesRow, charges: EntryRow[], held: Held[], notes: NoteRow[]): void {
    const series = this.#cloud.find(keyOf(seriesOf(row)))!
    const marks = this.#withOpening(series, this.#marks.get(row.id)!, notes)
    this.#chain(series, row, charges)
    this.#apart(series, charges)
    this.#covered(series, marks, charges, held, notes)
    if (marks.some(({ said }) => said === undefined)) return
    const charged = sum(charges.filter(({ actor }) => actor === null))
    const accepted = sum(charges.filter(({ actor }) => actor !== null))
    const waiting = sum(held.filter(({ withdrawn, isAccepted }) => withdrawn === 0n && isAccepted === 0n))
    const [first, last] = [marks[0]!, marks.at(-1)!]
    const what = () =>
      [
        `${nameOf(series)}: charged ${charged}, accepted ${accepted}, held ${waiting}, from ${first.value} to ${last.value}`,
        ...lifeOf(marks, charges, held, notes),
      ].join('\n')
    if (!series.isDistorted) {
      const grown = new Big(last.value).minus(first.value)
      const all = charged.plus(accepted).plus(waiting)
      this.#verdict.check(all.eq(grown), 'growth is charged or held, exactly and once', what)
      return
    }
    this.#upperBound(marks, charged, what)
    this.#lowerBound(marks, notes, charged.plus(accepted).plus(waiting), what)
  }

  /** A delivery may have brought several readings of a new series: the first one is known by its note only. */
  #withOpening(series: SimulatedSeries, marks: readonly Mark[], notes: readonly NoteRow[]): Mark[] {
    const opened = notes.find(({ kind }) => kind === 'opened')
    const value = /^First reading: (\S+) at/.exec(opened?.text ?? '')?.[1]
    this.#verdict.check(value !== undefined, 'a series begins with a note', () => nameOf(series))
    if (value === undefined || opened!.at === marks[0]!.at) return [...marks]
    const said = this.#cloud.behind(keyOf(series), Number(opened!.at), value)
    this.#verdict.check(said !== undefined, 'a watermark was said by an exporter', () => `${nameOf(series)}: ${value}`)
    return [{ at: opened!.at, value, said }, ...marks]
  }

  /** What one charge leaves over is what the next one begins with. */
  #chain(series: SimulatedSeries, row: SeriesRow, charges: readonly EntryRow[]): void {
    let carry = new Big(0)
    for (const charge of charges) {
      this.#verdict.check(
        carry.eq(charge.carry_in!),
        'a carry is carried on',
        () => `${nameOf(series)}: ${describe(charge)}`,
      )
      carry = new Big(charge.carry_out!)
    }
    this.#verdict.check(carry.eq(row.carry), 'a carry is carried on', () => `${nameOf(series)} ends with ${row.carry}`)
  }

  #apart(series: SimulatedSeries, charges: readonly EntryRow[]): void {
    const inTime = charges.toSorted((a, b) => Number(a.from_at! - b.from_at!) || Number(a.at - b.at))
    for (const [index, charge] of inTime.entries()) {
      const next = inTime[index + 1]
      this.#verdict.check(
        next === undefined || next.from_at! >= charge.at,
        'no time is charged twice',
        () => `${nameOf(series)}: ${describe(charge)} and ${describe(next!)}`,
      )
    }
  }

  /** Whatever a value did between two watermarks is charged, held or noted. */
  #covered(series: SimulatedSeries, marks: Mark[], charges: EntryRow[], held: Held[], notes: NoteRow[]): void {
    for (const [index, mark] of marks.entries()) {
      const before = marks[index - 1]
      if (before === undefined) continue
      const change = new Big(mark.value).cmp(before.value)
      const isWithin = (at: bigint) => at > before.at && at <= mark.at
      const isNoted = notes.some(({ kind, at }) => isWithin(at) && (kind === 'recovered' || kind === 'rebased'))
      const isCharged = charges.some((charge) => charge.from_at! < mark.at && charge.at > before.at)
      const isHeld = held.some((growth) => isWithin(growth.to_at))
      const isSo = change === 0 || isNoted || isHeld || (change > 0 && isCharged)
      const what = () =>
        `${nameOf(series)}: ${before.value} → ${mark.value} at ${new Date(Number(mark.at)).toISOString()}`
      this.#verdict.check(isSo, 'every step of a series is charged, held or noted', () =>
        [what(), ...lifeOf(marks, charges, held, notes)].join('\n'),
      )
    }
  }

  /** Never more than what was consumed and what distortions brought in; a dip that comes back brings nothing. */
  #upperBound(marks: readonly Mark[], charged: Big, what: () => string): void {
    if (returnsPartly(marks) && knownBugs.has('a dip that returns in steps')) return
    const [first, last] = [marks[0]!.said!, marks.at(-1)!.said!]
    const consumed = last.truth - first.truth + (last.added - first.added)
    const most = units(consumed + hiddenReturns(marks))
    this.#verdict.check(
      charged.lte(most),
      'nothing is charged that was not consumed',
      () => `${what()}, at most ${most}`,
    )
  }

  /** All that was consumed where nothing was distorted: in steps without a fall, without a return and without a jump. */
  #lowerBound(marks: Mark[], notes: NoteRow[], accounted: Big, what: () => string): void {
    if (returnsPartly(marks) && knownBugs.has('a dip that returns in steps')) return
    let plain = 0n
    for (const [index, mark] of marks.entries()) {
      const before = marks[index - 1]
      if (before === undefined) continue
      const isPlain = mark.said!.offset === before.said!.offset
      const isNoted = notes.some(({ kind, at }) => kind === 'recovered' && at > before.at && at <= mark.at)
      if (isPlain && !isNoted) plain += mark.said!.truth - before.said!.truth
    }
    this.#verdict.check(
      accounted.gte(units(plain)),
      'no consumption is lost',
      () => `${what()}, at least ${units(plain)}`,
    )
  }
}

/** Whether a value rose, for another reason than growth, to a height where it had not been before. */
function returnsPartly(marks: readonly Mark[]): boolean {
  const heights = new Set<bigint>()
  return marks.some(({ said }, index) => {
    const before = marks[index - 1]?.said
    const height = said!.offset - said!.added
    const isRise = before !== undefined && height > before.offset - before.added
    const isNew = isRise && !heights.has(height)
    heights.add(height)
    return isNew
  })
}

/**
 * A step that returns from a dip by less than a tenth of what it grew cannot be told from growth (`whereabouts` in
 * `src/core/decide.ts`).
 */
function hiddenReturns(marks: readonly Mark[]): bigint {
  let hidden = 0n
  for (const [index, mark] of marks.entries()) {
    const before = marks[index - 1]?.said
    if (before === undefined) continue
    const returned = mark.said!.offset - before.offset - (mark.said!.added - before.added)
    const grown = mark.said!.truth + mark.said!.offset - before.truth - before.offset
    if (returned > 0n && returned * 10n <= grown) hidden += returned
  }
  return hidden
}

/** What happened to a series: where it began and ended, left its line or came back, and what was made of that. */
function lifeOf(
  marks: readonly Mark[],
  charges: readonly EntryRow[],
  held: readonly Held[],
  notes: readonly NoteRow[],
): string[] {
  const turns = marks.filter(({ said }, index) => {
    const [before, after] = [marks[index - 1], marks[index + 1]]
    return (
      before === undefined ||
      after === undefined ||
      said?.offset !== before.said?.offset ||
      said?.offset !== after.said?.offset
    )
  })
  const lines = [
    ...turns.map(({ at, value, said }) => ({
      at,
      line: said === undefined ? `said ${value}` : `said ${value} (${units(said.offset)} of it by distortions)`,
    })),
    ...charges.map((charge) => ({ at: charge.at, line: `${describe(charge)} ${charge.actor ?? ''}` })),
    ...held.map(({ to_at, from_value, to_value }) => ({ at: to_at, line: `held ${from_value} → ${to_value}` })),
    ...notes.map(({ at, kind }) => ({ at, line: kind })),
  ]
  return lines
    .toSorted((a, b) => Number(a.at - b.at))
    .slice(0, 80)
    .map(({ at, line }) => `    ${new Date(Number(at)).toISOString()} ${line}`)
}

function seriesOf({ site, metric, project_id, project_name }: SeriesRow) {
  return { site, metric, projectId: project_id, projectName: project_name }
}

function isNearly(known: string | undefined, value: string): boolean {
  return known !== undefined && Math.abs(Number(known) - Number(value)) <= 1e-10 * Number(value)
}

function accountKey(group: string, site: string): string {
  return JSON.stringify([group, site])
}

function units(value: bigint): Big {
  return new Big(value < 0n ? `-${formatUnits(-value)}` : formatUnits(value))
}

function sum(rows: readonly { readonly from_value: string | null; readonly to_value: string | null }[]): Big {
  return rows.reduce((total, row) => total.plus(row.to_value!).minus(row.from_value!), new Big(0))
}

function isSame(a: EntryRow, b: EntryRow | undefined): boolean {
  return b !== undefined && columns.every((column) => a[column] === b[column])
}

const columns = [
  'number',
  'id',
  'kind',
  'group_name',
  'site',
  'at',
  'amount',
  'series_id',
  'from_at',
  'from_value',
  'to_value',
  'per_unit',
  'carry_in',
  'carry_out',
  'actor',
] as const satisfies (keyof EntryRow)[]

function describe(row: EntryRow): string {
  const { number, kind, group_name, amount, from_value, to_value, from_at, at } = row
  const times = `${from_at === null ? '' : new Date(Number(from_at)).toISOString()}–${new Date(Number(at)).toISOString()}`
  return `entry ${number} (${kind} of ${group_name}, ${amount} for ${from_value} → ${to_value}, ${times})`
}

interface TotalRow {
  readonly name: string
  readonly used: bigint
}

interface AccountRow {
  readonly group_name: string
  readonly site: string
  readonly charged: bigint
}

interface NoteRow {
  readonly kind: string
  readonly series_id: bigint
  readonly at: bigint
  readonly text: string
}

type Statements = ReturnType<typeof prepare>

function prepare(db: DatabaseSync) {
  const statement = (sql: string): StatementSync => {
    const prepared = db.prepare(sql)
    prepared.setReadBigInts(true)
    return prepared
  }
  const entryColumns = columns.join(', ')
  return {
    series: statement('SELECT id, site, metric, project_id, project_name, at, value, carry, open_number FROM series'),
    entries: statement(`SELECT ${entryColumns} FROM entries ORDER BY number`),
    changed: statement(`SELECT ${entryColumns} FROM entries
      WHERE number > ?1 OR number IN (SELECT value FROM json_each(?2)) ORDER BY number`),
    totals: statement('SELECT name, used FROM groups'),
    accounts: statement('SELECT group_name, site, charged FROM accounts'),
    held: statement(`SELECT series_id, from_value, to_value, to_at, withdrawn,
      coalesce(closed_why LIKE 'Accepted by%', 0) AS isAccepted FROM held_growths JOIN holds ON holds.id = hold_id`),
    published: statement('SELECT published FROM groups WHERE name = ?'),
    notes: statement('SELECT kind, series_id, at, text FROM notes ORDER BY id'),
  }
}
