/**
 * Every setting of the worker, once: `.default.env` and the tables of `docs/SETTINGS.md` are checked against it, `/stats`
 * shows it.
 *
 * Names of the old service are kept.
 */
import { ledgerLocation, showLedger } from './ledgerLocation.ts'
import {
  address,
  addressLike,
  attributeName,
  digits,
  duration,
  groupMetrics,
  host,
  key,
  logLevel,
  mailAddress,
  type Parser,
  percentages,
  perunAddress,
  port,
  presence,
  quoteAddress,
  semicolons,
  smallSites,
  text,
  webhookSecret,
  wholeNumber,
} from './parsers.ts'

export interface Declaration<T = unknown> {
  /** What it means, for those who set it. */
  readonly doc: string
  readonly parse: Parser<T>
  /** What holds when it is not set, in the notation of the setting. */
  readonly fallback?: string
  /** What a bare number counts. */
  readonly unit?: string
  /** Never shown, and may come from a file named in `…_FILE`. */
  readonly secret?: true
  /** May come from such a file, too, because a part of it is a secret; `show` leaves that out. */
  readonly mayBeInFile?: true
  /** How its text may be shown; without it, as it is. */
  readonly show?: (text: string) => string
}

export const declarations = {
  USAGE_EXPORTER_URLS: {
    doc: 'Usage exporters or /federate addresses to scrape, such as http://10.0.0.5:8080/metrics, separated by ;',
    parse: semicolons(address),
    show: quoteAddress,
  },
  USAGE_EXPORTER_TARGETS_FILE: {
    doc: 'More of them in a Prometheus file_sd file, read again when it changes: targets (addresses or host:port) and labels.',
    parse: text,
  },
  USAGE_EXPORTER_TOKEN: { doc: 'Bearer token that is sent to them.', parse: key, secret: true },
  OS_CREDITS_LOCATION_ID: {
    doc: 'Site of samples without a label location_id: the number of its resource in Perun.',
    parse: digits,
  },
  PROMETHEUS_URL: {
    doc: 'Prometheus with older readings, what comes before /api/v1: after an outage the worker reads there what it missed, and goes on where the old service stopped.',
    parse: addressLike('https://prometheus.example.org'),
    show: quoteAddress,
  },
  PROMETHEUS_TOKEN: {
    doc: 'Bearer token that is sent to it, unless its address has a login.',
    parse: key,
    secret: true,
  },
  OS_CREDITS_SCRAPE_INTERVAL: {
    doc: 'Time between two scrapes of a target.',
    fallback: '60s',
    parse: duration({ min: 1 }),
  },
  OS_CREDITS_SCRAPE_TIMEOUT: {
    doc: 'When a scrape is given up. Shorter than OS_CREDITS_SCRAPE_INTERVAL.',
    fallback: '10s',
    parse: duration({ min: 1 }),
  },
  OS_CREDITS_PRICES_FILE: {
    doc: 'YAML file with meters, units, dated prices and worked examples; docs/prices.example.yaml is one.',
    parse: text,
  },
  METRICS_TO_BILL: {
    doc: 'Price of each metric instead of a file; by default {"project_vcpu_usage":1,"project_mb_usage":0.3}',
    parse: text,
  },
  OS_CREDITS_MAX_SERIES: {
    doc: 'How many series (projects times metrics) a target may open; those beyond are not charged, and a hold says so.',
    fallback: '250000',
    unit: 'series',
    parse: wholeNumber({ min: 1, max: 100_000_000 }),
  },
  OS_CREDITS_SMALL_SITES: {
    doc: 'What is done with growth that its pace does not explain at a site where fewer than ten totals change at a time, as nothing confirms it there: hold or charge.',
    fallback: 'hold',
    parse: smallSites,
  },
  OS_CREDITS_LEDGER: {
    doc: 'Where the ledger is kept: sqlite:path/to/file.db, or postgres://user:password@host:5432/database.',
    fallback: 'sqlite:data/credits.db',
    parse: ledgerLocation,
    mayBeInFile: true,
    show: showLedger,
  },
  OS_CREDITS_REPLICA_LEASE: {
    doc: 'Of several workers at one ledger in PostgreSQL, how long one may say nothing before the others take over its work.',
    fallback: '30s',
    parse: duration({ min: 1_000 }),
  },
  OS_CREDITS_PERUN_URL: {
    doc: "Perun's RPC interface, up to and including /rpc/json. Without it nothing is published.",
    parse: perunAddress,
  },
  OS_CREDITS_PERUN_LOGIN: { doc: 'Login at Perun.', parse: text },
  OS_CREDITS_PERUN_PASSWORD: { doc: 'Password at Perun.', parse: text, secret: true },
  OS_CREDITS_PERUN_VO_ID: {
    doc: 'Number of the virtual organisation in Perun whose groups are charged.',
    parse: wholeNumber({ min: 1, max: 2 ** 31 - 1 }),
  },
  OS_CREDITS_PERUN_USED_ATTRIBUTE: {
    doc: 'Attribute of a group with its used credits.',
    fallback: 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent',
    parse: attributeName('group'),
  },
  OS_CREDITS_PERUN_GRANTED_ATTRIBUTE: {
    doc: 'Attribute of a group with its granted credits.',
    fallback: 'urn:perun:group:attribute-def:opt:denbiCreditsGranted',
    parse: attributeName('group'),
  },
  OS_CREDITS_PERUN_TIMESTAMPS_ATTRIBUTE: {
    doc: 'Attribute of a group at a site with the times up to which it is charged.',
    fallback: 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps',
    parse: attributeName('group_resource'),
  },
  OS_CREDITS_PERUN_EMAIL_ATTRIBUTE: {
    doc: 'Attribute of a group with the mail address of its owners.',
    fallback: 'urn:perun:group:attribute-def:def:toEmail',
    parse: attributeName('group'),
  },
  OS_CREDITS_PERUN_MAX_AGE: {
    doc: 'How old what was read from Perun may be when it is written; an edit in between is written over.',
    fallback: '10s',
    parse: duration({ min: 0 }),
  },
  OS_CREDITS_PERUN_LOOK: {
    doc: 'How often all groups are looked at in Perun, so that edits of those that do not grow are noticed; 0s is never.',
    fallback: '15m',
    parse: duration({ min: 0 }),
  },
  OS_CREDITS_PERUN_TIMEOUT: {
    doc: 'When a call of Perun is given up.',
    fallback: '30s',
    parse: duration({ min: 1 }),
  },
  OS_CREDITS_PROJECT_WHITELIST: {
    doc: 'If set, only these projects are charged: names, separated by ; One that is listed again also pays for what it used meanwhile.',
    parse: semicolons(text),
  },
  OS_CREDITS_WORKERS: {
    doc: 'How many groups are written to Perun at the same time; as many more are prepared meanwhile.',
    fallback: '10',
    unit: 'lanes',
    parse: wholeNumber({ min: 1, max: 1_000 }),
  },
  OS_CREDITS_PRECISION: {
    doc: 'Decimals of credits where they are published or shown. The ledger is exact.',
    fallback: '2',
    unit: 'decimals',
    parse: wholeNumber({ min: 0, max: 6 }),
  },
  CREDITS_HOST: {
    doc: 'Address to listen on; in a container 0.0.0.0.',
    fallback: '127.0.0.1',
    parse: host,
  },
  CREDITS_PORT: { doc: 'Port to listen on; 0 takes a free one.', fallback: '8000', parse: port },
  API_KEY: {
    doc: 'Key of operators, sent as X-API-KEY: may do everything. Without any key only this machine is answered.',
    parse: key,
    secret: true,
  },
  API_READER_KEY: { doc: 'Key of readers: may look at groups and their history.', parse: key, secret: true },
  API_WRITER_KEY: {
    doc: 'Key of programs that push readings: may do nothing else. Without a target to scrape it is needed.',
    parse: key,
    secret: true,
  },
  OS_CREDITS_RATE_LIMIT: {
    doc: 'How many requests a client may make in a minute, and, 20 times seldomer, with a wrong key; 0 sets no limits.',
    fallback: '600',
    unit: 'requests a minute',
    parse: wholeNumber({ min: 0, max: 1_000_000 }),
  },
  OS_CREDITS_GROUP_METRICS: {
    doc: 'on: /metrics, which needs no key, also shows the used and granted credits of groups, of 20,000 at most. forecasts: also their burn, and when credits run out.',
    fallback: 'off',
    parse: groupMetrics,
  },
  LOG_LEVEL: {
    doc: 'trace, debug, info, warn, error, fatal or silent.',
    fallback: 'info',
    parse: logLevel,
  },
  OS_CREDITS_NOTIFY_AT: {
    doc: 'At which parts of the granted credits the owners of a group are notified.',
    fallback: '50,80,100',
    unit: '%',
    parse: percentages,
  },
  OS_CREDITS_NOTIFY_DAYS: {
    doc: 'The owners of a group are notified when its credits run out within so many days; 0 never does.',
    fallback: '14',
    unit: 'days',
    parse: wholeNumber({ min: 0, max: 365 }),
  },
  CLOUD_GOVERNANCE_MAIL: { doc: 'Gets a copy of the notifications.', parse: mailAddress },
  NOTIFICATION_TO_OVERWRITE: {
    doc: 'If set, gets all notifications instead of anybody else.',
    parse: mailAddress,
  },
  MAIL_FROM: { doc: 'Sender of notifications. Without it no mail is sent.', parse: mailAddress },
  MAIL_SMTP_SERVER: { doc: 'Mail server.', fallback: 'localhost', parse: host },
  MAIL_SMTP_PORT: { doc: 'Port of the mail server; 465 speaks TLS from the start.', fallback: '25', parse: port },
  MAIL_SMTP_USER: { doc: 'Login at the mail server.', parse: text },
  MAIL_SMTP_PASSWORD: { doc: 'Password at the mail server.', parse: text, secret: true },
  MAIL_NOT_STARTTLS: {
    doc: 'Whether mail is sent without STARTTLS: true or false. Any other text means true, as in the old service.',
    parse: presence,
  },
  OS_CREDITS_WEBHOOK_URLS: {
    doc: 'Addresses that each notification is posted to, separated by ;',
    parse: semicolons(addressLike('https://chat.example.org/hooks/credits')),
    secret: true,
  },
  OS_CREDITS_WEBHOOK_SECRET: {
    doc: 'Key that signs what is posted: whsec_ and 24 to 64 bytes in base64 (Standard Webhooks).',
    parse: webhookSecret,
    secret: true,
  },
  OS_CREDITS_PUBLIC_URL: {
    doc: 'Address of this worker as people reach it, for links in mails.',
    parse: addressLike('https://credits.example.org'),
  },
} as const satisfies Record<string, Declaration>

type Declared = typeof declarations
export type Name = keyof Declared

/** What the settings mean: `undefined` for one that is not set and has no fallback. */
export type Values = {
  readonly [N in Name]:
    | ReturnType<Declared[N]['parse']>
    | (Declared[N] extends { fallback: string } ? never : undefined)
}

/** The list without the differences of its members' types. */
export const entries: readonly (readonly [Name, Declaration])[] = Object.entries(declarations) as [Name, Declaration][]

/** Settings of the old service that mean nothing here, and what does instead. */
export const replaced: readonly { readonly name: RegExp; readonly by: string }[] = [
  { name: /^(?:VCPU|RAM)_CREDIT_PER_HOUR$/, by: 'METRICS_TO_BILL or OS_CREDITS_PRICES_FILE' },
  { name: /^INFLUXDB_/, by: 'USAGE_EXPORTER_URLS and OS_CREDITS_LEDGER' },
  { name: /^CREDITS_HISTORY_DB$/, by: 'OS_CREDITS_LEDGER' },
]
