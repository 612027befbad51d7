/**
 * Time cut into hours, days and months, as the clocks of a place have them.
 *
 * A bucket reaches from its start, exclusive, to its end, inclusive, as the windows of entries do: a reading at midnight
 * ends the day before. A day is what the place calls a day: 23 or 25 hours long when its clocks change, and not there at
 * all if the place skipped it. Only where buckets end depends on a zone; what is stored is in UTC.
 */
import { formatInstant, HOUR, type Instant, MINUTE, parseInstant, SECOND } from './time.ts'

export const steps = ['hour', 'day', 'month'] as const
export type Step = (typeof steps)[number]

/** The IANA name of a time zone, such as `Europe/Berlin`. */
export type Zone = string

export const UTC: Zone = 'UTC'

/** The zone as its name is written; `undefined` if there is none. An offset is no zone: it knows no summer. */
export function zoneNamed(name: string): Zone | undefined {
  if (!/^[A-Za-z]/.test(name)) return undefined
  try {
    const zone = inZone(0, name).timeZoneId
    return zone.toUpperCase() === UTC ? UTC : zone
  } catch {
    return undefined
  }
}

/** The beginning of a period, each boundary within it, and its end; the ends of at most `limit` buckets. */
export function boundaries(
  { from, to }: { readonly from: Instant; readonly to: Instant },
  { step, zone, limit }: { readonly step: Step; readonly zone: Zone; readonly limit: number },
): Instant[] {
  const found = [from]
  for (const at of boundariesAfter(from, step, zone)) {
    found.push(Math.min(at, to))
    if (at >= to || found.length > limit) break
  }
  return found
}

/** The start of the bucket that an instant belongs to. */
export function bucketStart(at: Instant, step: Step, zone: Zone): Instant {
  const within = at - 1
  if (step === 'hour') return within - sinceFullHour(within, zone)
  const time = inZone(within, zone)
  return (step === 'day' ? time : time.with({ day: 1 })).startOfDay().epochMilliseconds
}

/** The end of the bucket that an instant belongs to. */
export function bucketEnd(at: Instant, step: Step, zone: Zone): Instant {
  return boundariesAfter(at - 1, step, zone).next().value
}

function boundariesAfter(at: Instant, step: Step, zone: Zone): Generator<Instant, never> {
  return step === 'hour' ? hoursAfter(at, zone) : datesAfter(at, step, zone)
}

/** When the clocks of a zone show a full hour. One in which they change by half an hour is half an hour longer. */
function* hoursAfter(after: Instant, zone: Zone): Generator<Instant, never> {
  let at = after
  for (;;) {
    at += HOUR - sinceFullHour(at, zone)
    if (sinceFullHour(at, zone) === 0) yield at
  }
}

/** When dates of a zone begin. One that the zone skipped begins with the next. */
function* datesAfter(after: Instant, step: 'day' | 'month', zone: Zone): Generator<Instant, never> {
  let last = after
  let date = inZone(after, zone).toPlainDate()
  if (step === 'month') date = date.with({ day: 1 })
  for (;;) {
    date = date.add(step === 'day' ? { days: 1 } : { months: 1 })
    const at = date.toZonedDateTime(zone).epochMilliseconds
    if (at > last) yield at
    last = Math.max(at, last)
  }
}

function sinceFullHour(at: Instant, zone: Zone): number {
  const { minute, second, millisecond } = inZone(at, zone)
  return minute * MINUTE + second * SECOND + millisecond
}

/** `2026-03-29T00:00:00.000+01:00`, and with `Z` in UTC. */
export function formatInZone(at: Instant, zone: Zone): string {
  if (zone === UTC) return formatInstant(at)
  return inZone(at, zone).toString({ timeZoneName: 'never', fractionalSecondDigits: 3 })
}

/** Reads an instant a person writes, as `parseInstant` does; without a zone it is what the clocks of `zone` show. */
export function parseInZone(text: string, zone: Zone): Instant | undefined {
  const at = parseInstant(text)
  if (at === undefined || zone === UTC || /(Z|[+-]\d{2}:\d{2})$/.test(text)) return at
  return inZone(at, UTC).toPlainDateTime().toZonedDateTime(zone).epochMilliseconds
}

function inZone(at: Instant, zone: Zone): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone)
}
