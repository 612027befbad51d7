/**
 * What must be true of a ledger, looked at after every commit and once more at rest.
 *
 * It reads the tables with SQL and computes with big.js: nothing of the arithmetic under test is used.
 */
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import Big from 'big.js'
import { AccountOracle } from './accountOracle.ts'
import { type Cloud, type Dated, formatUnits, keyOf, nameOf } from './cloud.ts'
import { type Configuration, MANY_SERIES } from './configuration.ts'
import { NoticeOracle } from './noticeOracle.ts'
import type { Prices } from './prices.ts'
import {
  type AccountRow,
  describe,
  type EntryRow,
  type HeldRow,
  isSame,
  type NoteRow,
  type NoticeRow,
  prepare,
  type SeriesRow,
  type Statements,
  type TotalRow,
} from './rows.ts'
import { type Mark, SeriesOracle, seriesOf } from './seriesOracle.ts'
import { StepOracle } from './stepOracle.ts'
import type { Verdict } from './story.ts'

const MICRO = 1_000_000

export class LedgerOracle {
  readonly #path: string
  readonly #cloud: Cloud
  readonly #prices: Prices
  readonly #precision: number
  readonly #verdict: Verdict
  readonly #maxSeries: number
  readonly #seriesOracle: SeriesOracle
  readonly #stepOracle: StepOracle
  readonly #noticeOracle: NoticeOracle
  readonly #accountOracle: AccountOracle
  #db: DatabaseSync | undefined
  #statements: Statements | undefined
  readonly #marks = new Map<bigint, Mark[]>()
  readonly #series = new Map<bigint, SeriesRow>()
  readonly #entries = new Map<bigint, EntryRow>()
  /** Of the entries of each group, and of the charges of each group at each site. */
  readonly #sums = new Map<string, bigint>()
  #lastNote = 0n
  /** The charges that were there when watermarks of their series went back in time. */
  readonly #redated = new Map<bigint, bigint[]>()

  constructor(parts: {
    path: string
    cloud: Cloud
    configuration: Configuration
    prices: Prices
    verdict: Verdict
    /** The worker's clock, right or wrong. */
    clock: { now(): number }
    /** True time. */
    now: () => number
  }) {
    this.#path = parts.path
    this.#cloud = parts.cloud
    this.#prices = parts.prices
    this.#precision = parts.configuration.precision
    this.#verdict = parts.verdict
    this.#maxSeries = parts.configuration.maxSeries
    this.#seriesOracle = new SeriesOracle(parts.cloud, parts.verdict)
    this.#stepOracle = new StepOracle(parts.verdict, parts.clock)
    this.#noticeOracle = new NoticeOracle(parts.verdict)
    this.#accountOracle = new AccountOracle(parts.verdict, parts.now)
  }

  get size(): number {
    return this.#entries.size
  }

  /** What the ledger says that Perun shows of a group, in micro-credits. */
  published(group: string): bigint | null | undefined {
    const row = this.#prepared()?.published.get(group) as { published: bigint | null } | undefined
    return row?.published
  }

  /** The connection that the oracles read with, once there are tables. */
  reader = (): DatabaseSync | undefined => (this.#prepared() === undefined ? undefined : this.#db)

  close(): void {
    this.#db?.close()
    this.#db = undefined
    this.#statements = undefined
  }

  #prepared(): Statements | undefined {
    if (this.#statements !== undefined) return this.#statements
    if (!existsSync(this.#path)) return undefined
    this.#db ??= new DatabaseSync(this.#path, { readOnly: true })
    const tables = this.#db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'watched_lines'").get()!
    if (tables.n === 0) return undefined
    this.#statements = prepare(this.#db)
    return this.#statements
  }

  /** After each commit: what has changed is right. @param tables Those that the transaction wrote, as far as known. */
  look(tables?: ReadonlySet<string>): void {
    const statements = this.#prepared()
    if (statements === undefined) return
    const isAbout = (...names: string[]) => tables === undefined || names.some((name) => tables.has(name))
    if (isAbout('series', 'entries', 'notes', 'holds', 'held_growths')) this.#lookAtSeries(statements, isAbout)
    if (isAbout('groups', 'accounts', 'entries', 'notices')) this.#lookAtTotals(statements)
  }

  #lookAtSeries(statements: Statements, isAbout: (...names: string[]) => boolean): void {
    const notes = isAbout('notes') ? (statements.newNotes.all(this.#lastNote) as unknown as NoteRow[]) : []
    this.#lastNote = notes.at(-1)?.id ?? this.#lastNote
    const held = isAbout('holds', 'held_growths') ? (statements.held.all() as unknown as HeldRow[]) : []
    this.#stepOracle.begin(held, notes)
    const rows = statements.series.all() as unknown as SeriesRow[]
    const moved = rows.filter((row) => this.#hasMoved(row))
    const wereOpen = new Set(moved.flatMap(({ id }) => this.#series.get(id)?.open_number ?? []))
    for (const row of moved) this.#series.set(row.id, row)
    const changed = statements.changed.all(BigInt(this.#entries.size), JSON.stringify([...wereOpen].map(Number)))
    for (const row of changed as unknown as EntryRow[]) this.#lookAtEntry(row, wereOpen)
    for (const row of moved) this.#lookAtStep(row, notes)
  }

  #hasMoved(row: SeriesRow): boolean {
    const known = this.#series.get(row.id)
    return (
      known?.at !== row.at ||
      known.value !== row.value ||
      known.carry !== row.carry ||
      known.open_number !== row.open_number
    )
  }

  #lookAtStep(row: SeriesRow, notes: readonly NoteRow[]): void {
    const key = keyOf(seriesOf(row))
    const marks = this.#marks.get(row.id) ?? this.#opened(row, notes)
    this.#marks.set(row.id, marks)
    const last = marks.at(-1)
    if (last?.at === row.at && last.value === row.value) return
    const name = () => `${key}: ${last?.value} at ${last?.at} → ${row.value} at ${row.at}`
    const isRedated = last !== undefined && this.#stepOracle.isRedated(row.id, last, row)
    if (isRedated) this.#redated.set(row.id, [...(this.#redated.get(row.id) ?? []), BigInt(this.#entries.size)])
    this.#verdict.check(
      last === undefined || row.at > last.at || isRedated,
      'a watermark only moves forward, but for a clock that was ahead',
      name,
    )
    const said = isRedated ? last.said && { ...last.said, ahead: 0 } : this.#said(key, row, last)
    this.#verdict.check(said !== undefined, 'a watermark was said by an exporter', name)
    if (last !== undefined) this.#stepOracle.step(row.id, last, row, key)
    marks.push({ at: row.at, value: row.value, said })
  }

  /** A delivery may bring several readings of a new series: the first one is known by its note. */
  #opened(row: SeriesRow, notes: readonly NoteRow[]): Mark[] {
    const opened = notes.find(({ kind, series_id }) => kind === 'opened' && series_id === row.id)
    const value = /^First reading: (\S+) at/.exec(opened?.text ?? '')?.[1]
    const key = keyOf(seriesOf(row))
    this.#verdict.check(value !== undefined, 'a series begins with a note', () => key)
    if (value === undefined) return []
    const said = this.#cloud.behind(key, Number(opened!.at), value)
    this.#verdict.check(said !== undefined, 'a watermark was said by an exporter', () => `${key}: ${value}`)
    return [{ at: opened!.at, value, said }]
  }

  /** A fall by the noise of a sum of doubles leaves the value as it was. */
  #said(key: string, { at, value }: SeriesRow, last: Mark | undefined): Dated | undefined {
    const said = this.#cloud.behind(key, Number(at), value)
    if (said !== undefined || last?.value !== value) return said
    return this.#cloud.isNear(key, Number(at), value) ? last.said : undefined
  }

  #lookAtEntry(row: EntryRow, wereOpen: ReadonlySet<bigint>): void {
    const before = this.#entries.get(row.number)
    this.#entries.set(row.number, row)
    this.#addUp(row, before)
    this.#stepOracle.charged(row, before)
    const what = () => describe(row)
    if (before !== undefined) {
      if (isSame(before, row)) return
      this.#verdict.check(
        wereOpen.has(row.number),
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
    const totals = statements.totals.all() as unknown as TotalRow[]
    const notices = statements.newNotices.all(this.#noticeOracle.last) as unknown as NoticeRow[]
    this.#noticeOracle.look(notices, totals)
    for (const row of totals) {
      const { name, used } = row
      this.#lookAtMark(row)
      const sum = this.#sums.get(name) ?? 0n
      this.#verdict.check(used === sum, 'a total is the sum of its entries', () => `${name}: ${used} is not ${sum}`)
    }
    for (const row of statements.accounts.all() as unknown as AccountRow[]) this.#lookAtAccount(row, statements)
  }

  #lookAtAccount(row: AccountRow, { isGivenBack }: Statements): void {
    const { group_name: group, site, charged } = row
    const sum = this.#sums.get(accountKey(group, site)) ?? 0n
    this.#verdict.check(
      charged === sum,
      'an account is the sum of its charges and their corrections',
      () => `${group} at ${site}: ${charged} is not ${sum}`,
    )
    this.#accountOracle.look(row, () => isGivenBack.get(`before contact/${site}/%`, group) !== undefined)
  }

  /** A group that is not marked has nothing to publish: whoever starts anew would not look at it. */
  #lookAtMark({ name, used, apart, dirty, published }: TotalRow): void {
    if (dirty === 1n || published === null) return
    const due = new Big((used - apart).toString()).div(MICRO).round(this.#precision, Big.roundHalfEven).times(MICRO)
    this.#verdict.check(
      due.eq(published.toString()),
      'a group that has something to publish is marked',
      () => `${name}: ${published} is published, ${due} is due`,
    )
  }

  /** As charges never fall and no entry is deleted, a total can only fall by an adjustment. */
  #addUp(row: EntryRow, before: EntryRow | undefined): void {
    const growth = row.amount - (before?.amount ?? 0n)
    // What a charge was corrected by belongs to its site, as the charge does.
    const keys = row.series_id === null ? [row.group_name] : [row.group_name, accountKey(row.group_name, row.site!)]
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
    const held = Map.groupBy(statements.held.all() as unknown as HeldRow[], (row) => row.series_id)
    const notes = Map.groupBy(statements.notes.all() as unknown as NoteRow[], (row) => row.series_id)
    for (const [target, opened] of Map.groupBy(this.#series.values(), ({ opened_by }) => opened_by)) {
      const count = opened.length
      this.#verdict.check(
        count <= this.#maxSeries,
        'a target opens no more series than it may',
        () => `${target}: ${count}`,
      )
    }
    const behind = this.#behind()
    this.#verdict.check(behind.length === 0, 'the ledger knows the last total', () => behind.join('\n'))
    for (const [id, row] of this.#series) {
      const of = <Row>(rows: Map<bigint, Row[]>) => rows.get(id) ?? []
      const redated = this.#redated.get(id) ?? []
      const all = {
        charges: of(charges),
        held: of(held),
        notes: of(notes),
        redated,
        withdrawn: this.#stepOracle.withdrawn(id),
      }
      this.#seriesOracle.rest(row, this.#marks.get(id)!, all)
    }
  }

  /** Series whose last total is not in the ledger though their exporter shows it and nothing keeps it back. */
  #behind(): string[] {
    const known = new Map([...this.#series.values()].map((row) => [keyOf(seriesOf(row)), row.value]))
    return this.#cloud.siteNames
      .flatMap((site) => this.#cloud.shown(site))
      .filter(({ series }) => known.has(keyOf(series)) || this.#maxSeries === MANY_SERIES)
      .filter(({ series, value }) => !isNearly(known.get(keyOf(series)), formatUnits(value)))
      .map(({ series, value }) => `${nameOf(series)}: ${known.get(keyOf(series))} instead of ${formatUnits(value)}`)
  }
}

function isNearly(known: string | undefined, value: string): boolean {
  return known !== undefined && Math.abs(Number(known) - Number(value)) <= 1e-10 * Number(value)
}

function accountKey(group: string, site: string): string {
  return JSON.stringify([group, site])
}
