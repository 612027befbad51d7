/** Ledgers of workers that lived through something: the check has nothing to say against them. */
import fc from 'fast-check'
import { expect, onTestFinished, suite, test } from 'vitest'
import { createCorrectionDesk } from '#src/billing/corrections.ts'
import { decimal } from '#src/core/decimals.ts'
import { MINUTE } from '#src/core/time.ts'
import { startPerun } from '#src/demo/perun/simulator.ts'
import { openSqliteLedger } from '#src/ledger/sqlite/ledger.ts'
import { verifyLedger } from '#src/verify/verify.ts'
import { reading, silent, T0 } from '../helpers/billing.ts'
import { type Happening, happenings, projects, startLife } from '../helpers/life.ts'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, until } from '../helpers/worker.ts'
import { meters, temporaryFolder } from './ledgers.ts'

suite('the check is content', () => {
  test('with whatever readings, holds and people made of a ledger', async () => {
    let accepted = 0
    let recovered = 0
    let redated = 0
    await fc.assert(
      fc.asyncProperty(happenings, async (list) => {
        const path = `${temporaryFolder()}/credits.db`
        const ledger = openSqliteLedger(path)
        const { happen } = startLife(ledger)
        for (const [index, happening] of list.entries()) await happen(happening, index)
        for (const project of projects) {
          const entries = await ledger.entries(project, { limit: 100 })
          accepted += entries.filter((entry) => entry.kind === 'charge' && entry.accepted !== undefined).length
          const notes = await ledger.notes(project, 100)
          recovered += notes.filter(({ kind }) => kind === 'recovered').length
          redated += notes.filter(({ kind }) => kind === 'redated').length
        }
        await ledger.close()
        expect(verifyLedger(path).problems).toEqual([])
      }),
      { numRuns: 120 },
    )
    expect(accepted).toBeGreaterThan(5)
    expect(recovered).toBeGreaterThan(5)
    expect(redated).toBeGreaterThan(5)
  })

  test('with a re-pricing of nothing, after which charges go on to grow', async () => {
    const path = `${temporaryFolder()}/credits.db`
    const ledger = openSqliteLedger(path)
    const { happen } = startLife(ledger)
    const read = (step: string) =>
      happen({ kind: 'reading', minutes: 10, project: 'alpha', origin: 'a', step } as Happening, 0)
    await read('0')
    await read('1')
    const clock = { now: () => T0 + 25 * MINUTE }
    const desk = createCorrectionDesk({ ledger, clock, logger: silent, onChanged: () => {} })
    const meter = meters.get('project_vcpu_usage')!
    const request = { meter, period: { from: 0, to: T0 + 25 * MINUTE }, perUnit: meter.prices[0]!.perUnit }
    const { id } = await desk.preview({ ...request, actor: 'erika', reason: 'a rehearsal' })
    await desk.apply(id, { actor: 'erika' })
    await read('1')
    await ledger.close()
    expect(verifyLedger(path)).toMatchObject({ problems: [], entries: 1 })
  })

  test('with a clock that was ahead, so that a change of price was passed twice', async () => {
    const path = `${temporaryFolder()}/credits.db`
    const ledger = openSqliteLedger(path)
    const { happen } = startLife(ledger)
    const read = (minutes: number, step: string) =>
      happen({ kind: 'reading', minutes, project: 'alpha', origin: 'a', step } as Happening, 0)
    await read(0, '0')
    await happen({ kind: 'clock', minutes: 120 }, 0)
    await read(10, '0.125')
    await read(60, '1')
    await happen({ kind: 'clock', minutes: -120 }, 0)
    await read(10, '0.125')
    expect(verifyLedger(path).problems).toEqual([])
    await read(100, '1')
    await read(10, '0.125')
    const { watermark } = (await ledger.stored([reading({ project: 'alpha', at: T0, value: '0' }).series]))[0]!.state
    expect(watermark).toMatchObject({ at: T0 + 190 * MINUTE, value: decimal('102.375') })
    await ledger.close()
    expect(verifyLedger(path)).toMatchObject({ problems: [], entries: 5 })
  })

  test('with a worker that publishes, is edited and goes on', async () => {
    let total = 100
    const peer = await startPeer((_, response) => {
      response.end(`project_vcpu_usage{project_id="1",project_name="alpha"} ${total}\n`)
    })
    onTestFinished(() => peer[Symbol.asyncDispose]())
    const perun = await startPerun()
    onTestFinished(() => perun.close())
    perun.addGroup({ name: 'alpha', granted: '1000', resources: [8676] })
    const path = `${temporaryFolder()}/credits.db`
    const worker = await startWorker({
      perun,
      env: {
        USAGE_EXPORTER_URLS: `${peer.url}/metrics`,
        OS_CREDITS_LOCATION_ID: '8676',
        OS_CREDITS_LEDGER: `sqlite:${path}`,
        OS_CREDITS_SCRAPE_INTERVAL: '30ms',
        OS_CREDITS_SCRAPE_TIMEOUT: '29ms',
        OS_CREDITS_PERUN_MAX_AGE: '0ms',
      },
    })
    onTestFinished(() => worker[Symbol.asyncDispose]())
    const shows = (used: string) => until(`Perun shows ${used}`, () => perun.read('alpha').used === used)
    await shows('0.00')
    total += 1.5
    await shows('1.50')
    expect(verifyLedger(path).problems).toEqual([])
    perun.edit('alpha', { used: '5' })
    total += 1
    await shows('6.00')
    await worker.stop()
    expect(verifyLedger(path, { group: 'alpha' })).toMatchObject({
      problems: [],
      total: 6_000_000n,
      receipt: { published: '6', remarks: [{ kind: 'opening' }, { kind: 'adjustment', credits: '3.5' }] },
    })
  })
})
