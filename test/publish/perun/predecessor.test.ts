/** What another service left in Perun, and why it cannot be told. */
import { expect, onTestFinished, test } from 'vitest'
import { loadSettings } from '#src/config/settings.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { predecessorOf } from '#src/past.ts'
import { T0, testClock } from '../../helpers/billing.ts'

async function setUp() {
  const perun = await startPerun()
  const env = {
    OS_CREDITS_PERUN_URL: perun.url,
    OS_CREDITS_PERUN_LOGIN: 'credits',
    OS_CREDITS_PERUN_PASSWORD: 'secret',
    OS_CREDITS_PERUN_VO_ID: `${perun.voId}`,
  }
  const { settings } = loadSettings(env, () => '', { targets: false })
  const clock = testClock(T0)
  const predecessor = predecessorOf(settings, clock)!
  onTestFinished(async () => {
    predecessor.close()
    await perun.close()
  })
  return { perun, clock, predecessor }
}

test('each metric of each group is charged up to its timestamp; what is no time is left out', async () => {
  const { perun, predecessor } = await setUp()
  const timestamps = { 1: { cpu: '2026-01-01 00:00:30.123000', ram: '2026-01-01 00:01:00.000000', gpu: 'whenever' } }
  perun.addGroup({ name: 'a', resources: [1, 2], used: '7', granted: '9', timestamps })
  perun.addGroup({ name: 'new', resources: [1], granted: '9' })
  perun.addGroup({ name: 'emptied', resources: [1], timestamps: { 1: { cpu: '2026-01-01 00:00:00' } } })
  expect(await predecessor.chargedAt('1')).toEqual({
    kind: 'known',
    groups: new Map<string, object>([
      ['a', { cpu: T0 + 30_123, ram: T0 + 60_000 }],
      ['emptied', { cpu: T0 }],
    ]),
  })
  expect(await predecessor.chargedAt('2')).toEqual({ kind: 'known', groups: new Map() })
})

test('a site that is not there is refused, a missing right is told apart from a Perun that is down', async () => {
  const { perun, predecessor, clock } = await setUp()
  perun.addGroup({ name: 'a', resources: [1] })
  expect(await predecessor.chargedAt('77')).toMatchObject({ kind: 'refused' })
  perun.faults.fail({ how: 'html-503' })
  expect(await predecessor.chargedAt('1')).toMatchObject({ kind: 'unavailable' })
  perun.faults.fail({ how: 'privilege' })
  expect(await predecessor.chargedAt('1')).toMatchObject({ kind: 'forbidden' })
  expect(await predecessor.chargedAt('1')).toEqual({ kind: 'known', groups: new Map() })
  clock.pass(3_600_000)
  perun.faults.fail({ how: 'unauthorized' })
  expect(await predecessor.chargedAt('1')).toMatchObject({ kind: 'forbidden' })
})
