/** The commands, typed at a real worker's face with a real ledger behind it. */

import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import { createIntake } from '#src/billing/intake.ts'
import { inPath } from '#src/cli/client.ts'
import { noRejections } from '#src/core/admit.ts'
import { HOUR } from '#src/core/time.ts'
import { meters, reading, silent, T0 } from '../helpers/billing.ts'
import { until } from '../helpers/worker.ts'
import { type Face, replica, startFace, target } from '../http/server.ts'
import { type Outcome, typed, watch } from './commandLine.ts'

const KEY = 'the-operators-key'
/** Moves the cursor, sets a title, breaks lines, turns the direction, and is C1's way to begin a sequence. */
const HOSTILE = 'evil\u001b[2J\u001b]0;title\u0007\nused 0\r\u009b31m\u202etxt.exe'
const harmful = /[^\P{Cc}\n]|\p{Cf}/u

let face: Face
beforeAll(async () => {
  const labels = { location_id: '8676' }
  face = await startFace({
    keys: { operator: KEY },
    targets: () => [
      target({ labels }),
      target({ target: 'http://b/metrics', up: false, lastError: 'No answer: \u001b[7m' }),
    ],
  })
  const at = (hour: number, value: string, project: string) => ({ project, at: T0 + hour * HOUR, value })
  const projects = ['bio', 'Großes Mikroskop', '蛋白质', '..', HOSTILE]
  await face.record(...projects.map((project) => at(0, '10', project)))
  await face.record(...projects.map((project) => at(1, '22.5', project)))
})
afterAll(() => face[Symbol.asyncDispose]())

function ask(...words: string[]): Promise<Outcome> {
  return typed(words, { OS_CREDITS_URL: face.url, API_KEY: KEY })
}

/** Growth of 2,000,000 in an hour, which nobody believes; its number. */
async function holdOf(project: string): Promise<string> {
  await face.record({ project, at: T0, value: '10' })
  await face.record({ project, at: T0 + HOUR, value: '2000010' })
  const [hold] = await face.ledger.holds({ group: project, limit: 1 })
  return String(hold!.id)
}

/** More series than the usual recorder takes. */
async function recordMany({ ledger, clock }: Face, projects: readonly string[]): Promise<void> {
  const intake = createIntake({ ledger, maxSeries: 10_000, meters, clock, logger: silent, onChanged: () => {} })
  const readings = projects.map((project) => reading({ project, at: T0, value: '1' }))
  await intake.take({ id: 'many', source: 'many', receivedAt: clock.now(), readings, rejected: noRejections() })
}

suite('status', () => {
  test('tells of targets, groups and the ledger', async () => {
    const { code, stdout, stderr } = await ask('status')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^state +ready$/m)
    expect(stdout).toMatch(/^http:\/\/exporter\.example\/metrics +8676 +yes +2026-01-01 00:00:00 +12 +2 +–$/m)
    expect(stdout).toMatch(/^http:\/\/b\/metrics .* No answer: \\u\{1b\}\[7m$/m)
  })

  test('says what is wrong with the file of targets', async () => {
    const problems = ['[0].targets: expected a list, got nothing', 'and \u001b[7m more']
    await using broken = await startFace({ targetsFile: () => ({ path: 'targets.yaml', problems, since: 0 }) })
    const { stdout } = await typed(['status'], { OS_CREDITS_URL: broken.url })
    expect(stdout).toMatch(
      /^file +the file of targets cannot be used: \[0\]\.targets: expected a list, got nothing, and /m,
    )
    expect(stdout).not.toContain('\u001b')
  })

  test('tells of pushes where there were any', async () => {
    await using pushed = await startFace({ targets: () => [] })
    await pushed.post('/write', 'up value=1')
    const { code, stdout } = await typed(['status'], { OS_CREDITS_URL: pushed.url })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^influx +2026-01-01 00:00:00 +2026-01-01 00:00:00 +1 +0 +0 +–$/m)
    expect(stdout).not.toContain('remote write')
  })

  test('tells of the workers that share the ledger, and which of them scrapes a target', async () => {
    const unknown = { up: undefined, lastSuccess: undefined, lastDuration: undefined }
    await using shared = await startFace({
      targets: () => [
        target(),
        target({ ...unknown, target: 'http://b/metrics', scraper: { kind: 'elsewhere', id: 2, name: 'w\u001b/7' } }),
        target({ ...unknown, target: 'http://c/metrics', scraper: { kind: 'nobody', reason: 'Nobody has.' } }),
      ],
      replicas: {
        isMember: () => true,
        list: async () => [
          replica(),
          replica({
            id: 2,
            name: 'w\u001b/7',
            state: 'gone',
            isSelf: false,
            isLead: false,
            isCatchingUp: true,
            targets: [],
          }),
        ],
      },
    })
    const { stdout } = await typed(['status'], { OS_CREDITS_URL: shared.url })
    expect(stdout).toMatch(/^http:\/\/b\/metrics +8676 +at w\\u\{1b\}\/7 .*–$/m)
    expect(stdout).toMatch(/^http:\/\/c\/metrics +8676 +not yet .*Nobody has\.$/m)
    expect(stdout).toMatch(
      /^worker-1\/7 \(answers\) +working +lead +2026-01-01 00:01:00 +1 +http:\/\/exporter\.example\/metrics$/m,
    )
    expect(stdout).toMatch(/^w\\u\{1b\}\/7 +gone +catches up +2026-01-01 00:01:00 +1 +–$/m)
    expect(stdout).not.toContain('\u001b')
  })

  test('ends with 1 while the worker is not ready, and says why', async () => {
    const fresh = target({ up: undefined, lastScrape: undefined, lastSuccess: undefined })
    await using idle = await startFace({ targets: () => [fresh] })
    const { code, stdout } = await typed(['status'], { OS_CREDITS_URL: idle.url })
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^state +not ready: No scrape has worked yet\.$/m)])
  })
})

test('status --watch goes on while the worker is away, and shows it again when it is back', async () => {
  const first = await startFace()
  const { port } = first
  await using watching = watch(['status', '--watch', '--url', first.url])
  await until('it is shown', () => watching.stdout().includes('state'))
  await first[Symbol.asyncDispose]()
  await until('its end is told', () => watching.stderr().includes('nobody listens there'))
  const shownBefore = watching.stdout().length
  await using _second = await startFace({ port })
  await until('it is shown again', () => watching.stdout().length > shownBefore)
  expect(watching.stdout()).not.toContain('\u001b')
})

suite('groups', () => {
  test('are shown with exact amounts', async () => {
    const { code, stdout } = await ask('groups')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^bio +new +12\.5 +– +– +2026-01-01 01:00:00 +–$/m)
  })

  test('are printed as the API answers them', async () => {
    const { stdout } = await ask('groups', '--json')
    const { text } = await face.get('/api/groups?limit=1000', { 'X-API-KEY': KEY })
    expect(stdout).toBe(`${text}\n`)
  })

  test('of many pages are all there, each once', async () => {
    await using large = await startFace()
    const projects = Array.from({ length: 2_345 }, (_, number) => `p${number}`)
    await recordMany(large, projects)
    const { stdout } = await typed(['groups'], { OS_CREDITS_URL: large.url })
    const listed = stdout
      .split('\n')
      .slice(1, -1)
      .map((line) => line.split(' ')[0])
    expect(listed.toSorted()).toEqual(projects.toSorted())
    const pages = (await typed(['groups', '--json', '--url', large.url])).stdout.trim().split('\n')
    expect(pages.map((page) => JSON.parse(page).groups.length)).toEqual([1_000, 1_000, 345])
    const few = await typed(['groups', '--limit', '3'], { OS_CREDITS_URL: large.url })
    expect([few.stdout.trim().split('\n').length, few.stderr]).toEqual([4, '3 of 2,345 groups\n'])
  })

  test('are printed as comma-separated values, all of them', async () => {
    const { text } = await face.get('/api/groups?format=csv', { 'X-API-KEY': KEY })
    expect((await ask('groups', '--csv')).stdout).toBe(text)
    expect(await ask('groups', '--csv', '--limit', '2')).toMatchObject({ code: 64, stdout: '' })
  })

  test('can be searched', async () => {
    const { stdout, stderr } = await ask('groups', '--search', 'mikro')
    expect(stdout).toContain('Großes Mikroskop')
    expect([stdout.includes('bio'), stderr]).toEqual([false, ''])
  })
})

suite('A name that would play with the terminal', () => {
  test.each([
    ['groups'],
    ['history', HOSTILE],
    ['forecast', HOSTILE],
    ['explain', HOSTILE],
    ['holds'],
    ['drifts', '--group', HOSTILE],
    ['notices', HOSTILE],
  ])('is written with escapes: %s', async (...words) => {
    const { code, stdout, stderr } = await ask(...words)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).not.toMatch(harmful)
  })

  test('stays one line of a table', async () => {
    const { stdout } = await ask('groups')
    expect(stdout).toContain('evil\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{a}used 0\\u{d}\\u{9b}31m\\u{202e}txt.exe')
  })

  test('is harmless in an error, too', async () => {
    const { code, stderr } = await ask('explain', `${HOSTILE}?`)
    expect([code, stderr]).toEqual([1, expect.stringContaining('(HTTP 404 Not Found)')])
    expect(stderr).not.toMatch(harmful)
  })
})

suite('explain', () => {
  test('adds up what a group used', async () => {
    const { stdout } = await ask('explain', 'bio')
    expect(stdout).toMatch(/^used +12\.5 of – granted$/m)
    expect(stdout).toMatch(/^8676 +cpu +id-bio +12\.5 vCPU·h +1 +12\.5 /m)
  })

  test('says what Perun shows, and what once it is told', async () => {
    await face.record({ project: 'shown', at: T0, value: '0' })
    await face.record({ project: 'shown', at: T0 + HOUR, value: '12.5' })
    await face.ledger.settle({ group: 'shown', at: T0, contacts: [{ site: '8676', contact: 'active' }] })
    const row = async () => /^Perun shows +(.*)$/m.exec((await ask('explain', 'shown')).stdout)?.[1]
    const published = (used: bigint) => face.ledger.settle({ group: 'shown', at: T0, published: { used, sites: [] } })
    expect(await row()).toBe('nothing yet; 12.50 once it is told')
    await published(2_000_000n)
    expect(await row()).toBe('2.00; 12.50 once it is told')
    await published(12_500_000n)
    expect(await row()).toBe('12.50')
  })

  test('finds a group whose name is two dots', async () => {
    expect((await ask('explain', '..')).stdout).toContain('Receipt of ..\n')
    // As it would be after a proxy took dots out of the address.
    expect(new URL(`/api/groups/${inPath('..')}/explain`, face.url).pathname).toBe('/api/groups/..%2F/explain')
  })

  test('says in a sentence that there is no such group', async () => {
    const { code, stdout, stderr } = await ask('explain', 'nobody')
    expect([code, stdout, stderr]).toEqual([1, '', 'There is no group "nobody". (HTTP 404 Not Found)\n'])
  })
})

suite('A hold', () => {
  test('is charged when it is accepted, with the reason and who decided', async () => {
    const number = await holdOf('accepted')
    expect((await ask('holds', '--group', 'accepted')).stdout).toContain('implausible growth')
    expect((await ask('hold', number)).stdout).toMatch(/2000000 vCPU·h/)
    const { code, stdout, stderr } = await ask('accept', number, '--reason', 'It is real', '--actor', 'jane', '--yes')
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Hold ${number} is closed`)])
    expect(stderr).toMatch(/will be charged[\s\S]*2000000 vCPU·h/)
    expect((await face.ledger.group('accepted'))!.used).toBe(2_000_000_000_000n)
    expect((await ask('explain', 'accepted')).stdout).toContain('It is real, by jane')
  })

  test('is never charged when it is dismissed', async () => {
    const number = await holdOf('dismissed')
    expect(await ask('dismiss', number, '--reason', 'A mistake', '--yes')).toMatchObject({ code: 0 })
    expect((await face.ledger.group('dismissed'))!.used).toBe(0n)
    expect(await ask('dismiss', number, '--reason', 'Again', '--yes')).toMatchObject({ code: 1 })
  })

  test('is left alone without a reason, and where nobody can be asked', async () => {
    const number = await holdOf('undecided')
    const noReason = await ask('accept', number, '--yes')
    expect([noReason.code, noReason.stderr]).toEqual([64, expect.stringContaining('Expected --reason TEXT')])
    const nobody = await ask('accept', number, '--reason', 'It is real')
    expect([nobody.code, nobody.stderr]).toEqual([64, expect.stringContaining('add --yes')])
    expect(await face.ledger.holds({ group: 'undecided', limit: 1 })).toHaveLength(1)
  })
})

suite('adjust', () => {
  test('gives back, and shows the total before and after', async () => {
    await face.record({ project: 'refund', at: T0, value: '1' }, { project: 'refund', at: T0 + HOUR, value: '21' })
    const { code, stdout, stderr } = await ask('adjust', 'refund', '-12.5', '--reason', 'Outage', '--yes')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^refund has used 7\.5 credits: entry \d+\n$/)])
    expect(stderr).toMatch(/^refund will be given back 12\.5 credits:\n\nused now +20\nused then +7\.5\n/)
  })

  test('records once what is sent twice with one id', async () => {
    await face.record({ project: 'twice', at: T0, value: '1' })
    for (const _ of [1, 2]) await ask('adjust', 'twice', '3', '--reason', 'Ticket', '--id', 'ticket-42', '--yes')
    expect((await face.ledger.group('twice'))!.used).toBe(3_000_000n)
  })

  test('refuses what is no amount before the worker is asked', async () => {
    for (const amount of ['0', 'ten', '0.0000001', '-']) {
      const { code, stderr } = await ask('adjust', 'bio', amount, '--reason', 'x', '--yes')
      expect([code, stderr]).toEqual([64, expect.stringContaining('AMOUNT: expected credits')])
    }
  })
})

suite('A re-pricing', () => {
  const period = ['--meter', 'cpu', '--from', '2026-01-01', '--to', '2026-01-01T01:00:00Z', '--reason', 'Too low']

  test('is previewed, applied and undone', async () => {
    await using own = await startFace()
    await own.record({ project: 'bio', at: T0, value: '0' })
    await own.record({ project: 'bio', at: T0 + HOUR, value: '10' })
    const run = (...words: string[]) => typed([...words, '--url', own.url])
    const preview = await run('reprice', 'preview', ...period, '--price', '1.5', '--json')
    const { id, difference } = JSON.parse(preview.stdout)
    expect(difference).toBe('5')
    expect((await run('reprice', 'show', id)).stdout).toMatch(/^bio +10 +5 +15 /m)
    const applied = await run('reprice', 'apply', id, '--yes')
    expect([applied.stdout, applied.stderr]).toEqual([
      `Re-pricing ${id} is applied.\n`,
      expect.stringContaining('Too low'),
    ])
    expect((await own.ledger.group('bio'))!.used).toBe(15_000_000n)
    expect((await run('reprice')).stdout).toContain(id)
    expect((await run('reprice', 'undo', id, '--reason', 'Wrong month', '--yes')).code).toBe(0)
    expect((await own.ledger.group('bio'))!.used).toBe(10_000_000n)
  })

  test('is not applied where nobody can be asked', async () => {
    expect(await ask('reprice', 'apply', 'any')).toMatchObject({ code: 64 })
  })
})

test('drifts that never were are none', async () => {
  expect(await ask('drifts')).toEqual({ code: 0, stdout: 'No drifts.\n', stderr: '' })
})

test('logs changes a level for a time and shows all of them', async () => {
  const { stdout } = await ask('logs', 'trace', 'perun', '--for', '10m')
  expect(stdout).toMatch(/^perun +trace$/m)
  expect(stdout).toContain('For 600 s, then as before.')
  expect((await ask('logs')).stdout).toMatch(/^perun +trace$/m)
  expect(await ask('logs', 'loud')).toMatchObject({ code: 1, stderr: expect.stringContaining('expected one of') })
})

suite('plan', () => {
  test('answers the worked example: two small machines and one large for 91 days', async () => {
    const { stdout } = await ask('plan', '2xcpu=1,ram=2', 'cpu=28:2,ram=64:2.5', '--hours', '8', '--days', '91')
    expect(stdout).toMatch(/^grant to ask for +78042 credits$/m)
  })

  test('tells how long credits last', async () => {
    const { stdout } = await ask('plan', 'cpu=1@12', '--credits', '30')
    expect(stdout).toMatch(/^lasts +2 days and 6 hours$/m)
  })

  test('takes machines that are given up', async () => {
    const words = [
      'plan',
      'cpu=28:2,ram=64:2.5@8',
      '-1xcpu=1,ram=2@8',
      '--granted',
      '78042',
      '--used',
      '0',
      '--days',
      '1',
    ]
    expect(await ask(...words)).toMatchObject({ code: 0, stdout: expect.stringContaining('grant to ask for') })
  })

  test('explains its notation', async () => {
    expect(await ask('plan', 'large', '--days', '1')).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('2xcpu'),
    })
  })
})
