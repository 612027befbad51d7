import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, expect, suite, test, vi } from 'vitest'
import { HOUR, MINUTE, SECOND } from '#src/core/time.ts'
import { BadRequestError } from '#src/http/errors.ts'
import { readLogChange } from '#src/http/logChange.ts'
import { levelNames, loggerNames } from '#src/telemetry/logger.ts'
import { type Face, startFace } from './server.ts'

async function levelsOf(face: Face): Promise<Record<string, string>> {
  return ((await face.get('/logconfig')).json as { levels: Record<string, string> }).levels
}

suite('GET /logconfig', () => {
  test('shows the level in force of the root and of each logger', async () => {
    await using face = await startFace()
    const { status, json } = await face.get('/logconfig')
    const levels = Object.fromEntries(['root', ...loggerNames].map((name) => [name, 'debug']))
    expect([status, json]).toEqual([200, { levels, known_levels: levelNames }])
  })
})

suite('POST /logconfig', () => {
  test('sets some levels and answers with those in force', async () => {
    await using face = await startFace()
    const { status, json } = await face.post('/logconfig', { levels: { perun: 'warn', root: 'info' } })
    expect([status, json]).toEqual([
      200,
      {
        levels: expect.objectContaining({ root: 'info', perun: 'warn', scrape: 'info' }),
        for_seconds: null,
        ignored: [],
      },
    ])
    expect(await levelsOf(face)).toMatchObject({ root: 'info', perun: 'warn' })
  })

  test('is said in the log', async () => {
    await using face = await startFace()
    await face.post('/logconfig', { logger: 'perun', level: 'error', for: '10m' })
    expect(face.logLines).toContainEqual(
      expect.objectContaining({ level: 'info', levels: { perun: 'error' }, seconds: 600 }),
    )
  })

  test('gives a logger back to the root', async () => {
    await using face = await startFace()
    await face.post('/logconfig', { logger: 'perun', level: 'error' })
    const { json } = await face.post('/logconfig', { loggers: { 'os_credits.requests': { level: 'NOTSET' } } })
    expect(json).toMatchObject({ levels: { root: 'debug', perun: 'debug' }, ignored: [] })
    await face.post('/logconfig', { logger: 'root', level: 'warn' })
    expect((await levelsOf(face)).perun).toBe('warn')
  })

  test('understands the body of the old service and says what of it has no meaning here', async () => {
    await using face = await startFace()
    const { status, json } = await face.post('/logconfig', {
      version: 1,
      disable_existing_loggers: false,
      formatters: { simple: { format: '%(message)s' } },
      handlers: { console: { class: 'logging.StreamHandler' } },
      root: { level: 'WARNING', handlers: ['console'] },
      loggers: { 'os_credits.requests': { level: 'DEBUG', propagate: true }, billing: { level: 'CRITICAL' } },
    })
    expect(status).toBe(200)
    expect(json).toMatchObject({ levels: { root: 'warn', perun: 'debug', billing: 'fatal', scrape: 'warn' } })
    expect((json as { ignored: string[] }).ignored.sort()).toEqual([
      'disable_existing_loggers',
      'formatters',
      'handlers',
      'loggers.os_credits.requests.propagate',
      'root.handlers',
    ])
  })

  test.each([
    ['another logger does not exist', { levels: { perun: 'error', nobody: 'debug' } }, 'There is no logger "nobody"'],
    ['another level does not exist', { levels: { perun: 'error', http: 'loud' } }, 'http: expected one of trace'],
    ['the time is none', { levels: { perun: 'error' }, for: 'a while' }, 'for: expected a time from 1s to 24h'],
    ['there is something else', { levels: { perun: 'error' }, file: '/tmp/x' }, '"file" is not understood'],
    ['it mixes notations', { levels: { perun: 'error' }, version: 1 }, '"version" is not understood'],
    ['the old form names a stranger', { version: 1, loggers: { perun: { level: 'ERROR' }, asyncio: {} } }, '"asyncio"'],
  ])('changes nothing at all when %s', async (_why, body, reason) => {
    await using face = await startFace()
    const before = await levelsOf(face)
    const { status, json } = await face.post('/logconfig', body)
    expect(status).toBe(400)
    expect(json).toMatchObject({ detail: expect.stringContaining(reason) })
    expect(await levelsOf(face)).toEqual(before)
  })

  test.each([
    ['no JSON', 'nonsense'],
    ['an array', []],
    ['a text', '"debug"'],
    ['null', 'null'],
    ['nothing to change', {}],
    ['no level', { logger: 'perun' }],
    ['no logger', { level: 'debug' }],
    ['a logger that is no text', { logger: { '()': 'os.system' }, level: 'debug' }],
    ['a level that is no text', { logger: 'perun', level: ['debug'] }],
    ['levels that are no object', { levels: ['perun'] }],
    ['the old form without a level', { version: 1, loggers: { perun: { handlers: ['console'] } } }],
    ['another version of the old form', { version: 2, root: { level: 'INFO' } }],
    ['a parent of all objects', '{"__proto__": {"levels": {"root": "silent"}}}'],
    ['very many brackets', '['.repeat(100_000)],
  ])('refuses %s', async (_what, body) => {
    await using face = await startFace()
    const { status, json } = await face.post('/logconfig', body)
    expect([status, json]).toEqual([400, expect.objectContaining({ detail: expect.stringMatching(/./) })])
  })

  test('refuses other content types, and bodies that are too long', async () => {
    await using face = await startFace()
    const body = '{"logger": "perun", "level": "error"}'
    expect((await face.post('/logconfig', body, { 'Content-Type': 'text/plain' })).status).toBe(415)
    expect((await face.post('/logconfig', body, { 'Content-Encoding': 'gzip' })).status).toBe(415)
    expect((await face.post('/logconfig', `${body}${' '.repeat(1_048_576)}`)).status).toBe(413)
    expect((await face.ask('/logconfig', { method: 'POST' })).status).toBe(400)
    expect((await levelsOf(face)).perun).toBe('debug')
  })
})

suite('nothing in a body of /logconfig is ever run or opened', () => {
  const folder = mkdtempSync(join(tmpdir(), 'logconfig-'))
  const trace = join(folder, 'trace')
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  // Python's dictConfig calls what stands under "()" and "class", opens "filename" and imports "ext://".
  test.each([
    { version: 1, formatters: { f: { '()': 'os.system', command: `touch ${trace}` } }, root: { level: 'INFO' } },
    { version: 1, handlers: { h: { class: 'logging.FileHandler', filename: trace } }, root: { level: 'INFO' } },
    { version: 1, filters: { f: { '()': `ext://os.mkdir`, path: trace } }, root: { level: 'INFO' } },
    { version: 1, loggers: { perun: { '()': 'subprocess.run', args: ['touch', trace], level: 'INFO' } } },
    { version: 1, loggers: { perun: { level: `cfg://handlers.touch ${trace}` } } },
    { levels: { root: `\${require('fs').writeFileSync('${trace}', '')}` } },
    { levels: { root: { toString: `touch ${trace}` } } },
  ])('%j', async (body) => {
    await using face = await startFace()
    await face.post('/logconfig', body)
    expect(existsSync(trace)).toBe(false)
  })

  test('whatever it is: levels change or it is refused', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        try {
          const { levels } = readLogChange(body)
          for (const [name, level] of levels) {
            expect([...loggerNames, 'root']).toContain(name)
            expect([...levelNames, ...(name === 'root' ? [] : ['inherit'])]).toContain(level)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(BadRequestError)
        }
      }),
    )
  })
})

suite('a change of levels', () => {
  test.each([
    ['CRITICAL', 'fatal'],
    ['ERROR', 'error'],
    ['WARNING', 'warn'],
    ['WARN', 'warn'],
    ['INFO', 'info'],
    ['DEBUG', 'debug'],
    ['NOTSET', 'inherit'],
    ['0', 'inherit'],
    ['inherit', 'inherit'],
    ['30', 'warn'],
    ['Silent', 'silent'],
  ])('takes the level %s for %s', (given, level) => {
    expect(readLogChange({ logger: 'perun', level: given }).levels).toEqual(new Map([['perun', level]]))
  })

  test.each([
    ['os_credits', ['root']],
    ['os_credits.tasks', ['billing', 'publish']],
    ['os_credits.tasks.bill', ['billing', 'publish']],
    ['os_credits.perun.groupsManager', ['perun']],
    ['os_credits.internal', ['service', 'config']],
    ['os_credits.requests', ['perun']],
    ['os_credits.influxdb', ['scrape', 'ledger']],
  ])('knows who does the work of the old %s', (old, names) => {
    const { levels } = readLogChange({ version: '1', loggers: { [old]: { level: 'DEBUG' } } })
    expect([...levels.keys()]).toEqual(names)
  })

  test('names loggers of the old service that nobody stands for here as ignored, and does the rest', () => {
    const stranger = { 'os_credits.notifications': { level: 'DEBUG', propagate: false } }
    const { levels, ignored } = readLogChange({ loggers: { ...stranger, 'os_credits.requests': { level: 'DEBUG' } } })
    expect([levels, ignored]).toEqual([
      new Map([['perun', 'debug']]),
      ['loggers.os_credits.notifications.level', 'loggers.os_credits.notifications.propagate'],
    ])
    expect(readLogChange({ loggers: stranger })).toMatchObject({ levels: new Map(), ignored: { length: 2 } })
  })

  test('has nothing to say where the root is to inherit', () => {
    const loggers = { os_credits: { level: 'NOTSET' }, 'os_credits.requests': { level: 'NOTSET' } }
    const { levels, ignored } = readLogChange({ root: { level: 'NOTSET' }, loggers })
    expect([levels, ignored]).toEqual([new Map([['perun', 'inherit']]), ['root.level', 'loggers.os_credits.level']])
    for (const body of [{ levels: { root: 'notset' } }, { logger: 'root', level: 'inherit' }]) {
      expect(() => readLogChange(body)).toThrow('the root cannot inherit')
    }
  })

  test("takes the old service's own logger before Python's root", () => {
    const { levels } = readLogChange({ loggers: { os_credits: { level: 'DEBUG' } }, root: { level: 'ERROR' } })
    expect(levels).toEqual(new Map([['root', 'debug']]))
  })

  test.each([
    ['1s', SECOND],
    ['90', 90 * SECOND],
    ['1.5m', 90 * SECOND],
    ['10m', 10 * MINUTE],
    ['24h', 24 * HOUR],
  ])('can be for %s', (time, forMs) => {
    expect(readLogChange({ logger: 'perun', level: 'debug', for: time }).forMs).toBe(forMs)
  })

  test.each(['0', '0.5s', '25h', '-5', '10 m', '10d', '1e3', '', 'forever', null, {}, true])(
    'cannot be for %j',
    (time) => {
      expect(() => readLogChange({ logger: 'perun', level: 'debug', for: time })).toThrow(BadRequestError)
    },
  )
})

suite('a level for a time', () => {
  afterEach(() => vi.useRealTimers())

  test('goes when the time is over', async () => {
    await using face = await startFace()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    expect((await face.post('/logconfig', { logger: 'perun', level: 'trace', for: 600 })).json).toMatchObject({
      levels: { perun: 'trace' },
      for_seconds: 600,
    })
    vi.advanceTimersByTime(10 * MINUTE - 1)
    expect(face.logging.levels().perun).toBe('trace')
    vi.advanceTimersByTime(1)
    expect(face.logging.levels().perun).toBe('debug')
  })
})
