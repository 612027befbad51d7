/** A backup as an operator makes it: of a ledger that is written meanwhile, checked, whole or not there. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { expect, suite, test } from 'vitest'
import { formatCredits } from '#src/core/credits.ts'
import { SECOND } from '#src/core/time.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { T0 } from '../helpers/billing.ts'
import { deliver, follow } from '../helpers/ledger.ts'
import { temporaryFolder, typed } from './typed.ts'

async function ledgerIn(folder: string) {
  const path = `${folder}/credits.db`
  const ledger = openSqliteLedger(path)
  for (const project of ['a', 'b', 'c']) {
    await follow(ledger, project, [
      [0, '10'],
      [1, '12.5'],
    ])
  }
  return { path, ledger }
}

async function usedIn(path: string, group = 'a') {
  const ledger = openSqliteLedger(path)
  const { used } = (await ledger.group(group))!
  await ledger.close()
  return formatCredits(used)
}

suite('a backup', () => {
  test('is the ledger as it was, says how large it is, and leaves nothing beside it', async () => {
    const folder = temporaryFolder()
    const { path, ledger } = await ledgerIn(folder)
    await ledger.close()
    const before = readFileSync(path)
    const { code, stdout, stderr } = await typed(['backup', '--ledger', path, `${folder}/copy.db`])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/copy\.db: [\d,]+ bytes, copied and checked in \d+\.\d s\n$/)
    expect(readdirSync(folder).toSorted()).toEqual(['copy.db', 'credits.db', 'credits.db.lock'])
    expect(readFileSync(path)).toEqual(before)
    expect(verifyLedger(`${folder}/copy.db`).problems).toEqual([])
    expect(await usedIn(`${folder}/copy.db`)).toBe('2.5')
  })

  test('is made while a worker writes, and holds one moment of it', async () => {
    const folder = temporaryFolder()
    const { path, ledger } = await ledgerIn(folder)
    const env = { OS_CREDITS_LEDGER: `sqlite:${path}` }
    let isDone = false
    const backingUp = typed(['backup', `${folder}/copy.db`], env).finally(() => {
      isDone = true
    })
    let writes = 0
    for (; !isDone; writes += 1) {
      // One delivery for all three: in no moment does one of them have more than the others.
      const at = T0 + 120 * SECOND + writes
      await deliver(ledger, ...['a', 'b', 'c'].map((project) => ({ project, at, value: `${13 + writes}` })))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expect(await backingUp).toMatchObject({ code: 0, stderr: '' })
    expect(writes).toBeGreaterThan(10)
    const a = await usedIn(`${folder}/copy.db`, 'a')
    for (const group of ['b', 'c']) expect(await usedIn(`${folder}/copy.db`, group)).toBe(a)
    expect(Number(a)).toBeLessThanOrEqual(writes + 2)
    await deliver(ledger, { project: 'a', at: T0 + 600 * SECOND, value: `${14 + writes}` })
    await ledger.close()
    expect(verifyLedger(path).problems).toEqual([])
  })

  test('of a worker that was killed has its newest transactions', async () => {
    const folder = temporaryFolder()
    const { path, ledger } = await ledgerIn(folder)
    const killed = `${folder}/killed`
    mkdirSync(killed)
    for (const end of ['', '-wal', '-shm']) copyFileSync(`${path}${end}`, `${killed}/credits.db${end}`)
    await ledger.close()
    expect(statSync(`${killed}/credits.db-wal`).size).toBeGreaterThan(0)
    expect(await typed(['backup', '--ledger', `${killed}/credits.db`, `${folder}/copy.db`])).toMatchObject({ code: 0 })
    expect(await usedIn(`${folder}/copy.db`)).toBe('2.5')
  })

  test('replaces nothing unless it is told to', async () => {
    const folder = temporaryFolder()
    const { path, ledger } = await ledgerIn(folder)
    await ledger.close()
    const to = `${folder}/copy.db`
    writeFileSync(to, 'precious')
    const words = ['backup', '--ledger', path, to]
    expect(await typed(words)).toEqual({
      code: 64,
      stdout: '',
      stderr: `There is a file ${to} already. --force replaces it.\n`,
    })
    expect(readFileSync(to, 'utf8')).toBe('precious')
    expect(await typed([...words, '--force'])).toMatchObject({ code: 0 })
    expect(await usedIn(to)).toBe('2.5')
  })

  test('of a ledger that is not all right is not kept, with what is wrong', async () => {
    const folder = temporaryFolder()
    const { path, ledger } = await ledgerIn(folder)
    await ledger.close()
    const db = new DatabaseSync(path)
    db.exec('UPDATE entries SET amount = amount + 1 WHERE number = 1')
    db.close()
    writeFileSync(`${folder}/copy.db`, 'the last good one')
    const { code, stderr } = await typed(['backup', '--force', '--ledger', path, `${folder}/copy.db`])
    expect(code).toBe(1)
    expect(stderr).toContain('The copy is not all right, so it is not kept.')
    expect(stderr).toContain('entries')
    expect(readFileSync(`${folder}/copy.db`, 'utf8')).toBe('the last good one')
    expect(readdirSync(folder).filter((name) => name.includes('part'))).toEqual([])
  })

  test.each([
    ['no file', ['backup'], 64, 'Expected one file to write, got 0.'],
    ['two files', ['backup', 'a', 'b'], 64, 'Expected one file to write, got 2.'],
    ['another option', ['backup', '--fast', 'a'], 64, "Unknown option '--fast'"],
    ['no ledger', ['backup', '--ledger', 'nowhere.db', 'a.db'], 66, 'There is no ledger nowhere.db.'],
    ['the ledger itself', ['backup', '--ledger', 'x.db', 'x.db'], 64, 'belongs to the ledger itself'],
  ])('with %s is refused', async (_, words, code, message) => {
    const outcome = await typed(words)
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toContain(message)
  })

  test('of a ledger in PostgreSQL is left to pg_dump, and no password is told', async () => {
    const url = 'postgres://ann:hunter2@db/credits'
    const file = `${temporaryFolder()}/address`
    writeFileSync(file, `${url}\n`)
    for (const [words, env] of [
      [['--ledger', url], {}],
      [[], { OS_CREDITS_LEDGER: url }],
      [[], { OS_CREDITS_LEDGER_FILE: file }],
    ] as const) {
      const { code, stderr } = await typed(['backup', ...words, 'copy.db'], env)
      expect({ code, stderr }).toMatchObject({ code: 64, stderr: expect.stringContaining('pg_dump') })
      expect(stderr).not.toContain('hunter2')
    }
  })

  test('that cannot be written says why', async () => {
    const folder = temporaryFolder()
    const { path, ledger } = await ledgerIn(folder)
    await ledger.close()
    const { code, stderr } = await typed(['backup', '--ledger', path, `${folder}/no/such/folder/copy.db`])
    expect(code).toBe(74)
    expect(stderr).toContain('cannot be written')
  })

  test('of a copy that lacks a part of its files is refused', async () => {
    const folder = temporaryFolder()
    const { path, ledger } = await ledgerIn(folder)
    copyFileSync(path, `${folder}/half.db`)
    copyFileSync(`${path}-wal`, `${folder}/half.db-wal`)
    await ledger.close()
    const { code, stderr } = await typed(['backup', '--ledger', `${folder}/half.db`, `${folder}/copy.db`])
    expect({ code, isThere: existsSync(`${folder}/copy.db`) }).toEqual({ code: 74, isThere: false })
    expect(stderr).toContain('it is a copy of one in use')
  })
})
