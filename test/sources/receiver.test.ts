/** What all receivers of pushes do, whatever the protocol. */
import { setImmediate } from 'node:timers/promises'
import { expect, suite, test } from 'vitest'
import { createPushBudget } from '#src/sources/pushBudget.ts'
import { LARGEST_PUSH } from '#src/sources/receiver.ts'
import { type Deliver, type Delivery, type Push, PushRefusal } from '#src/sources/source.ts'
import { T0, testClock } from '../helpers/billing.ts'
import { memoryLog } from '../helpers/log.ts'
import { push, receiversOf, snappy, usage, version1 } from '../helpers/pushes.ts'

const line = (project: string, value: number, at = T0) =>
  `project_vcpu_usage,location_id=8676,project_name=${project} value=${value} ${at}000000\n`

async function refusalOf(taking: Promise<unknown>): Promise<[string, string]> {
  try {
    await taking
  } catch (error) {
    if (error instanceof PushRefusal) return [error.reason, error.message]
    throw error
  }
  throw new Error('It was taken')
}

/** What was delivered; each delivery waits until it is let go. */
function collector() {
  const deliveries: Delivery[] = []
  const gates: (() => void)[] = []
  return {
    deliveries,
    deliver: (delivery: Delivery) => {
      deliveries.push(delivery)
      return new Promise<undefined>((resolve) => gates.push(() => resolve(undefined)))
    },
    letGo: () => gates.splice(0).forEach((open) => void open()),
  }
}

function setUp(deliver: Deliver = async () => undefined, limits = { pushes: 3, bytes: 1e9 }) {
  const clock = testClock()
  const budget = createPushBudget(limits)
  return { clock, budget, ...receiversOf(deliver, clock, budget) }
}

suite('A push', () => {
  test('is taken when all of it is durable, and not before', async () => {
    const { deliveries, deliver, letGo } = collector()
    const { influx } = setUp(deliver)
    let isTaken = false
    const taking = influx.take(push(line('a', 1) + line('b', 2))).then(() => {
      isTaken = true
    })
    while (deliveries.length === 0) await setImmediate()
    await setImmediate()
    expect(isTaken).toBe(false)
    letGo()
    await taking
    expect(deliveries[0]).toMatchObject({ id: 'push-1', source: 'influx', receivedAt: T0 })
    expect(deliveries[0]!.readings.map(({ series, origin }) => [series.projectName, origin])).toEqual([
      ['a', 'influx'],
      ['b', 'influx'],
    ])
  })

  test('that cannot be recorded is not taken, and says what the ledger says', async () => {
    const { remoteWrite } = setUp(() => Promise.reject(new Error('The disk is full.')))
    const body = snappy(version1([usage('a', [[T0, 1]])]))
    const about = { contentType: 'application/x-protobuf', contentEncoding: 'snappy' }
    await expect(remoteWrite.take(push(body, about))).rejects.toThrow('The disk is full.')
    expect(remoteWrite.status).toMatchObject({ taken: 0, refused: 1, lastError: 'The disk is full.', readings: 0 })
  })

  test('is refused as soon as it is too large', async () => {
    const { influx, budget } = setUp()
    let chunks = 0
    async function* endless() {
      for (;;) {
        chunks += 1
        yield Buffer.alloc(1_048_576, 10)
      }
    }
    expect(await refusalOf(influx.take({ ...push(''), body: endless() }))).toMatchObject([
      'too large',
      /16777216 bytes/,
    ])
    expect([chunks, budget.size]).toEqual([LARGEST_PUSH / 1_048_576 + 1, 0])
  })

  test('that breaks off is refused, and nothing of it is delivered', async () => {
    const deliveries: Delivery[] = []
    const { influx } = setUp(async (delivery) => void deliveries.push(delivery))
    async function* broken() {
      yield Buffer.from(line('a', 1))
      throw new Error('aborted')
    }
    expect((await refusalOf(influx.take({ ...push(''), body: broken() })))[0]).toBe('cut short')
    expect(deliveries).toEqual([])
  })
})

suite('Pushes at the same time', () => {
  const slow = async (): Promise<{ push: Push; end: () => void }> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    async function* body() {
      yield Buffer.from(line('a', 1))
      await promise
    }
    return { push: { ...push(''), body: body() }, end: resolve }
  }

  test('are so many at most, in all protocols together', async () => {
    const { influx, remoteWrite, budget } = setUp()
    const pushes = await Promise.all([slow(), slow(), slow()])
    const taking = pushes.map((each) => influx.take(each.push))
    expect(budget.size).toBe(3)
    expect(await refusalOf(influx.take(push('')))).toMatchObject(['busy', /3 pushes are under way/])
    expect((await refusalOf(remoteWrite.take(push(''))))[0]).toBe('busy')
    for (const { end } of pushes) end()
    await Promise.all(taking)
    expect(budget.size).toBe(0)
    await influx.take(push(''))
  })

  test('weigh so much at most, and give it back', async () => {
    const { influx } = setUp(undefined, { pushes: 10, bytes: 700 })
    const first = await slow()
    const taking = influx.take(first.push)
    const large = '#'.repeat(680)
    expect((await refusalOf(influx.take(push(large))))[0]).toBe('busy')
    first.end()
    await taking
    await influx.take(push(large))
  })

  test('are finished when the worker stops, and no more are taken', async () => {
    const { influx, budget } = setUp()
    const first = await slow()
    const taking = influx.take(first.push)
    let isClosed = false
    const closing = budget.close().then(() => {
      isClosed = true
    })
    expect(await refusalOf(influx.take(push('')))).toMatchObject(['stopping', /stopping/])
    expect(isClosed).toBe(false)
    first.end()
    await taking
    await closing
  })
})

test('The log tells of samples that cannot be used when that begins, and not with every value', async () => {
  const { logger, lines } = memoryLog('push')
  const { influx } = receiversOf(async () => undefined, testClock(), createPushBudget(), logger)
  for (const value of [-1, -2, 3, -4]) await influx.take(push(line('a', value)))
  await influx.take(push(line('a', 5, T0 / 1_000)))
  const told = lines.map(({ msg, errors }) => [msg, errors])
  const message = 'Some of a push cannot be read or used; this is said once until it changes'
  expect(told).toEqual([
    [message, [{ line: 1, message: expect.stringContaining('got "-1"') }]],
    [message, [{ line: 1, message: expect.stringContaining('timestamp: expected one of the last year') }]],
  ])
})

test('The status tells of all pushes since the start', async () => {
  const { influx, clock } = setUp()
  await influx.take(push(`${line('a', 1)}up value=1\nproject_vcpu_usage\n`))
  clock.pass(1_000)
  await influx.take(push('project_vcpu_usage,project_name=a value=2'))
  clock.pass(1_000)
  await refusalOf(influx.take(push('nonsense')))
  expect(influx.status).toMatchObject({
    protocol: 'influx',
    lastPush: T0 + 2_000,
    lastSuccess: T0 + 1_000,
    lastError: expect.stringContaining('No line of it can be read'),
    ...{ taken: 2, refused: 1, samples: 3, readings: 1, staleMarkers: 0, ignored: 0 },
    rejected: { 'unknown metric': 1, unreadable: 1, incomplete: 1 },
    errors: [{ line: 1, message: expect.stringContaining('location_id: expected') }],
  })
  await influx.take(push(''))
  expect(influx.status.lastError).toBeUndefined()
})
