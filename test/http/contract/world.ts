/** A server over a ledger in which everything has happened that answers tell of. */

import { DAY, HOUR, MINUTE } from '#src/core/time.ts'
import type { HttpParts } from '#src/http/parts.ts'
import { LedgerError } from '#src/ledger/ledger.ts'
import { newPushStatus } from '#src/sources/pushStatus.ts'
import { createMetrics } from '#src/telemetry/metrics.ts'
import { ram, T0, testClock } from '../../helpers/billing.ts'
import { type Face, replica, startFace, target } from '../server.ts'

export const keys = { operator: 'operator-key', reader: 'reader-key', writer: 'writer-key' }
export const asOperator = { 'X-API-KEY': keys.operator }

const lanes = { waiting: 1, working: 0, status: () => [{ group: 'BioVis', state: 'waiting', again: false }] }

export interface World extends AsyncDisposable {
  readonly face: Face
  /** The number of an open hold that can be accepted. */
  readonly held: number
  /** The number of one that ends by itself. */
  readonly passing: number
  /** It stops from now on. */
  beginStop(): void
}

/** BioVis is the group of the examples. */
export async function startWorld(): Promise<World> {
  const fresh = target({ up: undefined, lastScrape: undefined, lastSuccess: undefined, lastDuration: undefined })
  const errors = [{ line: 3, column: 7, message: 'Expected a value, got "x"' }]
  const down = target({ up: false, lastError: 'connect ECONNREFUSED', failures: 2, next: undefined, errors })
  let isStopping = false
  const face = await startFace({
    keys,
    stopping: () => isStopping,
    lanes,
    targets: () => [
      ...[target(), fresh, down],
      target({ scraper: { kind: 'elsewhere', id: 2, name: 'worker-2/7' } }),
      target({ scraper: { kind: 'nobody', reason: 'Nobody has claimed it yet.' } }),
    ],
    replicas: { list: async () => [replica(), replica({ id: 2, isSelf: false, state: 'gone' })], isMember: () => true },
    outbox: { status: { state: 'waiting', reason: 'Perun does not answer.', since: T0, until: T0 + MINUTE } },
    describeSettings: () => ({ API_KEY: 'secret' }),
  })
  const cpu = { project: 'BioVis' }
  const memory = { project: 'BioVis', metric: ram.metric }
  await face.record({ ...cpu, at: T0, value: '1000' }, { ...memory, at: T0, value: '500' })
  await face.record({ ...cpu, at: T0 + HOUR, value: '1010' }, { ...memory, at: T0 + HOUR, value: '540.1234567' })
  await face.record(
    { ...cpu, at: T0 + 2 * HOUR, value: '1000' },
    { project: 'Æther/Lab', at: T0 + 2 * HOUR, value: '7' },
  )
  await face.record({ project: 'BioVis', site: '9999', at: T0 + 2 * HOUR, value: '3' })
  await face.record({ project: 'Æther/Lab', at: T0 + 3 * HOUR, value: '5000007' })
  await face.ledger.settle({
    group: 'BioVis',
    at: T0 + 3 * HOUR,
    granted: '200',
    contacts: [{ site: '8676', contact: 'active' }],
    entries: [
      {
        ...{ id: 'opening/BioVis', kind: 'opening', group: 'BioVis', site: '8676', recordedAt: T0 },
        ...{ amount: 7_000_000n, reason: 'First contact' },
      },
    ],
    drifts: [
      { site: '8676', expected: 17_000_000n, shown: 20_000_000n, modifiedBy: 'erika', entryId: 'drift/BioVis' },
      { site: '8676', expected: 20_000_000n },
    ],
    published: { used: 29_000_000n, sites: [{ site: '8676', upTo: T0 + HOUR }] },
  })
  await face.ledger.record([], () => ({
    at: T0,
    changes: [],
    notes: [],
    holds: [{ key: 'clock', kind: 'clock ahead', site: '8676', reason: 'The clock is ahead.' }],
    released: [],
    withdrawn: [],
    heldGrowths: [],
  }))
  const holds = await face.ledger.holds({ limit: 10 })
  const numberOf = (kind: string) => holds.find((hold) => hold.kind === kind)!.id
  await face.post('/api/groups/BioVis/adjustments', { amount: '-1', reason: 'a gift', corrects: 1 }, asOperator)
  return {
    face,
    held: numberOf('implausible growth'),
    passing: numberOf('clock ahead'),
    beginStop() {
      isStopping = true
    },
    [Symbol.asyncDispose]: () => face[Symbol.asyncDispose](),
  }
}

/** A server whose ledger fails with what it is known to fail with. */
export function startInTrouble(): Promise<Face> {
  const error = new LedgerError('The ledger cannot be used: the disk is full.')
  return startFace({ ...brokenLedger(error), clock: testClock(T0 + DAY) })
}

/** A server of which nothing works. */
export function startBroken(): Promise<Face> {
  const fail = () => {
    throw new Error('A mistake')
  }
  const broken = new Proxy({}, { get: () => fail }) as never
  const metrics = createMetrics({ version: 'test' })
  const registry = { contentType: metrics.registry.contentType, metrics: fail } as never
  return startFace({
    ...brokenLedger(new Error('A mistake')),
    ...{ meters: broken, logging: broken, clock: broken, targets: fail },
    metrics: { ...metrics, registry },
  })
}

function brokenLedger(error: Error): Partial<HttpParts> {
  const fail = () => Promise.reject(error)
  const broken = new Proxy({}, { get: () => fail }) as never
  const receiver = { take: fail, status: newPushStatus('broken') }
  const receivers = { remoteWrite: receiver, influx: receiver }
  return { ledger: broken, corrections: broken, decideHold: fail, receivers }
}
