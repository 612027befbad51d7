/** Instants and amounts as people read them. */
import { formatInZone, type Step, UTC, type Zone } from '../../../core/buckets.ts'
import { formatInstant, type Instant } from '../../../core/time.ts'
import { type Html, html } from '../html.ts'

/** `2026-03-29 14:00` as the clocks of a zone show it. */
export function moment(at: Instant, zone: Zone): Html {
  return html`<time datetime="${formatInstant(at)}" class="nowrap">${formatInZone(at, zone).slice(0, 16).replace('T', ' ')}</time>`
}

/** A bucket by its name: `2026-03`, `2026-03-29`, `2026-03-29 14:00–15:00`. */
export function bucketName([start, end]: readonly [Instant, Instant], step: Step, zone: Zone): string {
  // The end belongs to the bucket, its beginning does not.
  const [from, to] = [start, end].map((at) => formatInZone(at, zone))
  if (step === 'month') return from!.slice(0, 7)
  if (step === 'day') return from!.slice(0, 10)
  // An hour that clocks show twice is told apart by its offset.
  const offset = zone === UTC ? '' : ` ${from!.slice(23)}`
  return `${from!.slice(0, 10)} ${from!.slice(11, 16)}–${to!.slice(11, 16)}${offset}`
}

/** A number that the script draws, as it stands in the table. */
export function drawn(value: string): Html {
  return html`<data value="${value}">${value}</data>`
}
