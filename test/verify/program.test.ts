/** The check as an operator runs it: words in, a report and an exit code out. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import { cpu } from '../helpers/billing.ts'
import { STRANGE, writeVariedLedger } from './ledgers.ts'

const main = join(import.meta.dirname, '../../src/verify/main.ts')
const folder = mkdtempSync(join(tmpdir(), 'verify-'))
const ledger = join(folder, 'credits.db')
const changed = join(folder, 'changed.db')

beforeAll(async () => {
  await writeVariedLedger(ledger)
  copyFileSync(ledger, changed)
  const db = new DatabaseSync(changed)
  db.exec('UPDATE entries SET amount = amount + 1 WHERE number = 5')
  db.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function verify(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

suite('the check', () => {
  test('says that all is right, how much there is, and the digest', () => {
    const { status, stdout, stderr } = verify(`sqlite:${ledger}`)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/is all right\.\n {2}groups +4\n {2}series +6\n {2}entries +25\n {2}total +[\d.]+ credits\n/)
    expect(stdout).toMatch(/^ {2}digest +25\.[\w-]{43}$/m)
  })

  test('names what is not right', () => {
    const { status, stdout } = verify('--limit', '1', changed)
    expect(status).toBe(1)
    expect(stdout).toContain('is NOT all right.')
    expect(stdout).toContain(
      '4 problems were found:\n  entries 5: amount: expected 2000000, found 2000001\n  and 3 more',
    )
  })

  test('prints only the digest, and later tells whether the ledger begins with those entries', () => {
    const { status, stdout } = verify('--digest', ledger)
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^25\.[\w-]{43}\n$/)])
    expect(verify('--expect', stdout.trim(), ledger).status).toBe(0)
    const other = `25.${'x'.repeat(43)}`
    expect(verify('--expect', other, ledger)).toMatchObject({ status: 1, stdout: expect.stringContaining(other) })
  })

  test('prints no digest over entries that are not all right', () => {
    const { status, stdout, stderr } = verify('--digest', changed)
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toContain('entries 5: amount')
  })

  test('prints JSON for programs', () => {
    const found = JSON.parse(verify('--json', changed).stdout) as Record<string, unknown>
    expect(found).toMatchObject({ ledger: changed, ok: false, entries: 25, problemCount: 4 })
    expect(found.problems).toContainEqual({
      table: 'entries',
      key: '5',
      what: 'amount',
      expected: '2000000',
      found: '2000001',
    })
  })

  test('prints the receipt of a group: what each series was charged at which price, what people added, the total', () => {
    const { status, stdout } = verify('--group', 'alpha', ledger)
    expect(status).toBe(0)
    expect(stdout).toContain(`site 8676, ${cpu.metric}, project id-alpha, price cpu@always=1`)
    expect(stdout).toContain('opening 17, 2026-01-01T05:00:00.000Z')
    expect(stdout).toContain('adjustment 19, 2026-01-01T05:00:00.000Z, by somebody')
    expect(stdout).toContain('total            5000085.719494 credits')
    // What was charged at a site where Perun does not have the group is not shown.
    expect(stdout).toContain('Perun should show 5000080.04, published is nothing yet')
  })

  test('rounds as the worker does that has the same environment', () => {
    const env = { ...process.env, OS_CREDITS_PRECISION: '4' }
    const { stdout } = spawnSync(process.execPath, [main, '--group', 'alpha', ledger], { encoding: 'utf8', env })
    expect(stdout).toContain('Perun should show 5000080.0425, ')
  })

  test('lets no name move the cursor of a terminal', () => {
    const { stdout } = verify('--group', STRANGE, ledger)
    expect(stdout).toContain('Receipt of Großes "Mikroskop" \uFFFD\\u{a}<b>:')
  })

  test.each([[[]], [['']]])('checks the ledger of the environment when none is given: %j', (words) => {
    const env = { ...process.env, OS_CREDITS_LEDGER: `sqlite:${ledger}` }
    const { status, stdout } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8', env })
    expect([status, stdout]).toEqual([0, expect.stringContaining(`${ledger} is all right.`)])
  })

  test('tells how it is called', () => {
    const { status, stdout } = verify('--help')
    expect(status).toBe(0)
    for (const option of ['--digest', '--expect', '--group', '--json', '--limit', '--precision']) {
      expect(stdout).toContain(`  ${option}`)
    }
  })

  test.each([
    [[], 64, 'Expected one ledger, got 0'],
    [['a', 'b'], 64, 'Expected one ledger, got 2'],
    [['--unknown', 'a'], 64, "Unknown option '--unknown'"],
    [['--precision', '7', 'a'], 64, 'Expected a whole number from 0 to 6 after --precision'],
    [['--expect', 'x', 'a'], 64, 'Expected a digest as --digest prints it'],
    [['--group', 'nobody', ledger], 64, 'The ledger has no group "nobody"'],
    [['no/such/file.db'], 66, 'There is no file no/such/file.db'],
    [[main], 66, 'file is not a database'],
    [[folder], 66, 'is a folder: name the ledger in it'],
  ])('called with %j ends with %s: %s', (words, code, message) => {
    const { status, stdout, stderr } = verify(...words)
    expect({ status, stdout }).toEqual({ status: code, stdout: '' })
    expect(stderr).toContain(message)
  })
})
