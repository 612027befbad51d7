/** What a whole worker tells Prometheus. */
import { expect, onTestFinished, suite, test } from 'vitest'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, until } from '../helpers/worker.ts'

/** A worker without a Perun that has recorded its first reading. */
async function setUp(env: Readonly<Record<string, string>>) {
  let value = 100
  const exporter = await startPeer((_, response) => {
    value += 1
    response.end(`project_vcpu_usage{project_name="bio \u00e4"} ${value}\n`)
  })
  const worker = await startWorker({
    env: {
      USAGE_EXPORTER_URLS: `${exporter.url}/metrics`,
      OS_CREDITS_LOCATION_ID: '8676',
      OS_CREDITS_SCRAPE_INTERVAL: '50ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '49ms',
      METRICS_TO_BILL: '{"project_vcpu_usage": 1}',
      ...env,
    },
  })
  onTestFinished(async () => {
    await worker[Symbol.asyncDispose]()
    await exporter[Symbol.asyncDispose]()
  })
  const metrics = async () => (await worker.get('/metrics')).text()
  const numberOf = async (series: string) => {
    const line = (await metrics()).split('\n').find((each) => each.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }
  await until('something was recorded', async () => (await numberOf('os_credits_dirty_groups')) === 1)
  return { metrics, numberOf, target: `${exporter.url}/metrics` }
}

suite('The metrics of a worker', () => {
  test('tell when each target was recorded last, what publishing does, and how much room the ledger has', async () => {
    const { numberOf, metrics, target } = await setUp({})
    const success = `os_credits_target_last_success_timestamp_seconds{target="${target}"}`
    await until('a scrape was recorded', async () => (await numberOf(success)) !== undefined)
    expect(Math.abs(Date.now() / 1_000 - (await numberOf(success))!)).toBeLessThan(60)
    expect(await numberOf('os_credits_publishing{state="off"}')).toBe(1)
    expect(await numberOf('os_credits_ledger_bytes')).toBeGreaterThan(4_096)
    // The disk of a server cannot be seen.
    const isFile = process.env.TEST_LEDGER !== 'postgres'
    if (isFile) expect(await numberOf('os_credits_ledger_free_bytes')).toBeGreaterThan(0)
    expect(await metrics()).not.toContain('bio')
  })

  test('name groups only if they are to', async () => {
    const { numberOf, metrics } = await setUp({ OS_CREDITS_GROUP_METRICS: 'on' })
    const used = 'os_credits_group_used_credits{group="bio \u00e4"}'
    await until('the group was charged', async () => ((await numberOf(used)) ?? 0) > 0)
    expect(await numberOf('os_credits_group_metrics_left_out')).toBe(0)
    // Nobody has granted anything.
    expect(await metrics()).not.toContain('os_credits_group_granted_credits{')
    expect(await metrics()).not.toContain('group_burn')
  })

  test('have forecasts of groups only if they are to', async () => {
    const { metrics } = await setUp({ OS_CREDITS_GROUP_METRICS: 'forecasts' })
    expect(await metrics()).toContain('\nos_credits_group_used_credits{')
    expect(await metrics()).toContain('# TYPE os_credits_group_burn_credits_per_day gauge')
    expect(await metrics()).toContain('# TYPE os_credits_group_runs_out_timestamp_seconds gauge')
  })
})
