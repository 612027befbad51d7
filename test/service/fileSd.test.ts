/** A file of targets means to the worker what it means to a real Prometheus. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, suite, test } from 'vitest'
import { readTargets } from '#src/config/targets.ts'
import { startPrometheus, whyNoPrometheus } from '../helpers/prometheus.ts'
import { until } from '../helpers/worker.ts'

const why = whyNoPrometheus()
if (why !== undefined) process.stderr.write(`NOT TESTED: whether a real Prometheus reads file_sd alike (${why})\n`)

/** Nobody listens at these ports. */
const groups = [
  { targets: ['127.0.0.1:1', '127.0.0.1:2'], labels: { location: 'site a', location_id: '8676' } },
  { targets: ['[::1]:3'] },
  {
    targets: ['localhost:4'],
    labels: {
      __scheme__: 'https',
      __metrics_path__: '/federate',
      __param_collect: 'a b&c=ä',
      __tmp_origin: 'inventory',
      location_id: '1',
    },
  },
]

interface ActiveTarget {
  readonly scrapeUrl: string
  readonly labels: Readonly<Record<string, string>>
}

suite.skipIf(why !== undefined)('file_sd', () => {
  test.each([
    ['targets.json', JSON.stringify(groups)],
    [
      'targets.yml',
      `
# two exporters of a site
- targets: ["127.0.0.1:1", "127.0.0.1:2"]
  labels: { location: site a, location_id: "8676" }
- targets: ["[::1]:3"]
- targets:
    - localhost:4
  labels:
    __scheme__: https
    __metrics_path__: /federate
    __param_collect: a b&c=ä
    __tmp_origin: inventory
    location_id: "1"
`,
    ],
  ])('in %s gives the addresses and labels that a real Prometheus makes of it', async (name, content) => {
    const folder = mkdtempSync(join(tmpdir(), 'file-sd-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, name)
    writeFileSync(path, content)
    await using prometheus = await startPrometheus([{ job_name: 'sites', file_sd_configs: [{ files: [path] }] }])
    const active = async () => {
      const answer = await fetch(`${prometheus.url}/api/v1/targets?state=active`)
      return ((await answer.json()) as { data: { activeTargets: ActiveTarget[] } }).data.activeTargets
    }
    await until('Prometheus has read it', async () => (await active()).length === 4)
    const theirs = (await active()).map(({ scrapeUrl, labels: { instance, job, ...labels } }) => ({
      url: new URL(scrapeUrl).href,
      labels,
    }))
    const problems: string[] = []
    const ours = readTargets(content, (problem) => problems.push(problem))
    expect(problems).toEqual([])
    const sorted = (list: readonly { url: string }[]) => list.toSorted((a, b) => (a.url < b.url ? -1 : 1))
    expect(sorted(ours)).toEqual(sorted(theirs))
  })
})
