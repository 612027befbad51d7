/** Time as questions name it: instants, and the zone whose clocks they are read by. */
import { parseInZone, UTC, type Zone, zoneNamed } from '../core/buckets.ts'
import type { Instant } from '../core/time.ts'
import { BadRequestError } from './errors.ts'
import { describe } from './json.ts'
import { type Asked, queryText } from './route.ts'

/** The parameter `tz`; UTC if it is not given. @throws {BadRequestError} if it is no zone. */
export function queryZone(ctx: Asked): Zone {
  const given = queryText(ctx, 'tz') ?? UTC
  const zone = zoneNamed(given)
  if (zone !== undefined) return zone
  throw new BadRequestError(`tz: expected the IANA name of a time zone such as Europe/Berlin, got ${describe(given)}.`)
}

/** A parameter that is an instant, if it is given. @throws {BadRequestError} if it is none. */
export function queryInstant(ctx: Asked, name: string, zone: Zone): Instant | undefined {
  const given = queryText(ctx, name)
  const at = given === undefined ? undefined : parseInZone(given, zone)
  if (given === undefined || at !== undefined) return at
  throw new BadRequestError(`${name}: expected 2026-01-31 or 2026-01-31T12:00:00Z, got ${describe(given)}.`)
}
