/**
 * What must be true of Perun: it ends equal to the ledger, and what people edited there became adjustments.
 *
 * One exception is known: an edit that happens between our reading of a group and our writing of it cannot be seen, because
 * Perun has no compare-and-set. Such edits are counted; anything else is a violation.
 */
import type { DatabaseSync } from 'node:sqlite'
import Big from 'big.js'
import { MINUTE } from '#src/core/time.ts'
import type { Configuration } from './configuration.ts'
import type { Change, SimulatedPerun } from './perun.ts'
import type { Story, Verdict } from './story.ts'

const MICRO = 1_000_000

interface GroupRow {
  readonly name: string
  readonly used: bigint
  readonly dirty: bigint
  readonly opened: bigint
  readonly published_at: bigint | null
  readonly apart: bigint
  readonly given: bigint
  readonly reasons: string | null
  readonly drifts: bigint
  /** The oldest write without an answer. */
  readonly doubted_at: bigint | null
  readonly sites: string
  readonly holds: string
}

interface AdjustmentRow {
  readonly id: string
  readonly group_name: string
  readonly site: string
}

export class PerunOracle {
  readonly #perun: SimulatedPerun
  readonly #configuration: Configuration
  readonly #story: Story
  readonly #verdict: Verdict

  constructor(parts: {
    perun: SimulatedPerun
    configuration: Configuration
    story: Story
    verdict: Verdict
  }) {
    this.#perun = parts.perun
    this.#configuration = parts.configuration
    this.#story = parts.story
    this.#verdict = parts.verdict
  }

  rest(db: DatabaseSync, now: number): void {
    const select = db.prepare(`SELECT name, used, dirty, opened, published_at,
      coalesce((SELECT sum(charged) FROM accounts WHERE group_name = name AND contact <> 'active'), 0) AS apart,
      coalesce((SELECT sum(amount) FROM entries WHERE group_name = name
        AND (kind = 'opening' OR id LIKE 'drift/%')), 0) AS given,
      (SELECT group_concat(recorded_at || ' ' || reason, char(10)) FROM entries WHERE group_name = name
        AND kind <> 'charge') AS reasons,
      (SELECT count(*) FROM entries WHERE group_name = name AND id LIKE 'drift/%') AS drifts,
      (SELECT min(at) FROM intentions WHERE group_name = name) AS doubted_at,
      (SELECT json_group_array(site) FROM accounts WHERE group_name = name) AS sites,
      (SELECT json_group_array(DISTINCT kind) FROM holds WHERE group_name = name AND closed_at IS NULL) AS holds
      FROM groups`)
    select.setReadBigInts(true)
    const rows = select.all() as unknown as GroupRow[]
    for (const row of rows) this.#restOf(row, JSON.parse(row.holds) as string[])
    for (const row of rows) this.#edits(row)
    for (const row of rows) this.#drifts(row)
    for (const row of rows) this.#doubts(row, now)
    const adjustments = db.prepare("SELECT id, group_name, site FROM entries WHERE kind = 'adjustment'").all()
    for (const row of adjustments as unknown as AdjustmentRow[]) this.#reason(row)
  }

  /** Only what was measured while a group could not be charged is given back; for corrections see `correctionOracle.ts`. */
  #reason({ id, group_name: group, site }: AdjustmentRow): void {
    const isSo =
      /^(drift|adjustment|repricing)\//.test(id) ||
      (id.startsWith('before contact/') && this.#perun.away.has(`${site}/${group}`))
    this.#verdict.check(isSo, 'an adjustment has a reason that is so', () => id)
  }

  #restOf(row: GroupRow, holds: string[]): void {
    const { name, used, dirty, apart } = row
    const held = holds.filter((kind) => aboutPublishing.has(kind))
    this.#verdict.check(
      dirty === 0n || held.length > 0,
      'nothing waits for ever',
      () => `${name} is dirty and on no hold`,
    )
    const why = this.#whyNot(row)
    this.#verdict.check(
      why === undefined || held.length > 0 || dirty === 0n,
      'what cannot be published is on hold',
      () => `${name}: ${why}`,
    )
    if (why !== undefined) return
    const known = held.filter((kind) => kind !== 'not assigned')
    this.#verdict.check(known.length === 0, 'a hold ends with its reason', () => `${name}: ${known.join(', ')}`)
    const expected = new Big((used - apart).toString())
      .div(MICRO)
      .round(this.#configuration.precision, Big.roundHalfEven)
    const shown = this.#perun.valueOf(name)
    const isSo = shown !== null && new Big(shown).eq(expected)
    this.#verdict.check(isSo, 'Perun ends equal to the ledger', () => `${name}: Perun ${shown}, ledger ${expected}`)
  }

  /** Why Perun cannot show this group's credits, if so. */
  #whyNot({ name, sites }: GroupRow): string | undefined {
    const accounts = JSON.parse(sites) as string[]
    if (!this.#perun.exists(name)) return 'no such group'
    const { granted, resources, used } = this.#perun.world.read(name)
    if (granted === null) return 'no grant'
    if (!resources.some((id) => accounts.includes(String(id)))) return 'not assigned'
    if (used === null && (this.#perun.changes.get(name)?.length ?? 0) > 0) return 'used credits missing'
    if (used !== null && Number.isNaN(Number(used))) return 'unreadable'
    return undefined
  }

  /** A write without an answer is forgotten when Perun cannot come to it any more; on hold, nobody looks whether it has. */
  #doubts({ name, doubted_at: at, holds }: GroupRow, now: number): void {
    const isKnown = at === null || holds !== '[]' || this.#configuration.faults.clockStepsPerHour > 0
    const isSo = isKnown || now - Number(at) < LONGEST_DOUBT
    this.#verdict.check(isSo, 'a doubt ends', () => `${name}: since ${new Date(Number(at)).toISOString()}`)
  }

  /** Writes of ours that nobody answered, and come late, are not taken for edits, unless our clock says that it is too late. */
  #drifts({ name, drifts }: GroupRow): void {
    const edits = (this.#perun.changes.get(name) ?? []).filter(({ sentAt }) => sentAt === undefined).length
    const isSo = drifts <= edits || this.#configuration.faults.clockStepsPerHour > 0
    this.#verdict.check(isSo, 'a drift follows an edit', () => `${name}: ${drifts} drifts, ${edits} edits`)
  }

  /** Openings and drifts add up to what people set, less what could not be seen. */
  #edits(row: GroupRow): void {
    const { name, given, opened } = row
    const changes = this.#perun.changes.get(name) ?? []
    if (opened === 0n || this.#whyNot(row) !== undefined) return
    if (changes.some(({ isLate }) => isLate)) {
      // A late write of ours between two edits leaves open what the second one was meant to change.
      this.#story.count('edits not told apart from late writes')
      return
    }
    if (runsOf(changes).some(({ edits }) => edits[0]?.isOnKnown === false)) {
      // Nobody can tell whether such an edit was made before or after ours took effect.
      this.#story.count('edits on top of a write without an answer')
      return
    }
    let expected = new Big(0)
    let before: string | null = null
    for (const { edits, end } of runsOf(changes)) {
      // After the last write all groups were looked at: an edit that came later is seen.
      const seenUpTo = end === undefined ? Number.POSITIVE_INFINITY : (end.seen?.number ?? 0)
      const seen = edits.findLast(({ number, value }) => number <= seenUpTo && (before === null || isNumber(value)))
      if (isNumber(seen?.value ?? null)) expected = expected.plus(seen!.value!).minus(before ?? 0)
      if (end === undefined) break
      this.#write(name, edits, end, before)
      before = end.value
    }
    const recorded = new Big(given.toString()).div(MICRO)
    this.#verdict.check(
      recorded.eq(expected),
      'what people edit becomes an adjustment',
      () => `${name}: openings and drifts are ${recorded}, people set ${expected}\n${row.reasons}`,
    )
  }

  /** A write of ours over what people edited since the one before. */
  #write(name: string, edits: readonly Change[], write: Change, before: string | null): void {
    const { seen } = write
    const last = edits.at(-1)
    const isOverMissing = before !== null && last?.value === null && last.number <= (seen?.number ?? 0)
    this.#verdict.check(!isOverMissing, 'missing credits are not overwritten', () => `${name}: ${write.value}`)
    const unseen = edits.filter(({ number }) => number > (seen?.number ?? 0))
    if (unseen.length > 0) this.#story.count('edits between reading and writing', unseen.length)
  }
}

/** An hour, and some looks at growing distances. */
const LONGEST_DOUBT = 70 * MINUTE

const aboutPublishing = new Set(['unknown group', 'not assigned', 'no grant', 'used credits missing', 'refused'])

/** Edits of people one after another, and the write of ours that ended them. */
function runsOf(changes: readonly Change[]): { edits: Change[]; end: Change | undefined }[] {
  const runs: { edits: Change[]; end: Change | undefined }[] = []
  let edits: Change[] = []
  for (const change of changes) {
    if (change.sentAt === undefined) edits.push(change)
    else {
      runs.push({ edits, end: change })
      edits = []
    }
  }
  return [...runs, { edits, end: undefined }]
}

function isNumber(value: string | null): value is string {
  return value !== null && value !== '' && Number.isFinite(Number(value))
}
