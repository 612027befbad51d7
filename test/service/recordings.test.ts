/**
 * Real input, end to end: recordings of the real exporter and of a real Prometheus go over HTTP through a whole worker into
 * the Perun simulator. What stands there in the end equals what a few lines of decimal arithmetic say, which share no code
 * with the worker.
 */
import Big from 'big.js'
import { expect, suite, test } from 'vitest'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { type Recording, recordings, servePlayback } from '../helpers/recordings.ts'
import { startWorker, until } from '../helpers/worker.ts'

const SITE = 8676
/** One of the recorded projects has a million vCPUs: with the usual limit that would be held. */
const prices = `
meters:
  - { metric: project_vcpu_usage, name: cpu, unit: vCPU·h, max_growth_per_hour: 100000000, prices: [{ price: 1 }] }
  - { metric: project_mb_usage, name: ram, unit: GiB·h, max_growth_per_hour: 100000000, prices: [{ price: 0.3 }] }
`

/**
 * What each group must have used: all growth of a series times its price, in whole micro-credits (what does not fill one is
 * carried on), summed over its series and rounded half to even.
 */
function expected(list: readonly Recording[]): Map<string, string> {
  const price: Record<string, string> = { project_vcpu_usage: '1', project_mb_usage: '0.3' }
  const growth = new Map<string, { name: string; metric: string; last: Big; sum: Big }>()
  const line = /^(project_(?:vcpu|mb)_usage)\{(?:.*,)?project_id="([^"]*)",project_name="((?:[^"\\]|\\.)+)"\} (\S+)/gm
  for (const { text } of list) {
    for (const [, metric, id, escaped, digits] of text.matchAll(line)) {
      const name = JSON.parse(`"${escaped}"`) as string
      const value = new Big(digits!)
      const key = JSON.stringify([metric, id, name])
      const { last, sum } = growth.get(key) ?? { last: value, sum: new Big(0) }
      growth.set(key, { name, metric: metric!, last: value, sum: value.gt(last) ? sum.plus(value.minus(last)) : sum })
    }
  }
  const used = new Map<string, Big>()
  for (const { name, metric, sum } of growth.values()) {
    const credits = sum.times(price[metric]!).round(6, Big.roundDown)
    used.set(name, (used.get(name) ?? new Big(0)).plus(credits))
  }
  return new Map([...used].map(([name, amount]) => [name, amount.toFixed(2, Big.roundHalfEven)]))
}

interface Playing {
  /** Of the scrapes, in milliseconds: long enough for one recording on a busy machine, as one that is given up is lost. */
  readonly interval?: number
  /** The site as a label of the target instead of a setting. */
  readonly site?: number
}

async function playThrough(list: readonly Recording[], { interval = 300, site }: Playing = {}) {
  await using playback = await servePlayback(list)
  await using perun = await startPerun()
  const truth = expected(list)
  for (const name of truth.keys()) perun.addGroup({ name, granted: '1000000', resources: [site ?? SITE] })
  const url = `${playback.url}/metrics`
  const targets = [{ targets: [url], labels: { location: 'site', location_id: `${site}` } }]
  await using worker = await startWorker({
    perun,
    clock: playback.clock,
    files: { 'prices.yaml': prices, 'targets.json': JSON.stringify(targets) },
    env: {
      OS_CREDITS_PRICES_FILE: 'prices.yaml',
      OS_CREDITS_SCRAPE_INTERVAL: `${interval}ms`,
      OS_CREDITS_SCRAPE_TIMEOUT: `${interval - 1}ms`,
      ...(site === undefined
        ? { USAGE_EXPORTER_URLS: url, OS_CREDITS_LOCATION_ID: `${SITE}` }
        : { USAGE_EXPORTER_TARGETS_FILE: 'targets.json' }),
    },
  })
  await until('all recordings were scraped', () => playback.isOver(), 60_000)
  await worker.stop()
  expect(new Map(perun.readAll().map(({ name, used }) => [name, used]))).toEqual(truth)
  return truth
}

suite('what the real exporter said ends in Perun as exact credits', () => {
  test.each([
    ['one project', 'site_a.1__start-2018-12-01'],
    ['a domain given by its id', 'dummy_cc__domain-id__start-2018-12-01'],
    ['weights and SimpleVM projects', 'dummy_cc__weights__simplevm__start-2018-12-01'],
    ['names that need escapes, two of them in two domains', 'escapes__start-now'],
  ])('%s', async (_, prefix) => {
    const truth = await playThrough(recordings('exporter', prefix))
    expect([...truth.values()].some((used) => used !== '0.00')).toBe(true)
  })

  test('an exporter that restarts with a later start date in between', async () => {
    const before = recordings('exporter', 'site_a.1__start-2018-12-01')
    const after = recordings('exporter', 'site_a.1__restarted-start-2024-01-01')
    const truth = await playThrough([...before, ...after].sort((a, b) => a.at - b.at))
    expect(truth.size).toBe(1)
  })

  test('2,000 projects', async () => {
    const truth = await playThrough(recordings('exporter', 'site_a.2000__start-2020-07-15'), { interval: 1_000 })
    expect(truth.size).toBe(2_000)
  })

  test('10,000 projects', async () => {
    const truth = await playThrough(recordings('exporter', 'site_a.10000__start-2020-07-15'), { interval: 3_000 })
    expect(truth.size).toBe(10_000)
  }, 120_000)
})

suite('what a real Prometheus passed on ends in Perun as exact credits', () => {
  test('scrapes of the exporter that it stored', async () => {
    await playThrough(recordings('prometheus', 'scrape-exporter-site-a'))
  })

  test('/federate with its own timestamps, repeats, an outage and a restart in between', async () => {
    const truth = await playThrough(recordings('prometheus', 'federate-site-a'), { site: 4711 })
    expect(truth.size).toBe(1)
  })

  test('/federate of 2,000 projects', async () => {
    const truth = await playThrough(recordings('prometheus', 'federate-site-c-2000'), { interval: 1_000, site: 4711 })
    expect(truth.size).toBe(2_000)
  })

  test('/federate of 10,000 projects', async () => {
    const truth = await playThrough(recordings('prometheus', 'federate-site-d-10000'), { interval: 3_000, site: 4711 })
    expect(truth.size).toBe(10_000)
  }, 120_000)
})
