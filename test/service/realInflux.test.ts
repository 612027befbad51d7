/** A real InfluxDB 1 gets what Prometheus would send it, and its subscription pushes that to a worker. */
import { expect, suite, test } from 'vitest'
import { HOUR } from '#src/core/time.ts'
import { findProgram, freePort, runProgram } from '../helpers/programs.ts'
import { remoteWriteHeaders, STALE, snappy, usage, version1, type WrittenSeries } from '../helpers/pushes.ts'
import { startWorker, until } from '../helpers/worker.ts'

const influxd = findProgram(
  'influxd',
  'version',
  'INFLUXD',
  'whether a subscription of a real InfluxDB 1 can push to the worker',
)

const KEY = 'key-of-writers'

const configuration = (http: number, rpc: number) => `
reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:${http}"
  log-enabled = false
`

async function startInflux() {
  const [http, rpc] = [await freePort(), await freePort()]
  const files = { 'influxdb.conf': configuration(http, rpc) }
  const program = runProgram(influxd.path, files, (folder) => ['-config', `${folder}/influxdb.conf`])
  const url = `http://127.0.0.1:${http}`
  await program.answers(`${url}/ping`)
  const post = async (path: string, init: RequestInit) => {
    const answer = await fetch(url + path, { method: 'POST', ...init })
    expect(answer.ok, `${path}: ${await answer.text()}`).toBe(true)
  }
  return {
    output: program.output,
    query: (q: string) => post('/query', { body: new URLSearchParams({ q }) }),
    /** As Prometheus pushes to it. */
    push: (series: readonly WrittenSeries[]) =>
      post('/api/v1/prom/write?db=prometheus', {
        headers: remoteWriteHeaders,
        body: new Uint8Array(snappy(version1(series))),
      }),
    write: (lines: string) => post('/write?db=prometheus', { body: lines }),
  }
}

suite.skipIf(influxd.isMissing)('A real InfluxDB', () => {
  test('pushes what its subscription says, with the key as a password', { timeout: 60_000 }, async () => {
    const influx = await startInflux()
    await using worker = await startWorker({ env: { API_WRITER_KEY: KEY } })
    const to = worker.url.replace('http://', `http://credits:${KEY}@`)
    await influx.query('CREATE DATABASE prometheus')
    await influx.query(`CREATE SUBSCRIPTION credits ON prometheus.autogen DESTINATIONS ALL '${to}'`)
    const names = ['BioVis', 'a b,c=d', 'quote"back\\slash', 'Gießen-日本', 'cut\nin two']
    const begin = Date.now() - HOUR
    const shown = (value: number, at: number) => names.map((name, index) => usage(name, [[at, value + index]]))
    const pushes = async () => ((await (await worker.get('/stats')).json()) as Stats).pushes[1]!
    await until('the subscription works', async () => {
      await influx.push(shown(1_000, begin))
      return (await pushes()).readings > 0
    })
    await influx.push([...shown(1_010.5, begin + HOUR), usage('gone', [[begin + HOUR, STALE]])])
    await influx.write(
      `project_vcpu_usage,location_id=8676,project_id=id-BioVis,project_name=BioVis value=1020,note="x,y z" ${begin + HOUR + 1_000}000000`,
    )
    const used = async () => {
      const { groups } = (await (await worker.get('/api/groups')).json()) as Groups
      return Object.fromEntries(groups.map(({ group, used }) => [group, used]))
    }
    await until('all of it was charged', async () => (await used()).BioVis === '20', 15_000).catch(() => undefined)
    expect(await used(), influx.output()).toEqual({
      BioVis: '20',
      'a b,c=d': '10.5',
      'quote"back\\slash': '10.5',
      'Gießen-日本': '10.5',
    })
    const { errors, refused, ignored } = await pushes()
    // Its id has a line feed, too.
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringContaining('a line feed in a tag cuts its line in two'),
      expect.stringContaining('a line feed in a tag cuts its line in two'),
      expect.stringContaining('the rest of a line that was cut'),
    ])
    expect([refused, ignored]).toEqual([0, 1])
  })
})

interface Groups {
  readonly groups: readonly { readonly group: string; readonly used: string }[]
}

interface Stats {
  readonly pushes: readonly {
    readonly readings: number
    readonly refused: number
    readonly ignored: number
    readonly errors: readonly { readonly message: string }[]
  }[]
}
