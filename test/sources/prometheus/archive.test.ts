/** What was recorded is read again as it was: recordings of a real Prometheus, and one that answers as we like. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, suite, test } from 'vitest'
import { formatDecimal } from '#src/core/decimals.ts'
import type { Reading } from '#src/core/series.ts'
import { HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { createPrometheusArchive, type PrometheusArchiveOptions } from '#src/sources/prometheus/archive.ts'
import { meters, T0, testClock } from '../../helpers/billing.ts'
import { type OldSample, oldSample, servePrometheus } from '../../helpers/oldPrometheus.ts'
import { startPeer } from '../../helpers/peer.ts'

const folder = join(import.meta.dirname, '../../fixtures/prometheus/api')
const recorded = (name: string) => readFileSync(join(folder, `api_${name}.json`))
const { signal } = new AbortController()

function archiveAt(url: string, rest: Partial<PrometheusArchiveOptions> = {}) {
  return createPrometheusArchive({ url, timeout: 5_000, meters, clock: testClock(T0 + 24 * HOUR), ...rest })
}

async function readAll(archive: ReturnType<typeof archiveAt>, after = T0, upTo = T0 + HOUR): Promise<Reading[]> {
  const readings: Reading[] = []
  for await (const chunk of archive.read({ after, upTo }, signal)) readings.push(...chunk.readings)
  return readings
}

const shown = ({ series: { site, projectName }, at, value }: Reading) => [site, projectName, at, formatDecimal(value)]

async function serve(samples: readonly OldSample[]) {
  const prometheus = await servePrometheus(samples)
  onTestFinished(() => prometheus[Symbol.asyncDispose]())
  return prometheus
}

async function servePage(status: number, body: string | Buffer, headers: Record<string, string> = {}) {
  const peer = await startPeer((_, response) => response.writeHead(status, headers).end(body))
  onTestFinished(() => peer[Symbol.asyncDispose]())
  return peer
}

suite('a recording of a real Prometheus', () => {
  const at = Date.parse('2026-11-21T03:33:58Z')

  test('brings each sample with its time and digits', async () => {
    const { url } = await servePage(200, recorded('query__range_selector_3m'))
    const clock = testClock(at)
    const readings = await readAll(archiveAt(url, { clock }), at - 3 * MINUTE, at)
    expect(readings.map(shown)).toEqual([
      ['8676', 'HisSVM', 1_795_231_891_689, '251241.76668466887'],
      ['8676', 'HisSVM', 1_795_231_921_689, '251241.80004356997'],
      ['8676', 'HisSVM', 1_795_231_951_689, '251241.8334022661'],
      ['8676', 'HisSVM', 1_795_231_981_691, '251241.86675904723'],
      ['8676', 'HisSVM', 1_795_232_011_692, '251241.90015643332'],
    ])
  })

  test('across an outage has a gap and nothing in its place', async () => {
    const bytes = recorded('query__range_selector_across_outage')
    const { url } = await servePage(200, bytes)
    const { data } = JSON.parse(bytes.toString()) as { data: { result: { values: [number, string][] }[] } }
    const times = data.result.flatMap(({ values }) => values.map(([time]) => Math.round(time * SECOND)))
    const upTo = Math.max(...times)
    const readings = await readAll(archiveAt(url, { clock: testClock(upTo) }), upTo - 4 * MINUTE, upTo)
    expect(readings.map(({ at: own }) => own)).toEqual(times.filter((own) => own > upTo - 4 * MINUTE).toSorted())
    expect(readings.length).toBeGreaterThan(3)
  })

  test.each([
    ['query__bad', 400, 'refused', 'parse error: unexpected end of input inside braces'],
    ['query_range__too_many', 400, 'too large', 'exceeded maximum resolution of 11,000 points'],
    ['query__empty', 200, 'refused', 'Expected a matrix of Prometheus, got something else'],
  ])('%s is said as it is', async (name, status, failure, message) => {
    const { url } = await servePage(status, recorded(name))
    await expect(readAll(archiveAt(url), T0, T0 + SECOND)).rejects.toMatchObject({
      failure,
      message: expect.stringContaining(message) as string,
    })
  })
})

suite('an archive', () => {
  const each30 = (project: string, count: number) =>
    Array.from({ length: count }, (_, index) => oldSample(project, T0 + (index + 1) * 30 * SECOND, String(100 + index)))

  test.each([true, false])(
    'gives all of a period once, its beginning left out (window closed on the left: %s)',
    async (isLeftClosed) => {
      const samples = [
        oldSample('a', T0, '99'),
        ...each30('a', 120),
        ...each30('b', 120),
        oldSample('a', T0 + HOUR + 1, '1'),
      ]
      const prometheus = await serve(samples)
      prometheus.state.isLeftClosed = isLeftClosed
      const readings = await readAll(archiveAt(prometheus.url))
      expect(readings).toHaveLength(240)
      expect(readings.map(({ at }) => at)).toEqual(readings.map(({ at }) => at).toSorted((a, b) => a - b))
      expect(readings[0]).toMatchObject({ at: T0 + 30 * SECOND, origin: `${prometheus.url}/ exporter:8080` })
    },
  )

  test('asks for shorter periods when there is too much, and for longer ones when there is little', async () => {
    const prometheus = await serve(each30('a', 120))
    prometheus.state.mostSamples = 3
    expect(await readAll(archiveAt(prometheus.url))).toHaveLength(120)
    const windows = prometheus.queries().map((url) => Number(/\[(\d+)ms\]/.exec(url.searchParams.get('query')!)![1]))
    expect(Math.min(...windows)).toBeLessThanOrEqual(90 * SECOND)
    prometheus.state.mostSamples = 1_000
    const before = prometheus.requests.length
    await readAll(archiveAt(prometheus.url), T0, T0 + 12 * HOUR)
    expect(prometheus.requests.length - before).toBeLessThan(12)
  })

  test('gives up when even the shortest period is too much', async () => {
    const prometheus = await serve(Array.from({ length: 9 }, (_, index) => oldSample(`p${index}`, T0 + 1, '1')))
    prometheus.state.mostSamples = 3
    await expect(readAll(archiveAt(prometheus.url))).rejects.toMatchObject({ failure: 'too large' })
  })

  test('admits as a scrape does: whitelist, site of the settings, what cannot be read', async () => {
    const none = { location_id: '' }
    const prometheus = await serve([
      oldSample('a', T0 + 1, '1', { labels: none }),
      oldSample('b', T0 + 1, '1'),
      oldSample('a', T0 + 2, 'NaN'),
      oldSample('other', T0 + 1, '1'),
      oldSample('a', T0 + 1, '1', { metric: 'up' }),
    ])
    const whitelist = new Set(['a', 'b'])
    const chunks = archiveAt(prometheus.url, { whitelist, site: '77' }).read({ after: T0, upTo: T0 + SECOND }, signal)
    for await (const { readings, rejected } of chunks) {
      expect(readings.map(shown)).toEqual([
        ['77', 'a', T0 + 1, '1'],
        ['8676', 'b', T0 + 1, '1'],
      ])
      expect(rejected).toMatchObject({ unlisted: 1, unreadable: 1, 'unknown metric': 0 })
    }
  })

  test('knows the sites, also that of samples without a label', async () => {
    const { url } = await serve([
      oldSample('a', T0, '1'),
      oldSample('a', T0, '1', { labels: { location_id: '9001' } }),
      oldSample('a', T0, '1', { labels: { location_id: 'x' } }),
    ])
    expect(await archiveAt(url).sites({ after: 0, upTo: T0 }, signal)).toEqual(['8676', '9001'])
    expect(await archiveAt(url, { site: '77' }).sites({ after: 0, upTo: T0 }, signal)).toEqual(['8676', '9001', '77'])
  })

  test('finds the readings of one millisecond, whatever the projects are called', async () => {
    const names = [
      'a',
      'a.b',
      'a+b (test)',
      'quo"te',
      'back\\slash',
      'new\nline',
      'Großes Mikroskop',
      '研究|[x]*$^{2}?',
    ]
    const at = T0 + 1_234
    const near = names.flatMap((name) => [at - 1, at, at + 1].map((each) => oldSample(name, each, String(each))))
    const { url } = await serve([
      ...near,
      oldSample('aXb', at, '1'),
      oldSample('a', at, '5', { labels: { location_id: '9' } }),
    ])
    const moment = { site: '8676', metric: 'project_vcpu_usage', at, projectNames: names }
    const readings = await archiveAt(url).readAt(moment, signal)
    expect(readings.map(shown)).toEqual(names.map((name) => ['8676', name, at, String(at)]))
  })

  test('gives the same readings in whichever chunks they come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 1, max: 600_000 })), { maxLength: 40 }),
        fc.integer({ min: 2, max: 50 }),
        async (points, mostSamples) => {
          const samples = points.map(([project, offset]) => oldSample(project, T0 + offset, '1'))
          await using prometheus = await servePrometheus(samples)
          const upTo = T0 + 600_000
          const whole = await readAll(archiveAt(prometheus.url), T0, upTo)
          prometheus.state.mostSamples = mostSamples
          const parts = await readAll(archiveAt(prometheus.url), T0, upTo).catch(() => undefined)
          if (parts !== undefined) expect(parts.map(shown).toSorted()).toEqual(whole.map(shown).toSorted())
          expect(whole).toHaveLength(samples.length)
        },
      ),
      { numRuns: 20 },
    )
  })
})

suite('an archive that does not answer as it should', () => {
  test.each([
    ['a login page', 200, '<html>', 'refused', /PROMETHEUS_URL is what comes before \/api\/v1/],
    ['nothing that exists', 404, '404 page not found', 'refused', /got HTTP 404/],
    ['no right', 401, 'Unauthorized', 'refused', /401; check PROMETHEUS_TOKEN/],
    ['a proxy without it', 502, 'Bad Gateway', 'unavailable', /got 502/],
    ['a redirect', 302, '', 'refused', /got HTTP 302/],
    [
      'series of another shape',
      200,
      '{"status":"success","data":{"resultType":"matrix","result":[{}]}}',
      'refused',
      /series with samples/,
    ],
    [
      'a query that takes too long',
      503,
      '{"status":"error","errorType":"timeout","error":"query timed out"}',
      'too large',
      /query timed out/,
    ],
    ['trouble', 500, '{"status":"error","errorType":"internal","error":"disk on fire"}', 'unavailable', /disk on fire/],
  ])('but with %s', async (_, status, body, failure, message) => {
    const { url } = await servePage(status, body, { location: 'http://127.0.0.1:1/' })
    const reading = readAll(archiveAt(url), T0, T0 + SECOND)
    await expect(reading).rejects.toMatchObject({ failure, message: expect.stringMatching(message) as string })
  })

  test('at all', async () => {
    await expect(readAll(archiveAt('http://127.0.0.1:1'))).rejects.toMatchObject({ failure: 'unavailable' })
  })

  test('and never shows what it was told in secret', async () => {
    const peer = await startPeer((_, response) => void response.destroy())
    onTestFinished(() => peer[Symbol.asyncDispose]())
    const url = peer.url.replace('//', '//ann:top-secret@')
    for (const archive of [archiveAt(url), archiveAt(peer.url, { token: 'top-secret' })]) {
      const error = await readAll(archive).catch((reason: unknown) => reason)
      expect(
        `${archive.name} ${JSON.stringify(error)} ${(error as Error).stack} ${(error as Error).cause}`,
      ).not.toContain('secret')
    }
    const sent = peer.requests.map(({ headers }) => headers.authorization)
    expect(sent).toEqual([`Basic ${Buffer.from('ann:top-secret').toString('base64')}`, 'Bearer top-secret'])
  })

  test('when it is stopped', async () => {
    const peer = await startPeer(() => {})
    onTestFinished(() => peer[Symbol.asyncDispose]())
    const stopping = new AbortController()
    const reading = Array.fromAsync(archiveAt(peer.url).read({ after: T0, upTo: T0 + HOUR }, stopping.signal))
    stopping.abort()
    await expect(reading).rejects.toMatchObject({ failure: 'stopped' })
  })
})
