/** At a terminal: tables fit its width, colours, questions. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import { cutTo, displayWidth, printable, printableJson } from '#src/cli/printable.ts'
import { facts, table } from '#src/cli/table.ts'
import { styled } from '#src/cli/terminal.ts'
import { HOUR } from '#src/core/time.ts'
import { T0 } from '../helpers/billing.ts'
import { type Face, startFace } from '../http/server.ts'
import { writeVariedLedger } from '../verify/ledgers.ts'
import { typed, typedAtTerminal, whyNoTerminal } from './commandLine.ts'

const LONG = 'a name that is longer than most people would think of, and then some more'

let face: Face
beforeAll(async () => {
  face = await startFace()
  for (const project of ['bio', '蛋白质折叠'.repeat(8), LONG, 'c1 \u009b31m']) {
    await face.record({ project, at: T0, value: '0' })
    await face.record({ project, at: T0 + HOUR, value: '1234.567891' })
  }
})
afterAll(() => face[Symbol.asyncDispose]())

const missing = whyNoTerminal()
if (missing !== undefined) process.stderr.write(`NOT TESTED: the command line at a terminal (${missing})\n`)

suite.skipIf(missing !== undefined)('At a terminal', () => {
  const at = (
    columns: number,
    words: readonly string[],
    more: { answer?: string; env?: Record<string, string> } = {},
  ) => typedAtTerminal(words, { columns, ...more, env: { OS_CREDITS_URL: face.url, ...more.env } })

  test.each([24, 40, 60, 80, 120, 200])(
    'of %d columns no line of a table is longer and no number is cut',
    async (columns) => {
      const { code, screen } = await at(columns, ['groups'])
      expect(code).toBe(0)
      const lines = stripVTControlCharacters(screen).trimEnd().split('\n')
      // Where each group is a list of facts, a long name has the lines that it needs.
      const isTable = /^group +state/.test(lines[0]!)
      expect(isTable).toBe(columns >= 60)
      if (isTable) expect(lines.filter((line) => displayWidth(line) > columns)).toEqual([])
      expect(screen.match(/1234\.567891/g)).toHaveLength(4)
    },
  )

  test('there are colours, unless NO_COLOR is set', async () => {
    const [coloured, plain] = await Promise.all([at(120, ['status']), at(120, ['status'], { env: { NO_COLOR: '1' } })])
    expect(coloured.screen).toContain('\u001b[32mready\u001b[39m')
    expect(plain.screen).toBe(stripVTControlCharacters(plain.screen))
    expect(plain.screen).toMatch(/^state +ready$/m)
  })

  test('JSON has escapes for what would not show, and means the same', async () => {
    const { screen } = await at(120, ['groups', '--json', '--search', 'c1'])
    expect(screen).toContain('c1 \\u009b31m')
    expect(JSON.parse(screen).groups[0].group).toBe('c1 \u009b31m')
  })

  test('a decision is made after a yes, and after nothing else', async () => {
    const words = ['adjust', 'bio', '1', '--reason', 'x']
    const used = async () => (await face.ledger.group('bio'))!.used
    const before = await used()
    for (const answer of ['', 'n', 'yesterday']) {
      const { code, screen } = await at(80, words, { answer })
      expect([code, screen]).toEqual([1, expect.stringContaining('Nothing was done.')])
    }
    expect(await used()).toBe(before)
    const { code, screen } = await at(80, words, { answer: 'y' })
    expect([code, screen]).toEqual([0, expect.stringMatching(/used then +1235\.567891[\s\S]*Do it\? \[y\/N\]/)])
    expect(await used()).toBe(before + 1_000_000n)
  })
})

suite('Without a terminal', () => {
  test('nothing is cut and nothing is coloured', async () => {
    const { stdout } = await typed(['groups'], { OS_CREDITS_URL: face.url, FORCE_COLOR: '1' })
    expect(stdout).toContain(`${LONG}  `)
    expect(stdout).not.toContain('\u001b')
  })
})

suite('A table', () => {
  const columns = [
    { head: 'name', value: ({ name }: { name: string }) => name, isElastic: true },
    { head: 'number', value: () => '12345.678', align: 'right' },
    { head: 'note', value: () => 'a note', isExtra: true },
  ] as const
  const paper = (width: number) => ({ width, hasColours: false })

  test('cuts texts first, then leaves out what is extra, then becomes a list', () => {
    const rows = [{ name: 'a rather long name' }]
    expect(table(columns, rows, paper(40))).toBe(
      'name                   number  note\na rather long name  12345.678  a note\n',
    )
    expect(table(columns, rows, paper(33))).toBe('name               number  note\na rather long…  12345.678  a note\n')
    expect(table(columns, rows, paper(25))).toBe('name               number\na rather long…  12345.678\n')
    expect(table(columns, rows, paper(20))).toBe('name    a rather long name\nnumber  12345.678\nnote    a note\n')
  })

  test('is never wider than the terminal as long as it is a table', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.integer({ min: 31, max: 100 }), (names, width) => {
        const rows = names.map((name) => ({ name: printable(name) }))
        const lines = table(columns, rows, paper(width)).split('\n')
        expect(lines.filter((line) => displayWidth(line) > width)).toEqual([])
        expect(lines).toHaveLength(rows.length + 2)
      }),
    )
  })
})

suite('Text', () => {
  test('of any kind is printable, and stays as it is if it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/\p{Cc}|\p{Zl}|\p{Zp}|\p{Cs}|[\u202a-\u202e\u2066-\u2069]/u)
        expect(printable(printable(text))).toBe(printable(text))
      }),
    )
    for (const text of ['Großes Mikroskop', '蛋白质', '👩‍🔬', 'עברית', "'; DROP TABLE"])
      expect(printable(text)).toBe(text)
  })

  test('takes as many columns as terminals give it', () => {
    for (const [text, width] of [
      ['bio', 3],
      ['蛋白', 4],
      ['e\u0301', 1],
      ['👩‍🔬', 2],
      ['', 0],
    ] as const) {
      expect(displayWidth(text), text).toBe(width)
    }
    expect([cutTo('蛋白质', 6), cutTo('蛋白质', 5), cutTo('蛋白质', 4)]).toEqual(['蛋白质', '蛋白…', '蛋…'])
  })

  test('of JSON means the same with escapes', () => {
    fc.assert(
      fc.property(fc.json(), fc.string({ unit: 'binary' }), (json, text) => {
        const all = JSON.stringify([JSON.parse(json), text])
        expect(JSON.parse(printableJson(all))).toEqual(JSON.parse(all))
        expect(printableJson(all)).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u)
      }),
    )
  })

  test('has a colour where there are colours', () => {
    expect(styled('x', 'red', { hasColours: true })).toBe('\u001b[31mx\u001b[39m')
    expect([styled('x', 'red', { hasColours: false }), styled('x', undefined, { hasColours: true })]).toEqual([
      'x',
      'x',
    ])
    expect(
      facts([
        ['a', '1'],
        ['long', undefined],
        ['bcd', '2'],
      ]),
    ).toBe('a    1\nbcd  2\n')
  })
})

suite('verify', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cli-verify-'))
  const ledger = join(folder, 'credits.db')
  beforeAll(() => writeVariedLedger(ledger))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('hands its words and its exit code to and from the check', async () => {
    expect(await typed(['verify', ledger])).toMatchObject({ code: 0, stdout: expect.stringContaining('is all right.') })
    expect((await typed(['verify', '--json', ledger])).stdout).toContain('"ok": true')
    expect(await typed(['verify', join(folder, 'none.db')])).toMatchObject({ code: 66 })
    expect((await typed(['verify', '--help'])).stdout).toContain('npm run verify')
  })
})
