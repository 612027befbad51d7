/** What the HTTP face needs of the other parts of the worker, cut down to what it shows. */
import type { Meters } from '../core/meters.ts'
import type { Clock, Instant } from '../core/time.ts'
import type { CorrectionDesk, CorrectionLedger } from '../ledger/corrections.ts'
import type { Forecasts } from '../ledger/forecasts.ts'
import type { Ledger, LedgerReader, StoredHold } from '../ledger/ledger.ts'
import type { Told } from '../publish/messenger.ts'
import type { Receiver } from '../sources/source.ts'
import type { TargetsFileStatus } from '../sources/targetsFile.ts'
import type { Logger, Logging } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Keys } from './auth.ts'

export interface HttpParts {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly keys: Keys
  /** Requests of a client in a minute; 0 sets no limits. */
  readonly rateLimit: number
  /** How many groups are worked on at the same time. */
  readonly workers: number
  /** Decimals of credits where they are rounded, 0 to 6. */
  readonly precision: number
  readonly version: string
  readonly startedAt: Instant
  readonly clock: Clock
  readonly logger: Logger
  readonly logging: Pick<Logging, 'levels' | 'setLevel'>
  readonly metrics: Pick<Metrics, 'registry' | 'httpRequests' | 'httpSeconds'>
  readonly ledger: LedgerReader &
    Pick<Ledger, 'check' | 'doubtfulGroups'> &
    Pick<
      CorrectionLedger,
      'repricings' | 'repricing' | 'repricingGroups' | 'repricingSummary' | 'chargedAfterPreview'
    > &
    Pick<Ledger, 'notices' | 'noticeCounts' | 'tellings' | 'messageCounts' | 'mute' | 'unmute' | 'muted'>
  readonly meters: Meters
  readonly forecasts: Forecasts
  targets(): readonly Target[]
  /** How the file of targets stands, if there is one that is looked at. */
  targetsFile(): TargetsFileStatus | undefined
  /** What takes pushes, by the name of its protocol. */
  readonly receivers: Receivers
  readonly lanes: Lanes
  /** Absent if nothing is published. */
  readonly outbox: { readonly status: Publishing } | undefined
  /** How many seconds before a write what it replaces was read: the last time, and at most since the start. */
  writeWindow(): { readonly last?: number; readonly longest?: number }
  /** Closes a hold that a person decided about. */
  decideHold(id: number, decision: HoldDecision): Promise<HoldResolution>
  /** Adjustments, and other prices for past periods. */
  readonly corrections: CorrectionDesk
  /** At which parts of a grant, in percent, people are to be told. */
  readonly notifyAt: readonly number[]
  notifying(): NotifyingStatus
  /** Absent if no archive is known. */
  catchUp(): CatchingUp | undefined
  /** Absent if the ledger cannot be shared. */
  readonly replicas: Replicas | undefined
  /** What a mail with these notices says. */
  previewDigest(notices: readonly Told[]): { readonly subject: string; readonly text: string; readonly html: string }
  stopping(): boolean
  /** Every setting as it may be shown, by name. */
  describeSettings(): Readonly<Record<string, string>>
}

export interface Receivers {
  readonly remoteWrite: Receiver
  readonly influx: Receiver
}

/** How people and programs are told of notices. */
export interface NotifyingStatus {
  /** Whether mail is sent. */
  readonly mail: boolean
  /** How many there are. */
  readonly webhooks: number
  /** What did not work the last time, by what it is about. */
  readonly problems: Readonly<Record<string, string>>
}

/** The workers that share the ledger. */
export interface Replicas {
  /** The oldest first. */
  list(): Promise<readonly Replica[]>
  /** Whether this worker is one of them, as far as it can tell without asking. */
  isMember(): boolean
}

export interface Replica {
  readonly id: number
  /** Host and process. */
  readonly name: string
  readonly version: string
  readonly startedAt: Instant
  /** When it last said that it is there. */
  readonly seenAt: Instant
  readonly state: 'working' | 'gone'
  /** Whether it is the one that answers. */
  readonly isSelf: boolean
  /** Whether it does what only one may do. */
  readonly isLead: boolean
  readonly isCatchingUp: boolean
  /** What it scrapes, of the targets that this worker knows: addresses without login and query. */
  readonly targets: readonly string[]
  /** The groups that it publishes just now. */
  readonly publishing: readonly string[]
}

/** How far the worker is with what it missed before it started. */
export type CatchingUp =
  | { readonly state: 'waiting'; readonly reason: string; readonly since: Instant; readonly sites: readonly string[] }
  | {
      readonly state: 'reading'
      readonly after: Instant
      readonly upTo: Instant
      readonly at: Instant
      readonly readings: number
    }
  | { readonly state: 'done'; readonly readings: number }
  | { readonly state: 'given up'; readonly reason: string; readonly readings: number }

/** Who scrapes a target, of the workers that share the ledger. */
export type Scraper =
  | { readonly kind: 'here' }
  | { readonly kind: 'elsewhere'; readonly id: number; readonly name: string }
  | { readonly kind: 'nobody'; readonly reason: string }

/** A target; all counts are of the last scrape that worked. Of one that is scraped elsewhere nothing is known. */
export interface Target {
  readonly scraper: Scraper
  /** Its address without login and query. */
  readonly target: string
  readonly labels: Readonly<Record<string, string>>
  /** Whether the last scrape worked; `undefined` before the first one here. */
  readonly up: boolean | undefined
  /** Here, also if it is scraped elsewhere by now. */
  readonly lastScrape: Instant | undefined
  readonly lastSuccess: Instant | undefined
  /** In milliseconds. */
  readonly lastDuration: number | undefined
  readonly lastError: string | undefined
  readonly samples: number
  readonly readings: number
  readonly rejected: Readonly<Record<string, number>>
  /** The first lines that could not be read or used. */
  readonly errors: readonly unknown[]
  /** Readings that came after later ones were charged: up to an hour earlier than these, or more. */
  readonly late: number
  readonly outdated: number
  /** Scrapes that failed since the last that worked. */
  readonly failures: number
  readonly next: Instant | undefined
}

interface Lanes {
  readonly waiting: number
  readonly working: number
  status(): readonly { readonly group: string; readonly state: string; readonly again: boolean }[]
}

export type Publishing =
  | { readonly state: 'publishing' }
  | { readonly state: 'waiting' | 'stopped'; readonly reason: string; readonly since: Instant; readonly until: Instant }

export interface HoldDecision {
  readonly verdict: 'accept' | 'dismiss'
  readonly actor: string
  readonly reason: string
}

export type HoldResolution =
  | { readonly kind: 'closed'; readonly hold: StoredHold }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly why: string }
