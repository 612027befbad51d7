/** Projects with hostile names, the whole way: shown by an exporter, charged, looked up over HTTP, published to Perun. */
import { afterAll, beforeAll, expect, suite, test } from 'vitest'
import { type PerunSimulator, startPerun } from '#src/demo/perun/simulator.ts'
import { type Peer, startPeer } from '../helpers/peer.ts'
import { startWorker, type TestWorker, until } from '../helpers/worker.ts'
import { ask } from '../http/server.ts'

const SITE = 8676

/** What Perun can have as a group. */
const names = [
  'quote"in\'it`',
  'back\\slash\\n',
  'line\nbreak',
  'carriage\r\nreturn',
  'tab\tand\vmore\u0001\u001b[31m',
  '../../etc/passwd',
  '..',
  '/',
  'a/b?c=d#e&f;g',
  '%2F%00%',
  '<script>alert(1)</script>',
  '{"a": [1]}',
  "'; DROP TABLE groups; --",
  'a,b:c=d',
  ' leading',
  'trailing ',
  '   ',
  '__proto__',
  'constructor',
  'toString',
  'NaN',
  '0',
  '👩‍🔬 emoji',
  'עברית \u202e txt.exe',
  'e\u0301 and \u00e9',
  '\u2028\u2029\u0085\ufeff',
  'Gießen, RNA',
  'GIESSEN, RNA',
  `long ${'x'.repeat(1_019)}`,
]
/** What no group can be called: it is charged and looked up, and Perun does not know it. */
const NUL = 'nul\0inside'
const all = [...names, NUL]

function exposition(value: string): string {
  const quote = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  const line = (name: string) => `project_vcpu_usage{project_id="1",project_name="${quote(name)}"} ${value}\n`
  // The last three are no names: too long, no UTF-8, half of a character.
  const bad = [Buffer.from(line('x'.repeat(10_000))), line('\xff'), line('\xed\xa0\x80')]
  return Buffer.concat([
    ...all.map((name) => Buffer.from(line(name))),
    ...bad.map((each) => (typeof each === 'string' ? Buffer.from(each, 'latin1') : each)),
  ]).toString('latin1')
}

interface GroupAnswer {
  readonly group: string
  readonly used: string
  readonly state: string
}

suite('a project with a hostile name', () => {
  let value = '100'
  let peer: Peer
  let perun: PerunSimulator
  let worker: TestWorker

  beforeAll(async () => {
    peer = await startPeer((_, response) => response.end(Buffer.from(exposition(value), 'latin1')))
    perun = await startPerun()
    for (const name of names) perun.addGroup({ name, granted: '1000', resources: [SITE] })
    worker = await startWorker({
      perun,
      env: {
        USAGE_EXPORTER_URLS: `${peer.url}/metrics`,
        OS_CREDITS_LOCATION_ID: `${SITE}`,
        OS_CREDITS_SCRAPE_INTERVAL: '100ms',
        OS_CREDITS_SCRAPE_TIMEOUT: '99ms',
        OS_CREDITS_PERUN_MAX_AGE: '1s',
      },
    })
  })
  afterAll(async () => {
    await worker[Symbol.asyncDispose]()
    await perun.close()
    await peer[Symbol.asyncDispose]()
  })

  const get = async (path: string) => {
    const { status, json } = await ask(worker.url, path, {})
    return { status, json: json as Record<string, unknown> }
  }

  test('is charged and published', async () => {
    await until('all are known', () => names.every((name) => perun.read(name).used === '0.00'))
    value = '101.5'
    await until('all are charged', () => names.every((name) => perun.read(name).used === '1.50'))
    await until('nobody waits', async () => {
      const groups = (await get('/api/groups?limit=1000')).json.groups as GroupAnswer[]
      return groups.every(({ state }) => state !== 'waiting')
    })
    for (const name of names) {
      expect(Object.keys(perun.read(name).timestamps[SITE]!), name).toEqual(['project_vcpu_usage'])
    }
  })

  test.each(all)('is looked up by it: %j', async (name) => {
    const path = encodeURIComponent(name)
    const { status, json } = await get(`/api/groups/${path}`)
    expect(status).toBe(200)
    expect(json).toMatchObject({ group: name, used: '1.5', state: name === NUL ? 'held' : 'active' })
    const entries = await get(`/api/groups/${path}/entries?limit=1000`)
    expect(entries.status).toBe(200)
    const items = entries.json.items as { kind: string; amount: string }[]
    expect(items.filter(({ kind }) => kind === 'charge').map(({ amount }) => amount)).toEqual(['1.5'])
    expect((await get(`/api/credits_history/${path}`)).status).toBe(200)
    const holds = (await get(`/api/holds?group=${path}`)).json.holds as unknown[]
    expect(holds).toHaveLength(name === NUL ? 1 : 0)
    const found = (await get(`/api/groups?limit=1000&search=${path}`)).json.groups as GroupAnswer[]
    expect(found.map(({ group }) => group)).toContain(name)
  })

  test('is on exactly one page of the list', async () => {
    const seen: string[] = []
    for (let path: string | null = '/api/groups?limit=3'; path !== null; ) {
      const { json } = await get(path)
      seen.push(...(json.groups as GroupAnswer[]).map(({ group }) => group))
      path = json.next as string | null
    }
    expect(seen.toSorted()).toEqual(all.toSorted())
  })

  test('does not break a line of the log, or a metric', async () => {
    const lines = worker.log()
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
    const text = await (await worker.get('/metrics')).text()
    for (const name of ['<script', 'passwd', '__proto__']) expect(text).not.toContain(name)
    expect(text).toMatch(/^os_credits_rejected_samples_total\{reason="too long"\} [1-9]/m)
    expect(text).toMatch(/^os_credits_rejected_samples_total\{reason="unreadable"\} [1-9]/m)
    const complaints = lines.filter(({ msg }) => String(msg).startsWith('Some samples cannot be used'))
    expect(complaints).toMatchObject([{ rejected: { 'too long': 1, unreadable: 2 } }])
  })

  test('is still there after a restart, once', async () => {
    await worker.restart()
    expect((await get('/api/groups?limit=1000')).json).toMatchObject({ total: all.length })
    value = '102'
    await until('all are charged', () => names.every((name) => perun.read(name).used === '2.00'))
  })
})
