import { expect, suite, test } from 'vitest'
import { createMetrics, targetLabel } from '#src/telemetry/metrics.ts'

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
      expect(name.endsWith('_seconds'), name).toBe(String(type) === 'histogram')
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
