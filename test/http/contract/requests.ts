/**
 * For every route, requests that produce each of the statuses that are its own. Those that all routes have in common are in
 * `common.ts`.
 */
import { DAY } from '#src/core/time.ts'
import { T0 } from '../../helpers/billing.ts'
import { remoteWriteHeaders, snappy, usage, version1, version2, version2Headers } from '../../helpers/pushes.ts'
import { asOperator, type World } from './world.ts'

export interface Asked {
  readonly path: string
  /** Sent with the operator's key if there are none. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** What has to be done before is done in here. */
export type Case = (world: World) => Asked | Promise<Asked>

const to =
  (path: string, body?: unknown): Case =>
  () => ({ path, ...(body !== undefined && { body }) })
const all = (...cases: Case[]) => cases

const decision = { reason: 'It is so', actor: 'erika' }
const january = { meter: 'cpu', from: '2026-01-01', to: '2026-01-01T02:00:00Z', price: '1.5', reason: 'Too low' }

/** So that there is something to tell a forecast from. */
async function useDaily({ face }: World): Promise<void> {
  const days = Array.from({ length: 20 }, (_, day) => day)
  await face.record(...days.map((day) => ({ project: 'BioVis', at: T0 + (day + 2) * DAY, value: `${1_010 + day}` })))
}

async function tell({ ledger }: World['face']): Promise<void> {
  const facts = { group: 'BioVis', granted: '200', used: 160_500_000n, at: T0 }
  await ledger.notice({ ...facts, kind: 'runs out', line: 14 })
  const [notice] = await ledger.notices({ limit: 1 })
  const to = [{ channel: 'mail', to: 'ada@example.org' } as const]
  await ledger.addressNotice(notice!.id, { at: T0, to, copyTo: 'support@example.org', state: 'addressed' })
}

async function previewed({ face }: World): Promise<string> {
  const { json } = await face.post('/api/repricings', january, asOperator)
  return (json as { id: string }).id
}

async function applied(world: World): Promise<string> {
  const id = await previewed(world)
  await world.face.post(`/api/repricings/${id}/apply`, {}, asOperator)
  return id
}

async function undone(world: World): Promise<string> {
  const id = await applied(world)
  await world.face.post(`/api/repricings/${id}/undo`, decision, asOperator)
  return id
}

const ofRepricing =
  (make: (world: World) => Promise<string>, rest = '', body?: unknown): Case =>
  async (world) => ({ path: `/api/repricings/${await make(world)}${rest}`, ...(body !== undefined && { body }) })

const pushed =
  (body: Uint8Array, headers: Readonly<Record<string, string>> = remoteWriteHeaders): Case =>
  () => ({ path: '/api/v1/write', body, headers: { ...asOperator, ...headers } })

const lines =
  (body: string, query = '', headers: Readonly<Record<string, string>> = {}): Case =>
  () => ({ path: `/write${query}`, body, headers: { ...asOperator, ...headers } })

const aLine = `project_vcpu_usage,location_id=8676,project_id=1,project_name=BioVis value=1011 ${T0 + DAY}000000`
const aPush = [usage('BioVis', [[T0 + DAY, 1_011]])]

const ofHold =
  (which: 'held' | 'passing', rest = '', body?: unknown): Case =>
  (world) => ({ path: `/api/holds/${world[which]}${rest}`, ...(body !== undefined && { body }) })

/** Decided about once more. */
const closedHold =
  (verdict: string): Case =>
  async (world) => {
    const request = { path: `/api/holds/${world.held}/${verdict}`, body: decision }
    await world.face.post(request.path, decision, asOperator)
    return request
  }

/** Asked again with the fingerprint of the answer. */
const again =
  (path: string): Case =>
  async ({ face }) => ({
    path,
    headers: { ...asOperator, 'If-None-Match': String((await face.get(path, asOperator)).headers.etag) },
  })

const history = '/api/groups/BioVis/history'
const machines = [{ count: 2, sizes: { cpu: 1, ram: 2 } }]

export const requests: Readonly<Record<string, Readonly<Record<number, readonly Case[]>>>> = {
  'GET /ping': { 200: all(to('/ping')) },
  'GET /livez': { 200: all(to('/livez')) },
  'GET /readyz': {
    200: all(to('/readyz')),
    503: all((world) => {
      world.beginStop()
      return { path: '/readyz' }
    }),
  },
  'GET /metrics': { 200: all(to('/metrics')) },
  'GET /stats': { 200: all(to('/stats'), to('/stats?verbose=true')), 400: all(to('/stats?verbose=1&verbose=2')) },
  'GET /logconfig': { 200: all(to('/logconfig')) },
  'POST /logconfig': {
    200: all(
      to('/logconfig', { levels: { perun: 'debug' } }),
      to('/logconfig', { levels: { perun: 'info' }, for: '1.5s' }),
    ),
    400: all(to('/logconfig', { levels: { perun: 'loud' } })),
  },
  'GET /api/metrics': { 200: all(to('/api/metrics')) },
  'POST /api/costs_per_hour': {
    200: all(to('/api/costs_per_hour', { cpu: 16, ram: '32.5' })),
    400: all(to('/api/costs_per_hour', { cpu: -1 })),
    404: all(to('/api/costs_per_hour', { gpu: 1 })),
  },
  'POST /api/plan': {
    200: all(
      to('/api/plan', { machines, days: 91 }),
      to('/api/plan', { machines, credits: 1_000 }),
      to('/api/plan', { machines: [{ sizes: { cpu: 0 } }], credits: 1 }),
      to('/api/plan', { machines, granted: 100, used: '120.5' }),
      to('/api/plan', { machines, granted: 100, days: 1 }),
      to('/api/plan', { machines: [{ sizes: { cpu: 2 }, count: -1 }], granted: 100, days: 1 }),
    ),
    400: all(to('/api/plan', { machines })),
  },
  'GET /api/credits_history/{project}': {
    200: all(to('/api/credits_history/BioVis')),
    204: all(to('/api/credits_history/BioVis?end_date=2020-01-01')),
    400: all(to('/api/credits_history/BioVis?start_date=yesterday')),
    404: all(to('/api/credits_history/nobody')),
  },
  'GET /api/groups': {
    200: all(
      to('/api/groups'),
      to('/api/groups?limit=1'),
      to('/api/groups?search=nobody'),
      to('/api/groups?format=csv'),
    ),
    304: all(again('/api/groups')),
    400: all(to('/api/groups?limit=0'), to('/api/groups?format=xml')),
  },
  'GET /api/groups/{name}': {
    200: all(to('/api/groups/BioVis'), to('/api/groups/%C3%86ther%2FLab')),
    304: all(again('/api/groups/BioVis')),
    404: all(to('/api/groups/nobody')),
  },
  'GET /api/groups/{name}/entries': {
    200: all(
      to('/api/groups/BioVis/entries'),
      to('/api/groups/BioVis/entries?limit=1'),
      async ({ face, held }) => {
        await face.post(`/api/holds/${held}/accept`, decision, asOperator)
        return { path: '/api/groups/%C3%86ther%2FLab/entries' }
      },
      to('/api/groups/BioVis/entries?format=csv'),
    ),
    304: all(again('/api/groups/BioVis/entries')),
    400: all(to('/api/groups/BioVis/entries?before=0')),
    404: all(to('/api/groups/nobody/entries')),
  },
  'GET /api/groups/{name}/explain': {
    200: all(to('/api/groups/BioVis/explain'), to('/api/groups/BioVis/explain?limit=1')),
    304: all(again('/api/groups/BioVis/explain')),
    400: all(to('/api/groups/BioVis/explain?limit=x')),
    404: all(to('/api/groups/nobody/explain')),
  },
  'GET /api/groups/{name}/history': {
    200: all(
      to(history),
      to(`${history}?step=hour&tz=Asia/Kathmandu&limit=2`),
      to(`${history}?by=site&step=month`),
      to(`${history}?format=csv`),
      to(`${history}?format=csv&by=site`),
    ),
    304: all(again(history)),
    400: all(to(`${history}?tz=Mars`)),
    404: all(to('/api/groups/nobody/history')),
  },
  'POST /api/groups/{name}/adjustments': {
    200: all(async ({ face }) => {
      const [path, body] = ['/api/groups/BioVis/adjustments', { amount: '1', reason: 'a fee', id: 'ticket 1' }]
      await face.post(path, body, asOperator)
      return { path, body }
    }),
    201: all(
      to('/api/groups/BioVis/adjustments', { amount: '1', reason: 'a fee' }),
      to('/api/groups/BioVis/adjustments', { amount: -1.5, reason: 'a gift', corrects: 1 }),
    ),
    400: all(to('/api/groups/BioVis/adjustments', { amount: '1' })),
    404: all(to('/api/groups/nobody/adjustments', { amount: '1', reason: 'a fee' })),
    409: all(to('/api/groups/BioVis/adjustments', { amount: '-1000000', reason: 'too much' })),
  },
  'GET /api/holds': {
    200: all(to('/api/holds'), to('/api/holds?limit=1'), async ({ face, held }) => {
      await face.post(`/api/holds/${held}/dismiss`, decision, asOperator)
      return { path: '/api/holds?state=closed' }
    }),
    400: all(to('/api/holds?state=both')),
  },
  'GET /api/holds/{id}': {
    200: all(ofHold('held'), ofHold('passing')),
    400: all(ofHold('held', '?limit=0')),
    404: all(to('/api/holds/99')),
  },
  'POST /api/holds/{id}/accept': {
    200: all(ofHold('held', '/accept', decision)),
    400: all(ofHold('held', '/accept', {})),
    404: all(to('/api/holds/99/accept', decision)),
    409: all(ofHold('passing', '/accept', decision), closedHold('accept')),
  },
  'POST /api/holds/{id}/dismiss': {
    200: all(ofHold('held', '/dismiss', decision)),
    400: all(ofHold('held', '/dismiss', {})),
    404: all(to('/api/holds/99/dismiss', decision)),
    409: all(ofHold('passing', '/dismiss', decision), closedHold('dismiss')),
  },
  'GET /api/groups/{name}/forecast': {
    200: all(
      to('/api/groups/BioVis/forecast'),
      to('/api/groups/%C3%86ther%2FLab/forecast'),
      async (world) => {
        await useDaily(world)
        return { path: '/api/groups/BioVis/forecast' }
      },
      to('/api/groups/BioVis/forecast?format=csv'),
    ),
    304: all(again('/api/groups/BioVis/forecast')),
    400: all(to('/api/groups/BioVis/forecast?format=xml')),
    404: all(to('/api/groups/nobody/forecast')),
  },
  'POST /api/groups/{name}/mute': {
    200: all(to('/api/groups/BioVis/mute', decision)),
    400: all(to('/api/groups/BioVis/mute', {})),
    404: all(to('/api/groups/nobody/mute', decision)),
  },
  'POST /api/groups/{name}/unmute': {
    200: all(to('/api/groups/BioVis/unmute', decision)),
    400: all(to('/api/groups/BioVis/unmute', {})),
    404: all(to('/api/groups/nobody/unmute', decision)),
  },
  'GET /api/notices': {
    200: all(to('/api/notices'), async ({ face }) => {
      await tell(face)
      await face.post('/api/groups/BioVis/mute', decision, asOperator)
      return { path: '/api/notices?group=BioVis' }
    }),
    400: all(to('/api/notices?limit=0')),
  },
  'GET /api/drifts': {
    200: all(to('/api/drifts'), to('/api/drifts?limit=1')),
    400: all(to('/api/drifts?before=x')),
  },
  'GET /api/repricings': {
    200: all(to('/api/repricings'), async (world) => {
      await undone(world)
      await previewed(world)
      return { path: '/api/repricings' }
    }),
  },
  'POST /api/repricings': {
    201: all(to('/api/repricings', january)),
    400: all(to('/api/repricings', { ...january, meter: 'gpu' })),
    409: all(to('/api/repricings', { ...january, from: '2020-01-01', to: '2020-02-01' })),
  },
  'GET /api/repricings/{id}': {
    200: all(ofRepricing(previewed), ofRepricing(applied)),
    400: all(ofRepricing(previewed, '?limit=0')),
    404: all(to('/api/repricings/none')),
  },
  'POST /api/repricings/{id}/apply': {
    200: all(ofRepricing(previewed, '/apply', {})),
    400: all(ofRepricing(previewed, '/apply', [])),
    404: all(to('/api/repricings/none/apply', {})),
    409: all(ofRepricing(applied, '/apply', {})),
  },
  'POST /api/repricings/{id}/undo': {
    200: all(ofRepricing(applied, '/undo', decision)),
    400: all(ofRepricing(applied, '/undo', {})),
    404: all(to('/api/repricings/none/undo', decision)),
    409: all(ofRepricing(previewed, '/undo', decision)),
  },
  'POST /api/v1/write': {
    204: all(
      pushed(snappy(version1(aPush))),
      pushed(snappy(version2(aPush)), version2Headers),
      pushed(snappy(version1([]))),
      pushed(Buffer.of()),
    ),
    400: all(pushed(Buffer.from('no snappy')), pushed(snappy(Buffer.alloc(9)))),
    413: all(pushed(Buffer.alloc(16 * 1_048_576 + 1))),
    415: all(pushed(snappy(version1([])), { 'Content-Type': 'application/json', 'Content-Encoding': 'snappy' })),
  },
  'POST /write': {
    202: all(lines(aLine), lines(`${aLine}\nproject_vcpu_usage\n`), lines('')),
    400: all(lines('nonsense'), lines(aLine, '?precision=x'), lines(aLine, '?precision=s&precision=ms')),
    413: all(lines('#'.repeat(16 * 1_048_576 + 1))),
    415: all(lines(aLine, '', { 'Content-Encoding': 'br' })),
  },
  'GET /api/doc/openapi.json': {
    200: all(to('/api/doc/openapi.json')),
    304: all(again('/api/doc/openapi.json')),
  },
}
