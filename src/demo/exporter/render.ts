/**
 * Writes metrics as the Python client library of Prometheus does, character by character, in both of its formats.
 *
 * That library writes a number as Python would and then moves the point for numbers from a million on, so that they look
 * almost like Go's. Nearly, because an exponent always gets one zero in front: `1e+06`, but also `1e+010`.
 */
export type Format = 'text' | 'openmetrics'

export const contentTypes: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=0.0.1; charset=utf-8',
}

interface Sample {
  /** In the order in which they are written. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Samples of one name. The name of a counter ends in `_total`. */
export interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  readonly samples: readonly Sample[]
}

/** A metric without samples is still announced, as before the exporter's first update. */
export function render(metrics: readonly Metric[], format: Format): string {
  const text = metrics.map((metric) => renderMetric(metric, format)).join('')
  return format === 'openmetrics' ? `${text}# EOF\n` : text
}

function renderMetric({ name, help, type, samples }: Metric, format: Format): string {
  // OpenMetrics announces a counter by its name without the suffix.
  const family = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name
  const lines = samples.map(({ labels, value }) => `${name}${formatLabels(labels)} ${formatValue(value)}\n`)
  return `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n${lines.join('')}`
}

/** `{a="1",b="2"}`, or nothing when there are no labels. */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

/** The shortest text that reads back as the same double: `0.0`, `1e-05`, `251240.72926282053`, `1.0047221891027555e+06`. */
export function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  const [mantissa, power] = value.toExponential().split('e') as [string, string]
  const exponent = Number(power)
  if (exponent < -4) return `${mantissa}e-${String(-exponent).padStart(2, '0')}`
  if (exponent >= 16) return `${mantissa}e+${exponent}`
  // The library moves the point of positive numbers only.
  if (value > 0 && exponent >= 6) return `${mantissa}e+0${exponent}`
  const plain = String(value)
  return plain.includes('.') ? plain : `${plain}.0`
}
