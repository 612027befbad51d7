/**
 * What is known of a target: where it is, how its last scrape went, when the next one is due.
 *
 * Pure: `loop.ts` does the waiting and scraping.
 */
import { hash } from 'node:crypto'
import { noRejections, type Rejection, type Rejections } from '../../core/admit.ts'
import { type Instant, MINUTE, SECOND } from '../../core/time.ts'
import { targetLabel } from '../../telemetry/metrics.ts'
import type { Lateness } from '../source.ts'
import type { ParseError } from './exposition.ts'
import type { Scrape } from './scrape.ts'

/** A target as it is configured. */
export interface TargetConfig {
  /** `http:` or `https:`, perhaps with a login and a query. Names the target: a URL may occur once. */
  readonly url: string
  /** Added to its samples where they lack them, such as `location_id`. */
  readonly labels: Readonly<Record<string, string>>
}

/** A target as operators see it. All numbers are of the last scrape that worked; nothing in it is secret. */
export interface TargetStatus {
  /** Its address without login and query. */
  readonly target: string
  readonly labels: Readonly<Record<string, string>>
  /** Whether the last scrape worked; `undefined` before the first one. */
  readonly up: boolean | undefined
  /** When the last scrape began, and when the last that worked. */
  readonly lastScrape: Instant | undefined
  readonly lastSuccess: Instant | undefined
  /** How long the last scrape took, in milliseconds. */
  readonly lastDuration: number | undefined
  /** Why the last scrape, or taking over what it brought, failed. */
  readonly lastError: string | undefined
  /** Lines with a sample, wanted or not. */
  readonly samples: number
  readonly readings: number
  readonly rejected: Readonly<Rejections>
  /** The first of the lines that do not parse, and of those whose sample cannot be used. */
  readonly errors: readonly ParseError[]
  /** Readings that came after later ones were charged: up to an hour earlier than these, or more. */
  readonly late: number
  readonly outdated: number
  /** Scrapes that failed since the last that worked. */
  readonly failures: number
  /** About when the next scrape begins; `undefined` while one is under way. */
  readonly next: Instant | undefined
}

export function newStatus({ url, labels }: TargetConfig): TargetStatus {
  return {
    target: targetLabel(url),
    labels,
    up: undefined,
    lastScrape: undefined,
    lastSuccess: undefined,
    lastDuration: undefined,
    lastError: undefined,
    samples: 0,
    readings: 0,
    rejected: noRejections(),
    errors: [],
    late: 0,
    outdated: 0,
    failures: 0,
    next: undefined,
  }
}

/** When a scrape began and how long it took, in milliseconds. */
export interface Timing {
  readonly at: Instant
  readonly duration: number
}

export function afterSuccess(before: TargetStatus, { at, duration }: Timing, scrape: Scrape): TargetStatus {
  return {
    ...before,
    up: true,
    lastScrape: at,
    lastSuccess: at,
    lastDuration: duration,
    lastError: undefined,
    samples: scrape.samples,
    readings: scrape.readings.length,
    rejected: scrape.rejected,
    errors: scrape.errors,
    failures: 0,
  }
}

export function afterDelivery(before: TargetStatus, { late, outdated }: Lateness): TargetStatus {
  return { ...before, late, outdated }
}

export function afterFailure(before: TargetStatus, { at, duration }: Timing, error: string): TargetStatus {
  const failures = before.failures + 1
  return { ...before, up: false, lastScrape: at, lastDuration: duration, lastError: error, failures }
}

/** Once somebody else scrapes it: how it does is not known here any more, only when it last did. */
export function outOfSight({ target, labels, lastScrape, lastSuccess }: TargetStatus): TargetStatus {
  return { ...newStatus({ url: target, labels }), lastScrape, lastSuccess }
}

const complaints = ['incomplete', 'unreadable', 'too long', 'too old'] as const satisfies readonly Rejection[]

/** Whether there are samples that a person has to do something about. */
export function hasComplaints({ rejected }: Pick<TargetStatus, 'rejected'>): boolean {
  return complaints.some((reason) => rejected[reason] > 0)
}

/** The first scrapes of all targets happen within this time, in milliseconds. */
const LONGEST_OFFSET = 5 * SECOND

/**
 * Milliseconds until a target's first scrape: always the same for a URL, spread over all URLs, so that not all targets
 * are scraped at once.
 */
export function offsetOf(url: string, interval: number): number {
  const spread = Buffer.from(hash('sha256', url), 'hex').readUInt32BE() / 2 ** 32
  return Math.floor(spread * Math.min(interval, LONGEST_OFFSET))
}

const LONGEST_PAUSE = 10 * MINUTE
const MOST_INTERVALS = 10

/**
 * Milliseconds between the beginnings of two scrapes: the interval, and after the second failure in a row twice that,
 * four times that and so on, up to ten intervals or ten minutes, whichever is less (but never less than the interval).
 *
 * @param random From 0 up to 1: targets that failed together come back at different times.
 */
export function pauseAfter(failures: number, interval: number, random: number): number {
  if (failures < 2) return interval
  const longest = Math.max(interval, Math.min(MOST_INTERVALS * interval, LONGEST_PAUSE))
  const pause = Math.min(interval * 2 ** (failures - 1), longest)
  // Up to a fifth less, so that the longest pause stays the longest, but never more often than a target that works.
  return Math.max(interval, Math.round(pause * (1 - random / 5)))
}
