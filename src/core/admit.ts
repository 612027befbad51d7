/**
 * From a sample to a reading, or to the reason why it is none.
 *
 * Scrapes and pushes come through here, so it makes no difference which way a sample came.
 */
import { type Decimal, isNegative, parseDecimal, powerOfTen } from './decimals.ts'
import type { Meters } from './meters.ts'
import type { Reading } from './series.ts'
import { DAY, type Instant } from './time.ts'

/** Labels by name; a `Map` is one. */
interface Labels {
  get(name: string): string | undefined
}

/** One line of an exposition, or the same thing pushed. */
export interface Sample {
  readonly metric: string
  readonly labels: Labels
  /** The digits as they were written. */
  readonly value: string
  /** `undefined` if the sample carries no timestamp. */
  readonly at: Instant | undefined
}

/** Why a sample is no reading. */
export type Rejection =
  /** We charge nothing for it. */
  | 'unknown metric'
  /** A whitelist is set and the project is not on it. */
  | 'unlisted'
  /** No project name, or no site that Perun could know: none at all, or what is no number of one. */
  | 'incomplete'
  /** A line that does not parse, a value that no total can have (NaN, infinite, negative), or a name that is no text. */
  | 'unreadable'
  /** A name, an id or the name of an exporter that is longer than `LONGEST_NAME`. */
  | 'too long'
  /** Its timestamp is more than `OLDEST` before its arrival: most likely in another unit. */
  | 'too old'

/** How many samples were rejected, for each reason. */
export type Rejections = Record<Rejection, number>

export interface AdmissionRules {
  readonly meters: Meters
  /** The names of the only projects to charge; absent, all are. */
  readonly whitelist?: ReadonlySet<string> | undefined
  /** What the target says of all its samples. A sample's own label wins, as with Prometheus' `honor_labels: true`. */
  readonly labels: Labels
  /** Site of samples that neither carry a `location_id` nor come from a target that has one. */
  readonly site?: string | undefined
  /** Names the exporter, or what passed its samples on; then their label `instance` names it together with this. */
  readonly origin?: string | undefined
  /** Instant of samples without a timestamp. */
  readonly at: Instant
}

/** Bytes of UTF-8. OpenStack allows 255 characters in a project's name; what is stored of a series must not have any size. */
export const LONGEST_NAME = 1_024

/**
 * How long before its arrival a reading may be from. Growth is plausible or not for the time that it took, so a timestamp of
 * 1970 (seconds taken for milliseconds) would make any growth plausible.
 */
export const OLDEST = 366 * DAY

/** A number of a Perun resource, written in the only way that it can be: `08676` must not become a second site. */
const siteNumber = /^[1-9]\d{0,9}$/

/** Whether Perun could have a site of this name. */
export function isSiteNumber(text: string): boolean {
  return siteNumber.test(text)
}

/** The cheapest reason comes first: most lines of an exporter are about metrics that nobody charges for. */
export function admit(sample: Sample, rules: AdmissionRules): Reading | Rejection {
  const meter = rules.meters.get(sample.metric)
  if (meter === undefined) return 'unknown metric'
  const projectName = label('project_name', sample, rules)
  if (projectName === undefined) return 'incomplete'
  if (rules.whitelist !== undefined && !rules.whitelist.has(projectName)) return 'unlisted'
  const site = label('location_id', sample, rules) ?? rules.site
  if (site === undefined || !isSiteNumber(site)) return 'incomplete'
  const value = parseDecimal(sample.value)
  if (value === undefined || isNegative(value) || !isStorable(value)) return 'unreadable'
  const projectId = label('project_id', sample, rules) ?? ''
  const origin = originOf(sample, rules)
  const areWellFormed = projectName.isWellFormed() && projectId.isWellFormed() && (origin ?? '').isWellFormed()
  if (!areWellFormed) return 'unreadable'
  if (isTooLong(projectName) || isTooLong(projectId) || isTooLong(origin ?? '')) return 'too long'
  const at = sample.at ?? rules.at
  if (at < rules.at - OLDEST) return 'too old'
  const series = { site, metric: meter.metric, projectId, projectName }
  // Spelled out, as objects that are put together of others take several times as long, and there are millions of them.
  if (sample.at === undefined) {
    return origin === undefined ? { series, at, isOfNow: true, value } : { series, at, isOfNow: true, value, origin }
  }
  return origin === undefined ? { series, at, value } : { series, at, value, origin }
}

/** How much of a text a reason shows. */
const SHOWN = 30

/** Why a sample was rejected, in words for who mends the exporter; `undefined` where nothing is to be mended. */
export function whyRejected(rejection: Rejection, sample: Sample, rules: AdmissionRules): string | undefined {
  if (rejection === 'incomplete') return whyIncomplete(sample, rules)
  if (rejection === 'too long') return `a name or an id: expected at most ${LONGEST_NAME} bytes, got more`
  if (rejection === 'too old') return 'timestamp: expected one of the last year, got an older one (is its unit right?)'
  if (rejection !== 'unreadable') return undefined
  const value = parseDecimal(sample.value)
  const isFine = value !== undefined && !isNegative(value) && isStorable(value)
  if (isFine) return 'a name or an id: expected text, got broken characters'
  return `value: expected a number of zero or more, got ${shown(sample.value)}`
}

function whyIncomplete(sample: Sample, rules: AdmissionRules): string {
  if (label('project_name', sample, rules) === undefined) return 'project_name: expected a label, got nothing'
  const site = label('location_id', sample, rules) ?? rules.site
  const expected = 'location_id: expected the number of the site in Perun'
  if (site !== undefined) return `${expected}, without zeros before it, got ${shown(site)}`
  return `${expected}, got nothing (OS_CREDITS_LOCATION_ID is for samples that have none)`
}

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)
}

/** Counts bytes only where the number of characters does not tell. */
function isTooLong(name: string): boolean {
  if (name.length * 3 <= LONGEST_NAME) return false
  return name.length > LONGEST_NAME || new TextEncoder().encode(name).length > LONGEST_NAME
}

/** Doubles need no more; a number that is written shorter than it is must not fill a ledger. */
const MOST_DIGITS = 400

function isStorable({ digits, scale }: Decimal): boolean {
  return scale <= MOST_DIGITS && digits < powerOfTen(MOST_DIGITS)
}

function originOf({ labels }: Sample, { origin = '' }: AdmissionRules): string | undefined {
  const instance = labels.get('instance') ?? ''
  if (instance === '' || origin === '') return instance || origin || undefined
  return `${origin} ${instance}`
}

/** The sample's label, else its target's. An empty label is an absent one, as everywhere in Prometheus. */
function label(name: string, sample: Sample, rules: AdmissionRules): string | undefined {
  return sample.labels.get(name) || rules.labels.get(name) || undefined
}

export function noRejections(): Rejections {
  return { 'unknown metric': 0, unlisted: 0, incomplete: 0, unreadable: 0, 'too long': 0, 'too old': 0 }
}
