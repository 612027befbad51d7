/** Opening a ledger that is in use, was killed, was copied: nothing of it changes, and no file stays beside it. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { CannotOpenError, CannotReadError } from '#src/verify/file.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { T0 } from '../helpers/billing.ts'
import { deliver } from '../helpers/ledger.ts'
import { temporaryFolder } from './ledgers.ts'

async function charge(ledger: Ledger, hours: number): Promise<void> {
  await deliver(ledger, { project: 'alpha', at: T0 + hours * HOUR, value: `${100 + hours}` })
}

/** A ledger with two entries that a worker has open, and a copy of its files. */
async function openLedger() {
  const folder = temporaryFolder()
  const path = `${folder}/credits.db`
  const ledger = openSqliteLedger(path)
  for (const hours of [0, 1, 2]) await charge(ledger, hours)
  const copy = `${folder}/copy`
  const copyOf = (...endings: string[]) => {
    mkdirSync(copy)
    for (const ending of endings) copyFileSync(`${path}${ending}`, `${copy}/credits.db${ending}`)
    return `${copy}/credits.db`
  }
  return { folder, path, ledger, copyOf, copy }
}

/** The files of a folder with what is in them; the index that readers share aside. */
function filesOf(folder: string): Record<string, string> {
  const files = readdirSync(folder).filter((name) => name.includes('.db'))
  return Object.fromEntries(
    files.map((name) => [name, name.endsWith('-shm') ? '' : readFileSync(`${folder}/${name}`).toString('base64')]),
  )
}

suite('a ledger', () => {
  test('that a worker has open is read as of now, and the worker goes on', async () => {
    const { folder, path, ledger } = await openLedger()
    const before = filesOf(folder)
    expect(Object.keys(before)).toContain('credits.db-wal')
    expect(verifyLedger(path)).toMatchObject({ problems: [], entries: 2, total: 2_000_000n })
    expect(filesOf(folder)).toEqual(before)
    await charge(ledger, 3)
    expect(verifyLedger(path)).toMatchObject({ problems: [], entries: 3 })
    await ledger.close()
    expect(verifyLedger(path)).toMatchObject({ problems: [], entries: 3 })
  })

  test('that is written meanwhile is read as of the beginning', async () => {
    const { path, ledger } = await openLedger()
    let hours = 2
    const written: Promise<void>[] = []
    const onProgress = () => {
      hours += 1
      written.push(charge(ledger, hours))
    }
    expect(verifyLedger(path, { onProgress })).toMatchObject({ problems: [], entries: 2 })
    await Promise.all(written)
    expect(written.length).toBeGreaterThan(1)
    expect(verifyLedger(path)).toMatchObject({ problems: [], entries: 2 + written.length })
    await ledger.close()
  })

  test('that was closed is read as it is', async () => {
    const { folder, path, ledger } = await openLedger()
    await ledger.close()
    const before = filesOf(folder)
    expect(Object.keys(before)).toEqual(['credits.db', 'credits.db.lock'])
    expect(verifyLedger(path)).toMatchObject({ problems: [], entries: 2 })
    expect(filesOf(folder)).toEqual(before)
  })

  test.each([
    ['with its log', ['', '-wal']],
    ['with its log and the index of it, as after a kill', ['', '-wal', '-shm']],
  ])('that was copied %s has what is in the log', async (_how, endings) => {
    const { copyOf, copy, ledger } = await openLedger()
    const path = copyOf(...endings)
    const before = filesOf(copy)
    expect(verifyLedger(path)).toMatchObject({ problems: [], entries: 2 })
    expect(filesOf(copy)).toEqual(before)
    await ledger.close()
  })

  test('that was copied without its log is not taken for whole', async () => {
    const { copyOf, ledger } = await openLedger()
    const path = copyOf('')
    expect(() => verifyLedger(path)).toThrow(CannotOpenError)
    await ledger.close()
  })

  test('that was backed up is read, also where nothing can be written', async () => {
    const { folder, path, ledger } = await openLedger()
    const db = new DatabaseSync(path)
    db.exec(`VACUUM INTO '${folder}/backup?#%41.db'`)
    db.close()
    await ledger.close()
    expect(verifyLedger(`${folder}/backup?#%41.db`)).toMatchObject({ problems: [], entries: 2 })
    expect(readdirSync(folder).filter((name) => name.startsWith('backup'))).toEqual(['backup?#%41.db'])
  })

  test('that a worker begins to write meanwhile has to be checked again', async () => {
    const { path, ledger } = await openLedger()
    await ledger.close()
    let other: Ledger | undefined
    const onProgress = () => {
      other ??= openSqliteLedger(path)
    }
    expect(() => verifyLedger(path, { onProgress })).toThrow(CannotReadError)
    await other?.close()
    expect(verifyLedger(path).problems).toEqual([])
  })

  test('that is cut off is found, wherever', async () => {
    const { path, ledger } = await openLedger()
    await ledger.close()
    const whole = readFileSync(path)
    for (let length = whole.length - 4_096; length > 0; length -= 4_096) {
      truncateSync(path, length)
      expect(verifyLedger(path).problemCount, `${length} bytes`).toBeGreaterThan(0)
    }
    writeFileSync(path, whole)
    expect(verifyLedger(path).problemCount).toBe(0)
  })
})

suite('what is no ledger that this program knows', () => {
  test.each([
    ['a file that is not there', undefined, 'There is no file'],
    ['a file of something else', 'credits', 'file is not a database'],
    ['an empty file', '', 'but of version 0'],
  ])('is %s', (_what, text, message) => {
    const path = `${temporaryFolder()}/credits.db`
    if (text !== undefined) writeFileSync(path, text.repeat(1_000))
    expect(() => verifyLedger(path)).toThrow(CannotOpenError)
    expect(() => verifyLedger(path)).toThrow(message)
  })

  test('is one of a newer version', async () => {
    const { path, ledger } = await openLedger()
    await ledger.close()
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version = 99')
    db.close()
    expect(() => verifyLedger(path)).toThrow('has version 99, this program knows')
    rmSync(path)
  })
})
