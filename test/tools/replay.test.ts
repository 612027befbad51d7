/** Recordings are replayed as they were scraped: the credits of a live worker, other prices beside them, and what was held. */
import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import Big from 'big.js'
import { expect, suite, test } from 'vitest'
import { timeInName } from '#src/tools/replay/recording.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { temporaryFolder, typed } from './typed.ts'

const fixtures = join(import.meta.dirname, '../fixtures')
const filesOf = (folder: string, prefix: string) =>
  readdirSync(join(fixtures, folder))
    .filter((name) => name.startsWith(`${prefix}__`))
    .map((name) => join(fixtures, folder, name))

interface Answer {
  readonly recordings: readonly { at: string; readings: number }[]
  readonly outcomes: Readonly<Record<string, number>>
  readonly groups: readonly { group: string; credits: string; other_prices?: string; difference?: string }[]
  readonly notes: readonly { kind: string; text: string }[]
  readonly holds: readonly { kind: string; reason: string; growths: number }[]
}

async function replayed(...words: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await typed(['replay', '--json', ...words])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Answer
}

/** Files that were recorded a minute after another, one for each total of a project. */
function recorded(folder: string, ...totals: string[]): string[] {
  return totals.map((value, minute) => {
    const path = `${folder}/a__20260101T00${String(minute).padStart(2, '0')}00_000Z.prom`
    writeFileSync(path, `project_vcpu_usage{project_id="1",project_name="a",location_id="8676"} ${value}\n`)
    return path
  })
}

suite('a replay', () => {
  test('of scrapes of a real exporter charges their growth, at the times in their names', async () => {
    const files = filesOf('exporter', 'dummy_cc__domain-id__start-2018-12-01')
    const { recordings, outcomes, groups, notes } = await replayed('--site', '8676', ...files.toReversed())
    expect(recordings.map(({ at }) => at)).toEqual(
      ['18:17.293', '18:34.038', '18:51.035', '19:32.068'].map((time) => `2026-11-21T03:${time}Z`),
    )
    expect(outcomes).toEqual({ opened: 4, charged: 12 })
    expect(groups).toEqual([
      { group: 'HerOSP', credits: '0.225325' },
      { group: 'MyOSP', credits: '0.183597' },
    ])
    expect(notes.map(({ kind }) => kind)).toEqual(['opened', 'opened', 'opened', 'opened'])
  })

  test('of a federating Prometheus has the times of its samples', async () => {
    const files = filesOf('prometheus', 'federate-site-a')
    const { outcomes, groups, notes } = await replayed('--site', '8676', ...files)
    expect(groups.map(({ group }) => group)).toEqual(['HisSVM'])
    expect(Object.keys(outcomes)).toEqual(expect.arrayContaining(['opened', 'charged', 'rebased']))
    expect(notes.find(({ kind }) => kind === 'rebased')!.text).toMatch(/^Fell from 251\d+\.\d+ at 2026-11-21T03:3/)
  })

  test('shows other prices beside those of the settings', async () => {
    const folder = temporaryFolder()
    const files = recorded(folder, '100', '101', '103.5')
    const prices = `${folder}/prices.yaml`
    writeFileSync(prices, 'meters: [{ metric: project_vcpu_usage, name: cpu, unit: vCPU·h, prices: [{ price: 1.2 }] }]')
    const { groups } = await replayed('--prices', prices, ...files)
    expect(groups).toEqual([{ group: 'a', credits: '3.5', other_prices: '4.2', difference: '0.7' }])
    const { stdout } = await typed(['replay', '--prices', prices, ...files])
    expect(stdout).toMatch(/^group +credits +other prices +difference\na +3\.5 +4\.2 +0\.7\n/m)
    expect(new Big('3.5').times('1.2').eq('4.2')).toBe(true)
  })

  test('tells what is held, and falls', async () => {
    const files = recorded(temporaryFolder(), '100', '101', '50', '90000', '90001')
    const { stdout } = await typed(['replay', ...files])
    expect(stdout).toContain('a rebased: Fell from 101 at 2026-01-01T00:01:00.000Z to 50')
    expect(stdout).toMatch(/^held \(.*\): .*grew by 89950/m)
    const { groups, holds } = await replayed(...files)
    expect(groups).toMatchObject([{ group: 'a' }])
    expect(holds).toMatchObject([{ growths: 1 }])
  })

  test('keeps its ledger where it is told to, which is all right', async () => {
    const folder = temporaryFolder()
    const files = recorded(folder, '100', '102')
    await replayed('--ledger', `${folder}/scratch.db`, ...files)
    expect(verifyLedger(`${folder}/scratch.db`)).toMatchObject({ problems: [], groups: 1 })
    const again = await typed(['replay', '--ledger', `${folder}/scratch.db`, ...files])
    expect(again).toMatchObject({ code: 64, stdout: '' })
  })

  test('takes the time that is given, or that of the file', async () => {
    const folder = temporaryFolder()
    const path = `${folder}/answer.gz`
    writeFileSync(path, gzipSync('project_vcpu_usage{project_name="a",location_id="1"} 5\n# EOF\n'))
    utimesSync(path, 1_767_225_600, 1_767_225_600)
    expect((await replayed(path)).recordings).toMatchObject([{ at: '2026-01-01T00:00:00.000Z', readings: 1 }])
    const given = await replayed('--at', '2026-02-03T04:05:06Z', path)
    expect(given.recordings).toMatchObject([{ at: '2026-02-03T04:05:06.000Z' }])
  })

  test('says what it had to leave out', async () => {
    const path = `${temporaryFolder()}/x.prom`
    writeFileSync(path, 'project_vcpu_usage{project_name="a"} 5\n')
    const { stdout } = await typed(['replay', path])
    expect(stdout).toContain('left out: 1 incomplete (no project or site: --site names one)')
  })

  test.each([
    ['a program', 'import os\n\ndef main():\n    x = 5\n    return 1\n'],
    ['a page', '<html>\n<body>\n'],
  ])('refuses a file that is no exposition: %s', async (_, content) => {
    const path = `${temporaryFolder()}/x`
    writeFileSync(path, content)
    const { code, stdout, stderr } = await typed(['replay', path])
    expect({ code, stdout }).toEqual({ code: 66, stdout: '' })
    expect(stderr).toContain(`${path} is no exposition: Expected lines with samples. Line 1: `)
  })

  test('takes one that has nothing that is charged, and counts as people do', async () => {
    const path = `${temporaryFolder()}/x`
    writeFileSync(path, 'up{instance="a"} 1\n')
    expect((await typed(['replay', path])).stdout).toMatch(/^1 recording from .* 0 readings: /)
    const [one] = recorded(temporaryFolder(), '100')
    expect((await typed(['replay', one!])).stdout).toMatch(/^1 recording from .* 1 reading: 1 opened/)
  })

  test.each([
    [[], 64, 'Expected files to replay, got none.'],
    [['nowhere.prom'], 66, 'nowhere.prom cannot be read'],
    [[import.meta.filename.replace('replay.test.ts', 'typed.ts'), '--at', 'then'], 64, 'after --at, got "then"'],
    [['--at', '2026-01-01', 'a', 'b'], 64, '--at is for one file, got 2'],
    [['--site', 'x', 'a'], 78, 'OS_CREDITS_LOCATION_ID: expected a number'],
  ])('%j is refused with a sentence', async (words, code, message) => {
    const outcome = await typed(['replay', ...words])
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(message)
  })
})

test.each([
  ['site_a.1__20261121T033335_600Z.prom', '2026-11-21T03:33:35.600Z'],
  ['folder/2026-11-21T03:33:35.600Z.txt', '2026-11-21T03:33:35.600Z'],
  ['2026-11-21_03-33-35.prom.gz', '2026-11-21T03:33:35.000Z'],
  ['scrape.prom', undefined],
  ['20261321T033335.prom', undefined],
])('the time in the name %s is %s', (name, expected) => {
  const at = timeInName(name)
  expect(at === undefined ? undefined : new Date(at).toISOString()).toBe(expected)
})
