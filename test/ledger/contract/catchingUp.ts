/** The ledger contract: what catching up asks, and what it notes. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HOUR, MINUTE } from '#src/core/time.ts'
import type { Ledger } from '#src/ledger/ledger.ts'
import { cpu, ram, T0 } from '../../helpers/billing.ts'
import { deliver, follow } from '../../helpers/ledger.ts'

export function catchingUpContract(open: () => Promise<Ledger>): void {
  let ledger: Ledger
  beforeEach(async () => {
    ledger = await open()
  })
  afterEach(() => ledger.close())

  test('each site is charged up to its newest watermark', async () => {
    expect(await ledger.chargedUpTo()).toEqual(new Map())
    await deliver(ledger, { project: 'a', at: T0, value: '1' }, { project: 'b', at: T0 + MINUTE, value: '1' })
    await deliver(ledger, { project: 'a', at: T0 + HOUR, value: '1', site: '9001', metric: ram.metric })
    const sites = [...(await ledger.chargedUpTo())]
    expect(sites).toEqual([
      ['8676', T0 + MINUTE],
      ['9001', T0 + HOUR],
    ])
  })

  test('a site is taken over once', async () => {
    await ledger.noteTakenOver({ site: '2', at: T0, begun: 3, missing: 1 })
    await ledger.noteTakenOver({ site: '1', at: T0, begun: 0, missing: 0 })
    await ledger.noteTakenOver({ site: '2', at: T0 + HOUR, begun: 9, missing: 9 })
    expect(await ledger.takenOver()).toEqual([
      { site: '1', at: T0, begun: 0, missing: 0 },
      { site: '2', at: T0, begun: 3, missing: 1 },
    ])
  })

  test('what was measured of a group that is not opened is told by site and metric, added up over its series', async () => {
    await follow(ledger, 'a', [
      [0, '10'],
      [1, '12'],
    ])
    await follow(ledger, 'a', [[2, '5']], { metric: ram.metric })
    const other = { id: 'another id' }
    await follow(
      ledger,
      'a',
      [
        [3, '1'],
        [4, '1.5'],
        [5, '4'],
      ],
      other,
    )
    const { sites } = (await ledger.account('a'))!
    expect(sites[0]!.measured).toEqual({
      [cpu.metric]: { since: T0, chargedSince: T0, charged: 5_000_000n },
      [ram.metric]: { since: T0 + 2 * MINUTE, charged: 0n },
    })
  })
}
