/**
 * Reads what Perun shows of a group from its attributes.
 *
 * People and other programs write these values too. What is kept of them has a size that does not depend on who did.
 */
import type { Instant } from '../../core/time.ts'
import { type AttributeNames, fullName } from './attributes.ts'
import { readAttributes } from './shapes.ts'

/** A group as Perun shows it at a site. */
export interface GroupView {
  readonly id: number
  readonly used?: string
  readonly usedModifiedAt?: string
  readonly usedModifiedBy?: string
  readonly granted?: string
  /** By the exporter's name of the metric, in Perun's notation. */
  readonly timestamps: Readonly<Record<string, string>>
  /** When the reading of it began; what we wrote since is in it, what others changed since is not. */
  readonly readAt: Instant
  /** When we last wrote it, if we did since. */
  readonly writtenAt?: Instant
  /** Why the group cannot be published as it is shown; a person has to correct it in Perun. */
  readonly trouble?: string
}

/** @throws {PerunError} unless `attributes` are attributes. */
export function toView(
  method: string,
  { id, attributes }: { readonly id: number; readonly attributes?: unknown },
  names: AttributeNames,
  readAt: Instant,
): GroupView {
  const beans = readAttributes(method, attributes)
  const bean = (name: string) => beans.find((each) => fullName(each) === name)
  const missing = [names.used, names.granted, names.timestamps].find((name) => bean(name) === undefined)
  if (missing !== undefined) return { id, readAt, timestamps: {}, trouble: `${missing} may not be read` }
  const usedBean = bean(names.used)
  const used = textOf(usedBean?.value)
  const granted = textOf(bean(names.granted)?.value)
  return {
    id,
    readAt,
    ...readTimestamps(bean(names.timestamps)?.value),
    ...(used !== undefined && { used }),
    ...(granted !== undefined && { granted }),
    ...(typeof usedBean?.valueModifiedAt === 'string' && {
      usedModifiedAt: cut(usedBean.valueModifiedAt, LONGEST_NAME),
    }),
    ...(typeof usedBean?.valueModifiedBy === 'string' && {
      usedModifiedBy: cut(usedBean.valueModifiedBy, LONGEST_NAME),
    }),
  }
}

const LONGEST_NAME = 200

/** A number that is longer than this is none, cut or not (see `core/decimals.ts`). */
const LONGEST_VALUE = 1_201

/** What is no text and no number becomes a text that is no number: it is not the same as nothing. */
function textOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined
  return cut(typeof value === 'string' ? value : JSON.stringify(value), LONGEST_VALUE)
}

/** A part of a string would keep the whole string in memory. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : Buffer.from(text.slice(0, length)).toString()
}

/** Some metrics, each with one time. */
const MOST_TIMESTAMPS = 200
const LONGEST_TIMESTAMPS = 20_000

/**
 * Perun replaces a map as a whole, so entries that are not ours are written again as they are. A line break in one of them
 * can make Perun unable to read the map, and with it all groups of the site.
 */
function readTimestamps(value: unknown): Pick<GroupView, 'timestamps' | 'trouble'> {
  if (value === null || value === undefined) return { timestamps: {} }
  const trouble = troubleWith(value)
  return trouble === undefined
    ? { timestamps: value as Record<string, string> }
    : { timestamps: {}, trouble: `its timestamps ${trouble}: correct them there` }
}

function troubleWith(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'are no map'
  const entries = Object.entries(value)
  if (entries.length > MOST_TIMESTAMPS) return `have more than ${MOST_TIMESTAMPS} entries`
  if (entries.some(([, text]) => typeof text !== 'string')) return 'hold something else than text'
  const texts = entries.flat() as string[]
  if (texts.reduce((sum, { length }) => sum + length, 0) > LONGEST_TIMESTAMPS) return 'are too long'
  return texts.some((text) => /[\p{Cc}\u2028\u2029]/u.test(text))
    ? 'hold a line break or another control character'
    : undefined
}
