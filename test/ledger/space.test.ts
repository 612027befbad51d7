/** How much room a ledger takes. */
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { spaceOf } from '#src/ledger/sqlite/space.ts'
import { temporaryFolder } from '../process/processes.ts'

test('A ledger takes what its file and its log take, and its disk says what is left', async () => {
  const path = join(temporaryFolder(), 'credits.db')
  const ledger = openSqliteLedger(path)
  const open = (await spaceOf(path))!
  await ledger.close()
  const closed = (await spaceOf(path))!
  // The log of the migrations is beside an open one, and nothing after the end.
  expect(open.bytes).toBeGreaterThan(0)
  expect(closed.bytes % 4_096).toBe(0)
  expect(open.bytes).not.toBe(closed.bytes)
  const { blocks, bsize } = await statfs(path)
  expect(closed.free).toBeGreaterThan(0)
  expect(closed.free).toBeLessThanOrEqual(blocks * bsize)
})

test.each([':memory:', '/nowhere/credits.db'])('Of %s nothing is known', async (path) => {
  expect(await spaceOf(path)).toBeUndefined()
})
