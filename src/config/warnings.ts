/** What an operator should hear about at the start although the worker can do without. No secret is in any of it. */
import { nearest } from '../core/nearest.ts'
import { type Declaration, declarations, entries, type Name, replaced } from './declarations.ts'
import { type Effective, type Environment, given } from './environment.ts'
import type { Settings } from './settings.ts'

/** A sentence for each name that is set and means nothing: it is misspelt or of the old service. */
export function namesToCheck(env: Environment): string[] {
  const names = Object.keys(env).filter((name) => given(env, name) !== undefined)
  return names.map(warningAbout).filter((warning) => warning !== undefined)
}

/** What is set without an effect, and what the worker does not do without a setting: a sentence each. */
export function warningsOf(settings: Settings): string[] {
  const { perun, http, scrape, prometheus, effective } = settings
  const warnings: string[] = []
  if (
    prometheus === undefined &&
    effective.some(({ name, origin }) => name === 'PROMETHEUS_TOKEN' && origin !== 'not set')
  )
    warnings.push('PROMETHEUS_TOKEN: no effect, as PROMETHEUS_URL is not set')
  if (perun === undefined) warnings.push('OS_CREDITS_PERUN_URL is not set: nothing is published')
  if (perun !== undefined && scrape.interval < perun.maxAge) {
    // Each publish writes what the one before has read, for as long as a group grows.
    warnings.push(
      'OS_CREDITS_SCRAPE_INTERVAL is shorter than OS_CREDITS_PERUN_MAX_AGE: most edits of used credits in Perun are written over unseen while a group grows',
    )
  }
  warnings.push(...warningsOfNotifying(settings))
  if (http.keys.operator === undefined && http.keys.reader === undefined) {
    warnings.push('API_KEY is not set: what needs a key is answered only to direct requests from this machine')
  }
  return warnings
}

function warningsOfNotifying({ perun, mail, webhooks, effective }: Settings): string[] {
  const warnings: string[] = []
  const isSet = (name: Name) =>
    effective.some((one) => one.name === name && one.origin !== 'not set' && one.shown !== declared(one).fallback)
  const idle = mailNames.filter(isSet)
  if (mail === undefined && idle.length > 0)
    warnings.push(`${idle.join(', ')}: no effect, as MAIL_FROM is not set: no mail is sent`)
  if (mail?.isPlain && mail.login !== undefined) {
    warnings.push('MAIL_NOT_STARTTLS: the password and the mails go over the network unencrypted')
  }
  if (mail !== undefined && mail.instead === undefined && perun === undefined) {
    warnings.push(
      'MAIL_FROM is set without OS_CREDITS_PERUN_URL: nobody knows the owners of a group, so they get no mail',
    )
  }
  if (webhooks === undefined && isSet('OS_CREDITS_WEBHOOK_SECRET')) {
    warnings.push('OS_CREDITS_WEBHOOK_SECRET: no effect, as OS_CREDITS_WEBHOOK_URLS is not set')
  }
  return warnings
}

/** What means nothing without a sender. */
const mailNames: readonly Name[] = [
  'CLOUD_GOVERNANCE_MAIL',
  'NOTIFICATION_TO_OVERWRITE',
  'MAIL_SMTP_SERVER',
  'MAIL_SMTP_USER',
  'MAIL_SMTP_PASSWORD',
]

function declared({ name }: Effective): Declaration {
  return declarations[name]
}

/** Says to the command line where the worker is; both may have one environment. */
const OF_THE_COMMAND_LINE = 'OS_CREDITS_URL'

const knownNames = new Set<string>([
  OF_THE_COMMAND_LINE,
  ...entries.flatMap(([name, { secret, mayBeInFile }]: readonly [string, Declaration]) =>
    secret || mayBeInFile ? [name, `${name}_FILE`] : [name],
  ),
])

/** How names of the worker begin; those of other programs may begin like the shorter ones. */
const onlyOurs = /^(?:OS_CREDITS_|USAGE_EXPORTER_)/
const ours = /^(?:OS_CREDITS_|USAGE_EXPORTER_|CREDITS_|API_|METRICS?_)/

function warningAbout(name: string): string | undefined {
  const by = replaced.find((old) => old.name.test(name))?.by
  if (by !== undefined) return `${name} has no effect any more, it is replaced by ${by}`
  if (knownNames.has(name)) return undefined
  const meant = nearest(name, knownNames)
  if (meant !== undefined && ours.test(name)) return `${name} is not a setting, is ${meant} meant?`
  return onlyOurs.test(name) ? `${name} is not a setting` : undefined
}
