/** Groups, their series and entries as JSON: amounts are decimal strings, instants ISO strings, what is absent is null. */
import { type Credits, formatCredits } from '../core/credits.ts'
import type { Point } from '../core/decide.ts'
import { type Decimal, formatDecimal, parseDecimal, subtract } from '../core/decimals.ts'
import type { ChargeEntry } from '../core/entries.ts'
import type { Meters } from '../core/meters.ts'
import { splitByPrice } from '../core/rating.ts'
import { formatInstant, type Instant } from '../core/time.ts'
import type { GroupState } from '../ledger/groupTable.ts'
import type { GroupRow, HeldGrowth, Note, SeriesRow, StoredEntry, StoredHold } from '../ledger/ledger.ts'

export function groupState({ holds, sites, dirty }: Pick<GroupRow, 'holds' | 'sites' | 'dirty'>): GroupState {
  if (holds.length > 0) return 'held'
  if (sites.every(({ contact }) => contact === 'new')) return 'new'
  return dirty ? 'waiting' : 'active'
}

export function groupJson(row: GroupRow) {
  return {
    group: row.group,
    state: groupState(row),
    used: formatCredits(row.used),
    published: row.published === undefined ? null : formatCredits(row.published),
    published_at: instantOrNull(row.publishedAt),
    granted: row.granted ?? null,
    left: left(row.granted, row.used),
    holds: row.holds,
    sites: row.sites.map(({ site, contact, charged }) => ({ site, contact, charged: formatCredits(charged) })),
    last_reading_at: instantOrNull(row.lastReadingAt),
    muted: row.muted,
  }
}

/** What is left of the grant, less than zero if more was used. Perun's text may be no number: then it is not known. */
function left(granted: string | undefined, used: Credits): string | null {
  const grant = granted === undefined ? undefined : parseDecimal(granted)
  return grant === undefined ? null : formatDecimal(subtract(grant, { digits: used, scale: MICRO }))
}

/** Decimals of a micro-credit. */
const MICRO = 6

export function seriesJson({ site, metric, projectId, state }: SeriesRow) {
  return { site, metric, project_id: projectId, ...pointJson(state.watermark) }
}

export function noteJson({ kind, series, at, text }: Note) {
  return { at: formatInstant(at), kind, site: series.site, metric: series.metric, project_id: series.projectId, text }
}

export function holdJson({ id, kind, site, group, reason, openedAt, seenAt, closed }: StoredHold) {
  return {
    id,
    kind,
    site,
    group: group ?? null,
    reason,
    opened_at: formatInstant(openedAt),
    seen_at: formatInstant(seenAt),
    closed_at: instantOrNull(closed?.at),
    closed_why: closed?.why ?? null,
  }
}

export function heldGrowthJson({ series, from, to }: HeldGrowth, meters: Meters) {
  const meter = meters.get(series.metric)
  const consumption = subtract(to.value, from.value)
  const parts = meter === undefined ? [] : splitByPrice(meter, { from: from.at, to: to.at, consumption })
  return {
    group: series.projectName,
    project_id: series.projectId,
    meter: meter?.name ?? null,
    metric: series.metric,
    from: pointJson(from),
    to: pointJson(to),
    consumption: formatDecimal(consumption),
    unit: meter?.unit ?? null,
    price_versions: parts.map(({ price }) => price.version),
  }
}

export function entryJson(entry: StoredEntry, meters: Meters) {
  const facts = {
    number: entry.number,
    id: entry.id,
    kind: entry.kind,
    at: formatInstant(entry.at),
    amount: formatCredits(entry.amount),
    hash: entry.hash,
  }
  if (entry.kind === 'charge') return { ...facts, ...chargeJson(entry, meters) }
  const actor = entry.kind === 'adjustment' ? entry.actor : null
  const corrects = (entry.kind === 'adjustment' && entry.corrects) || null
  return { ...facts, site: entry.site || null, reason: entry.reason, actor, corrects }
}

/** All in credits, so that `amount + carry_out = consumption × price + carry_in` can be checked as it stands. */
function chargeJson(entry: ChargeEntry, meters: Meters) {
  const { series, from, to } = entry
  const meter = meters.get(series.metric)
  return {
    meter: meter?.name ?? null,
    metric: series.metric,
    site: series.site,
    project_id: series.projectId,
    from: pointJson(from),
    to: pointJson(to),
    consumption: formatDecimal(subtract(to.value, from.value)),
    unit: meter?.unit ?? null,
    price: formatDecimal(entry.perUnit),
    price_version: entry.priceVersion,
    carry_in: formatDecimal(inCredits(entry.carryIn)),
    carry_out: formatDecimal(inCredits(entry.carryOut)),
    // Only of growth that was held and accepted.
    ...(entry.accepted !== undefined && { actor: entry.accepted.actor, reason: entry.accepted.reason }),
  }
}

/** The ledger counts what is left of a micro-credit in micro-credits. */
function inCredits({ digits, scale }: Decimal): Decimal {
  return { digits, scale: scale + MICRO }
}

function pointJson({ at, value }: Point) {
  return { at: formatInstant(at), value: formatDecimal(value) }
}

export function instantOrNull(at: Instant | undefined): string | null {
  return at === undefined ? null : formatInstant(at)
}
