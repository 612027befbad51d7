/**
 * That a process is one of the replicas. It has a row that says so, a lock that ends with its connection, however that ends, and
 * a lease that it renews.
 *
 * A process may also be stopped for a while and know nothing of it. So it does nothing outside of the ledger once its lease is
 * over, by each of two clocks: one that nobody sets, and one that goes on while a machine sleeps. The others take it for dead
 * only after that.
 */
import type pg from 'pg'
import { locks } from './locks.ts'

export interface Membership {
  /** Names it to operators. */
  readonly name: string
  readonly version: string
  /** Milliseconds without a word after which others take over, 1,000 or more. */
  readonly lease: number
  /** Milliseconds that what it began outside of the ledger may go on after its end. */
  readonly lingers: number
}

export interface Member {
  readonly id: number
  /** Whether the lease holds; asks nobody. */
  isValid(): boolean
  /** Gives the lease back: others need not wait for it. */
  leave(): Promise<void>
  /** Renews nothing any more. */
  drop(): void
}

/** So many times in a lease it is renewed. */
const BEATS = 4

/**
 * @param session What all connections of this process are called.
 * @param onLost Called once when it is no member any more, or cannot tell.
 */
export async function join(
  client: pg.Client,
  membership: Membership & { readonly session: string },
  onLost: () => void,
): Promise<Member> {
  const { lease } = membership
  let renewed = clocks()
  const id = await enter(client, membership)
  let guard = setTimeout(lose, lease)
  const beats = setInterval(() => void beat(), lease / BEATS)
  beats.unref()
  guard.unref()

  async function beat(): Promise<void> {
    const asked = clocks()
    try {
      const { rowCount } = await client.query(
        'UPDATE replicas SET seen_at = clock_timestamp() WHERE id = $1 AND gone_at IS NULL',
        [id],
      )
      if (rowCount === 0) return lose()
    } catch {
      return lose()
    }
    renewed = asked
    clearTimeout(guard)
    guard = setTimeout(lose, lease)
    guard.unref()
  }

  function drop(): void {
    clearInterval(beats)
    clearTimeout(guard)
    renewed = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  }

  function lose(): void {
    drop()
    onLost()
  }

  return {
    id,
    isValid: () => clocks().every((now, index) => Math.abs(now - renewed[index]!) < lease),
    async leave() {
      drop()
      await client.query('DELETE FROM replicas WHERE id = $1', [id])
    },
    drop,
  }
}

/** Its row is not to be seen without its lock: whoever saw it would take it for dead. */
async function enter(
  client: pg.Client,
  { name, version, session, lease, lingers }: Membership & { readonly session: string },
): Promise<number> {
  await client.query('BEGIN')
  const { rows } = await client.query(
    `INSERT INTO replicas (name, version, session, lease, lingers)
      VALUES ($1, $2, $3, make_interval(secs => $4::float8 / 1000), make_interval(secs => $5::float8 / 1000)) RETURNING id`,
    [name, version, session, lease, lingers],
  )
  const { id } = rows[0]
  await client.query('SELECT pg_advisory_lock($1, $2)', [locks.replica, id])
  await client.query('COMMIT')
  return id
}

function clocks(): number[] {
  return [performance.now(), Date.now()]
}
