import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, suite, test } from 'vitest'
import { formatDecimal } from '#src/core/decimals.ts'
import { decodeLines } from '#src/sources/influx/decode.ts'
import type { Decoded } from '#src/sources/receiver.ts'
import { PushRefusal } from '#src/sources/source.ts'
import { T0 } from '../../helpers/billing.ts'
import { recordedPushes, rules } from '../../helpers/pushes.ts'

const RECORDED = Date.UTC(2026, 10, 21, 4, 31)

function decode(
  text: string | Uint8Array,
  { now = T0, precision, encoding }: { now?: number; precision?: string; encoding?: string } = {},
): Promise<Decoded> {
  const push = { body: Buffer.from(text), contentType: '', contentEncoding: encoding, precision }
  return decodeLines(push, rules(now, { site: '8676', origin: 'influx' }))
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
  return readings.map(({ series, at, value }) => [series.projectName, at, formatDecimal(value)])
}

const line = (fields: string, timestamp = '') => `project_vcpu_usage,project_name=BioVis ${fields}${timestamp}`

suite('A line', () => {
  test.each([
    ['value=251241.76668466887', '251241.76668466887'],
    ['value=1.0047221891027555e+06', '1004722.1891027555'],
    ['value=1e6', '1000000'],
    ['value=.5', '0.5'],
    ['value=5i', '5'],
    ['value=18446744073709551615u', '18446744073709551615'],
    ['value=0', '0'],
    ['other="a b, c=1",value=7,flag=t', '7'],
    ['other="a \\" b",value=7', '7'],
    ['value=7,other="two\nlines"', '7'],
    ['  value=7', '7'],
  ])('with %s brings that value', async (fields, value) => {
    expect(shown(await decode(line(fields)))).toEqual([['BioVis', T0, value]])
  })

  test.each(['value=NaN', 'value=t', 'value="5"', 'value=-1', 'value=5x', 'value=1e9999'])(
    'with %s brings none: that is no total',
    async (fields) => {
      const decoded = await decode(line(fields))
      expect(decoded).toMatchObject({ readings: [], samples: 1, rejected: { unreadable: 1 } })
    },
  )

  test.each([
    ['ns', '1767225600123999999', T0 + 123],
    [undefined, '1767225600123999999', T0 + 123],
    ['', '1767225600123999999', T0 + 123],
    ['n', '1767225600123000000', T0 + 123],
    ['u', '1767225600123999', T0 + 123],
    ['µ', '1767225600123000', T0 + 123],
    ['ms', '1767225600123', T0 + 123],
    ['s', '1767225600', T0],
    ['m', '29453760', T0],
    ['h', '490896', T0],
  ])('has a timestamp in %s', async (precision, timestamp, at) => {
    const decoded = await decode(line('value=1', ` ${timestamp}`), precision === undefined ? {} : { precision })
    expect(shown(decoded)).toEqual([['BioVis', at, '1']])
  })

  test('without a timestamp is of now', async () => {
    const { readings } = await decode(line('value=1'))
    expect(readings[0]).toMatchObject({ at: T0, isOfNow: true })
  })

  test('has names of any characters', async () => {
    const text = String.raw`project_vcpu_usage,project_name=a\ b\,c\=d"e\f,project_id=x\\\,y value=1`
    const { readings } = await decode(text)
    expect(readings[0]!.series).toMatchObject({ projectName: String.raw`a b,c=d"e\f`, projectId: String.raw`x\\,y` })
  })

  test('of another measurement is not looked at', async () => {
    const decoded = await decode(`up,instance=a value=1\n# a comment\n\nproject_vcpu_usage,project_name=a value=1\r\n`)
    expect(decoded).toMatchObject({ samples: 2, rejected: { 'unknown metric': 1 }, errorCount: 0 })
    expect(shown(decoded)).toEqual([['a', T0, '1']])
  })

  test.each([
    ['project_vcpu_usage,project_name=a', 'fields after the tags'],
    ['project_vcpu_usage,project_name=a ', 'name=value as a field'],
    ['project_vcpu_usage,project_name value=1', 'name=value as a tag'],
    ['project_vcpu_usage,project_name= value=1', 'a value of each tag'],
    ['project_vcpu_usage,=a value=1', 'name=value as a tag'],
    ['project_vcpu_usage,a=b,a=c value=1', 'each tag once'],
    ['project_vcpu_usage value', 'name=value as a field'],
    ['project_vcpu_usage value=', 'name=value as a field'],
    ['project_vcpu_usage value=1,', 'name=value as a field'],
    ['project_vcpu_usage value=1,value=2', 'the field "value" once'],
    ['project_vcpu_usage other=1', 'a field "value"'],
    ['project_vcpu_usage value=1 yesterday', 'a whole number as the timestamp'],
    ['project_vcpu_usage value=1 1 2', 'a whole number as the timestamp'],
    ['project_vcpu_usage value=1 9999999999999999999999', 'a whole number as the timestamp'],
    ['project_vcpu_usage value="1', 'a closing quote'],
    [
      `project_vcpu_usage,${Array.from({ length: 201 }, (_, index) => `t${index}=x`).join(',')} value=1`,
      'at most 200 tags',
    ],
    [`project_vcpu_usage,project_name=${'x'.repeat(70_000)} value=1`, 'at most 65536 characters'],
  ])('is told of when it is bad, and costs the others nothing: %#', async (bad, expected) => {
    const good = 'project_vcpu_usage,project_name=good value=1\n'
    const decoded = await decode(`${good}${bad}`)
    expect(shown(decoded)).toEqual([['good', T0, '1']])
    expect(decoded.errors).toEqual([{ line: 2, message: expect.stringContaining(expected) }])
    expect(decoded.rejected.unreadable).toBe(1)
  })

  test('with bytes that are no UTF-8 is bad', async () => {
    const text = Buffer.from(
      'project_vcpu_usage,project_name=a\xff value=1\nproject_vcpu_usage,project_name=b value=1\n',
      'latin1',
    )
    expect(shown(await decode(text))).toEqual([['b', T0, '1']])
  })

  test('after a text of several lines is counted on', async () => {
    const decoded = await decode('m t="1\n2\n3"\nproject_vcpu_usage x=1\nproject_vcpu_usage value=1')
    expect(decoded.errors[0]).toMatchObject({ line: 4 })
  })
})

suite('A line that can be read and not be used', () => {
  const value = 'value: expected a number of zero or more, got'

  test.each([
    ['value=NaN', `${value} "NaN"`],
    ['value="101"', `${value} "\\"101\\""`],
    ['value=0x10', `${value} "0x10"`],
    ['value=-5', `${value} "-5"`],
    ['value=1e400', `${value} "1e400"`],
    ['value=1 1767225600', 'timestamp: expected one of the last year, got an older one (is its unit right?)'],
  ])('is told of with its number and the reason: %s', async (fields, message) => {
    const decoded = await decode(`up value=1\n${line('value=1')}\n${line(fields)}\n`)
    expect(decoded).toMatchObject({ samples: 3, errorCount: 1, errors: [{ line: 3, message }] })
    expect(decoded.readings).toHaveLength(1)
  })

  test('is told of between those that cannot be read, twenty in all', async () => {
    const nameless = 'project_vcpu_usage value=1\n'
    const decoded = await decode(`${nameless}project_vcpu_usage x\n${nameless.repeat(30)}`)
    expect(decoded).toMatchObject({ errorCount: 32, rejected: { incomplete: 31, unreadable: 1 } })
    expect(decoded.errors.map((each) => each.line)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(decoded.errors[0]!.message).toBe('project_name: expected a label, got nothing')
  })
})

suite('A push of lines', () => {
  test('of which none can be read is refused', async () => {
    expect(await reasonOf(decode('<html>\n<body>\n'))).toBe('malformed')
    expect(await reasonOf(decode('project_vcpu_usage'))).toBe('malformed')
  })

  test('may be empty', async () => {
    expect(await decode('')).toMatchObject({ readings: [], samples: 0, errorCount: 0 })
    expect(await decode('\n\n')).toMatchObject({ readings: [], samples: 0, errorCount: 0 })
  })

  test('may come as gzip, and as nothing else', async () => {
    const text = line('value=1')
    expect(shown(await decode(gzipSync(text), { encoding: 'gzip' }))).toEqual([['BioVis', T0, '1']])
    expect(await reasonOf(decode(text, { encoding: 'gzip' }))).toBe('malformed')
    expect(await reasonOf(decode(text, { encoding: 'br' }))).toBe('unsupported')
    expect(await reasonOf(decode(gzipSync(Buffer.alloc(33_554_433)), { encoding: 'gzip' }))).toBe('too large')
  })

  test.each(['x', 'toString', 'ps', 'NS'])('is refused with the precision %s', async (precision) => {
    expect(await reasonOf(decode(line('value=1'), { precision }))).toBe('malformed')
  })

  test('is refused with more samples than it would record', async () => {
    expect(await reasonOf(decode(`${line('value=1')}\n`.repeat(100_001)))).toBe('too large')
  })
})

// InfluxDB does not escape a line feed in a tag: whoever names a project could write lines.
suite('A name with a line feed', () => {
  const marks = '__name__=project_vcpu_usage,instance=exporter,job=usage'
  const whole = (name: string) => `project_vcpu_usage,${marks},project_name=${name} value=5 1767225600000000000\n`

  test('cuts its line in two, and costs the others nothing', async () => {
    const decoded = await decode(whole('a') + whole('new\nline') + whole('b'))
    expect(shown(decoded).map(([name]) => name)).toEqual(['a', 'b'])
    expect(decoded.errors.map(({ line }) => line)).toEqual([2, 3])
  })

  test.each([
    'x\nproject_vcpu_usage,project_name=victim value=99',
    'x\nproject_vcpu_usage,project_name=victim value=99\ny',
    'x\ny\nproject_vcpu_usage,project_name=victim value=99 1767225600000000000\nz',
    'x\n\nproject_vcpu_usage,project_name=victim value=99 1767225600000000000\nz',
    'x\n#\nproject_vcpu_usage,project_name=victim value=99 1767225600000000000\nz',
    'x\ny z=1\nproject_vcpu_usage,project_name=victim value=99 1767225600000000000\nz',
    `x\nproject_vcpu_usage,${marks},project_name=victim value=99`,
  ])('that is written like a line charges nobody: %j', async (name) => {
    const decoded = await decode(whole('a') + whole(name) + whole('b'))
    expect(shown(decoded).map(([project]) => project)).toEqual(['a', 'b'])
  })

  test('with a quote swallows no line', async () => {
    const decoded = await decode(whole('a"b') + whole('c'))
    expect(shown(decoded).map(([project]) => project)).toEqual(['a"b', 'c'])
  })
})

suite('The reader of lines', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1 })
    // A backslash before a character that is escaped cannot be written, neither can a line feed; a name ends as a line might.
    .map((text) => text.replace(/[\\\n\r\uFFFD]/g, '?'))
    .filter((text) => text.trim() !== '')
  const escaped = (text: string) => text.replace(/[, =]/g, '\\$&')

  test('reads every line that is written as its specification says', async () => {
    const total = fc.double({ min: 0, max: 1e15, noNaN: true, noDefaultInfinity: true })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, total, fc.nat(1e9)), { minLength: 1 }), async (all) => {
        const lines = all.map(
          ([project, value, at]) =>
            `project_vcpu_usage,x=${escaped(project)},project_name=${escaped(project)} value=${value} ${T0 + at}`,
        )
        const decoded = await decode(lines.join('\n'), { precision: 'ms' })
        expect(shown(decoded).map(([project, at, value]) => [project, at, Number(value)])).toEqual(
          all.map(([project, value, at]) => [project, T0 + at, value]),
        )
      }),
    )
  })

  test('never fails in another way than by a refusal, whatever the text is', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'project_vcpu_usage',
        ',project_name=',
        ' value=',
        '"',
        '\\',
        '\n',
        ' ',
        '=',
        ',',
        '1',
        '#',
        '\r\n',
        'i',
      ),
      fc.string({ maxLength: 4 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
        expect([undefined, 'malformed']).toContain(await reasonOf(decode(pieces.join(''))))
      }),
      { numRuns: 3_000 },
    )
  })

  test('reads each character a few times at most', async () => {
    const long = 2_000_000
    for (const text of ['\\', '"', '\n', ' ', '\\"', 'a,', '="', 'm a="\\', 'm a=1,\n', ',=\\\n'])
      await reasonOf(decode(`project_vcpu_usage,a=b c=${text.repeat(long / text.length)}`))
  })
})

suite('Recordings of InfluxDB 1.6', () => {
  test('hold the lines of a small site', async () => {
    for (const { body } of recordedPushes('influx/subscription-small', '.lp')) {
      const decoded = await decode(body, { now: RECORDED, precision: 'ns' })
      const lines = body.toString().trim().split('\n')
      expect(decoded).toMatchObject({ samples: lines.length, errorCount: 0 })
      expect(shown(decoded)).toEqual(
        lines.map((each) => {
          const [, project, value, at] = /project_name=(\S+) value=(\S+) (\d+)000000$/.exec(each)!
          return [project, Number(at), value]
        }),
      )
    }
  })

  test('hold names of all kinds; the one with a line feed costs two lines of each metric, the one without a name its own', async () => {
    const [{ body } = { body: Buffer.of() }] = recordedPushes('influx/subscription-escapes', '.lp')
    const decoded = await decode(body, { now: RECORDED })
    const lines = body.toString().trim().split('\n').length
    expect(decoded).toMatchObject({ errorCount: 6, samples: lines - 4, rejected: { incomplete: 2 } })
    const names = new Set(decoded.readings.map(({ series }) => series.projectName))
    expect(names).toContain('Gießen-ünï-日本')
    expect(names).toContain('quote"back\\slash')
    expect([...names].some((each) => each.includes('new'))).toBe(false)
  })
})
