import { expect, suite, test } from 'vitest'
import { createMetrics, type GroupNumbers, targetLabel } from '#src/telemetry/metrics.ts'

async function lines(metrics: ReturnType<typeof createMetrics>, start: string): Promise<string[]> {
  const text = await metrics.registry.metrics()
  return text.split('\n').filter((line) => line.startsWith(start))
}

suite('The metrics of a worker', () => {
  test('say which version runs', async () => {
    const metrics = createMetrics({ version: '1.2.3' })
    expect(await lines(metrics, 'os_credits_build_info')).toEqual(['os_credits_build_info{version="1.2.3"} 1'])
  })

  test('of two workers in one process are apart', async () => {
    const [one, other] = [createMetrics({ version: '1' }), createMetrics({ version: '1' })]
    one.readings.inc({ decision: 'charged' }, 2)
    expect(await lines(one, 'os_credits_readings_total{')).toEqual(['os_credits_readings_total{decision="charged"} 2'])
    expect(await lines(other, 'os_credits_readings_total{')).toEqual([])
  })

  test('have names in the form of Prometheus: own prefix, counters in _total, times in _seconds, help for each', async () => {
    const all = await createMetrics({ version: '1' }).registry.getMetricsAsJSON()
    const own = all.filter(({ name }) => name.startsWith('os_credits_'))
    expect(own.length).toBeGreaterThan(18)
    for (const { name, help, type } of own) {
      expect(help, name).toMatch(/^[A-Z].*\.$/)
      expect(name.endsWith('_total'), name).toBe(String(type) === 'counter')
      // A point in time is a gauge, and has a name of its own kind.
      const isTime = name.endsWith('_seconds') && !name.endsWith('_timestamp_seconds')
      expect(isTime, name).toBe(String(type) === 'histogram')
    }
    expect(all.length, 'what Node tells of itself').toBeGreaterThan(own.length)
  })

  test('show what is counted elsewhere at the moment they are read', async () => {
    const metrics = createMetrics({ version: '1' })
    expect(await lines(metrics, 'os_credits_queue_size ')).toEqual(['os_credits_queue_size 0'])
    let waiting = 3
    let groups: Record<string, number> = { published: 2, dirty: 1 }
    metrics.provide({ queueSize: () => waiting })
    metrics.provide({ groups: async () => groups })
    expect(await lines(metrics, 'os_credits_queue_size ')).toEqual(['os_credits_queue_size 3'])
    waiting = 1
    groups = { published: 3 }
    expect(await lines(metrics, 'os_credits_queue_size ')).toEqual(['os_credits_queue_size 1'])
    expect(await lines(metrics, 'os_credits_groups{')).toEqual(['os_credits_groups{state="published"} 3'])
  })
})

suite('What is not known', () => {
  test('is not shown, as 0 would say that it is nothing', async () => {
    const metrics = createMetrics({ version: '1' })
    let free: number | undefined
    metrics.provide({ ledgerFreeBytes: async () => free })
    expect(await lines(metrics, 'os_credits_ledger_free_bytes ')).toEqual([])
    free = 7
    expect(await lines(metrics, 'os_credits_ledger_free_bytes ')).toEqual(['os_credits_ledger_free_bytes 7'])
    free = undefined
    expect(await lines(metrics, 'os_credits_ledger_free_bytes ')).toEqual([])
  })
})

suite('The credits of groups', () => {
  test('are not there unless they are asked for', async () => {
    expect(await lines(createMetrics({ version: '1' }), 'os_credits_group_')).toEqual([])
  })

  test('are read once each time they are looked at, and a group that is gone disappears', async () => {
    const metrics = createMetrics({ version: '1' })
    const runsOut = { early: 1_900_000_000_400, expected: 2_000_000_000_000, late: undefined }
    let groups: GroupNumbers['groups'] = [
      { group: 'bio "lab"\n', used: 1.5, granted: 20, burnPerDay: 0.25, runsOut },
      { group: 'new', used: 0, granted: undefined, burnPerDay: undefined, runsOut: {} },
    ]
    let reads = 0
    metrics.showGroups(
      async () => {
        reads += 1
        return { groups, leftOut: 3 }
      },
      { withForecasts: true },
    )
    expect(await lines(metrics, 'os_credits_group_')).toEqual([
      'os_credits_group_used_credits{group="bio \\"lab\\"\\n"} 1.5',
      'os_credits_group_used_credits{group="new"} 0',
      'os_credits_group_granted_credits{group="bio \\"lab\\"\\n"} 20',
      'os_credits_group_metrics_left_out 3',
      'os_credits_group_burn_credits_per_day{group="bio \\"lab\\"\\n"} 0.25',
      'os_credits_group_runs_out_timestamp_seconds{group="bio \\"lab\\"\\n",bound="early"} 1900000000',
      'os_credits_group_runs_out_timestamp_seconds{group="bio \\"lab\\"\\n",bound="expected"} 2000000000',
    ])
    groups = []
    expect(await lines(metrics, 'os_credits_group_')).toEqual(['os_credits_group_metrics_left_out 3'])
    expect(reads).toBe(2)
  })
})

suite('The label of a target', () => {
  test.each([
    ['http://exporter:8080/metrics', 'http://exporter:8080/metrics'],
    ['https://user:secret@portal.example.org/federate?match[]=x&token=secret#f', 'https://portal.example.org/federate'],
    ['http://[::1]:8080', 'http://[::1]:8080/'],
    ['no address: secret', 'invalid'],
  ])('of %s is %s', (url, label) => {
    expect(targetLabel(url)).toBe(label)
  })
})
