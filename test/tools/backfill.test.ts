/** A backfill as an operator types it: looked at first, done once or twice, stopped in the middle. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, onTestFinished, suite, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { formatInstant, formatPerunTimestamp, HOUR, MINUTE } from '#src/core/time.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { deliver } from '../helpers/ledger.ts'
import { type OldSample, oldSample, servePrometheus } from '../helpers/oldPrometheus.ts'
import { until } from '../helpers/worker.ts'
import { start, temporaryFolder, typed } from './typed.ts'

/** The program has the time of this machine. */
const NOW = Date.now()
const line = (project: string, from: number, count: number, pace = 1) =>
  Array.from({ length: count }, (_, index) =>
    oldSample(project, NOW + from + index * MINUTE, String(100 + index * pace)),
  )

async function setUp(samples: readonly OldSample[]) {
  const folder = temporaryFolder()
  const prometheus = await servePrometheus(samples)
  onTestFinished(() => prometheus[Symbol.asyncDispose]())
  const path = `${folder}/credits.db`
  const env = { OS_CREDITS_LEDGER: `sqlite:${path}`, PROMETHEUS_URL: prometheus.url, OS_CREDITS_SMALL_SITES: 'charge' }
  const withLedger = async <Result>(work: (ledger: ReturnType<typeof openSqliteLedger>) => Promise<Result>) => {
    const ledger = openSqliteLedger(path, { notifyAt: [50, 80, 100] })
    try {
      return await work(ledger)
    } finally {
      await ledger.close()
    }
  }
  const used = (group: string) =>
    withLedger(async (ledger) => {
      const row = await ledger.group(group)
      return row && formatCredits(row.used)
    })
  return { folder, prometheus, path, env, withLedger, used }
}

const perunSettings = ({ url, voId }: { url: string; voId: number }) => ({
  ...{ OS_CREDITS_PERUN_URL: url, OS_CREDITS_PERUN_VO_ID: `${voId}` },
  ...{ OS_CREDITS_PERUN_LOGIN: 'credits', OS_CREDITS_PERUN_PASSWORD: 'secret' },
})

suite('a backfill', () => {
  const samples = [...line('steady', -2 * HOUR, 121), ...line('short-lived', -HOUR, 10, 0.5)]

  test('shows first what each group would be charged, and changes nothing', async () => {
    const { path, env, withLedger } = await setUp(samples)
    await withLedger((ledger) => deliver(ledger, { project: 'steady', at: NOW - 2 * HOUR, value: '100' }))
    const before = readFileSync(path)
    const { code, stdout, stderr } = await typed(['backfill', '--dry-run'], env)
    expect(code).toBe(0)
    expect(stdout).toContain('Dry run: nothing was changed. 130 readings from')
    expect(stdout).toMatch(/^group +used before +used after +difference\n/m)
    expect(stdout).toMatch(/^steady +0 +120 +120\n/m)
    expect(stdout).toMatch(/^short-lived +0 +4\.5 +4\.5\n/m)
    expect(stderr).toContain('100 % until')
    expect(readFileSync(path)).toEqual(before)
  })

  test('shows what a first worker would charge before there is a ledger, and leaves none', async () => {
    const { path, env } = await setUp(samples)
    const words = ['backfill', '--dry-run', '--from', formatInstant(NOW - 3 * HOUR)]
    const { code, stdout, stderr } = await typed(words, env)
    expect(code).toBe(0)
    expect(stderr).toContain(`There is no ledger yet at ${path}: the dry run begins with an empty one.\n`)
    expect(stdout).toMatch(/^steady +0 +120 +120\n/m)
    expect(existsSync(path)).toBe(false)
  })

  test('charges what the dry run showed; once more it changes nothing', async () => {
    const { path, env, withLedger, used } = await setUp(samples)
    await withLedger((ledger) => deliver(ledger, { project: 'steady', at: NOW - 2 * HOUR, value: '100' }))
    const words = ['backfill', '--json', '--to', formatInstant(NOW)]
    const dry = JSON.parse((await typed([...words, '--dry-run'], env)).stdout) as Record<string, unknown>
    const done = JSON.parse((await typed(words, env)).stdout) as Record<string, unknown>
    expect(done).toEqual({ ...dry, dry_run: false })
    expect(done).toMatchObject({
      groups: [
        { group: 'steady', before: '0', after: '120', difference: '120' },
        { group: 'short-lived', before: '0', after: '4.5', difference: '4.5' },
      ],
      outcomes: { charged: 129, opened: 1 },
      missing: [],
      holds: {},
    })
    const [bytes, entries] = [
      readFileSync(path),
      await withLedger((ledger) => ledger.entries('steady', { limit: 100 })),
    ]
    const again = await typed([...words, '--from', formatInstant(NOW - 3 * HOUR)], env)
    expect(JSON.parse(again.stdout)).toMatchObject({ groups: [], outcomes: { stale: 2, late: 69, outdated: 60 } })
    expect(await withLedger((ledger) => ledger.entries('steady', { limit: 100 }))).toEqual(entries)
    expect(bytes.length).toBe(readFileSync(path).length)
    expect(await used('steady')).toBe('120')
    expect(verifyLedger(path).problems).toEqual([])
  })

  test('that is stopped goes on when it is typed again', async () => {
    const { env, prometheus, used, withLedger } = await setUp(line('long', -20 * HOUR, 1_200))
    prometheus.state.mostSamples = 5
    const words = ['backfill', '--from', formatInstant(NOW - 20 * HOUR)]
    const { child, ended } = start(words, env)
    await until('it has begun', () => prometheus.requests.length > 8)
    child.kill('SIGTERM')
    const stopped = await ended
    expect(stopped.code).toBe(130)
    expect(stopped.stdout).toContain('Type the same again to go on')
    const partly = Number(await used('long'))
    expect(partly).toBeGreaterThan(0)
    expect(partly).toBeLessThan(1_199)
    prometheus.state.mostSamples = 10_000
    expect(await typed(words, env)).toMatchObject({ code: 0 })
    expect(await used('long')).toBe('1199')
    expect(await withLedger((ledger) => ledger.notes('long', 10))).toHaveLength(1)
  })

  test('that is stopped says nothing about takeovers that it did not reach', async () => {
    const { env, prometheus } = await setUp([...line('early', -20 * HOUR, 1_200), ...line('late', -20 * HOUR, 1_200)])
    const perun = await startPerun()
    onTestFinished(() => perun.close())
    for (const [name, at] of [
      ['early', NOW - 20 * HOUR],
      ['late', NOW - 30 * MINUTE],
    ] as const)
      perun.addGroup({
        ...{ name, granted: '1000', used: '7', resources: [8676] },
        timestamps: { 8676: { project_vcpu_usage: formatPerunTimestamp(at) } },
      })
    const { child, ended } = start(['backfill', '--json', '--from', '-20h'], { ...env, ...perunSettings(perun) })
    prometheus.state.mostSamples = 5
    await until('it has begun', () => prometheus.requests.length > 12)
    child.kill('SIGTERM')
    const { code, stdout } = await ended
    expect(code).toBe(130)
    expect(JSON.parse(stdout)).toMatchObject({ stopped: true, missing: [] })
  })

  test('thins a period to one reading in a step, and charges the same', async () => {
    const { env, used, withLedger } = await setUp(samples)
    const { stdout } = await typed(['backfill', '--from', '-3h', '--step', '15m', '--json'], env)
    expect((JSON.parse(stdout) as { readings: number }).readings).toBeLessThan(20)
    expect([await used('steady'), await used('short-lived')]).toEqual(['120', '4.5'])
    expect(await withLedger((ledger) => ledger.takenOver())).toEqual([])
  })

  test('goes on exactly where another service stopped', async () => {
    const { env, used, withLedger } = await setUp(samples)
    const perun = await startPerun()
    onTestFinished(() => perun.close())
    const stopped = formatPerunTimestamp(NOW - 2 * HOUR + 20 * MINUTE)
    perun.addGroup({
      ...{ name: 'steady', granted: '1000', used: '7', resources: [8676] },
      timestamps: { 8676: { project_vcpu_usage: stopped } },
    })
    const withPerun = { ...env, ...perunSettings(perun) }
    perun.faults.fail({ how: 'html-503', times: null })
    const refused = await typed(['backfill'], withPerun)
    expect(refused.code).toBe(69)
    expect(refused.stderr).toContain('Perun cannot say what is to be taken over at site 8676')
    perun.faults.clear()
    expect(await typed(['backfill'], withPerun)).toMatchObject({ code: 0 })
    expect(await used('steady')).toBe('100')
    expect(await withLedger((ledger) => ledger.takenOver())).toMatchObject([{ site: '8676', begun: 1, missing: 0 }])
  })

  test('needs the ledger for itself, unless it only looks', async () => {
    const { env, path } = await setUp(samples)
    const ledger = openSqliteLedger(path)
    await deliver(ledger, { project: 'steady', at: NOW - 2 * HOUR, value: '100' })
    const { code, stderr } = await typed(['backfill'], env)
    expect(code).toBe(74)
    expect(stderr).toContain('is in use by another worker')
    expect(stderr).toContain('Stop the worker first. Or set PROMETHEUS_URL and restart it')
    expect(await typed(['backfill', '--dry-run'], env)).toMatchObject({ code: 0 })
    await ledger.close()
  })

  test.each([
    [[], {}, 64, 'The ledger has no reading yet, so --from has to say where to begin.'],
    [
      ['--from', 'yesterday'],
      {},
      64,
      'Expected an instant such as 2026-11-21T03:00:00Z or -2d after --from, got "yesterday"',
    ],
    [['--from', '-1h', '--to', '-2h'], {}, 64, '--from has to be earlier than --to'],
    [['--step', '5'], {}, 64, 'after --step, got "5"'],
    [['now'], {}, 64, 'Expected only options, got "now"'],
    [['--dry-run', '--from', '-1h', '--ledger', 'nowhere/x.db'], {}, 66, 'There is no ledger nowhere/x.db.'],
    [['--fast'], {}, 64, "Unknown option '--fast'"],
    [['--from', '-1h'], { PROMETHEUS_URL: '' }, 78, 'PROMETHEUS_URL: expected the Prometheus to read from'],
    [['--from', '-1h'], { OS_CREDITS_PRECISION: 'x' }, 78, 'OS_CREDITS_PRECISION: expected a whole number'],
    [['--dry-run'], {}, 64, 'The ledger has no reading yet, so --from has to say where to begin.'],
  ])('%j is refused with a sentence', async (words, more, code, message) => {
    const { env } = await setUp([])
    const outcome = await typed(['backfill', ...words], { ...env, ...more })
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(message)
  })

  test('says what it waits for, and stops when it is told to', async () => {
    const { env } = await setUp([])
    const { child, ended } = start(['backfill', '--from', '-1h', '--prometheus', 'http://127.0.0.1:1'], env)
    let said = ''
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    await until('it says what it waits for', () => said.includes('Prometheus does not answer'))
    child.kill('SIGTERM')
    expect((await ended).code).toBe(130)
  })
})
