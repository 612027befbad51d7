import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { formatDecimal } from '#src/core/decimals.ts'
import { LATEST } from '#src/core/time.ts'
import type { Decoded } from '#src/sources/receiver.ts'
import { decodeRemoteWrite } from '#src/sources/remoteWrite/decode.ts'
import { PushRefusal } from '#src/sources/source.ts'
import { T0 } from '../../helpers/billing.ts'
import {
  decodedRecordings,
  part,
  recordedPushes,
  rules,
  STALE,
  snappy,
  usage,
  varint,
  version1,
  version2,
  type WrittenSeries,
} from '../../helpers/pushes.ts'

const RECORDED = Date.UTC(2026, 10, 21, 4, 31)

const v2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'

function decode(message: Uint8Array, contentType = 'application/x-protobuf', now = T0): Promise<Decoded> {
  return decodeBody(snappy(message), contentType, now)
}

function decodeBody(body: Uint8Array, contentType = 'application/x-protobuf', now = T0, contentEncoding = 'snappy') {
  return decodeRemoteWrite({ body, contentType, contentEncoding, precision: undefined }, rules(now, { origin: 'push' }))
}

async function reasonOf(decoding: Promise<unknown>): Promise<string | undefined> {
  try {
    await decoding
    return undefined
  } catch (error) {
    if (error instanceof PushRefusal) return error.reason
    throw error
  }
}

function shown({ readings }: Decoded) {
  return readings.map(({ series, at, value }) => [series.projectName, series.metric, at, formatDecimal(value)])
}

const both = [
  ['1.0', version1, 'application/x-protobuf'],
  ['2.0', version2, v2],
] as const

suite.each(both)('Remote write %s', (_version, write, type) => {
  test('brings the readings that its samples are', async () => {
    const series = [
      usage('BioVis', [
        [T0, 1_010.5],
        [T0 + 15_000, 1_011],
      ]),
      usage('Æther "Lab"\\\n,=', [[T0, 1.0047215837179489e6]], 'project_mb_usage'),
    ]
    const decoded = await decode(write(series), type)
    expect(shown(decoded)).toEqual([
      ['BioVis', 'project_vcpu_usage', T0, '1010.5'],
      ['BioVis', 'project_vcpu_usage', T0 + 15_000, '1011'],
      ['Æther "Lab"\\\n,=', 'project_mb_usage', T0, '1004721.5837179489'],
    ])
    expect(decoded).toMatchObject({ samples: 3, staleMarkers: 0, errorCount: 0, isCounted: type === v2 })
  })

  test('takes a stale marker for absence, and no other NaN', async () => {
    const series = usage('BioVis', [
      [T0, STALE],
      [T0 + 1, Number.NaN],
      [T0 + 2, Number.POSITIVE_INFINITY],
      [T0 + 3, -1],
    ])
    const decoded = await decode(write([series]), type)
    expect(decoded).toMatchObject({ readings: [], samples: 4, staleMarkers: 1, rejected: { unreadable: 3 } })
    const expected = 'value: expected a number of zero or more, got'
    expect(decoded.errors.map(({ message }) => message)).toEqual([
      `${expected} "NaN"`,
      `${expected} "Infinity"`,
      `${expected} "-1"`,
    ])
  })

  test('tells of samples that cannot be used, the first twenty of them', async () => {
    const { location_id: _, ...siteless } = usage('BioVis', []).labels
    const samples = Array.from({ length: 30 }, (_each, index) => [T0 + index, 1] as const)
    const series = [usage('alpha', [[T0 / 1_000, 1]]), { labels: siteless, samples }]
    const decoded = await decode(write(series), type)
    expect(decoded).toMatchObject({ errorCount: 31, rejected: { 'too old': 1, incomplete: 30 } })
    expect(decoded.errors).toHaveLength(20)
    expect(decoded.errors.slice(0, 2).map(({ message }) => message)).toEqual([
      expect.stringContaining('timestamp: expected one of the last year'),
      expect.stringContaining('location_id: expected the number of the site in Perun'),
    ])
  })

  test('counts what is not looked at', async () => {
    const other = { labels: { __name__: 'up' }, samples: [[T0, 1]] as const }
    const series = { ...usage('BioVis', [[T0, 1]]), histograms: 2, exemplars: 3 }
    const decoded = await decode(write([other, series]), type)
    expect(decoded).toMatchObject({ samples: 2, ignored: 5, rejected: { 'unknown metric': 1 } })
    expect(decoded.readings).toHaveLength(1)
  })

  test('takes an empty body, and one of nothing', async () => {
    expect(await decodeBody(Buffer.of(), type)).toMatchObject({ readings: [], samples: 0 })
    expect(await decode(write([]), type)).toMatchObject({ readings: [], samples: 0 })
  })

  test('leaves out a series whose labels are none, and takes the others', async () => {
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`l${index}`, 'x']))
    const series = [usage('alpha', [[T0, 1]]), usage('beta', [[T0, 1]]), { labels: many, samples: [[T0, 1]] as const }]
    const message = write(series)
    const broken = Buffer.from(
      message.toString('latin1').replace('alpha', 'al\xffha').replace('id-alpha', 'id-al\xffha'),
      'latin1',
    )
    const decoded = await decode(broken, type)
    expect(shown(decoded).map(([name]) => name)).toEqual(['beta'])
    expect(decoded.rejected.unreadable).toBe(2)
    expect(decoded.errors.map(({ message }) => message)).toEqual([
      'Expected valid UTF-8 in labels',
      'Expected at most 200 labels of a series',
    ])
  })

  test('refuses a series that consists of labels', async () => {
    const labels = Object.fromEntries(Array.from({ length: 2_001 }, (_, index) => [`l${index}`, 'x']))
    expect(await reasonOf(decode(write([{ labels, samples: [[T0, 1]] }]), type))).toBe('too large')
  })

  test('leaves out a sample whose timestamp is no date', async () => {
    const decoded = await decode(
      write([
        usage('alpha', [
          [LATEST + 1, 1],
          [-(2 ** 60), 1],
          [T0, 2],
        ]),
      ]),
      type,
    )
    expect(shown(decoded)).toEqual([['alpha', 'project_vcpu_usage', T0, '2']])
    expect(decoded.rejected).toMatchObject({ unreadable: 2 })
  })

  test('refuses more samples than it would record', async () => {
    const samples = Array.from({ length: 100_001 }, (_, index) => [T0 + index, 1] as const)
    expect(await reasonOf(decode(write([usage('alpha', samples)]), type))).toBe('too large')
    const halves = [usage('alpha', samples.slice(0, 60_000)), usage('beta', samples.slice(0, 60_000))]
    expect(await reasonOf(decode(write(halves), type))).toBe('too large')
  })

  // The sign for "no character" is what bytes that are none become, so it stands for them.
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).map((each) => each.replaceAll('\uFFFD', '?'))
  const series: fc.Arbitrary<WrittenSeries> = fc.record({
    labels: fc
      .dictionary(text, text, {
        noNullPrototype: true,
      })
      .map((labels) => ({
        ...labels,
        __name__: 'project_vcpu_usage',
        project_name: `p ${labels.project_name ?? ''}`,
        location_id: '1',
      })),
    samples: fc.array(
      fc.tuple(
        fc.integer({ min: T0, max: T0 + 1e9 }),
        fc.double({ min: 0, max: 1e15, noNaN: true, noDefaultInfinity: true }),
      ),
      { maxLength: 5 },
    ),
  })

  test('reads every message that is written as its specification says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(series, { maxLength: 8 }), async (all) => {
        const decoded = await decode(write(all), type)
        const expected = all.flatMap(({ labels, samples }) =>
          samples.map(([at, value]) => [labels.project_name, 'project_vcpu_usage', at, Number(value)]),
        )
        expect(shown(decoded).map(([name, metric, at, value]) => [name, metric, at, Number(value)])).toEqual(expected)
      }),
    )
  })

  test('never fails in another way than by a refusal, whatever is changed in a message', async () => {
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), cut: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(
        fc.array(series, { minLength: 1, maxLength: 4 }),
        fc.array(change, { maxLength: 4 }),
        async (all, changes) => {
          let message = write(all)
          for (const { at, byte, cut } of changes) {
            message[at % message.length] = byte
            if (cut) message = message.subarray(0, Math.max(1, at % message.length))
          }
          expect([undefined, 'malformed', 'too large']).toContain(await reasonOf(decode(message, type)))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('never fails in another way than by a refusal, whatever the bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect([undefined, 'malformed', 'too large']).toContain(await reasonOf(decode(bytes, type)))
        expect([undefined, 'malformed', 'too large']).toContain(await reasonOf(decodeBody(bytes, type)))
      }),
      { numRuns: 2_000 },
    )
  })
})

suite('A message of remote write', () => {
  test.each([
    ['a number without an end', Buffer.alloc(30, 0xff)],
    ['a number of eleven bytes', Buffer.concat([Buffer.of(8), Buffer.alloc(10, 0x80), Buffer.of(1)])],
    ['a part that is longer than the whole', Buffer.concat([Buffer.of(10), varint(2 ** 31)])],
    ['a field with the number 0', Buffer.of(2, 0)],
    ['a form that there is not', Buffer.of(15 * 8 + 3)],
    ['a series that is a number', Buffer.of(8, 1)],
    ['zeros, as of a body that lost its end', Buffer.alloc(20)],
    ['a label within a label without an end', part(1, part(1, Buffer.of(10, 200)))],
  ])('is refused with %s', async (_name, message) => {
    expect(await reasonOf(decode(message))).toBe('malformed')
  })

  test('is refused when it refers to a text that is not in its table, or leaves out the value of a label', async () => {
    const series = (references: Buffer) => Buffer.concat([part(4, ''), part(4, 'a'), part(5, part(1, references))])
    expect(await reasonOf(decode(series(Buffer.of(1, 2)), v2))).toBe('malformed')
    expect(await reasonOf(decode(series(Buffer.of(1)), v2))).toBe('malformed')
    expect(await reasonOf(decode(series(Buffer.of(1, 1)), v2))).toBeUndefined()
  })

  test('may have its table after its series, and references one by one', async () => {
    const labels = ['__name__', 'project_vcpu_usage', 'project_name', 'BioVis', 'location_id', '8676']
    const one = Buffer.concat(labels.flatMap((_, index) => [Buffer.of(8), varint(index + 1)]))
    const value = Buffer.alloc(8)
    value.writeDoubleLE(2.5)
    const sample = Buffer.concat([Buffer.of(9), value, Buffer.of(16), varint(T0)])
    const message = Buffer.concat([
      part(5, Buffer.concat([one, part(2, sample)])),
      ...['', ...labels].map((text) => part(4, text)),
    ])
    expect(shown(await decode(message, v2))).toEqual([['BioVis', 'project_vcpu_usage', T0, '2.5']])
  })

  test('has a value and a timestamp of zero where they are left out', async () => {
    const { labels } = usage('BioVis', [])
    const message = version1([{ labels, samples: [] }])
    const series = Buffer.concat([message.subarray(2 + Number(message[1]! > 0x7f)), part(2, Buffer.of())])
    expect(await decode(part(1, series))).toMatchObject({ samples: 1, rejected: { 'too old': 1 } })
  })

  test.each([
    ['application/json', 'snappy'],
    ['', 'snappy'],
    ['application/x-protobuf;proto=io.prometheus.write.v3.Request', 'snappy'],
    ['application/x-protobuf', ''],
    ['application/x-protobuf', 'gzip'],
    ['application/x-protobuf', 'zstd'],
  ])('is not supported as "%s" with the encoding "%s"', async (type, encoding) => {
    expect(await reasonOf(decodeBody(snappy(version1([])), type, T0, encoding))).toBe('unsupported')
  })

  test.each([
    'application/x-protobuf; proto=prometheus.WriteRequest',
    'Application/X-Protobuf',
    'application/x-protobuf; charset=utf-8',
  ])('is supported as "%s"', async (type) => {
    expect(await reasonOf(decodeBody(snappy(version1([])), type, T0, 'SNAPPY'))).toBeUndefined()
  })

  // Some 20 times as many bytes as were sent.
  test('is refused when it is decompressed to more than it may be', async () => {
    expect(await reasonOf(decodeBody(snappy(Buffer.alloc(32 * 1_024 * 1_024 + 1))))).toBe('too large')
  })
})

suite('Recordings of Prometheus 2.42', () => {
  test.each(['prometheus/remote_write-escapes', 'prometheus/remote_write-after-outage'])(
    'in %s are what another decoder made of them',
    async (folder) => {
      const known = new Map(decodedRecordings(folder).map((each) => [each.file, each.timeseries]))
      const recorded = recordedPushes(folder, '.snappy')
      expect(recorded.length).toBe(known.size)
      for (const { name, body } of recorded) {
        const series = known.get(name)!
        const samples = series.flatMap((each) => each.samples.map((sample) => ({ labels: each.labels, sample })))
        const stale = samples.filter(({ sample }) => sample[1] === 'STALE')
        const named = samples.filter(({ labels, sample }) => labels.project_name !== undefined && sample[1] !== 'STALE')
        const decoded = await decodeBody(body, 'application/x-protobuf', RECORDED)
        expect(decoded).toMatchObject({ samples: samples.length, staleMarkers: stale.length })
        expect(decoded.errorCount).toBe(samples.length - stale.length - named.length)
        expect(shown(decoded).map(([project, metric, at, value]) => [project, metric, at, Number(value)])).toEqual(
          named.map(({ labels, sample: [at, value] }) => [labels.project_name, labels.__name__, at, value]),
        )
      }
    },
  )

  test('hold 500 series of a large site', async () => {
    const [{ body } = { body: Buffer.of() }] = recordedPushes('prometheus/remote_write-big', '.snappy')
    const decoded = await decodeBody(body, 'application/x-protobuf', RECORDED)
    expect([decoded.readings.length, decoded.samples, decoded.errorCount]).toEqual([500, 500, 0])
  })
})
