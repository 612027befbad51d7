import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { expect, suite, test, vi } from 'vitest'
import { decimal } from '../../../src/core/decimals.ts'
import { systemClock } from '../../../src/core/time.ts'
import {
  type PrometheusSource,
  type PrometheusSourceOptions,
  prometheusSource,
  type ScrapeReport,
} from '../../../src/sources/prometheus/loop.ts'
import { ScrapeError } from '../../../src/sources/prometheus/scrape.ts'
import { offsetOf, type TargetConfig } from '../../../src/sources/prometheus/target.ts'
import type { Delivery } from '../../../src/sources/source.ts'
import type { Turn, Turns } from '../../../src/sources/turns.ts'
import { currentTask } from '../../../src/telemetry/context.ts'
import { memoryLog } from '../../helpers/log.ts'
import { meters } from '../../helpers/meters.ts'
import { startPeer } from '../../helpers/peer.ts'

const line = (value: number) => `project_vcpu_usage{project_name="alpha"} ${value}\n`

const ofProject = (name: string) => `project_vcpu_usage{project_name="${name}"} 1\n`

function respond(response: ServerResponse, body = line(1), status = 200) {
  response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4' }).end(body)
}

const healthy: RequestListener = (_request, response) => respond(response)

/** A source with short waits, and all that it did. */
function createSource(targets: (string | TargetConfig)[], changes: Partial<PrometheusSourceOptions> = {}) {
  const deliveries: Delivery[] = []
  const reports: ScrapeReport[] = []
  const { logger, lines } = memoryLog('scrape')
  let tasks = 0
  const source = prometheusSource({
    targets: targets.map((target) => (typeof target === 'string' ? { url: target, labels: {} } : target)),
    interval: 10,
    timeout: 5_000,
    meters,
    site: '8676',
    deliver: async (delivery) => void deliveries.push(delivery),
    newTaskId: () => `scrape-${++tasks}`,
    clock: systemClock,
    logger,
    observer: { scraped: (report) => void reports.push(report) },
    ...changes,
  })
  return { source, deliveries, reports, lines, [Symbol.asyncDispose]: () => source.stop() }
}

/** Waits that take no time at all, until one of them is the last: then `limit - 1` scrapes are over. */
function countedWaits(limit: number) {
  const waits: number[] = []
  const wait = async (ms: number, signal: AbortSignal) => {
    waits.push(ms)
    if (waits.length >= limit && !signal.aborted) await once(signal, 'abort')
  }
  return { waits, wait }
}

async function until(condition: () => boolean) {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 20_000, interval: 5 })
}

const statusOf = (source: PrometheusSource, index = 0) => source.targets()[index]!

suite('the Prometheus source', () => {
  test('delivers what each scrape brings, under one name for each', async () => {
    let value = 0
    await using peer = await startPeer((_request, response) => respond(response, line(++value)))
    const tasks: (string | undefined)[] = []
    const received: Delivery[] = []
    const deliver = async (delivery: Delivery): Promise<undefined> => {
      tasks.push(currentTask())
      received.push(delivery)
    }
    const url = `${peer.url.replace('//', '//user:hunter2@')}/metrics?token=s3cret`
    await using running = createSource([url], { deliver })
    running.source.start()
    await until(() => received.length >= 3)
    expect(received.slice(0, 3).map(({ readings }) => readings[0]!.value)).toEqual(['1', '2', '3'].map(decimal))
    expect(received[0]).toMatchObject({ id: 'scrape-1', source: `${peer.url}/metrics`, rejected: { unreadable: 0 } })
    expect(tasks.slice(0, 3)).toEqual(['scrape-1', 'scrape-2', 'scrape-3'])
    const delivered = running.lines.find(({ msg }) => msg === 'Delivered')
    expect(delivered).toMatchObject({ level: 'debug', id: 'scrape-1', task: 'scrape-1', readings: 1 })
    const shown = [running.lines, running.reports, running.source.targets(), received]
    expect(inspect(shown, { depth: 10 })).not.toMatch(/hunter2|s3cret/)
  })

  test('dates samples when the scrape began, and the delivery when it was there', async () => {
    let now = 1_000_000
    await using peer = await startPeer((_request, response) => {
      now += 250
      respond(response)
    })
    const { wait } = countedWaits(2)
    await using running = createSource([peer.url], { clock: { now: () => now }, wait })
    running.source.start()
    await until(() => running.deliveries.length === 1)
    expect(running.deliveries[0]).toMatchObject({ receivedAt: 1_000_250, readings: [{ at: 1_000_000 }] })
    await until(() => running.reports.length === 1)
    expect(statusOf(running.source)).toMatchObject({ lastScrape: 1_000_000, lastDuration: 250, up: true, readings: 1 })
    expect(running.reports).toMatchObject([{ target: `${peer.url}/`, outcome: 'delivered', duration: 250 }])
  })

  test('gives samples the labels of their target where they have none', async () => {
    const body = `${line(1)}project_vcpu_usage{project_name="beta",location_id="9"} 1\n`
    await using peer = await startPeer((_request, response) => respond(response, body))
    await using running = createSource([{ url: peer.url, labels: { location_id: '7' } }])
    running.source.start()
    await until(() => running.deliveries.length > 0)
    expect(running.deliveries[0]!.readings.map(({ series }) => [series.projectName, series.site])).toEqual([
      ['alpha', '7'],
      ['beta', '9'],
    ])
  })

  test('shows how many readings came late, and says once when some begin to be outdated, and when none is any more', async () => {
    await using peer = await startPeer(healthy)
    const answers = [undefined, { late: 1, outdated: 0 }, { late: 2, outdated: 3 }, { late: 0, outdated: 4 }, undefined]
    const shown: [number, number][] = []
    const deliver = async () => answers.shift()
    const { waits, wait } = countedWaits(6)
    await using running = createSource([peer.url], {
      deliver,
      wait(ms, signal) {
        const { late, outdated } = statusOf(running.source)
        shown.push([late, outdated])
        return wait(ms, signal)
      },
    })
    running.source.start()
    await until(() => waits.length === 6)
    expect(shown.slice(1)).toEqual([
      [0, 0],
      [1, 0],
      [2, 3],
      [0, 4],
      [0, 0],
    ])
    const said = running.lines.filter(({ level }) => level === 'warn')
    expect(said).toMatchObject([{ outdated: 3, late: 2 }, { msg: 'No readings are outdated any more' }])
  })

  test('begins after the offset of the target and then keeps to the interval, less what the scrape took', async () => {
    let now = 0
    await using peer = await startPeer((_request, response) => {
      now += 400
      respond(response)
    })
    const { waits, wait } = countedWaits(4)
    await using running = createSource([peer.url], { clock: { now: () => now }, wait, interval: 1_000 })
    running.source.start()
    await until(() => waits.length === 4)
    expect(waits).toEqual([offsetOf(peer.url, 1_000), 600, 600, 600])
  })

  test('scrapes at once when a scrape took longer than the interval', async () => {
    let now = 0
    await using peer = await startPeer((_request, response) => {
      now += 1_500
      respond(response)
    })
    const { waits, wait } = countedWaits(2)
    await using running = createSource([peer.url], { clock: { now: () => now }, wait, interval: 1_000 })
    running.source.start()
    await until(() => waits.length === 2)
    expect(waits[1]).toBe(0)
  })

  test('waits a whole interval when the clock was set back, not longer', async () => {
    let now = 1e12
    await using peer = await startPeer((_request, response) => {
      now -= 3_600_000
      respond(response)
    })
    const { waits, wait } = countedWaits(2)
    await using running = createSource([peer.url], { clock: { now: () => now }, wait, interval: 1_000 })
    running.source.start()
    await until(() => waits.length === 2)
    expect(waits[1]).toBe(1_000)
    expect(statusOf(running.source).lastDuration).toBe(0)
  })

  test('never scrapes a target while it is being scraped or its delivery is not yet durable', async () => {
    let underWay = 0
    const overlaps: number[] = []
    const enter = () => overlaps.push(++underWay)
    await using peer = await startPeer((_request, response) => {
      enter()
      setTimeout(() => {
        underWay -= 1
        respond(response)
      }, 15)
    })
    const deliver = async (): Promise<undefined> => {
      enter()
      await new Promise((resolve) => setTimeout(resolve, 15))
      underWay -= 1
    }
    await using running = createSource([peer.url], { interval: 1, deliver })
    running.source.start()
    await until(() => overlaps.length >= 10)
    expect(Math.max(...overlaps)).toBe(1)
  })

  test('asks a target only when there is room for what it shows, until others are recorded', async () => {
    const asked: string[] = []
    const fetch = async ({ url }: { url: string }) => {
      asked.push(new URL(url).hostname)
      return { format: 'text' as const, body: [Buffer.from(['a', 'b', 'c'].map(ofProject).join(''))] }
    }
    const held: (() => void)[] = []
    const deliver = () => new Promise<undefined>((resolve) => held.push(() => resolve(undefined)))
    const { wait } = countedWaits(9)
    await using running = createSource(['http://one/', 'http://other/'], { fetch, deliver, wait, room: 5 })
    running.source.start()
    // Nobody knows yet how much they show: the second one is asked, put off as it is too much, and asked again.
    await until(() => held.length === 1 && asked.length === 2)
    held.shift()!()
    await until(() => held.length === 1 && asked.length === 3)
    expect(new Set(asked)).toEqual(new Set(['one', 'other']))
    // From now on it is known: none is asked in vain.
    for (let recorded = 1; recorded < 5; recorded += 1) {
      held.shift()!()
      await until(() => held.length === 1)
      await new Promise((resolve) => setImmediate(resolve))
      expect(asked).toHaveLength(3 + recorded)
    }
    for (const release of held) release()
    await until(() => running.reports.length > 0)
    const stopped = running.source.stop()
    while (held.length > 0) held.shift()!()
    await stopped
  })

  test('gives the room of a scrape that failed, or was not recorded, to the next', async () => {
    let answers = 0
    const fetch = async () => {
      answers += 1
      if (answers % 2 === 0) throw new ScrapeError('unreachable', 'No answer')
      return { format: 'text' as const, body: [Buffer.from(['a', 'b', 'c', 'd', 'e'].map(ofProject).join(''))] }
    }
    let deliveries = 0
    const deliver = async () => {
      deliveries += 1
      throw new Error('The disk is full')
    }
    await using running = createSource(['http://one/', 'http://other/'], { fetch, deliver, room: 5 })
    running.source.start()
    await until(() => deliveries >= 3)
  })

  test('scrapes eight targets at once at most', async () => {
    const waiting: ServerResponse[] = []
    let most = 0
    await using peer = await startPeer((_request, response) => {
      waiting.push(response)
      most = Math.max(most, waiting.length)
    })
    const { wait } = countedWaits(21)
    await using running = createSource(
      Array.from({ length: 20 }, (_, i) => `${peer.url}/${i}`),
      { wait },
    )
    running.source.start()
    await until(() => waiting.length === 8)
    while (running.deliveries.length < 20) {
      await until(() => waiting.length === Math.min(8, 20 - running.deliveries.length))
      const before = running.deliveries.length
      respond(waiting.shift()!)
      await until(() => running.deliveries.length > before)
    }
    expect(most).toBe(8)
  })
})

suite('a target that fails', () => {
  test('is asked less and less often, until it works again', async () => {
    let answers = 0
    await using peer = await startPeer((_request, response) => {
      answers += 1
      respond(response, line(1), answers <= 6 ? 503 : 200)
    })
    const { waits, wait } = countedWaits(9)
    await using running = createSource([peer.url], { clock: { now: () => 0 }, wait, interval: 1_000, random: () => 0 })
    running.source.start()
    await until(() => waits.length === 9)
    expect(waits.slice(1)).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 1_000, 1_000])
  })

  test('is warned about once, and once more when it is back', async () => {
    let answers = 0
    await using peer = await startPeer((_request, response) => {
      answers += 1
      respond(response, line(1), answers >= 2 && answers <= 4 ? 503 : 200)
    })
    const { waits, wait } = countedWaits(7)
    await using running = createSource([peer.url], { wait })
    running.source.start()
    await until(() => waits.length === 7)
    const warnings = running.lines.filter(({ level }) => level === 'warn')
    expect(warnings).toMatchObject([
      { msg: 'Scrape failed: Expected HTTP 200, got 503 Service Unavailable', reason: 'refused', task: 'scrape-2' },
      { msg: 'Scrapes work again', failures: 3, task: 'scrape-5' },
    ])
    expect(running.reports.slice(0, 5).map(({ outcome }) => outcome)).toEqual([
      'delivered',
      'failed',
      'failed',
      'failed',
      'delivered',
    ])
  })

  test('shows why, and delivers nothing', async () => {
    await using peer = await startPeer((_request, response) => respond(response, 'project_vcpu_usage 1'))
    const { waits, wait } = countedWaits(3)
    await using running = createSource([peer.url], { wait })
    running.source.start()
    await until(() => waits.length === 3)
    expect(statusOf(running.source)).toMatchObject({
      up: false,
      failures: 2,
      lastError: expect.stringContaining('line feed'),
      lastSuccess: undefined,
    })
    expect(running.deliveries).toEqual([])
  })

  test('does not keep the others from being scraped, whether it hangs, refuses or is not there', async () => {
    await using hanging = await startPeer(() => undefined)
    await using refusing = await startPeer((_request, response) => respond(response, '', 500))
    await using good = await startPeer(healthy)
    const absent = await startPeer(healthy)
    await absent[Symbol.asyncDispose]()
    await using running = createSource([hanging.url, absent.url, refusing.url, good.url])
    running.source.start()
    await until(() => running.deliveries.length >= 5 && hanging.requests.length > 0)
    expect(new Set(running.deliveries.map(({ source }) => source))).toEqual(new Set([`${good.url}/`]))
    await until(() => running.source.targets().filter(({ up }) => up === false).length === 2)
    expect(running.source.targets().map(({ up }) => up)).toEqual([undefined, false, false, true])
  })
})

suite('samples that cannot be used', () => {
  test('are warned about once, and again after they were gone', async () => {
    const bodies = [line(1), line(-1), line(-2), line(2), line(-3)]
    await using peer = await startPeer((_request, response) => respond(response, bodies.shift() ?? line(3)))
    const { waits, wait } = countedWaits(7)
    await using running = createSource([peer.url], { wait })
    running.source.start()
    await until(() => waits.length === 7)
    const warnings = running.lines.filter(({ level }) => level === 'warn')
    expect(warnings.map(({ task }) => task)).toEqual(['scrape-2', 'scrape-5'])
    expect(warnings[0]).toMatchObject({ rejected: { unreadable: 1 } })
    expect(running.deliveries[1]).toMatchObject({ readings: [], rejected: { unreadable: 1 } })
  })
})

suite('a delivery that is not recorded', () => {
  test('is an error in the log, once for each reason, and the target is scraped again as usual', async () => {
    await using peer = await startPeer(healthy)
    let attempts = 0
    const deliver = async (): Promise<undefined> => {
      attempts += 1
      if (attempts <= 2) throw new Error('disk full')
    }
    const { waits, wait } = countedWaits(4)
    const shown: (string | undefined)[] = []
    await using running = createSource([peer.url], {
      clock: { now: () => 0 },
      interval: 1_000,
      deliver,
      wait(ms, signal) {
        shown.push(statusOf(running.source).lastError)
        return wait(ms, signal)
      },
    })
    running.source.start()
    await until(() => waits.length === 4)
    expect(shown.slice(1)).toEqual(['Not recorded: disk full', 'Not recorded: disk full', undefined])
    expect(statusOf(running.source)).toMatchObject({ up: true, failures: 0 })
    expect(waits.slice(1)).toEqual([1_000, 1_000, 1_000])
    const told = running.lines.filter(({ msg }) => msg === 'A delivery was not recorded')
    expect(told).toMatchObject([
      { id: 'scrape-1', level: 'error', err: { message: 'disk full' } },
      { id: 'scrape-2', level: 'debug' },
    ])
    expect(running.lines.filter(({ msg }) => msg === 'Deliveries are recorded again')).toHaveLength(1)
    expect(running.reports.map(({ outcome }) => outcome)).toEqual(['undelivered', 'undelivered', 'delivered'])
  })
})

suite('stopping the source', () => {
  test('ends scrapes at once, and does not take that for a failure', async () => {
    await using peer = await startPeer(() => undefined)
    const running = createSource(Array.from({ length: 12 }, (_, i) => `${peer.url}/${i}`))
    running.source.start()
    await until(() => peer.requests.length === 8)
    await running.source.stop()
    expect(peer.requests).toHaveLength(8)
    expect(running.reports).toEqual([])
    expect(running.lines.filter(({ level }) => level !== 'debug')).toEqual([])
  })

  test.each(['still wanted', 'taken away'])('waits for the delivery of a target that is %s', async (which) => {
    await using peer = await startPeer(healthy)
    const delivery = Promise.withResolvers<undefined>()
    const deliver = vi.fn(() => delivery.promise)
    const { source } = createSource([peer.url], { deliver })
    source.start()
    await until(() => deliver.mock.calls.length === 1)
    if (which === 'taken away') source.setTargets([])
    const stopped = vi.fn()
    const stopping = source.stop().then(stopped)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(stopped).not.toHaveBeenCalled()
    delivery.resolve(undefined)
    await stopping
    expect(deliver).toHaveBeenCalledOnce()
  })

  test('is possible before it began', async () => {
    await using peer = await startPeer(healthy)
    const { source } = createSource([peer.url])
    await source.stop()
    expect(peer.requests).toEqual([])
  })
})

suite('exchanging the targets', () => {
  const plain = (url: string): TargetConfig => ({ url, labels: {} })

  test('takes up new ones, lets go of old ones and keeps the state of those that stay', async () => {
    await using peer = await startPeer(healthy)
    const [stays, goes, comes] = ['stays', 'goes', 'comes'].map((path) => `${peer.url}/${path}`)
    await using running = createSource([stays!, goes!])
    running.source.start()
    await until(() => running.source.targets().every(({ up }) => up === true))
    running.source.setTargets([plain(comes!), plain(stays!)])
    expect(running.source.targets().map(({ target, up }) => [target, up])).toEqual([
      [stays, true],
      [comes, undefined],
    ])
    await until(() => peer.requests.some(({ url }) => url === '/comes'))
    const asked = peer.requests.length
    await until(() => peer.requests.length > asked + 5)
    expect(peer.requests.slice(asked + 1).map(({ url }) => url)).not.toContain('/goes')
  })

  test('changes the labels of those that stay from their next scrape on', async () => {
    await using peer = await startPeer(healthy)
    await using running = createSource([{ url: peer.url, labels: { location_id: '7' } }])
    running.source.start()
    await until(() => running.deliveries.length > 0)
    const relabelled = running.source.setTargets([{ url: peer.url, labels: { location_id: '9' } }])
    expect(relabelled).toEqual({ added: [], removed: [], relabelled: [`${peer.url}/`] })
    expect(running.source.setTargets([{ url: peer.url, labels: { location_id: '9' } }]).relabelled).toEqual([])
    expect(statusOf(running.source).labels).toEqual({ location_id: '9' })
    await until(() => running.deliveries.at(-1)!.readings[0]!.series.site === '9')
  })

  // Metrics know a target without its query.
  test('tells that one left when its last delivery is durable and no other has its address', async () => {
    await using peer = await startPeer(healthy)
    const [one, two] = [`${peer.url}/federate?match[]=a`, `${peer.url}/federate?match[]=b`]
    const delivery = Promise.withResolvers<undefined>()
    const deliver = vi.fn(() => delivery.promise)
    const left: string[] = []
    const reports: string[] = []
    const observer = {
      scraped: ({ target }: ScrapeReport) => void reports.push(target),
      left: (target: string) => void left.push(target),
    }
    await using running = createSource([one, two], { deliver, observer })
    running.source.start()
    await until(() => deliver.mock.calls.length === 2)
    expect(running.source.setTargets([plain(two)])).toMatchObject({ added: [], removed: [`${peer.url}/federate`] })
    running.source.setTargets([])
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(left).toEqual([])
    delivery.resolve(undefined)
    await until(() => left.length > 0)
    expect(reports).toEqual([`${peer.url}/federate`, `${peer.url}/federate`])
  })

  test('does not scrape one that went and came back before its last delivery is durable', async () => {
    await using peer = await startPeer(healthy)
    const delivery = Promise.withResolvers<undefined>()
    const deliver = vi.fn(() => delivery.promise)
    await using running = createSource([peer.url], { deliver })
    running.source.start()
    await until(() => deliver.mock.calls.length === 1)
    running.source.setTargets([])
    expect(running.source.targets()).toEqual([])
    running.source.setTargets([plain(peer.url)])
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(peer.requests).toHaveLength(1)
    delivery.resolve(undefined)
    await until(() => peer.requests.length > 1)
  })

  test.each([
    ['//user:hunter2@x', /^Expected an http or https URL as a target, got invalid$/],
    ['ftp://user:hunter2@x/y', /^Expected an http or https URL as a target, got ftp:/],
    ['http://127.0.0.1:9/a#b', /^Expected each target once, got http:\/\/127.0.0.1:9\/a twice$/],
  ])('is refused as a whole if one of them is %s', async (url, message) => {
    await using running = createSource(['http://127.0.0.1:9/old'])
    const before = running.source.targets()
    const targets = ['http://127.0.0.1:9/a#b', 'http://127.0.0.1:9/c', url].map(plain)
    expect(() => running.source.setTargets(targets)).toThrow(message)
    expect(running.source.targets()).toEqual(before)
  })

  test('tells apart what only differs in the query', async () => {
    await using running = createSource([
      'http://127.0.0.1:9/federate?match[]=a',
      'http://127.0.0.1:9/federate?match[]=b',
    ])
    expect(running.source.targets()).toHaveLength(2)
  })
})

/** Turns that the test gives, loses and ends. */
function turnsByHand() {
  const waiting = new Map<string, (turn: Turn) => void>()
  const released: string[] = []
  const turns: Turns = {
    next: (url, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve(undefined)
        waiting.set(url, resolve)
        signal.addEventListener('abort', () => resolve(undefined), { once: true })
      }),
    scraperOf: () => ({ kind: 'elsewhere', id: 2, name: 'host/2' }),
  }
  return {
    turns,
    released,
    isWaiting: (url: string) => waiting.has(url),
    give(url: string) {
      const [lost, ending] = [new AbortController(), new AbortController()]
      const release = async () => void released.push(url)
      waiting.get(url)!({ lost: lost.signal, ending: ending.signal, release })
      waiting.delete(url)
      return { lose: () => lost.abort(), end: () => ending.abort() }
    },
  }
}

suite('a target that several workers share', () => {
  test('is scraped only while it is our turn, and who scrapes it is told', async () => {
    await using peer = await startPeer(healthy)
    const [mine, other] = [`${peer.url}/mine`, `${peer.url}/other`]
    const { turns, give, isWaiting } = turnsByHand()
    await using running = createSource([mine, other], { turns })
    running.source.start()
    await until(() => isWaiting(mine) && isWaiting(other))
    expect(peer.requests).toEqual([])
    give(mine)
    await until(() => running.deliveries.length >= 3)
    expect(new Set(peer.requests.map(({ url }) => url))).toEqual(new Set(['/mine']))
    expect(statusOf(running.source, 1)).toMatchObject({
      scraper: { kind: 'elsewhere', id: 2, name: 'host/2' },
      up: undefined,
      next: undefined,
    })
  })

  test('is left at once when it is lost, in mid-scrape, which is no failure; and scraped again with the next turn', async () => {
    let isHanging = true
    await using peer = await startPeer((_request, response) => {
      if (!isHanging) respond(response)
    })
    const { turns, give, isWaiting, released } = turnsByHand()
    await using running = createSource([peer.url], { turns })
    running.source.start()
    await until(() => isWaiting(peer.url))
    const { lose } = give(peer.url)
    await until(() => peer.requests.length === 1)
    lose()
    await until(() => isWaiting(peer.url))
    expect(released).toEqual([peer.url])
    expect([running.reports, running.deliveries]).toEqual([[], []])
    expect(running.lines.filter(({ level }) => level !== 'debug')).toEqual([])
    isHanging = false
    give(peer.url)
    await until(() => running.deliveries.length > 0)
    expect(peer.requests.length).toBeGreaterThan(1)
  })

  test('brings nothing if it is lost when the answer is there and not delivered yet', async () => {
    const { turns, give, isWaiting } = turnsByHand()
    let lose = () => {}
    const fetch = async () => {
      lose()
      return { body: [Buffer.from(line(1))], format: 'text' as const }
    }
    await using running = createSource(['http://t/'], { turns, fetch })
    running.source.start()
    await until(() => isWaiting('http://t/'))
    lose = give('http://t/').lose
    await until(() => isWaiting('http://t/'))
    expect([running.reports, running.deliveries]).toEqual([[], []])
  })

  test('is passed on when what was scraped is recorded, not before', async () => {
    await using peer = await startPeer(healthy)
    const delivery = Promise.withResolvers<undefined>()
    const deliver = vi.fn(() => delivery.promise)
    const { turns, give, isWaiting, released } = turnsByHand()
    await using running = createSource([peer.url], { turns, deliver })
    running.source.start()
    await until(() => isWaiting(peer.url))
    const { end } = give(peer.url)
    await until(() => deliver.mock.calls.length === 1)
    end()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(released).toEqual([])
    delivery.resolve(undefined)
    await until(() => isWaiting(peer.url))
    expect(released).toEqual([peer.url])
    expect(deliver).toHaveBeenCalledOnce()
    expect(running.reports).toMatchObject([{ outcome: 'delivered' }])
  })

  test('is passed on at once between two scrapes, and then how it stands is only known elsewhere', async () => {
    await using peer = await startPeer(healthy)
    const left: string[] = []
    const observer = { scraped: () => {}, left: (target: string) => void left.push(target) }
    const [one, two] = [`${peer.url}/federate?match[]=a`, `${peer.url}/federate?match[]=b`]
    const { turns, give, isWaiting, released } = turnsByHand()
    await using running = createSource([one, two], { turns, interval: 3_600_000, observer })
    running.source.start()
    await until(() => isWaiting(one) && isWaiting(two))
    const [first, second] = [give(one), give(two)]
    await until(() => running.source.targets().every(({ up, next }) => up === true && next !== undefined))
    const { lastSuccess } = statusOf(running.source)
    first.end()
    await until(() => released.length === 1)
    expect(statusOf(running.source)).toMatchObject({ up: undefined, next: undefined, samples: 0, lastSuccess })
    // Metrics know a target without its query: the other one has the same address.
    expect(left).toEqual([])
    second.end()
    await until(() => released.length === 2)
    expect(left).toEqual([`${peer.url}/federate`])
  })

  test('is released when the source stops, and when it is taken away', async () => {
    await using peer = await startPeer(healthy)
    const [one, two] = [`${peer.url}/1`, `${peer.url}/2`]
    const { turns, give, isWaiting, released } = turnsByHand()
    await using running = createSource([one, two], { turns })
    running.source.start()
    await until(() => isWaiting(one) && isWaiting(two))
    give(one)
    give(two)
    await until(() => running.deliveries.length > 2)
    running.source.setTargets([{ url: two, labels: {} }])
    await until(() => released.length === 1)
    expect(released).toEqual([one])
    await running.source.stop()
    expect(released).toEqual([one, two])
  })
})
