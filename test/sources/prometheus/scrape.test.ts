import { getEventListeners, once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, suite, test, vi } from 'vitest'
import { type AdmissionRules, noRejections } from '../../../src/core/admit.ts'
import { decimal } from '../../../src/core/decimals.ts'
import { ScrapeError, type ScrapeRequest, scrape } from '../../../src/sources/prometheus/scrape.ts'
import { meters } from '../../helpers/meters.ts'
import { type Peer, startPeer } from '../../helpers/peer.ts'

const AT = 1_795_231_891_000
const TEXT = 'text/plain; version=0.0.4; charset=utf-8'
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
const TOKEN = 'very-secret-token'

/** A line as the exporter writes it. */
const LINE = 'project_vcpu_usage{project_id="p1",project_name="alpha"} 1.5\n'

function rules(changes: Partial<AdmissionRules> = {}): AdmissionRules {
  return { meters, labels: new Map(), site: '8676', at: AT, ...changes }
}

function run(url: string, changes: Partial<ScrapeRequest> = {}, admission = rules()) {
  return scrape({ url, timeout: 5_000, signal: new AbortController().signal, ...changes }, admission)
}

/** The error of a scrape that must fail, after a look that it keeps the secrets. */
async function failureOf(result: Promise<unknown>): Promise<ScrapeError> {
  const error = await result.then(
    () => expect.fail('Expected the scrape to fail'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ScrapeError)
  expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/very-secret|hunter2/)
  return error as ScrapeError
}

function answering(body: string | Buffer, headers: Record<string, string> = {}, status = 200): RequestListener {
  return (_request, response) => response.writeHead(status, { 'content-type': TEXT, ...headers }).end(body)
}

/** Work of our own: at most a piece of an answer is taken between two parts of it. */
function keepBusy(): Disposable {
  let isBusy = true
  const part = () => {
    const end = performance.now() + 20
    while (performance.now() < end);
    if (isBusy) setImmediate(part)
  }
  setImmediate(part)
  return {
    [Symbol.dispose]() {
      isBusy = false
    },
  }
}

function redirectingTo(location: string, then: RequestListener): RequestListener {
  return (request, response) => {
    if (request.url === '/old') response.writeHead(302, { location }).end()
    else then(request, response)
  }
}

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/${name}`, import.meta.url))
}

suite('a scrape', () => {
  test('brings the readings of a recorded exporter', async () => {
    const body = fixture('exporter/escapes__start-now__20261121T031833_860Z.prom')
    await using peer = await startPeer(answering(body))
    const { readings, rejected, samples, errors } = await run(peer.url)
    const noName = 'project_name: expected a label, got nothing'
    expect(errors.map(({ message }) => message)).toEqual([noName, noName])
    // A project without a name is incomplete; everything else of the exporter is not charged for.
    expect(rejected).toEqual({ ...noRejections(), 'unknown metric': 16, incomplete: 2 })
    expect(readings).toHaveLength(20)
    expect(samples).toBe(16 + 2 + 20)
    expect(readings).toContainEqual({
      series: { site: '8676', metric: 'project_mb_usage', projectId: 'p-quote', projectName: 'quote"back\\slash' },
      at: AT,
      isOfNow: true,
      value: decimal('0.05595257333333333'),
    })
  })

  test('is not given up for time in which we were busy ourselves', async () => {
    await using peer = await startPeer(answering(LINE.repeat(100_000)))
    using _busy = keepBusy()
    expect((await run(peer.url, { timeout: 500 })).samples).toBe(100_000)
  })

  test('brings the readings of a federating Prometheus with their own timestamps', async () => {
    const body = fixture('prometheus/federate-site-c-2000__20261121T042614_866Z.txt.gz')
    await using peer = await startPeer(answering(body, { 'content-encoding': 'gzip' }))
    const { readings, rejected } = await run(peer.url, {}, rules({ labels: new Map([['location_id', '7']]) }))
    expect(readings).toHaveLength(4_000)
    expect(rejected).toEqual(noRejections())
    expect(new Set(readings.map(({ at, series }) => `${series.site} ${at}`))).toEqual(new Set(['7 1795235174385']))
  })

  test('reads OpenMetrics when the answer says that it is', async () => {
    const body = 'project_vcpu_usage{project_name="alpha"} 2 1795231891.689\n# EOF\n'
    await using peer = await startPeer(answering(body, { 'content-type': OPENMETRICS }))
    expect((await run(peer.url)).readings).toMatchObject([{ at: 1_795_231_891_689, value: decimal('2') }])
  })

  test('reads the recorded OpenMetrics of the exporter', async () => {
    const body = gunzipSync(fixture('prometheus/scrape-exporter-site-a__20261121T033116_698Z.txt.gz'))
    await using peer = await startPeer(answering(body, { 'content-type': OPENMETRICS }))
    expect((await run(peer.url)).readings).toHaveLength(2)
  })

  test.each([undefined, 'text/plain', 'TEXT/PLAIN;version=0.0.4', 'application/octet-stream'])(
    'takes an answer of type %s for Prometheus text',
    async (type) => {
      await using peer = await startPeer((_request, response) => {
        response.writeHead(200, type === undefined ? {} : { 'content-type': type }).end(LINE)
      })
      expect((await run(peer.url)).readings).toHaveLength(1)
    },
  )

  test('is content with an exporter that knows no project yet, and with an empty federation', async () => {
    const before = fixture('exporter/site_a.1__start-2018-12-01__before-first-update__20261121T031808_503Z.prom')
    await using exporter = await startPeer(answering(before))
    await using prometheus = await startPeer(answering(''))
    expect((await run(exporter.url)).readings).toEqual([])
    expect((await run(prometheus.url)).readings).toEqual([])
  })

  test('counts lines that do not parse as unreadable and shows the first of them', async () => {
    await using peer = await startPeer(answering(`${LINE}project_vcpu_usage{project_name="beta} 1\n`))
    const { readings, rejected, errors } = await run(peer.url)
    expect(readings).toHaveLength(1)
    expect(rejected.unreadable).toBe(1)
    expect(errors).toMatchObject([{ line: 2, column: 33 }])
  })

  test('says which samples cannot be used, and why', async () => {
    const line = (labels: string, value: string) => `project_vcpu_usage{${labels}} ${value}\n`
    const text = [
      LINE,
      line('project_name="a"', 'NaN'),
      line('project_name="b"', '-1'),
      'project_vcpu_usage{project_name="x} 1\n',
      line('project_name="c"', '1e99999'),
      line('project_name="d",location_id="01"', '1'),
      line('location_id="1"', '1'),
    ]
    await using peer = await startPeer(answering(text.join('')))
    const { readings, errors } = await run(peer.url)
    expect(readings).toHaveLength(1)
    expect(errors.map(({ line, message }) => [line, message])).toEqual([
      [2, 'value: expected a number of zero or more, got "NaN"'],
      [3, 'value: expected a number of zero or more, got "-1"'],
      [4, expect.stringMatching(/^Expected /)],
      [5, 'value: expected a number of zero or more, got "1e99999"'],
      [6, 'location_id: expected the number of the site in Perun, without zeros before it, got "01"'],
      [7, 'project_name: expected a label, got nothing'],
    ])
  })

  test('says it of the first ones only, and shortly', async () => {
    const bad = `project_vcpu_usage{project_name="a",location_id="${'9'.repeat(10_000)}"} 1\n`
    await using peer = await startPeer(answering(bad.repeat(100)))
    const { rejected, errors } = await run(peer.url)
    expect([rejected.incomplete, errors.length]).toEqual([100, 20])
    expect(errors.every(({ message }) => message.length < 150)).toBe(true)
  })

  test('asks as Prometheus does, and says who it is', async () => {
    await using peer = await startPeer(answering(LINE))
    await run(`${peer.url}/federate?match[]={__name__=~"project_.*"}`, { token: TOKEN, userAgent: 'credits/1' })
    const [{ headers, method, url } = expect.fail()] = peer.requests
    expect(method).toBe('GET')
    expect(decodeURIComponent(url!)).toBe('/federate?match[]={__name__=~"project_.*"}')
    expect(headers.accept).toMatch(/^application\/openmetrics-text;version=1\.0\.0,.*text\/plain;version=0\.0\.4/)
    expect(headers['accept-encoding']).toContain('gzip')
    expect(headers['user-agent']).toBe('credits/1')
    expect(headers.authorization).toBe(`Bearer ${TOKEN}`)
  })

  // The login was given for this target, the token for all of them.
  test('uses the login of the URL rather than the token', async () => {
    await using peer = await startPeer(answering(LINE))
    await run(peer.url.replace('//', '//user:hunter2@'), { token: TOKEN })
    expect(peer.requests[0]!.headers.authorization).toBe(`Basic ${btoa('user:hunter2')}`)
  })

  test('sends no credentials when there are none', async () => {
    await using peer = await startPeer(answering(LINE))
    await run(peer.url)
    expect(peer.requests[0]!.headers.authorization).toBeUndefined()
  })

  test('follows a redirect within the host, with its credentials', async () => {
    await using peer = await startPeer(redirectingTo('/new', answering(LINE)))
    expect((await run(`${peer.url}/old`, { token: TOKEN })).readings).toHaveLength(1)
    expect(peer.requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ['/old', `Bearer ${TOKEN}`],
      ['/new', `Bearer ${TOKEN}`],
    ])
  })

  test('leaves nothing behind at the signal that could stop it', async () => {
    await using peer = await startPeer(answering(LINE))
    const { signal } = new AbortController()
    for (let i = 0; i < 5; i += 1) await run(peer.url, { signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

suite('a scrape fails', () => {
  test.each([400, 401, 404, 429, 500, 503])('if the answer is HTTP %i, after one attempt', async (status) => {
    await using peer = await startPeer(answering(LINE, {}, status))
    const error = await failureOf(run(peer.url, { token: TOKEN }))
    expect(error).toMatchObject({ reason: 'refused', status, code: 'ERR_SCRAPE' })
    expect(error.message).toMatch(`Expected HTTP 200, got ${status}`)
    expect(peer.requests).toHaveLength(1)
  })

  test('at the head of an error, even if its body never ends', async () => {
    await using peer = await startPeer((_request, response) => void response.writeHead(502).write('<html>'))
    expect(await failureOf(run(peer.url))).toMatchObject({ reason: 'refused', status: 502 })
  })

  test.each(['text/html; charset=utf-8', 'application/json', 'application/vnd.google.protobuf'])(
    'if the answer is %s',
    async (type) => {
      await using peer = await startPeer(answering('<title>Log in</title>\n', { 'content-type': type }))
      const error = await failureOf(run(peer.url))
      expect(error).toMatchObject({ reason: 'no exposition' })
      expect(error.message).toContain(type)
    },
  )

  test('if a redirect leads to another host, port or protocol, which is never asked', async () => {
    await using other = await startPeer(answering(LINE))
    const elsewhere = [
      other.url,
      other.url.replace('127.0.0.1', 'localhost'),
      'https://127.0.0.1',
      'ftp://x',
      '//x:0x',
      '',
    ]
    for (const location of elsewhere) {
      await using peer = await startPeer(
        redirectingTo(`${location.replace('//', '//a:hunter2@')}/new`, answering(LINE)),
      )
      const target = `${peer.url.replace('//', '//user:hunter2@')}/old`
      if (location === '') expect((await run(target)).readings).toHaveLength(1)
      else expect(await failureOf(run(target, { token: TOKEN }))).toMatchObject({ reason: 'redirected' })
    }
    expect(other.requests).toEqual([])
  })

  test('if redirects never end, or lead nowhere', async () => {
    await using circle = await startPeer((_request, response) => void response.writeHead(307, { location: '/' }).end())
    expect(await failureOf(run(circle.url))).toMatchObject({ reason: 'redirected' })
    expect(circle.requests).toHaveLength(6)
    await using nowhere = await startPeer((_request, response) => void response.writeHead(304).end())
    expect(await failureOf(run(nowhere.url))).toMatchObject({ reason: 'redirected' })
  })

  test('if the answer is larger than allowed, however small it is compressed', async () => {
    const body = gzipSync(Buffer.alloc(1_000_000, '#\n'))
    await using peer = await startPeer(answering(body, { 'content-encoding': 'gzip' }))
    expect(body.length).toBeLessThan(10_000)
    expect(await failureOf(run(peer.url, { maxBytes: 999_999 }))).toMatchObject({ reason: 'too large' })
    expect((await run(peer.url, { maxBytes: 1_000_000 })).samples).toBe(0)
  })

  test('if the answer never ends, as soon as it is too large', async () => {
    await using peer = await startPeer((_request, response) => {
      response.writeHead(200, { 'content-type': TEXT })
      const more = () => {
        while (!response.destroyed && response.write(LINE.repeat(1_000)));
        response.once('drain', more)
      }
      more()
    })
    expect(await failureOf(run(peer.url, { maxBytes: 1_000_000 }))).toMatchObject({ reason: 'too large' })
  })

  test('if it holds more readings than any site has', async () => {
    const line = 'project_vcpu_usage{project_name="a"} 1\n'
    await using peer = await startPeer(answering(line.repeat(500_001)))
    const error = await failureOf(run(peer.url, { timeout: 60_000 }))
    expect(error).toMatchObject({ reason: 'too large', message: 'Expected at most 500000 readings, got more' })
  })

  test('if no answer comes in time', async () => {
    await using peer = await startPeer(() => undefined)
    const error = await failureOf(run(peer.url, { timeout: 100, token: TOKEN }))
    expect(error).toMatchObject({ reason: 'timed out', message: 'Expected the whole answer within 100 ms' })
  })

  test('if the answer comes too slowly, although it keeps coming', async () => {
    await using peer = await startPeer((_request, response) => {
      const timer = setInterval(() => response.write(LINE), 10)
      response.once('close', () => clearInterval(timer))
    })
    expect(await failureOf(run(peer.url, { timeout: 200 }))).toMatchObject({ reason: 'timed out' })
  })

  test('if the answer never ends, however busy we are ourselves', async () => {
    await using peer = await startPeer((_request, response) => {
      const timer = setInterval(() => response.write(LINE), 10)
      response.once('close', () => clearInterval(timer))
    })
    using _busy = keepBusy()
    expect(await failureOf(run(peer.url, { timeout: 50 }))).toMatchObject({ reason: 'timed out' })
  })

  test('if nobody listens, with the reason of the system', async () => {
    const peer = await startPeer(answering(LINE))
    await peer[Symbol.asyncDispose]()
    const error = await failureOf(run(peer.url.replace('//', '//user:hunter2@'), { token: TOKEN }))
    expect(error.reason).toBe('unreachable')
    expect(error.message).toMatch(/^No answer: .*ECONNREFUSED/)
  })

  test('if it is stopped, before or while it runs', async () => {
    const controller = new AbortController()
    await using peer = await startPeer(() => controller.abort())
    expect(await failureOf(run(peer.url, { signal: controller.signal }))).toMatchObject({ reason: 'stopped' })
    expect(await failureOf(run(peer.url, { signal: controller.signal }))).toMatchObject({ reason: 'stopped' })
    expect(peer.requests).toHaveLength(1)
  })
})

/** A peer that says exactly these bytes to whoever connects, and hangs up. */
async function startRawPeer(bytes: string | Buffer): Promise<Pick<Peer, 'url'> & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.once('error', () => undefined)
    socket.once('data', () => socket.end(bytes))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

function answer(headers: string[], body: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(['HTTP/1.0 200 OK', ...headers, '', ''].join('\r\n')), Buffer.from(body)])
}

// A total that lost digits looks like a fall, and one that comes back like a jump: nothing of a cut answer is used.
suite('an answer that was cut short is dropped as a whole', () => {
  const body = `${LINE.repeat(3)}project_vcpu_usage{project_name="alpha"} 1004722`
  const zipped = gzipSync(`${body}.5\n`)

  test.each<[string, Buffer, RegExp]>([
    ['before its length', answer([`Content-Type: ${TEXT}`, `Content-Length: ${body.length + 3}`], body), /broke off/],
    ['between two lines', answer([`Content-Type: ${TEXT}`, 'Content-Length: 999'], LINE), /broke off/],
    ['within a value, of unknown length', answer([`Content-Type: ${TEXT}`], body), /line feed at the end/],
    ['before # EOF', answer([`Content-Type: ${OPENMETRICS}`], LINE), /# EOF/],
    [
      'within its gzip',
      answer([`Content-Type: ${TEXT}`, 'Content-Encoding: gzip'], zipped.subarray(0, -12)),
      /broke off/,
    ],
    [
      'within a chunk',
      Buffer.from(
        `HTTP/1.1 200 OK\r\nContent-Type: ${TEXT}\r\nTransfer-Encoding: chunked\r\n\r\n${(999).toString(16)}\r\n${LINE}`,
      ),
      /broke off/,
    ],
  ])('%s', async (_where, bytes, message) => {
    await using peer = await startRawPeer(bytes)
    const error = await failureOf(run(peer.url))
    expect(error).toMatchObject({ reason: 'cut short' })
    expect(error.message).toMatch(message)
  })

  test('but not one that ends with the connection, as HTTP/1.0 allows', async () => {
    await using peer = await startRawPeer(answer([`Content-Type: ${TEXT}`], LINE))
    expect((await run(peer.url)).readings).toHaveLength(1)
  })

  test('and so is one that is not HTTP at all', async () => {
    await using peer = await startRawPeer('very-secret nonsense\r\n\r\n')
    expect(await failureOf(run(peer.url))).toMatchObject({ reason: 'unreachable' })
  })
})

suite('what a scrape keeps', () => {
  // V8 keeps a whole text alive for a part of it: a name of a megabyte-long answer would hold all of it.
  test('is its readings, not the text that they came from', async () => {
    const name = 'a name that is long enough to be a part'
    const filler = `# ${'x'.repeat(4_000_000)}\n`
    const body = gzipSync(`project_vcpu_usage{project_name="${name}"} 1\n${filler}`)
    await using peer = await startPeer(answering(body, { 'content-encoding': 'gzip' }))
    const kept = [...(await run(peer.url)).readings]
    const before = memoryInUse()
    for (let i = 0; i < 10; i += 1) kept.push(...(await run(peer.url)).readings)
    // What belongs to a connection goes when the connection does; what a reading holds stays.
    await vi.waitFor(() => expect(memoryInUse() - before).toBeLessThan(20_000_000), { timeout: 10_000 })
    expect(kept.map(({ series }) => series.projectName)).toEqual(Array(11).fill(name))
  })
})

/** Bytes, after a garbage collection. Decoded texts lie outside of the heap. */
function memoryInUse(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
