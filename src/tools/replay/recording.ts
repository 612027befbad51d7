/** Recorded expositions: what is in a file, and when it was recorded. */
import { readFileSync, statSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { AdmissionRules, Rejections } from '../../core/admit.ts'
import type { Reading } from '../../core/series.ts'
import { type Instant, parseInstant } from '../../core/time.ts'
import { type Format, parseExposition } from '../../sources/prometheus/exposition.ts'
import { readExposition, ScrapeError } from '../../sources/prometheus/scrape.ts'
import { EXIT_NO_INPUT, messageOf, ToolError } from '../program.ts'

export interface Recording {
  readonly path: string
  /** When it was recorded: of samples without a time of their own. */
  readonly at: Instant
  /** In order of time. */
  readonly readings: readonly Reading[]
  readonly rejected: Readonly<Rejections>
}

/**
 * @param at When it was recorded; from the name of the file, or its time, if not given.
 * @throws {ToolError} if it cannot be read, was cut short, or is something else.
 */
export function readRecording(
  path: string,
  at: Instant | undefined,
  rules: Pick<AdmissionRules, 'meters' | 'whitelist' | 'site'>,
): Recording {
  try {
    const bytes = readFileSync(path)
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
    const text = (isGzip ? gunzipSync(bytes) : bytes).toString()
    const recordedAt = at ?? timeInName(path) ?? Math.round(statSync(path).mtimeMs)
    const format = text.trimEnd().endsWith('# EOF') ? 'openmetrics' : 'text'
    refuseOthers(text, format)
    const { readings, rejected } = readExposition(text, format, { ...rules, labels: new Map(), at: recordedAt })
    return { path, at: recordedAt, readings: readings.toSorted((a, b) => a.at - b.at), rejected }
  } catch (error) {
    const what = error instanceof ScrapeError ? 'is no exposition' : 'cannot be read'
    throw new ToolError(EXIT_NO_INPUT, `${path} ${what}: ${messageOf(error)}`)
  }
}

/** Sources and logs have lines that look like samples, such as `return 1`: most lines of an exposition are some. */
function refuseOthers(text: string, format: Format): void {
  const { samples, errorCount, errors } = parseExposition(text, { format, wanted: () => true }, () => undefined)
  const [first] = errors
  // One without any is what /federate answers while its exporter is away.
  if (first === undefined || samples > errorCount) return
  throw new ScrapeError('no exposition', `Expected lines with samples. Line ${first.line}: ${first.message}`)
}

/** `site_a__20261121T033335_600Z.prom`, `2026-11-21T03:33:35.600Z.txt`, `2026-11-21_03-33-35.prom`: in UTC. */
export function timeInName(path: string): Instant | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const pattern = /(\d{4})-?(\d\d)-?(\d\d)[T_](\d\d)[:-]?(\d\d)[:-]?(\d\d)(?:[._](\d{3}))?/
  const [found, year, month, day, hour, minute, second, ms = '000'] = pattern.exec(name) ?? []
  return found === undefined ? undefined : parseInstant(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`)
}
