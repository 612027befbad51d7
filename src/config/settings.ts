/**
 * Turns the environment into the settings of a worker, or into the list of everything that is wrong with it.
 *
 * Nothing here reads the environment or a file by itself; the caller gives both. The value of a secret is in no
 * message, neither is a login that stands in an address.
 */
import type { Meters } from '../core/meters.ts'
import type { SmallSites } from '../core/smallSite.ts'
import { type Declaration, declarations, type Name, type Values } from './declarations.ts'
import { type Effective, type Environment, type Files, type Given, readNamed, readValues } from './environment.ts'
import { type LedgerLocation, secretsOfLedger } from './ledgerLocation.ts'
import type { GroupMetricsShown, LogLevel } from './parsers.ts'
import type { Report } from './place.ts'
import { defaultMeters, metersToBill, readPrices } from './prices.ts'
import { collectTargets, type TargetConfig, type TargetsFile } from './targets.ts'
import { namesToCheck, warningsOf } from './warnings.ts'

/** All durations are in ms. The whole of it is frozen. */
export interface Settings {
  /** Each address once. Without any, readings are pushed; programs of their own need none. */
  readonly targets: readonly TargetConfig[]
  /** Where some of them are from. */
  readonly targetsFile?: TargetsFile
  readonly scrape: { readonly interval: number; readonly timeout: number; readonly token?: string }
  /** Site of samples that name none. */
  readonly site?: string
  readonly meters: Meters
  /** Names of the only projects that are charged. */
  readonly whitelist?: ReadonlySet<string>
  /** How many series a target may open. */
  readonly maxSeries: number
  /** What is done with growth that no pace explains in a small site. */
  readonly smallSites: SmallSites
  readonly ledger: LedgerLocation
  /** How long one of several workers may say nothing before others take over its work. */
  readonly replicaLease: number
  /** Without it nothing is published. */
  readonly perun?: PerunSettings
  /** Where older readings are. Without it gaps are not bridged. */
  readonly prometheus?: PrometheusSettings
  readonly workers: number
  /** Decimals of published and shown credits. */
  readonly precision: number
  readonly http: {
    readonly host: string
    readonly port: number
    readonly keys: { readonly operator?: string; readonly reader?: string; readonly writer?: string }
    /** Requests of a client in a minute; 0 is no limit. */
    readonly rateLimit: number
  }
  /** Whether metrics show the credits of groups. */
  readonly groupMetrics: GroupMetricsShown
  readonly log: { readonly level: LogLevel }
  /** Parts of a grant, in percent and rising, at which people are to be told. */
  readonly notifyAt: readonly number[]
  /** People are told when credits run out within so many days; 0 for never. */
  readonly notifyDays: number
  /** Without it no mail is sent. */
  readonly mail?: MailSettings
  /** Without it nothing is posted. */
  readonly webhooks?: WebhookSettings
  /** Where people reach the worker. */
  readonly publicUrl?: string
  /** Every setting by its name in the environment, fit to be shown. */
  readonly effective: readonly Effective[]
}

export interface PerunSettings {
  readonly url: string
  readonly login: string
  readonly password: string
  readonly voId: number
  readonly attributes: {
    readonly used: string
    readonly granted: string
    readonly timestamps: string
    readonly email: string
  }
  readonly maxAge: number
  /** Between two looks at all groups; 0 for none. */
  readonly lookEvery: number
  readonly timeout: number
}

export interface PrometheusSettings {
  readonly url: string
  readonly token?: string
}

export interface MailSettings {
  readonly from: string
  readonly host: string
  readonly port: number
  readonly login?: { readonly user: string; readonly password: string }
  /** Whether the password and the mails may go over the network as they are. */
  readonly isPlain: boolean
  /** Gets copies. */
  readonly governance?: string
  /** Gets everything instead of anybody else. */
  readonly instead?: string
}

export interface WebhookSettings {
  readonly urls: readonly string[]
  /** In base64. */
  readonly key: string
}

/** The settings cannot be used. The message lists every problem on its own line, then names that may be misspelt. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'ERR_CONFIG'
  readonly problems: readonly string[]

  constructor(problems: readonly string[], hints: readonly string[]) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    super([`The settings have ${count}:`, ...problems, ...hints].join('\n  '))
    this.problems = problems
  }
}

/**
 * Reads all settings and the files they name.
 *
 * @param needs What has to be set beside what always has: programs that only read a ledger need no targets.
 * @throws {ConfigError} with all problems there are.
 */
export function loadSettings(
  env: Environment,
  files: Files,
  needs: { readonly targets: boolean } = { targets: true },
): { settings: Settings; warnings: string[] } {
  const problems: string[] = []
  const report: Report = (problem) => problems.push(problem)
  const given = readValues(env, files, report)
  const meters = chooseMeters(given.values, files, report)
  const targets = collectTargets(given.values, files, report)
  if (needs.targets) expectTargets(given, report)
  checkTogether(given, report)
  if (problems.length > 0) throw new ConfigError(problems, namesToCheck(env))
  // Without a problem every setting was read, so nothing that has a fallback is missing.
  const settings = assemble(given.values as Values, { targets, meters, effective: given.effective })
  return { settings: deepFreeze(settings), warnings: [...namesToCheck(env), ...warningsOf(settings)] }
}

/** Every setting with what it is, for the log at the start and for `/stats`: secrets and logins are not in it. */
export function describeSettings(settings: Settings): Record<string, string> {
  const text = ({ name, shown, origin }: Effective) => {
    const { unit }: Declaration = declarations[name]
    return origin === 'not set' ? origin : `${shown}${unit === undefined ? '' : ` ${unit}`} (${origin})`
  }
  return Object.fromEntries(settings.effective.map((one) => [one.name, text(one)]))
}

/** All texts that no line of the log may hold, also as they are encoded in a header or stand in an address. */
export function secretsOf({ scrape, perun, prometheus, http, targets, mail, webhooks, ledger }: Settings): string[] {
  const archive = prometheus === undefined ? [] : [{ url: prometheus.url, labels: {} }]
  const logins = secretsOfTargets([...targets, ...archive])
  const basic = perun && basicCredentials(perun.login, perun.password)
  const notifying = [...loginAtMail(mail), webhooks?.key, ...(webhooks?.urls ?? [])]
  const tokens = [scrape.token, prometheus?.token, perun?.password, basic, ...Object.values(http.keys)]
  const all = [...tokens, ...logins, ...notifying, ...secretsOfLedger(ledger)]
  return all.filter((secret) => secret !== undefined).filter((secret) => secret !== '')
}

export function secretsOfTargets(targets: readonly TargetConfig[]): string[] {
  return targets.flatMap(({ url }) => loginsIn(new URL(url))).filter((secret) => secret !== '')
}

/** A login without a password is a token. */
function loginsIn({ username, password }: URL): string[] {
  const [login, secret] = [decodeLeniently(username), decodeLeniently(password)]
  if (secret === '') return [username, login]
  return [password, secret, basicCredentials(login, secret)]
}

/** As it is, and as it is sent. */
function loginAtMail(mail: MailSettings | undefined): string[] {
  if (mail?.login === undefined) return []
  const { user, password } = mail.login
  const base64 = (given: string) => Buffer.from(given).toString('base64')
  return [password, base64(password), base64(`\0${user}\0${password}`)]
}

function basicCredentials(login: string, password: string): string {
  return Buffer.from(`${login}:${password}`).toString('base64')
}

function chooseMeters(
  { METRICS_TO_BILL: json, OS_CREDITS_PRICES_FILE: path }: Partial<Values>,
  files: Files,
  report: Report,
) {
  if (json !== undefined && path !== undefined) {
    report('METRICS_TO_BILL: expected no value, as OS_CREDITS_PRICES_FILE is set, got both')
  }
  if (path !== undefined) return readNamed('OS_CREDITS_PRICES_FILE', path, files, readPrices, report) ?? defaultMeters()
  if (json !== undefined) return metersToBill(json, (problem) => report(`METRICS_TO_BILL: ${problem}`))
  return defaultMeters()
}

function expectTargets({ isSet }: Given, report: Report): void {
  if (!isSet('USAGE_EXPORTER_URLS') && !isSet('USAGE_EXPORTER_TARGETS_FILE') && !isSet('API_WRITER_KEY')) {
    report(
      'USAGE_EXPORTER_URLS: expected an address, here or in USAGE_EXPORTER_TARGETS_FILE, or API_WRITER_KEY for pushes, got nothing',
    )
  }
}

/** What no setting can know alone. */
function checkTogether({ values, isSet, effective }: Given, report: Report): void {
  const shown = (name: Name) => effective.find((one) => one.name === name)?.shown
  const { OS_CREDITS_SCRAPE_INTERVAL: interval, OS_CREDITS_SCRAPE_TIMEOUT: timeout } = values
  if (interval !== undefined && timeout !== undefined && timeout >= interval) {
    const expected = `a duration shorter than OS_CREDITS_SCRAPE_INTERVAL (${shown('OS_CREDITS_SCRAPE_INTERVAL')})`
    report(`OS_CREDITS_SCRAPE_TIMEOUT: expected ${expected}, got ${shown('OS_CREDITS_SCRAPE_TIMEOUT')}`)
  }
  const needed = ['OS_CREDITS_PERUN_LOGIN', 'OS_CREDITS_PERUN_PASSWORD', 'OS_CREDITS_PERUN_VO_ID'] as const
  for (const name of isSet('OS_CREDITS_PERUN_URL') ? needed : []) {
    if (!isSet(name)) report(`${name}: expected a value, as OS_CREDITS_PERUN_URL is set, got nothing`)
  }
  const { MAIL_SMTP_USER: user, MAIL_SMTP_PASSWORD: password } = values
  if ((user === undefined) !== (password === undefined)) {
    const [missing, there] =
      user === undefined ? ['MAIL_SMTP_USER', 'MAIL_SMTP_PASSWORD'] : ['MAIL_SMTP_PASSWORD', 'MAIL_SMTP_USER']
    if (!isSet(missing as Name)) report(`${missing}: expected a value, as ${there} is set, got nothing`)
  }
  if (isSet('OS_CREDITS_WEBHOOK_URLS') && !isSet('OS_CREDITS_WEBHOOK_SECRET')) {
    report('OS_CREDITS_WEBHOOK_SECRET: expected a value, as OS_CREDITS_WEBHOOK_URLS is set, got nothing')
  }
  checkKeys(values, report)
}

/** A key that is two keys would open more than somebody believes. */
function checkKeys(
  { API_KEY: operator, API_READER_KEY: reader, API_WRITER_KEY: writer }: Partial<Values>,
  report: Report,
) {
  if (operator !== undefined && operator === reader) {
    report('API_READER_KEY: expected another key than API_KEY, as that one may do everything, got the same')
  }
  if (writer !== undefined && writer === operator) {
    report('API_WRITER_KEY: expected another key than API_KEY, as that one may do everything, got the same')
  }
  if (writer !== undefined && writer === reader) {
    report('API_WRITER_KEY: expected another key than API_READER_KEY, as readers may not push, got the same')
  }
}

function assemble(values: Values, parts: Pick<Settings, 'targets' | 'meters' | 'effective'>): Settings {
  const { OS_CREDITS_PROJECT_WHITELIST: names, USAGE_EXPORTER_TARGETS_FILE: path } = values
  return {
    ...parts,
    scrape: {
      interval: values.OS_CREDITS_SCRAPE_INTERVAL,
      timeout: values.OS_CREDITS_SCRAPE_TIMEOUT,
      ...defined({ token: values.USAGE_EXPORTER_TOKEN }),
    },
    maxSeries: values.OS_CREDITS_MAX_SERIES,
    smallSites: values.OS_CREDITS_SMALL_SITES,
    ledger: values.OS_CREDITS_LEDGER,
    replicaLease: values.OS_CREDITS_REPLICA_LEASE,
    workers: values.OS_CREDITS_WORKERS,
    precision: values.OS_CREDITS_PRECISION,
    http: {
      host: values.CREDITS_HOST,
      port: values.CREDITS_PORT,
      keys: defined({ operator: values.API_KEY, reader: values.API_READER_KEY, writer: values.API_WRITER_KEY }),
      rateLimit: values.OS_CREDITS_RATE_LIMIT,
    },
    groupMetrics: values.OS_CREDITS_GROUP_METRICS,
    log: { level: values.LOG_LEVEL },
    notifyAt: values.OS_CREDITS_NOTIFY_AT,
    notifyDays: values.OS_CREDITS_NOTIFY_DAYS,
    ...defined({
      targetsFile: path === undefined ? undefined : { path, urls: values.USAGE_EXPORTER_URLS ?? [] },
      site: values.OS_CREDITS_LOCATION_ID,
      whitelist: names && new Set(names),
      perun: perunSettings(values),
      prometheus: prometheusSettings(values),
      mail: mailSettings(values),
      webhooks: webhookSettings(values),
      publicUrl: values.OS_CREDITS_PUBLIC_URL,
    }),
  }
}

function perunSettings(values: Values): PerunSettings | undefined {
  if (values.OS_CREDITS_PERUN_URL === undefined) return undefined
  return {
    url: values.OS_CREDITS_PERUN_URL,
    // `checkTogether` refuses an address without these three.
    login: values.OS_CREDITS_PERUN_LOGIN!,
    password: values.OS_CREDITS_PERUN_PASSWORD!,
    voId: values.OS_CREDITS_PERUN_VO_ID!,
    attributes: {
      used: values.OS_CREDITS_PERUN_USED_ATTRIBUTE,
      granted: values.OS_CREDITS_PERUN_GRANTED_ATTRIBUTE,
      timestamps: values.OS_CREDITS_PERUN_TIMESTAMPS_ATTRIBUTE,
      email: values.OS_CREDITS_PERUN_EMAIL_ATTRIBUTE,
    },
    maxAge: values.OS_CREDITS_PERUN_MAX_AGE,
    lookEvery: values.OS_CREDITS_PERUN_LOOK,
    timeout: values.OS_CREDITS_PERUN_TIMEOUT,
  }
}

function prometheusSettings({ PROMETHEUS_URL: url, PROMETHEUS_TOKEN: token }: Values): PrometheusSettings | undefined {
  return url === undefined ? undefined : { url, ...defined({ token }) }
}

function mailSettings(values: Values): MailSettings | undefined {
  const { MAIL_FROM: from, MAIL_SMTP_USER: user, MAIL_SMTP_PASSWORD: password } = values
  if (from === undefined) return undefined
  return {
    from,
    host: values.MAIL_SMTP_SERVER,
    port: values.MAIL_SMTP_PORT,
    isPlain: values.MAIL_NOT_STARTTLS ?? false,
    ...(user !== undefined && password !== undefined && { login: { user, password } }),
    ...defined({ governance: values.CLOUD_GOVERNANCE_MAIL, instead: values.NOTIFICATION_TO_OVERWRITE }),
  }
}

function webhookSettings({ OS_CREDITS_WEBHOOK_URLS: urls, ...values }: Values): WebhookSettings | undefined {
  // `checkTogether` refuses addresses without a key.
  return urls && { urls: [...new Set(urls)], key: values.OS_CREDITS_WEBHOOK_SECRET! }
}

/** The fields that have a value. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

/** Maps and sets inside are read-only by their types. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}

function decodeLeniently(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
