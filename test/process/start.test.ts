import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, suite, test } from 'vitest'
import { startPeer } from '../helpers/peer.ts'
import { runWorker, temporaryFolder, workerSettings } from './processes.ts'

const nowhere = 'http://127.0.0.1:1/metrics'

suite('settings with problems end the worker with 78', () => {
  test('and every problem is told, no secret with it', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'prices.yaml'), 'meters: [{ metric: m, price: [1] }]')
    const worker = runWorker({
      USAGE_EXPORTER_URLS: 'ftp://operator:hunter2@exporter/metrics',
      OS_CREDITS_SCRAPE_INTERVAL: '5',
      OS_CREDITS_WORKERS: '0',
      OS_CREDITS_PRECISION: 'two',
      OS_CREDITS_PRICES_FILE: join(folder, 'prices.yaml'),
      OS_CREDITS_PERUN_URL: 'https://perun.example.org/ba/rpc/json',
      OS_CREDITS_PERUN_PASSWORD: 'correct horse battery staple',
      API_KEY: 'a key with blanks',
      API_READER_KEY_FILE: join(folder, 'missing'),
      CREDITS_PORT: '70000',
      LOG_LEVEL: 'loud',
      OS_CREDITS_PROJECT_WHITELST: 'misspelt',
    })
    expect(await worker.exit()).toBe(78)
    expect(worker.log()).toHaveLength(1)
    const [line] = worker.log()
    expect(line!.level).toBe('fatal')
    const told = line!.msg.split('\n  ').map((problem) => problem.split(':')[0])
    expect(told).toEqual(
      expect.arrayContaining([
        'USAGE_EXPORTER_URLS',
        'OS_CREDITS_SCRAPE_INTERVAL',
        'OS_CREDITS_WORKERS',
        'OS_CREDITS_PRECISION',
        'OS_CREDITS_PRICES_FILE',
        'OS_CREDITS_PERUN_LOGIN',
        'OS_CREDITS_PERUN_VO_ID',
        'API_KEY',
        'API_READER_KEY_FILE',
        'CREDITS_PORT',
        'LOG_LEVEL',
      ]),
    )
    expect(line!.msg).toContain('OS_CREDITS_PROJECT_WHITELIST meant?')
    for (const secret of ['hunter2', 'battery staple', 'a key with blanks'])
      expect(worker.output()).not.toContain(secret)
    expect(worker.errors()).toBe('')
  })

  test('also when nothing is set at all, or two addresses are the same', async () => {
    const twice = { USAGE_EXPORTER_URLS: 'http://exporter;http://EXPORTER:80/' }
    const workers = [runWorker({}), runWorker({ ...twice, CREDITS_PORT: '0' })]
    for (const worker of workers) {
      expect(await worker.exit()).toBe(78)
      expect(worker.says('USAGE_EXPORTER_URLS')).toMatchObject({ level: 'fatal' })
      expect(worker.log()).toHaveLength(1)
    }
  })
})

suite('what is set and cannot be meant', () => {
  test('is warned about with the nearest name; the worker starts', async () => {
    const worker = runWorker({ ...workerSettings(temporaryFolder(), nowhere), OS_CREDITS_PERUN_LOGON: 'me' })
    await worker.url()
    expect(worker.says('OS_CREDITS_PERUN_LOGON')).toMatchObject({
      level: 'warn',
      logger: 'config',
      msg: 'OS_CREDITS_PERUN_LOGON is not a setting, is OS_CREDITS_PERUN_LOGIN meant?',
    })
  })
})

suite('what the worker needs and cannot have ends it with 74', () => {
  test('a ledger that another worker has; it is told which', async () => {
    const settings = workerSettings(temporaryFolder(), nowhere)
    const first = runWorker(settings)
    await first.url()
    const second = runWorker(settings)
    expect(await second.exit()).toBe(74)
    expect(second.log().at(-1)).toMatchObject({ level: 'fatal' })
    expect(second.log().at(-1)!.msg).toContain(`(process ${first.pid}, since `)
    expect(first.hasEnded()).toBe(false)
    first.signal('SIGTERM')
    expect(await first.exit()).toBe(0)
    await runWorker(settings).url()
  })

  test('a port that another program has', async () => {
    await using other = await startPeer(() => {})
    const worker = runWorker({
      ...workerSettings(temporaryFolder(), nowhere),
      CREDITS_PORT: String(new URL(other.url).port),
    })
    expect(await worker.exit()).toBe(74)
    expect(worker.log().at(-1)).toMatchObject({ level: 'fatal', msg: expect.stringContaining('CREDITS_PORT') })
    expect(worker.output()).not.toContain('    at ')
  })

  test.each([
    [
      'a folder that cannot be made',
      (folder: string) => writeFileSync(join(folder, 'ledger'), 'a file'),
      'ledger/credits.db',
    ],
    ['a folder instead of a file', (folder: string) => mkdirSync(join(folder, 'credits.db')), 'credits.db'],
    [
      'a file of something else',
      (folder: string) => writeFileSync(join(folder, 'credits.db'), 'x'.repeat(5_000)),
      'credits.db',
    ],
  ])('%s', async (_, prepare, path) => {
    const folder = temporaryFolder()
    prepare(folder)
    const worker = runWorker({ ...workerSettings(folder, nowhere), OS_CREDITS_LEDGER: `sqlite:${join(folder, path)}` })
    expect(await worker.exit()).toBe(74)
    const last = worker.log().at(-1)!
    expect(last.level).toBe('fatal')
    expect(last.msg).toContain(join(folder, path))
    expect(worker.output()).not.toContain('    at ')
  })

  test('a folder that may not be written', async ({ skip }) => {
    if (process.getuid?.() === 0) {
      process.stderr.write(
        '\nSKIPPED: "a folder that may not be written": root may write everywhere. Run as another user.\n\n',
      )
      skip('root may write everywhere')
    }
    const folder = temporaryFolder()
    chmodSync(folder, 0o500)
    const worker = runWorker(workerSettings(folder, nowhere))
    expect(await worker.exit()).toBe(74)
    expect(worker.log().at(-1)!.msg).toContain(folder)
  })
})
