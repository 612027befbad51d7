import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterAll, expect, suite, test } from 'vitest'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { damageOf } from '#src/ledger/sqlite/wal.ts'
import { follow } from '../helpers/ledger.ts'

const folder = mkdtempSync(join(tmpdir(), 'wal-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let made = 0

/** The log of a ledger as a killed worker leaves it, after some transactions, the last of them known. */
async function logOf(transactions: number) {
  made += 1
  const path = join(folder, `${made}.db`)
  const ledger = openSqliteLedger(path)
  for (let minute = 0; minute < transactions; minute += 1) await follow(ledger, 'alpha', [[minute, `${100 + minute}`]])
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, join(folder, `killed.db${suffix}`))
  await ledger.close()
  return readFileSync(join(folder, 'killed.db-wal'))
}

const frameSize = (log: Buffer) => 24 + log.readUInt32BE(8)
const frames = (log: Buffer) => Math.floor((log.length - 32) / frameSize(log))
const isCommit = (log: Buffer, frame: number) => log.readUInt32BE(32 + frame * frameSize(log) + 4) !== 0

/** Where the last transaction begins. */
function lastTransaction(log: Buffer): number {
  let frame = frames(log) - 2
  while (!isCommit(log, frame)) frame -= 1
  return 32 + (frame + 1) * frameSize(log)
}

function changed(log: Buffer, at: number): Buffer {
  const copy = Buffer.from(log)
  copy[at] = copy[at]! ^ 0xff
  return copy
}

suite('a write-ahead log', () => {
  test('as a killed worker leaves it is whole, wherever it was cut off', async () => {
    const log = await logOf(5)
    expect(frames(log)).toBeGreaterThan(10)
    fc.assert(
      fc.property(fc.nat(log.length), (length) => {
        expect(damageOf(log.subarray(0, length))).toBeUndefined()
      }),
    )
  })

  test('is damaged when any byte before its last transaction is another', async () => {
    const log = await logOf(5)
    const end = lastTransaction(log)
    fc.assert(
      fc.property(fc.nat(end - 1), (at) => {
        expect(damageOf(changed(log, at))).toMatch(/-wal file is wrong/)
      }),
    )
  })

  // A power failure may leave it like this.
  test('is whole when its last transaction did not reach the disk with all sectors', async () => {
    const log = await logOf(5)
    const anySector = fc.integer({ min: Math.ceil(lastTransaction(log) / 512), max: Math.floor(log.length / 512) })
    fc.assert(
      fc.property(fc.array(anySector, { minLength: 1 }), (sectors) => {
        const torn = Buffer.from(log)
        for (const sector of sectors) torn.subarray(sector * 512, (sector + 1) * 512).fill(0)
        expect(damageOf(torn)).toBeUndefined()
      }),
    )
  })

  test('that was begun anew over an earlier one is whole', async () => {
    const path = join(folder, 'again.db')
    const db = new DatabaseSync(path)
    db.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)')
    for (let index = 0; index < 20; index += 1) db.exec(`INSERT INTO t VALUES (${index})`)
    db.exec('PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES (20); INSERT INTO t VALUES (21)')
    const log = readFileSync(`${path}-wal`)
    expect(damageOf(log)).toBeUndefined()
    expect(damageOf(changed(log, 32 + 100))).toMatch(/transaction/)
    db.close()
  })

  test('with damage keeps the ledger from being opened, and is left as it is', async () => {
    await logOf(5)
    const path = join(folder, 'killed.db')
    const log = changed(readFileSync(`${path}-wal`), 1_000)
    writeFileSync(`${path}-wal`, log)
    expect(() => openSqliteLedger(path)).toThrow(/killed\.db cannot be opened: the file is damaged .*put a backup/)
    expect(readFileSync(`${path}-wal`).equals(log)).toBe(true)
  })
})
