/** Whichever way samples come, and however often: what is charged is the same, and exact. */
import Big from 'big.js'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { createIntake } from '#src/billing/intake.ts'
import { noRejections } from '#src/core/admit.ts'
import { formatDecimal } from '#src/core/decimals.ts'
import { HOUR, MINUTE } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { readExposition } from '#src/sources/prometheus/scrape.ts'
import { meters, silent, T0, testClock } from '../helpers/billing.ts'
import {
  decodedRecordings,
  push,
  receiversOf,
  recordedPushes,
  rules,
  snappy,
  usage,
  version1,
  version2,
  type WrittenSeries,
} from '../helpers/pushes.ts'
import { startWorker } from '../helpers/worker.ts'

const type = 'application/x-protobuf'
const asVersion1 = { contentType: type, contentEncoding: 'snappy' }
const asVersion2 = { ...asVersion1, contentType: `${type};proto=io.prometheus.write.v2.Request` }

type Way = 'scrape' | 'remote write 1.0' | 'remote write 2.0' | 'influx'
const ways: readonly Way[] = ['scrape', 'remote write 1.0', 'remote write 2.0', 'influx']

/** A worker's middle: what takes samples, and the ledger where they end. */
function middle() {
  const clock = testClock(T0 + 10 * HOUR)
  const ledger = openSqliteLedger(':memory:')
  const about = { maxSeries: 100, smallSites: 'charge', meters, clock, logger: silent, onChanged: () => {} } as const
  const intake = createIntake({ ledger, ...about })
  const receivers = receiversOf((delivery) => intake.take(delivery), clock)
  async function take(way: Way, series: readonly WrittenSeries[]): Promise<void> {
    if (way === 'remote write 1.0') await receivers.remoteWrite.take(push(snappy(version1(series)), asVersion1))
    else if (way === 'remote write 2.0') await receivers.remoteWrite.take(push(snappy(version2(series)), asVersion2))
    else if (way === 'influx') await receivers.influx.take(push(asLines(series), { precision: 'ms' }))
    else {
      const { readings } = readExposition(asExposition(series), 'text', rules(clock.now(), { origin: 'scrape' }))
      await intake.take({ id: 'scrape', source: 'scrape', receivedAt: clock.now(), readings, rejected: noRejections() })
    }
  }
  return { ledger, take }
}

/** As Go and Python write a double: with an exponent from a million on. */
function asDigits(value: number): string {
  return value >= 1e6 ? value.toExponential() : String(value)
}

function asExposition(series: readonly WrittenSeries[]): string {
  const lines = series.flatMap(({ labels: { __name__: metric, ...labels }, samples }) =>
    samples.map(([at, value]) => {
      const all = Object.entries(labels).map(([name, text]) => `${name}="${text}"`)
      return `${metric}{${all.join(',')}} ${asDigits(Number(value))} ${at}\n`
    }),
  )
  return lines.join('')
}

function asLines(series: readonly WrittenSeries[]): string {
  const lines = series.flatMap(({ labels, samples }) =>
    samples.map(([at, value]) => {
      const tags = Object.entries(labels).map(([name, text]) => `,${name}=${text.replaceAll(' ', '\\ ')}`)
      return `${labels.__name__}${tags.join('')} value=${Number(value)} ${at}\n`
    }),
  )
  return lines.join('')
}

const steps = fc.array(
  fc.tuple(fc.integer({ min: 1, max: 10 * MINUTE }), fc.double({ min: 0, max: 900, noNaN: true })),
  {
    minLength: 1,
    maxLength: 8,
  },
)

/** Rising totals, as doubles. */
function seriesOf(project: string, metric: string, list: readonly (readonly [number, number])[]): WrittenSeries {
  const samples: [number, number][] = [[T0, 999_000.1]]
  for (const [ms, growth] of list) {
    const [at, value] = samples.at(-1)!
    samples.push([at + ms, value + growth])
  }
  return usage(project, samples, metric)
}

suite('Samples', () => {
  const all = fc
    .tuple(steps, steps, steps)
    .map(([a, b, c]) => [
      seriesOf('Bio Vis', 'project_vcpu_usage', a),
      seriesOf('Bio Vis', 'project_mb_usage', b),
      seriesOf('Genome', 'project_vcpu_usage', c),
    ])

  async function outcome(run: (one: ReturnType<typeof middle>) => Promise<void>) {
    const one = middle()
    await run(one)
    const { ledger } = one
    const { rows } = await ledger.credits(10)
    const notes = await ledger.summary()
    const states = [
      ...(await ledger.seriesOf('8676', 'project_vcpu_usage')),
      ...(await ledger.seriesOf('8676', 'project_mb_usage')),
    ]
    await ledger.close()
    // To the last digit, which no micro-credit shows.
    const last = states.map(({ series, state }) => [series, state.watermark.at, formatDecimal(state.watermark.value)])
    return { last, used: rows.map(({ group, used }) => [group, used]), series: notes.series, holds: notes.holds }
  }

  /** The samples of all series in order of time, each by itself. */
  const oneByOne = (series: readonly WrittenSeries[]) =>
    series
      .flatMap(({ labels, samples }) => samples.map((sample) => ({ labels, samples: [sample] })))
      .toSorted((a, b) => a.samples[0]![0] - b.samples[0]![0])

  test('end in the same ledger, whichever way each of them comes', async () => {
    await fc.assert(
      fc.asyncProperty(all, fc.infiniteStream(fc.constantFrom(...ways)), async (series, choice) => {
        const expected = await outcome(async ({ take }) => {
          for (const each of oneByOne(series)) await take('scrape', [each])
        })
        const mixed = await outcome(async ({ take }) => {
          for (const each of oneByOne(series)) await take(choice.next().value, [each])
        })
        expect(mixed).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })

  test('are charged once, when each comes by all ways, some of them twice', async () => {
    await fc.assert(
      fc.asyncProperty(all, async (series) => {
        const expected = await outcome(async ({ take }) => {
          for (const each of oneByOne(series)) await take('scrape', [each])
        })
        const often = await outcome(async ({ take }) => {
          for (const each of oneByOne(series)) for (const way of [...ways, 'scrape' as const]) await take(way, [each])
          for (const way of ways) await take(way, series)
        })
        expect(often).toEqual(expected)
      }),
      { numRuns: 20 },
    )
  })

  test('pushed all at once after an outage are charged as if they had been scraped one after another', async () => {
    const growth = fc.double({ min: 0, max: 900, noNaN: true })
    const site = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 10 * MINUTE }), growth, growth, growth), { minLength: 1, maxLength: 8 })
      .map((list) => [
        seriesOf(
          'Bio Vis',
          'project_vcpu_usage',
          list.map(([ms, one]) => [ms, one]),
        ),
        seriesOf(
          'Bio Vis',
          'project_mb_usage',
          list.map(([ms, , one]) => [ms, one]),
        ),
        seriesOf(
          'Genome',
          'project_vcpu_usage',
          list.map(([ms, , , one]) => [ms, one]),
        ),
      ])
    await fc.assert(
      fc.asyncProperty(site, fc.constantFrom(...ways.slice(1)), async (series, way) => {
        const expected = await outcome(async ({ take }) => {
          const scrapes = Map.groupBy(oneByOne(series), ({ samples }) => samples[0]![0])
          for (const scrape of scrapes.values()) await take('scrape', scrape)
        })
        expect(await outcome(({ take }) => take(way, series))).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })
})

suite('What Prometheus sent after an outage', () => {
  test('goes over HTTP through a whole worker, and is charged exactly', async () => {
    const recorded = recordedPushes('prometheus/remote_write-after-outage', '.snappy')
    await using worker = await startWorker({
      env: { API_WRITER_KEY: 'writer-key', OS_CREDITS_SMALL_SITES: 'charge' },
      clock: { now: () => Date.UTC(2026, 10, 21, 3, 48) },
    })
    const headers = { 'Content-Type': type, 'Content-Encoding': 'snappy', Authorization: 'Bearer writer-key' }
    const statuses: number[] = []
    for (const { body } of [...recorded, ...recorded]) {
      const { status } = await fetch(`${worker.url}/api/v1/write`, {
        method: 'POST',
        headers,
        body: new Uint8Array(body),
      })
      statuses.push(status)
    }
    expect(new Set(statuses)).toEqual(new Set([204]))
    const { groups } = (await (await worker.get('/api/groups')).json()) as { groups: { group: string; used: string }[] }
    expect(new Map(groups.map(({ group, used }) => [group, new Big(used).toFixed(6)]))).toEqual(truth())
  })

  /** All growth of each series times its price, in whole micro-credits, by group. */
  function truth(): Map<string, string> {
    const price: Record<string, string> = { project_vcpu_usage: '1', project_mb_usage: '0.3' }
    const series = Map.groupBy(
      decodedRecordings('prometheus/remote_write-after-outage').flatMap(({ timeseries }) => timeseries),
      ({ labels }) => JSON.stringify([labels.__name__, labels.location_id, labels.project_id, labels.project_name]),
    )
    const used = new Map<string, Big>()
    for (const same of series.values()) {
      const { __name__: metric, project_name: name } = same[0]!.labels
      const values = same.flatMap(({ samples }) => samples).toSorted(([a], [b]) => a - b)
      const growth = new Big(values.at(-1)![1]).minus(values[0]![1])
      expect(values.every(([, value], index) => index === 0 || value >= values[index - 1]![1])).toBe(true)
      const credits = growth.times(price[metric!]!).round(6, Big.roundDown)
      used.set(name!, (used.get(name!) ?? new Big(0)).plus(credits))
    }
    return new Map([...used].map(([name, amount]) => [name, amount.toFixed(6)]))
  }
})
