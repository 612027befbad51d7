/** A worker whose exporter has become a label bomb: what people see of it, and that everybody else is charged. */
import { expect, onTestFinished, test } from 'vitest'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, until } from '../helpers/worker.ts'

test('a label bomb is held where everybody sees it, while known projects are charged and published', async () => {
  const facts = { isBomb: false, scrapes: 0, value: 100 }
  const exporter = await startPeer((_, response) => {
    facts.scrapes += 1
    const strangers = facts.isBomb ? Array.from({ length: 50 }, (__, index) => `bomb ${facts.scrapes}-${index}`) : []
    const lines = ['real', ...strangers].map((name) => `project_vcpu_usage{project_name="${name}"} ${facts.value}\n`)
    response.end(lines.join(''))
  })
  const perun = await startPerun()
  perun.addGroup({ name: 'real', granted: '1000', resources: [8676] })
  const worker = await startWorker({
    perun,
    env: {
      USAGE_EXPORTER_URLS: `${exporter.url}/metrics?token=secret`,
      OS_CREDITS_LOCATION_ID: '8676',
      OS_CREDITS_SCRAPE_INTERVAL: '100ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '99ms',
      OS_CREDITS_MAX_SERIES: '120',
      OS_CREDITS_PERUN_MAX_AGE: '1s',
    },
  })
  onTestFinished(async () => {
    await worker[Symbol.asyncDispose]()
    await perun.close()
    await exporter[Symbol.asyncDispose]()
  })
  const json = async (path: string) => (await (await worker.get(path)).json()) as Record<string, unknown>
  const tooMany = async () =>
    ((await json('/api/holds?limit=1000')).holds as { kind: string; reason: string }[]).filter(
      ({ kind }) => kind === 'too many series',
    )

  await until('the real project is known', () => perun.read('real').used === '0.00')
  facts.isBomb = true
  await until('the bomb is held', async () => (await tooMany()).length === 1)
  const [hold] = await tooMany()
  expect(hold!.reason).toContain(`${exporter.url}/metrics shows `)
  expect(hold!.reason).not.toContain('secret')
  facts.value = 101
  await until('the real project is charged', () => perun.read('real').used === '1.00')
  expect(await json('/stats')).toMatchObject({ ledger: { series: 120, holds: { 'too many series': 1 } } })
  const metrics = await (await worker.get('/metrics')).text()
  expect(metrics).toContain('os_credits_holds{kind="too many series"} 1')
  expect(metrics).toMatch(/^os_credits_readings_total\{decision="surplus"\} [1-9]/m)
  expect(worker.log().filter(({ hold: kind }) => kind === 'too many series')).toMatchObject([{ level: 'warn' }])
  facts.isBomb = false
  await until('the hold has ended', async () => (await tooMany()).length === 0)
  expect(await json('/stats')).toMatchObject({ ledger: { series: 120 } })
})
