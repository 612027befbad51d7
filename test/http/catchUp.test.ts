/** How far the worker is with what it missed, as `/stats` and `/readyz` tell it. */
import { expect, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import type { CatchingUp } from '#src/http/parts.ts'
import { T0 } from '../helpers/billing.ts'
import { startFace } from './server.ts'

const reason = 'Prometheus does not answer: connect ECONNREFUSED'
const reading: CatchingUp = { state: 'reading', after: T0, upTo: T0 + 4 * HOUR, at: T0 + HOUR, readings: 120 }
const period = { after: '2026-01-01T00:00:00.000Z', up_to: '2026-01-01T04:00:00.000Z', at: '2026-01-01T01:00:00.000Z' }

const cases: readonly [CatchingUp | undefined, object, string | undefined][] = [
  [undefined, { state: 'off', reason: 'PROMETHEUS_URL is not set.' }, undefined],
  [
    { state: 'waiting', reason, since: T0, sites: [] },
    { state: 'waiting', reason, since: '2026-01-01T00:00:00.000Z', sites: [] },
    `Catching up waits: ${reason}. Nothing is scraped before that.`,
  ],
  [
    { state: 'waiting', reason: 'Perun is down.', since: T0, sites: ['8676', '9001'] },
    { state: 'waiting', reason: 'Perun is down.', since: '2026-01-01T00:00:00.000Z', sites: ['8676', '9001'] },
    'Catching up waits: Perun is down. Sites 8676, 9001 are not charged before that.',
  ],
  [
    reading,
    { state: 'reading', percent: 25, ...period, readings: 120 },
    'Catching up: 25 %, readings until 2026-01-01T01:00:00.000Z of 2026-01-01T04:00:00.000Z.',
  ],
  [{ state: 'done', readings: 240 }, { state: 'done', readings: 240 }, undefined],
  [{ state: 'given up', reason, readings: 7 }, { state: 'given up', reason, readings: 7 }, undefined],
]

test.each(cases)('%j', async (status, shown, against) => {
  await using face = await startFace({ catchUp: () => status })
  expect((await face.get('/stats')).json).toMatchObject({ catching_up: shown })
  const { status: code, json } = await face.get('/readyz')
  expect({ code, json }).toEqual(
    against === undefined
      ? { code: 200, json: { ready: true } }
      : { code: 503, json: { ready: false, reasons: [against] } },
  )
})
