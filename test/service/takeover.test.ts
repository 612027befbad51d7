/**
 * Groups that OS Credits charged go on where it stopped: states that it really left in Perun after scripted readings, and the
 * same readings in a Prometheus. Wherever it is stopped, the group ends with what OS Credits itself came to in the end.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, suite, test } from 'vitest'
import { MINUTE, SECOND } from '#src/core/time.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { oldSample, servePrometheus } from '../helpers/oldPrometheus.ts'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, until } from '../helpers/worker.ts'

interface OldGroup {
  readonly name: string
  readonly granted: string | null
  readonly steps: readonly {
    readonly readings: readonly { metric: string; value: string; at: number }[]
    readonly used: string | null
    readonly timestamps: Readonly<Record<string, string>>
  }[]
}

const path = join(import.meta.dirname, '../fixtures/perun/os-credits-states.json')
const { groups } = JSON.parse(readFileSync(path, 'utf8')) as { groups: OldGroup[] }
const begin = Date.UTC(2024, 0, 1)
const SITE = 8676

const samplesOf = ({ name, steps }: OldGroup) =>
  steps.flatMap(({ readings }) => readings.map(({ metric, at, value }) => oldSample(name, at, value, { metric })))

/** What Perun showed when OS Credits had seen all readings up to an instant. */
const stateAt = ({ steps }: OldGroup, at: number) => steps.findLast(({ readings }) => readings[0]!.at <= at)

interface Setup {
  /** When OS Credits was stopped. */
  readonly stoppedAt: number
  /** From when on Prometheus has readings. */
  readonly keptSince?: number
  readonly isPerunDown?: boolean
}

async function takeOver({ stoppedAt, keptSince = begin, isPerunDown = false }: Setup) {
  const perun = await startPerun()
  for (const group of groups) {
    const { used = null, timestamps = {} } = stateAt(group, stoppedAt) ?? {}
    const { name, granted } = group
    perun.addGroup({ name, granted, used, resources: [SITE], timestamps: { [SITE]: timestamps } })
  }
  if (isPerunDown) perun.faults.fail({ how: 'drop-before', times: null })
  const all = groups.flatMap(samplesOf)
  const prometheus = await servePrometheus(all.filter(({ at }) => at >= keptSince))
  const exporter = await startPeer((_, response) => {
    const latest = new Map(all.map((each) => [`${each.metric} ${each.labels.project_name}`, each]))
    const lines = [...latest.values()].map(({ metric, labels: { project_id, project_name }, value }) => {
      return `${metric}{project_id="${project_id}",project_name="${project_name}"} ${value}\n`
    })
    response.end(lines.join(''))
  })
  const worker = await startWorker({
    perun,
    clock: { now: () => begin + 10 * MINUTE },
    env: {
      USAGE_EXPORTER_URLS: `${exporter.url}/metrics`,
      OS_CREDITS_LOCATION_ID: `${SITE}`,
      OS_CREDITS_SCRAPE_INTERVAL: '50ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '49ms',
      METRICS_TO_BILL: '{"project_vcpu_usage":1,"project_mb_usage":0.00029296875}',
      PROMETHEUS_URL: prometheus.url,
    },
  })
  onTestFinished(async () => {
    await worker[Symbol.asyncDispose]()
    await exporter[Symbol.asyncDispose]()
    await prometheus[Symbol.asyncDispose]()
    await perun.close()
  })
  const json = async (address: string) => (await (await worker.get(address)).json()) as Record<string, unknown>
  return { perun, prometheus, worker, json }
}

/** Falls are charged in our own way (`docs/decisions/0003-former-line.md`); what never fell must come out the same. */
const steady = groups.filter(({ name, granted }) => granted !== null && name !== 'reset' && name !== 'minuszero')
const ends = steady.map(({ name, steps }) => [name, Number(steps.at(-1)!.used)])

suite('a group that OS Credits charged', () => {
  test.each([0, 30, 60, 90, 120, 180])('goes on where it was stopped after %i s', async (seconds) => {
    const { perun, worker, json } = await takeOver({ stoppedAt: begin + seconds * SECOND })
    await until('it caught up', async () => (await json('/readyz')).ready === true)
    const shown = () => steady.map(({ name }) => [name, Number(perun.read(name).used)])
    await until('all show what they used', () => String(shown()) === String(ends), 10_000).catch(() => {
      expect(shown()).toEqual(ends)
    })
    for (const group of groups) {
      const times = Object.entries(stateAt(group, begin + seconds * SECOND)?.timestamps ?? {})
      const { notes } = (await json(`/api/groups/${group.name}`)) as { notes?: { kind: string; at: string }[] }
      const opened = (notes ?? []).filter(({ kind }) => kind === 'opened').map(({ at }) => at)
      const expected = times.map(([, text]) => `${text.replace(' ', 'T').slice(0, -3)}Z`)
      if (times.length > 0) expect(opened.toSorted(), group.name).toEqual(expected.toSorted())
    }
    const { items } = (await json('/api/groups/twom/entries')) as { items: { kind: string; reason: string }[] }
    const { reason } = items.find(({ kind }) => kind === 'opening')!
    expect(reason).toContain('project_vcpu_usage at site 8676 until 2024-01-01 00:0')
    expect(reason.match(/charging goes on from that reading/g)).toHaveLength(2)
    expect((await json('/stats')).catching_up).toMatchObject({ state: 'done' })
    const warnings = worker.log().filter(({ level, logger }) => level === 'warn' && logger === 'catchup')
    expect(warnings).toEqual([])
  })

  test('is charged from the first reading that is there, and the gap is told, if that instant cannot be had', async () => {
    const { perun, json, worker } = await takeOver({ stoppedAt: begin + 30 * SECOND, keptSince: begin + 60 * SECOND })
    // 105.5 at 30 s is lost: it begins with 105.75 at 60 s and ends with 110.
    await until('it shows what it used', () => perun.read('normal').used === '9.75')
    const { items } = (await json('/api/groups/normal/entries')) as { items: { kind: string; reason: string }[] }
    expect(items.find(({ kind }) => kind === 'opening')!.reason).toContain(
      'until 2024-01-01 00:00:30.000000: what was used between then and our first reading, 2024-01-01T00:01:00.000Z, is not charged.',
    )
    const told = worker.log().find(({ msg }) => String(msg).startsWith('Prometheus does not have the reading'))
    expect(told).toMatchObject({ missing: 7, level: 'warn' })
    expect(String(told!.groups)).toContain('normal (project_vcpu_usage at site 8676) 2024-01-01T00:00:30.000Z')
  })

  test('is taken over once: a later start asks Perun for nothing more', async () => {
    const { perun, worker, json } = await takeOver({ stoppedAt: begin + 90 * SECOND })
    await until('it is done', async () => (await json('/readyz')).ready === true)
    perun.faults.fail({ how: 'drop-before', times: null })
    await worker.restart()
    await until('it is ready without Perun', async () => (await json('/readyz')).ready === true)
  })

  test('waits for Perun, and is not begun at a wrong instant', async () => {
    const { perun, json } = await takeOver({ stoppedAt: begin + 90 * SECOND, isPerunDown: true })
    await until('the reason is told', async () =>
      JSON.stringify(await json('/readyz')).includes('Sites 8676 are not charged before that'),
    )
    await until('scrapes go on', async () => JSON.stringify((await json('/stats')).targets).includes('"up":true'))
    expect((await json('/api/groups')).total).toBe(0)
    perun.faults.clear()
    await until('it goes on', () => perun.read('normal').used === '10.00')
    await until('it is done', async () => (await json('/readyz')).ready === true)
  })
})
