/**
 * Loaded into a worker with `--import`: once, when the file that STOP_FILE names is there, it stops itself (SIGSTOP) at a moment
 * that no signal from outside would hit: it was just told by the ledger that its write is still the newest of the group.
 */
import { existsSync, rmSync } from 'node:fs'
import pg from 'pg'

function stopHere(): void {
  const file = process.env.STOP_FILE!
  if (!existsSync(file)) return
  rmSync(file)
  process.kill(process.pid, 'SIGSTOP')
}

const LOOK = /^SELECT \(SELECT newest_intention FROM groups WHERE name = /

const query = pg.Pool.prototype.query as (...given: unknown[]) => Promise<unknown>
const patched = async function (this: pg.Pool, ...given: unknown[]) {
  const result = await query.apply(this, given)
  const [first] = given as [string | { readonly text: string }]
  if (LOOK.test(typeof first === 'string' ? first : first.text)) stopHere()
  return result
}
Object.assign(pg.Pool.prototype, { query: patched })
