/** Workers whose clock is wrong: nothing is charged twice or lost, and when it is right again nothing waits any more. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Big from 'big.js'
import { expect, suite, test } from 'vitest'
import { DAY, HOUR } from '#src/core/time.ts'
import { type PerunSimulator, startPerun } from '#src/demo/perun/simulator.ts'
import { startPeer } from '../helpers/peer.ts'
import { until } from '../helpers/worker.ts'
import { perunSettings, runWorker, temporaryFolder, workerSettings } from './processes.ts'

const shiftedClock = join(import.meta.dirname, 'shiftedClock.ts')
const PROJECTS = ['alpha', 'beta', 'gamma']

/** One that tells a total which a test sets, with the true time beside it as a federating server does, or without. */
async function startTeller(isFederating: boolean) {
  const told = { value: 1_000, scrapes: 0 }
  const peer = await startPeer((_, response) => {
    told.scrapes++
    const time = isFederating ? ` ${Date.now()}` : ''
    const line = (name: string, index: number) =>
      `project_vcpu_usage{project_id="p${index}",project_name="${name}"} ${told.value + index}${time}`
    response.end(`${PROJECTS.map(line).join('\n')}\n`)
  })
  return Object.assign(told, { url: `${peer.url}/metrics`, [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() })
}

async function setUp(offset: number, isFederating: boolean) {
  const teller = await startTeller(isFederating)
  const perun = await startPerun()
  for (const name of PROJECTS) perun.addGroup({ name, granted: '100000', resources: [8676] })
  const folder = temporaryFolder()
  const file = join(folder, 'offset')
  const setClock = (ms: number) => writeFileSync(file, String(ms))
  setClock(offset)
  const settings = { ...workerSettings(folder, teller.url), ...perunSettings(perun), CLOCK_OFFSET: file }
  return {
    teller,
    perun,
    setClock,
    start: () => runWorker(settings, shiftedClock),
    async [Symbol.asyncDispose]() {
      await teller[Symbol.asyncDispose]()
      await perun[Symbol.asyncDispose]()
    },
  }
}

const show = (perun: PerunSimulator, used: number) =>
  perun.readAll().every((group) => group.used === new Big(used).toFixed(2))

suite.each([
  ['hours ahead', 3 * HOUR],
  ['a year ahead', 365 * DAY],
  ['hours behind', -3 * HOUR],
])('a clock that is %s', (_, offset) => {
  test('and set right: what direct scrapes brought meanwhile and after is charged once', async () => {
    await using facts = await setUp(offset, false)
    const { teller, perun } = facts
    const worker = facts.start()
    const url = await worker.url()
    await until('all groups are opened', () => show(perun, 0))
    teller.value += 5
    await until('growth is charged', () => show(perun, 5))
    facts.setClock(0)
    teller.value += 7
    await until('growth after it is charged', () => show(perun, 12))
    teller.value += 2
    await until('and goes on', () => show(perun, 14))
    const notes = await (await fetch(`${url}/api/groups/alpha`)).text()
    if (offset > 0) expect(notes).toContain('was later than our clock')
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
  })

  test('and set right while the worker is down: the next one goes on', async () => {
    await using facts = await setUp(offset, false)
    const { teller, perun } = facts
    const first = facts.start()
    await until('all groups are opened', () => show(perun, 0))
    teller.value += 5
    await until('growth is charged', () => show(perun, 5))
    first.signal('SIGKILL')
    await first.ended()
    facts.setClock(0)
    teller.value += 7
    const second = facts.start()
    await until('growth after it is charged', () => show(perun, 12))
    expect(second.says('edited there')).toBe(undefined)
  })

  test('does not block a group that was on hold meanwhile', { timeout: 90_000 }, async () => {
    await using facts = await setUp(offset, false)
    const { teller, perun } = facts
    perun.edit('alpha', { granted: null }, 'somebody')
    const first = facts.start()
    await until('it is missed', () => first.says('no granted credits') !== undefined)
    // Only from the second reading on it is known that the projects rest.
    const scraped = teller.scrapes
    await until('the same was delivered again', () => teller.scrapes > scraped + 2)
    perun.edit('alpha', { granted: '100000' }, 'somebody')
    first.signal('SIGKILL')
    await first.ended()
    facts.setClock(0)
    const second = facts.start()
    await until('all groups are opened', () => show(perun, 0))
    // A busy machine gives up scrapes.
    await until('they still rest', () => second.says('Delivery recorded') !== undefined)
    teller.value += 3
    // By our clocks all projects rested for hours if ours was behind; that they grow at one instant then is held.
    if (offset > 0) await until('growth is charged', () => show(perun, 3))
    else await until('growth is held', () => second.says('jumped together') !== undefined)
    expect(second.hasEnded()).toBe(false)
  })

  test('and readings with the right time: charged at theirs, or held until it is right again', async () => {
    await using facts = await setUp(0, true)
    const { teller, perun } = facts
    const worker = facts.start()
    const url = await worker.url()
    await until('all groups are opened', () => show(perun, 0))
    facts.setClock(offset)
    teller.value += 5
    if (offset > 0) {
      await until('growth is charged', () => show(perun, 5))
    } else {
      await until('readings are held', () => worker.says('are later than our clock') !== undefined)
      expect(await (await fetch(`${url}/api/holds`)).text()).toContain('clock ahead')
      expect(show(perun, 0)).toBe(true)
    }
    facts.setClock(0)
    teller.value += 7
    await until('all growth is charged', () => show(perun, 12))
    await until('nothing is held any more', async () => {
      return !(await (await fetch(`${url}/api/holds`)).text()).includes('clock ahead')
    })
  })
})

// Its own value is what Perun shows then. Taken for somebody's edit, it would be charged twice.
test('a worker that was killed before it knew the answer of Perun may be away for days', async () => {
  await using facts = await setUp(0, false)
  const { teller, perun } = facts
  const first = facts.start()
  await until('all groups are opened', () => show(perun, 0))
  perun.faults.fail({ how: 'drop-after', method: 'setAttributes', times: null })
  teller.value += 5
  await until('a write has happened', () => perun.readAll().some(({ used }) => used === '5.00'))
  first.signal('SIGKILL')
  await first.ended()
  perun.faults.clear()
  facts.setClock(3 * DAY)
  teller.value += 2
  const second = facts.start()
  await until('all growth is charged', () => show(perun, 7))
  expect(second.says('edited there')).toBe(undefined)
})
