/**
 * Names and amounts as a mail may show them.
 *
 * Whoever names a project decides what is in its name: quotes, tags, line breaks, signs that turn the direction of the text.
 * None of it may become part of a header, of HTML or of the layout of the text.
 */
import { formatRounded } from '../../core/credits.ts'
import { decimal, formatFixed, round, subtract } from '../../core/decimals.ts'
import { formatInstant, type Instant } from '../../core/time.ts'

const LONGEST_NAME = 200
const LONGEST_NUMBER = 40

/** A name on one line, what cannot be seen in it replaced. */
export function plainName(name: string, longest = LONGEST_NAME): string {
  const visible = name.toWellFormed().replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD')
  return `“${cut(visible, longest)}”`
}

/** Text as HTML, in an attribute too. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

export function creditsOf(used: bigint, precision: number): string {
  return formatRounded(used, precision)
}

/** A grant as Perun shows it, which may be of any length. */
export function grantOf(granted: string): string {
  return cut(granted, LONGEST_NUMBER)
}

/** Less than nothing if more was used; rounded as what was used is. */
export function leftOf(granted: string, used: bigint, precision: number): string {
  const left = subtract(decimal(granted), { digits: used, scale: MICRO })
  return cut(formatFixed(round(left, precision)), LONGEST_NUMBER)
}

/** Decimals of a micro-credit. */
const MICRO = 6

/** `2026-11-24`. */
export function dayOf(at: Instant): string {
  return formatInstant(at).slice(0, 10)
}

/** `2026-11-24 07:58 UTC`. */
export function minuteOf(at: Instant): string {
  return `${formatInstant(at).slice(0, 16).replace('T', ' ')} UTC`
}

function cut(text: string, longest: number): string {
  const characters = [...text]
  return characters.length <= longest ? text : `${characters.slice(0, longest - 1).join('')}…`
}
