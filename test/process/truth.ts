/** What was used, computed from the exporters' own words with decimal arithmetic that shares nothing with the worker's. */
import Big from 'big.js'

export const prices: Readonly<Record<string, string>> = { project_vcpu_usage: '1', project_mb_usage: '0.3' }

/** The same prices as a file; without limits worth the name, because clouds in tests are fast and machines may be slow. */
export const pricesFile = JSON.stringify({
  meters: Object.entries(prices).map(([metric, perUnit]) => ({
    metric,
    max_growth_per_hour: 1e9,
    prices: [{ price: perUnit }],
  })),
})

/** The totals of an exporter, by metric and project. */
export async function valuesOf(url: string): Promise<Map<string, Big>> {
  const text = await (await fetch(url)).text()
  const lines = text.matchAll(/^(project_\w+_usage)\{.*project_name="([^"]+)"\} (\S+)/gm)
  return new Map(Array.from(lines, ([, metric, name, value]) => [`${metric} ${name}`, new Big(value!)]))
}

/** Growth of each series times its price, in whole micro-credits, added up by group. */
export function growthInCredits(sites: readonly { first: Map<string, Big>; last: Map<string, Big> }[]) {
  const used = new Map<string, Big>()
  for (const { first, last } of sites) {
    for (const [key, value] of last) {
      const [metric, ...words] = key.split(' ')
      const name = words.join(' ')
      const credits = value.minus(first.get(key)!).times(prices[metric!]!).round(6, Big.roundDown)
      used.set(name, (used.get(name) ?? new Big(0)).plus(credits))
    }
  }
  return used
}

/** A clock for exporters: stands still until it is let go. */
export function standingClock() {
  const begin = Date.now()
  let [passed, since] = [0, undefined as number | undefined]
  const now = () => begin + passed + (since === undefined ? 0 : Date.now() - since)
  return {
    now,
    go: () => {
      since = Date.now()
    },
    stand: () => {
      passed = now() - begin
      since = undefined
    },
  }
}
