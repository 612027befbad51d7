/** What was, and what is to be expected, typed at a real worker's face. */
import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import { DAY, HOUR } from '#src/core/time.ts'
import { ram, T0 } from '../helpers/billing.ts'
import { type Face, startFace } from '../http/server.ts'
import { type Outcome, typed } from './commandLine.ts'

/** In the hour before, clocks in Europe go back: 02:00 to 03:00 comes twice. */
const CHANGE = Date.UTC(2026, 9, 25, 1)

let face: Face
beforeAll(async () => {
  face = await startFace()
  const at = (when: number, value: string) => ({ project: 'bio', at: when, value })
  await face.record(at(T0, '10'), { ...at(T0, '4'), metric: ram.metric })
  await face.record(at(T0 + HOUR, '22.5'), { ...at(T0 + HOUR, '6'), metric: ram.metric })
  await face.record(at(T0 + DAY + HOUR, '23.000001'))
  for (const hour of [-1, 0, 1])
    await face.record({ project: 'clock', at: CHANGE + hour * HOUR, value: String(100 + hour) })
})
afterAll(() => face[Symbol.asyncDispose]())

const ask = (...words: string[]): Promise<Outcome> => typed(words, { OS_CREDITS_URL: face.url })
const linesOf = ({ stdout }: Outcome) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))

suite('history', () => {
  const january = ['--from', '2026-01-01', '--to', '2026-01-04'] as const

  test('shows what a group used each day, exactly, and its total', async () => {
    const [head, , ...rows] = linesOf(await ask('history', 'bio', ...january))
    expect(head).toEqual(['bio has used 13.600001 of – granted credits'])
    expect(rows).toEqual([
      ['day (UTC)', 'cpu', 'ram', 'credits', 'used in all'],
      ['2026-01-01', '12.5', '0.6', '13.1', '13.1'],
      ['2026-01-02', '0.500001', '–', '0.500001', '13.600001'],
      ['2026-01-03', '–', '–', '0', '13.600001'],
    ])
  })

  test('shows hours, months, sites and what was adjusted', async () => {
    await face.record({ project: 'vast', at: T0, value: '1' })
    await ask('adjust', 'vast', '90000000000.07', '--reason', 'x', '--yes')
    await face.record({ project: 'vast', at: T0 + HOUR, value: '3', site: '9001' })
    await face.record({ project: 'vast', at: T0 + 2 * HOUR, value: '4', site: '9001' })
    const rows = linesOf(await ask('history', 'vast', '--by', 'site', '--step', 'month', '--to', '2026-12-31'))
    const months = rows.filter(([month]) => /^2026-\d\d$/.test(month!))
    expect(rows[2]).toEqual(['month (UTC)', 'site 9001', 'adjustments', 'credits', 'used in all'])
    expect(months.at(-1)!.at(-1)).toBe('90000000001.07')
    expect(months.flat().filter((cell) => cell === '90000000000.07')).not.toEqual([])
  })

  test('tells hours that come twice apart', async () => {
    const period = ['--from', '2026-10-25 01:00', '--to', '2026-10-25 04:00']
    const outcome = await ask('history', 'clock', '--step', 'hour', '--tz', 'Europe/Berlin', ...period)
    expect(linesOf(outcome).slice(3)).toEqual([
      ['2026-10-25 01:00 +02:00', '–', '0', '0'],
      ['2026-10-25 02:00 +02:00', '1', '1', '1'],
      ['2026-10-25 02:00 +01:00', '1', '1', '2'],
      ['2026-10-25 03:00 +01:00', '–', '0', '2'],
    ])
  })

  test('is printed as the API answers it, also page by page', async () => {
    const query = 'from=2026-01-01&to=2026-01-04'
    const { text: json } = await face.get(`/api/groups/bio/history?${query}`)
    expect((await ask('history', 'bio', ...january, '--json')).stdout).toBe(`${json}\n`)
    const { text: csv } = await face.get(`/api/groups/bio/history?${query}&format=csv`)
    expect((await ask('history', 'bio', ...january, '--csv')).stdout).toBe(csv)
    // 1,440 hours are two pages, whose columns are named once.
    const hours = ['--from', '2026-01-01', '--to', '2026-03-02', '--step', 'hour']
    const lines = (await ask('history', 'bio', ...hours, '--csv')).stdout.trim().split('\r\n')
    expect(lines.filter((line) => line.startsWith('start,'))).toEqual([lines[0]])
    expect(new Set(lines.slice(1).map((line) => line.split(',')[0])).size).toBe(1_440)
    expect(linesOf(await ask('history', 'bio', ...hours))).toHaveLength(3 + 1_440)
  })

  test.each([
    [['--step', 'week'], 1, 'step: expected hour, day or month'],
    [['--tz', 'Mars'], 1, 'tz: expected the IANA name'],
    [['--csv', '--json'], 64, '--csv and --json'],
  ] as const)('refuses %s in a sentence', async (words, code, sentence) => {
    const outcome = await ask('history', 'bio', ...words)
    expect(outcome).toEqual({ code, stdout: '', stderr: expect.stringContaining(sentence) })
  })
})

suite('forecast', () => {
  test('tells burn and when credits run out, as the API does', async () => {
    const days = Array.from({ length: 30 }, (_, day) => day)
    for (const day of days) await face.record({ project: 'steady', at: T0 + day * DAY, value: String(24 * day) })
    const upTo = { site: '8676', contact: 'active' } as const
    await face.ledger.settle({ group: 'steady', at: T0 + 29 * DAY, granted: '1000', contacts: [upTo] })
    const { runs_out: end, curve } = (await face.get('/api/groups/steady/forecast')).json as {
      runs_out: Record<'at' | 'early' | 'late', string>
      curve: Record<string, string>[]
    }
    const [at, early, late] = [end.at, end.early, end.late].map((each) => each.slice(0, 10))
    const { stdout } = await ask('forecast', 'steady')
    expect(stdout).toContain(`runs out  ${at}; from ${early} to ${late} in four of five cases\n`)
    expect(stdout).toMatch(/^burn +about 24 credits a day$/m)
    const rows = linesOf(await ask('forecast', 'steady', '--curve')).slice(-curve.length)
    expect(rows.map((row) => row.slice(1))).toEqual(curve.map(({ low, expected, high }) => [low, expected, high]))
  })

  test('says why there is none', async () => {
    await face.ledger.settle({
      group: 'clock',
      at: CHANGE,
      granted: '2',
      contacts: [{ site: '8676', contact: 'active' }],
    })
    expect((await ask('forecast', 'clock')).stdout).toMatch(/^runs out +its credits are used up$/m)
    expect((await ask('forecast', 'bio')).stdout).toMatch(
      /^runs out +(not known: too little was charged yet|it has no)/m,
    )
    const outcome = await ask('forecast', 'nobody')
    expect(outcome).toEqual({ code: 1, stdout: '', stderr: 'There is no group "nobody". (HTTP 404 Not Found)\n' })
  })
})
