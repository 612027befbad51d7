import { expect, suite, test } from 'vitest'
import { DAY, HOUR } from '#src/core/time.ts'
import { T0 } from '../helpers/billing.ts'
import { replica, startFace, target } from './server.ts'

const lanes = {
  waiting: 2,
  working: 1,
  status: () => [
    { group: 'alpha', state: 'working', again: true },
    { group: 'beta', state: 'waiting', again: false },
  ],
}

suite('/stats', () => {
  test('keeps the keys of the old service', async () => {
    await using face = await startFace({ lanes, workers: 7 })
    face.clock.pass(2 * DAY + 3 * HOUR)
    expect((await face.get('/stats')).json).toMatchObject({
      number_of_workers: 7,
      queue_size: 2,
      number_of_locks: 1,
      uptime: '2 days, 3:00:00',
      version: '1.2.3',
      now: '2026-01-03T03:00:00.000Z',
      started_at: '2026-01-01T00:00:00.000Z',
    })
  })

  test('tells how each target stands', async () => {
    const failing = target({ up: false, lastError: 'connect ECONNREFUSED', failures: 2, next: undefined })
    const fresh = target({ up: undefined, lastScrape: undefined, lastSuccess: undefined, lastDuration: undefined })
    await using face = await startFace({ targets: () => [failing, fresh] })
    const { targets } = (await face.get('/stats')).json as { targets: unknown[] }
    expect(targets).toEqual([
      {
        url: 'http://exporter.example/metrics',
        labels: { location_id: '8676' },
        scraped: { by: 'this worker' },
        up: false,
        last_scrape: '2026-01-01T00:00:00.000Z',
        last_success: '2026-01-01T00:00:00.000Z',
        last_duration_ms: 12,
        last_error: 'connect ECONNREFUSED',
        failures: 2,
        next_scrape: null,
        late: 0,
        outdated: 0,
        samples: 40,
        readings: 2,
        rejected: { unlisted: 38 },
        unreadable_lines: [],
      },
      expect.objectContaining({ up: null, last_scrape: null, last_success: null, last_duration_ms: null }),
    ])
  })

  test('tells which of several workers scrapes a target: how it stands is only known there', async () => {
    const unknown = { up: undefined, lastDuration: undefined, next: undefined }
    await using face = await startFace({
      targets: () => [
        target(),
        target({ ...unknown, scraper: { kind: 'elsewhere', id: 2, name: 'worker-2/7' } }),
        target({ ...unknown, scraper: { kind: 'nobody', reason: 'Nobody has claimed it yet.' } }),
      ],
    })
    const { targets } = (await face.get('/stats')).json as { targets: unknown[] }
    const notKnown = { up: null, last_scrape: null, last_success: null, next_scrape: null }
    expect(targets).toMatchObject([
      { scraped: { by: 'this worker' }, up: true, last_success: '2026-01-01T00:00:00.000Z' },
      { scraped: { by: 'another worker', id: 2, name: 'worker-2/7' }, ...notKnown },
      { scraped: { by: 'nobody', reason: 'Nobody has claimed it yet.' }, ...notKnown },
    ])
  })

  test('lists the workers that share the ledger, and what each of them does', async () => {
    const second = replica({
      ...{ id: 3, name: 'worker-2/7', state: 'gone', isSelf: false, isLead: false, isCatchingUp: true },
      ...{ targets: [], publishing: [] },
    })
    const replicas = { list: async () => [replica(), second], isMember: () => true }
    await using face = await startFace({ replicas })
    const since = { version: '1.2.3', since: '2026-01-01T00:00:00.000Z', last_seen: '2026-01-01T00:01:00.000Z' }
    expect((await face.get('/stats')).json).toMatchObject({
      replicas: [
        {
          ...{ id: 1, name: 'worker-1/7', ...since, state: 'working', answers: true, lead: true, catches_up: false },
          ...{ targets: ['http://exporter.example/metrics'], publishing: ['BioVis'] },
        },
        {
          ...{ id: 3, name: 'worker-2/7', ...since, state: 'gone', answers: false, lead: false, catches_up: true },
          ...{ targets: [], publishing: [] },
        },
      ],
    })
    await using alone = await startFace()
    expect((await alone.get('/stats')).json).toMatchObject({ replicas: [] })
  })

  test('sums up the ledger', async () => {
    await using face = await startFace()
    await face.record({ project: 'alpha', at: T0, value: '1' }, { project: 'beta', at: T0, value: '1' })
    await face.record({ project: 'alpha', at: T0 + HOUR, value: '2' })
    const { groups, ledger } = (await face.get('/stats')).json as Record<string, unknown>
    expect(groups).toEqual({ total: 2, used: '1', waiting: 2, at_sites: { new: 2 } })
    expect(ledger).toEqual({ series: 2, entries: 1, holds: {}, drifts: 0 })
  })

  test.each([
    [undefined, { state: 'off', reason: 'OS_CREDITS_PERUN_URL is not set.' }],
    [{ status: { state: 'publishing' } } as const, { state: 'publishing' }],
    [
      { status: { state: 'waiting', reason: 'no answer', since: T0, until: T0 + HOUR } } as const,
      {
        state: 'waiting',
        reason: 'no answer',
        since: '2026-01-01T00:00:00.000Z',
        until: '2026-01-01T01:00:00.000Z',
      },
    ],
  ])('tells how publishing stands: %o', async (outbox, expected) => {
    await using face = await startFace({ outbox })
    expect((await face.get('/stats')).json).toMatchObject({ perun: expected })
  })

  test('tells how long after a look at Perun it was written to', async () => {
    await using face = await startFace({ writeWindow: () => ({ last: 0.02, longest: 1.5 }) })
    const expected = { read_to_write_seconds: { last: 0.02, longest: 1.5 } }
    expect((await face.get('/stats')).json).toMatchObject({ perun: expected })
    await using fresh = await startFace()
    const nothing = { read_to_write_seconds: { last: null, longest: null } }
    expect((await fresh.get('/stats')).json).toMatchObject({ perun: nothing })
  })

  test.each(['?verbose=true', '?verbose=1', '?verbose=yes', '?verbose=False'])(
    '%s adds the lanes and the settings',
    async (query) => {
      await using face = await startFace({ lanes, describeSettings: () => ({ API_KEY: 'set' }) })
      expect((await face.get(`/stats${query}`)).json).toMatchObject({
        number_of_workers: 10,
        lanes: lanes.status(),
        settings: { API_KEY: 'set' },
        memory: { rss: expect.any(Number) },
        node: process.version,
      })
    },
  )

  test.each(['', '?verbose', '?verbose=', '?verbose=false'])('%s shows no settings', async (query) => {
    await using face = await startFace({ lanes })
    expect(Object.keys((await face.get(`/stats${query}`)).json as object)).not.toContain('settings')
  })

  test('refuses verbose twice', async () => {
    await using face = await startFace()
    expect((await face.get('/stats?verbose=true&verbose=false')).status).toBe(400)
  })
})
