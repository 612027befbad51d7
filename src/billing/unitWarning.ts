/** Warns of exporters that count RAM in another unit than the meter says: old ones count MiB·h. */
import { approximate } from '../core/decimals.ts'
import type { Meters } from '../core/meters.ts'
import type { Reading, Series } from '../core/series.ts'
import type { Logger } from '../telemetry/logger.ts'

/** Nobody reads more warnings than this. */
const MOST_WARNED = 1_000

/** GiB per vCPU: real clouds lie between 1 and 64. Beyond these, RAM is counted in another unit than the meter says. */
const PLAUSIBLE_RATIO = { least: 0.05, most: 512 }

/** Readings that are looked at before other work may have its turn. */
const STEP = 2_000

/** Looks at all readings of a delivery, in steps, and warns once for each site whose RAM looks wrong. */
export function createUnitWarning(
  meters: Meters,
  logger: Logger,
): (readings: readonly Reading[]) => Generator<void, void> {
  const cpu = [...meters.values()].find(({ unit }) => unit === 'vCPU·h')
  const ram = [...meters.values()].find(({ unit }) => unit === 'GiB·h' || unit === 'MiB·h')
  const warned = new Set<string>()
  return function* (readings) {
    if (cpu === undefined || ram === undefined || warned.size >= MOST_WARNED) return
    const totals = new SiteTotals()
    for (let index = 0; index < readings.length; index += 1) {
      totals.add(readings[index]!)
      if (index % STEP === STEP - 1) yield
    }
    for (const site of totals.sites()) {
      const ratio = warned.has(site) ? undefined : totals.ramPerCpu(site, cpu.metric, ram.metric)
      if (ratio === undefined) continue
      const inGiB = ram.unit === 'GiB·h' ? ratio : ratio / 1_024
      if (inGiB >= PLAUSIBLE_RATIO.least && inGiB <= PLAUSIBLE_RATIO.most) continue
      warned.add(site)
      logger.warn(
        { site, ratio: Math.round(ratio * 100) / 100, unit: ram.unit },
        `Site ${site} reports ${ratio.toPrecision(3)} times as much ${ram.metric} as ${cpu.metric}: its exporter seems to count another unit than the ${ram.unit} of meter ${ram.name}`,
      )
    }
  }
}

/** About what all series of a metric of a site add up to. */
export class SiteTotals {
  private readonly totals = new Map<string, Map<string, number>>()

  add({ series: { site, metric }, value }: { series: Pick<Series, 'site' | 'metric'>; value: Reading['value'] }): void {
    const ofSite = this.totals.get(site) ?? new Map<string, number>()
    this.totals.set(site, ofSite)
    ofSite.set(metric, (ofSite.get(metric) ?? 0) + approximate(value))
  }

  sites(): Iterable<string> {
    return this.totals.keys()
  }

  /** RAM per vCPU of a site, to tell a wrong unit; `undefined` without both, or if they are beyond all numbers. */
  ramPerCpu(site: string, cpuMetric: string, ramMetric: string): number | undefined {
    const ofSite = this.totals.get(site)
    const [cpu, ram] = [ofSite?.get(cpuMetric) ?? 0, ofSite?.get(ramMetric) ?? 0]
    return cpu > 0 && ram > 0 && Number.isFinite(cpu + ram) ? ram / cpu : undefined
  }
}
