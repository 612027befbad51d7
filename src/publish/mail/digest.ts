/** What a mail says: one digest of all notices that somebody is told of, as text and as HTML. */
import { inPath } from '../../core/groupPath.ts'
import type { Told } from '../messenger.ts'
import { creditsOf, dayOf, escapeHtml, grantOf, leftOf, minuteOf, plainName } from './words.ts'

export interface DigestOptions {
  /** Decimals of credits. */
  readonly precision: number
  /** Where people reach the worker, without a slash at the end. */
  readonly publicUrl?: string
  /** Whom to ask. */
  readonly governance?: string
}

export interface Digest {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** A notice in words. */
interface Section {
  readonly title: string
  /** What and how much. */
  readonly facts: readonly (readonly [name: string, value: string])[]
  readonly link?: string
}

/** How many notices a mail tells in full; of more it says how many there are. */
const MOST_SECTIONS = 100

/** A line of a header should be short. */
const LONGEST_NAME_IN_SUBJECT = 60

const greeting = 'You get this because you are named as a contact of the following in the cloud.'

/** @param notices At least one. */
export function writeDigest(notices: readonly Told[], options: DigestOptions): Digest {
  const shown = notices.slice(0, MOST_SECTIONS)
  const rest = notices.length - shown.length
  const more = rest === 0 ? [] : [{ title: `… and ${rest} more`, facts: [] }]
  const sections = [...shown.map((notice) => sectionOf(notice, options)), ...more]
  const advice = adviceOf(notices, options)
  return { subject: subjectOf(notices), text: asText(sections, advice), html: asHtml(sections, advice) }
}

function subjectOf(notices: readonly Told[]): string {
  const [first] = notices
  const groups = new Set(notices.map(({ group }) => group)).size
  if (groups > 1) return `Credits of ${groups} projects`
  const name = plainName(first!.group, LONGEST_NAME_IN_SUBJECT)
  return notices.length > 1 ? `Credits of ${name}` : `Credits of ${name}: ${briefly(first!)}`
}

function briefly({ kind, line, granted, outlook }: Told): string {
  if (kind === 'threshold') return isAll({ line, granted }) ? 'all used' : `${line} % used`
  return outlook?.runsOutAt === undefined ? 'running out' : `used up about ${dayOf(outlook.runsOutAt)}`
}

function sectionOf(notice: Told, { precision, publicUrl }: DigestOptions): Section {
  const { group, granted, used, at, outlook } = notice
  const burn = outlook && `${outlook.burnPerDay.toFixed(precision)} credits a day at present`
  const facts: [string, string | undefined][] = [
    ['Used', `${creditsOf(used, precision)} of ${grantOf(granted)} granted credits on ${minuteOf(at)}`],
    ['Left', `${leftOf(granted, used, precision)} credits`],
    ['Burn', burn],
    [
      'Used up',
      outlook?.runsOutAt === undefined ? undefined : `about ${dayOf(outlook.runsOutAt)}, if it goes on like this`,
    ],
  ]
  return {
    title: `${plainName(group)} ${happened(notice)}`,
    facts: facts.filter((fact): fact is [string, string] => fact[1] !== undefined),
    ...(publicUrl !== undefined && { link: `${publicUrl}/groups/${inPath(group)}` }),
  }
}

function happened({ kind, line, granted }: Told): string {
  if (kind === 'runs out') return `will have used up its credits within ${line} days`
  return isAll({ line, granted }) ? 'has used up its credits' : `has used ${line} % of its credits`
}

/** Whatever is used of a grant of nothing is all of it. */
function isAll({ line, granted }: Pick<Told, 'line' | 'granted'>): boolean {
  return line === 100 || granted === '0'
}

function adviceOf(notices: readonly Told[], { governance }: DigestOptions): readonly string[] {
  const whom = governance === undefined ? 'the people who run your cloud' : governance
  const isOver = notices.some(({ kind, line }) => kind === 'threshold' && line >= 100)
  return [
    `If the work is not finished by then, ask for more credits in time: ${whom}. Machines that are not needed any more use credits until they are deleted.`,
    isOver
      ? 'This service stops no machine when credits are used up. What happens then is decided by the people who run your cloud.'
      : 'You are told of each of these steps once, and again if more credits are granted.',
    `If you do not want to be told of a project any more, ask ${whom} to mute it.`,
  ]
}

function asText(sections: readonly Section[], advice: readonly string[]): string {
  const parts = sections.map(({ title, facts, link }) =>
    [
      title,
      ...facts.map(([name, value]) => `  ${`${name}:`.padEnd(9)}${value}`),
      ...(link === undefined ? [] : [`  ${link}`]),
    ].join('\n'),
  )
  return `${[greeting, ...parts, '-- ', ...advice].join('\n\n')}\n`
}

function asHtml(sections: readonly Section[], advice: readonly string[]): string {
  const parts = sections.map(sectionHtml)
  const paragraphs = advice.map((line) => `<p style="margin:0 0 8px">${escapeHtml(line)}</p>`)
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>Credits</title></head>
<body style="font-family:sans-serif;font-size:15px;line-height:1.4;max-width:640px;margin:0 auto;padding:16px">
<p style="margin:0 0 16px">${escapeHtml(greeting)}</p>
${parts.join('\n')}
<div style="border-top:1px solid #888;padding-top:12px;font-size:13px">
${paragraphs.join('\n')}
</div>
</body>
</html>
`
}

function sectionHtml({ title, facts, link }: Section): string {
  const heading = escapeHtml(title)
  const linked = link === undefined ? heading : `<a href="${escapeHtml(link)}">${heading}</a>`
  const rows = facts.map(
    ([name, value]) =>
      `<tr><th scope="row" style="text-align:left;padding:2px 16px 2px 0;font-weight:normal">${name}</th><td>${escapeHtml(value)}</td></tr>`,
  )
  return `<h2 style="font-size:17px;margin:0 0 4px">${linked}</h2>
<table role="presentation" style="border-spacing:0;margin:0 0 20px">${rows.join('')}</table>`
}
