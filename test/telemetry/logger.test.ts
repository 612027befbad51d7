import { execFile } from 'node:child_process'
import { promisify, stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, suite, test, vi } from 'vitest'
import { withTask } from '#src/telemetry/context.ts'
import { createLogging, type Level, type LoggingOptions, levelNames, loggerNames } from '#src/telemetry/logger.ts'

/** A log that is kept in memory: `lines` as written, `events` as read back. */
function record(options: Partial<LoggingOptions> = {}) {
  const lines: string[] = []
  const logging = createLogging({ level: 'info', destination: { write: (line) => void lines.push(line) }, ...options })
  return { logging, lines, events: () => lines.map((line): Record<string, unknown> => JSON.parse(line)) }
}

suite('A line of the log', () => {
  test('is one JSON object with level, UTC time, logger, fields and message', () => {
    const { logging, lines, events } = record()
    logging.logger('scrape').info({ samples: 2 }, 'scraped')
    expect(lines[0]).toMatch(/^\{.*\}\n$/)
    expect(events()[0]).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      logger: 'scrape',
      samples: 2,
      msg: 'scraped',
    })
  })

  test('carries the task it belongs to, through every logger and await', async () => {
    const { logging, events } = record()
    await withTask('publish-1', async () => {
      logging.logger('publish').info('begins')
      await Promise.resolve()
      logging.logger('perun').child({ group: 'alpha' }).info('called')
    })
    logging.logger('service').info('afterwards')
    expect(events().map(({ task }) => task)).toEqual(['publish-1', 'publish-1', undefined])
  })

  test('tells of an error what it was and why, and not what else the error carries along', () => {
    const { logging, lines, events } = record()
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const error = Object.assign(new TypeError('no answer', { cause }), { options: { headers: 'of the request' } })
    logging.logger('perun').error({ err: error }, 'failed')
    expect(events()[0]).toMatchObject({
      err: {
        type: 'TypeError',
        message: 'no answer',
        cause: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
      },
    })
    expect(lines.join()).not.toContain('of the request')
  })

  test('is text with the name of its logger when a person reads along', () => {
    const { logging, lines } = record({ pretty: true })
    logging.logger('scrape').info({ samples: 2 }, 'scraped')
    expect(stripVTControlCharacters(lines.join())).toMatch(/INFO: \[scrape\] scraped\n\s+samples: 2\n$/)
  })
})

suite('A program that logs', () => {
  test('writes JSON to its stdout, and no level for a time keeps it from ending', async () => {
    const program = `
      const { createLogging } = await import(${JSON.stringify(new URL('../../src/telemetry/logger.ts', import.meta.url))})
      const logging = createLogging({ level: 'info' })
      logging.setLevel('http', 'trace', 600_000)
      logging.logger('http').trace('listening')
    `
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      timeout: 20_000,
    })
    expect(JSON.parse(stdout)).toMatchObject({ level: 'trace', logger: 'http', msg: 'listening' })
  })
})

suite('A secret', () => {
  const secret = 'pa"ss\\w/örd'
  const places: [string, (log: ReturnType<ReturnType<typeof createLogging>['logger']>) => void][] = [
    ['in the message', (log) => log.info(`login with ${secret} failed`)],
    ['in a field', (log) => log.info({ password: secret }, 'login')],
    ['deep in a field', (log) => log.info({ request: { headers: [{ value: `Bearer ${secret}` }] } }, 'login')],
    ['in the name of a field', (log) => log.info({ headers: { [secret]: 1 } }, 'login')],
    ['in an error and its cause', (log) => log.info(new Error(secret, { cause: new Error(secret) }))],
    ['in the fields of a child logger', (log) => log.child({ token: secret }).info('login')],
    ['in a URL', (log) => log.info(`GET http://user:${encodeURIComponent(secret)}@perun/`)],
  ]

  test.each(places)('is not written %s', (_, write) => {
    const { logging, lines, events } = record()
    logging.redact([secret, ''])
    write(logging.logger('perun'))
    const written = lines.join()
    expect(written).toContain('[redacted]')
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) {
      expect(written).not.toContain(form)
    }
    expect(events()[0]!.level).toBe('info')
  })

  test('that is a number is not written as a number either', () => {
    const { logging, events } = record()
    logging.redact(['12345'])
    logging.logger('perun').info({ login: 12345, calls: 7 }, 'login')
    expect(events()[0]).toMatchObject({ login: '[redacted]', calls: 7 })
  })

  test('is not written whatever it is, and the line stays readable', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, unit: 'grapheme' }), (text) => {
        const secret = `${text}§`
        const { logging, events } = record()
        logging.redact([secret])
        logging.logger('http').info({ key: secret, list: [secret, { [secret]: 1 }] }, `<${secret}>`)
        expect(events()[0]).toMatchObject({ key: '[redacted]', list: ['[redacted]', { '[redacted]': 1 }] })
        expect(events()[0]!.msg).toBe('<[redacted]>')
      }),
    )
  })

  test('that begins like another one does not leave the rest of it behind', () => {
    const { logging, events } = record()
    logging.redact(['abcd', 'abcdefgh'])
    logging.logger('http').info('abcdefgh')
    expect(events()[0]!.msg).toBe('[redacted]')
  })
})

suite('A mail address', () => {
  test.each(['ann@example.org', "ann.o'neil+x@mail.uni-gießen.de", 'änne@example.co.uk'])(
    'such as %s is not written',
    (address) => {
      const { logging, events } = record()
      logging.logger('publish').info({ to: [address] }, `changed by ${address}, sorry`)
      expect(events()[0]).toMatchObject({ to: ['[mail]'], msg: 'changed by [mail], sorry' })
    },
  )

  test('is something else than a version or a lone @', () => {
    const { logging, events } = record()
    logging.logger('publish').info('cpu@2026-01-01 router@15.7.0 a @ b.de user@host')
    expect(events()[0]!.msg).toBe('cpu@2026-01-01 router@15.7.0 a @ b.de user@host')
  })

  test('costs no more than the length of the line to look for', () => {
    const { logging, lines } = record()
    logging.logger('publish').info(`${'a'.repeat(300_000)} @`)
    expect(lines[0]!.length).toBeGreaterThan(300_000)
  })
})

suite('A line with nothing to hide', () => {
  test('is written as it is: amounts keep their digits', () => {
    const { logging, lines } = record()
    logging.redact(['hunter2'])
    logging.logger('ledger').info({ amount: 12345678901234567890n, by: 'a @ b' }, 'charged')
    expect(lines[0]).toContain('12345678901234567890')
  })
})

suite('Levels', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const written = (level: Level, change: (logging: ReturnType<typeof createLogging>) => void) => {
    const { logging, events } = record({ level })
    const early = logging.logger('perun').child({ group: 'alpha' })
    change(logging)
    for (const log of [logging.logger('scrape'), early]) {
      log.debug('debug')
      log.warn('warn')
    }
    return events().map(({ logger, level: of }) => `${logger} ${of}`)
  }

  test('let through what is at least as important', () => {
    expect(written('info', () => {})).toEqual(['scrape warn', 'perun warn'])
    expect(written('error', () => {})).toEqual([])
    expect(written('trace', () => {})).toHaveLength(4)
  })

  test('of the root reach every logger, also children made before', () => {
    expect(written('silent', (logging) => logging.setLevel('root', 'debug'))).toHaveLength(4)
  })

  test('of one logger are its own, whatever happens to the root later', () => {
    const change = (logging: ReturnType<typeof createLogging>) => {
      logging.setLevel('perun', 'debug')
      logging.setLevel('root', 'error')
    }
    expect(written('info', change)).toEqual(['perun debug', 'perun warn'])
  })

  test('of one logger can be given up, for good or for a time: then it follows the root again', () => {
    const { logging } = record()
    logging.setLevel('perun', 'debug')
    logging.setLevel('http', 'debug')
    logging.setLevel('perun', 'inherit')
    logging.setLevel('http', 'inherit', 1_000)
    logging.setLevel('root', 'error')
    expect(logging.levels()).toMatchObject({ perun: 'error', http: 'error' })
    vi.advanceTimersByTime(1_000)
    expect(logging.levels()).toMatchObject({ perun: 'error', http: 'debug' })
  })

  test('are told for the root and for every logger', () => {
    const { logging } = record()
    logging.setLevel('http', 'warn')
    expect(Object.keys(logging.levels())).toEqual(['root', ...loggerNames])
    expect(logging.levels()).toMatchObject({ root: 'info', http: 'warn', perun: 'info' })
  })

  test('that were set for a time return to what they were', () => {
    const { logging } = record()
    logging.setLevel('perun', 'debug', 60_000)
    vi.advanceTimersByTime(59_999)
    expect(logging.levels().perun).toBe('debug')
    vi.advanceTimersByTime(1)
    expect(logging.levels().perun).toBe('info')
  })

  test('that were set for a time return to what lasts by then: a logger without its own follows the root again', () => {
    const { logging } = record()
    logging.setLevel('perun', 'debug', 1_000)
    logging.setLevel('root', 'warn')
    vi.advanceTimersByTime(1_000)
    expect(logging.levels()).toMatchObject({ root: 'warn', perun: 'warn' })
  })

  test('set for a time twice end with the second time', () => {
    const { logging } = record()
    logging.setLevel('root', 'debug', 1_000)
    logging.setLevel('root', 'trace', 5_000)
    vi.advanceTimersByTime(4_999)
    expect(logging.levels().http).toBe('trace')
    vi.advanceTimersByTime(1)
    expect(logging.levels().http).toBe('info')
  })

  test('set for good end the time of an earlier change', () => {
    const { logging } = record()
    logging.setLevel('root', 'debug', 1_000)
    logging.setLevel('root', 'error')
    vi.advanceTimersByTime(1_000)
    expect(logging.levels().root).toBe('error')
  })

  test('set for a time end when the log is closed, and leave no timer behind', () => {
    const { logging } = record()
    logging.setLevel('root', 'debug', 1_000)
    logging.close()
    expect(logging.levels().root).toBe('info')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('are refused when the logger, the level or the time does not exist, and nothing changes', () => {
    const { logging } = record()
    const before = logging.levels()
    const bad: [string, string, number?][] = [
      ['nobody', 'info'],
      ['__proto__', 'info'],
      ['perun', 'loud'],
      ['perun', 'INFO'],
      ['root', 'inherit'],
      ['root', 'debug', 0],
      ['root', 'debug', -1],
      ['root', 'debug', Number.NaN],
      ['root', 'debug', 2 ** 31],
    ]
    for (const change of bad) expect(() => logging.setLevel(...change)).toThrow(RangeError)
    expect(logging.levels()).toEqual(before)
    for (const level of levelNames) logging.setLevel('root', level)
  })
})
