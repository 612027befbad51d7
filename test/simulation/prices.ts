/** The prices of a simulation, as a prices file and as the oracle reads them. */
import type { Configuration } from './configuration.ts'

export interface Price {
  /** -Infinity for the first one. */
  readonly from: number
  readonly price: string
}

export type Prices = Readonly<Record<string, readonly Price[]>>

/** One price, or two with a change in the middle of the simulation, at an instant that no scrape falls on. */
export function pricesOf({ changesPrice, duration }: Configuration, start: number): Prices {
  const change = start + Math.floor(duration / 2 / 1_000) * 1_000 + 777
  const first = Number.NEGATIVE_INFINITY
  return {
    project_vcpu_usage: [{ from: first, price: '1' }, ...(changesPrice ? [{ from: change, price: '1.37' }] : [])],
    project_mb_usage: [{ from: first, price: '0.3' }, ...(changesPrice ? [{ from: change, price: '0.0301' }] : [])],
  }
}

export function pricesFile(prices: Prices, maxGrowth: number): string {
  const meters = Object.entries(prices).map(([metric, list]) => ({
    metric,
    name: metric === 'project_vcpu_usage' ? 'cpu' : 'ram',
    unit: metric === 'project_vcpu_usage' ? 'vCPU·h' : 'GiB·h',
    description: metric,
    max_growth_per_hour: maxGrowth,
    prices: list.map(({ from, price }) => ({
      ...(Number.isFinite(from) && { from: new Date(from).toISOString() }),
      price,
    })),
  }))
  return JSON.stringify({ meters })
}
