/** Writes samples as an exporter would, for tests that read them back. */
import type { Instant } from '../../src/core/time.ts'
import type { Format } from '../../src/sources/prometheus/exposition.ts'

export interface PlainSample {
  readonly metric: string
  readonly labels: readonly (readonly [name: string, value: string])[]
  readonly value: string
  readonly at?: Instant | undefined
}

export function renderExposition(samples: readonly PlainSample[], format: Format): string {
  const lines = samples.map((sample) => `${renderSample(sample, format)}\n`).join('')
  return format === 'openmetrics' ? `${lines}# EOF\n` : lines
}

function renderSample({ metric, labels, value, at }: PlainSample, format: Format): string {
  const isPlain = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(metric)
  const pairs = labels.map(([name, text]) => `${renderLabelName(name)}=${quote(text)}`)
  const inBraces = isPlain ? pairs : [quote(metric), ...pairs]
  const braces = inBraces.length === 0 ? '' : `{${inBraces.join(',')}}`
  const timestamp = at === undefined ? '' : ` ${format === 'openmetrics' ? renderSeconds(at) : at}`
  return `${isPlain ? metric : ''}${braces} ${value}${timestamp}`
}

function renderLabelName(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quote(name)
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}

function renderSeconds(at: Instant): string {
  const sign = at < 0 ? '-' : ''
  const digits = String(Math.abs(at)).padStart(4, '0')
  return `${sign}${digits.slice(0, -3)}.${digits.slice(-3)}`
}
