import { readFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, suite, test } from 'vitest'
import { HOUR, MINUTE, SECOND } from '../../src/core/time.ts'
import { type Exporter, type ExporterOptions, startExporter } from '../../src/demo/exporter/exporter.ts'

const NOON = Date.parse('2026-11-21T12:00:00Z')

/** One vCPU and 2 GiB per machine, so that a project uses as many vCPU·h in an hour as it has machines. */
const CLOUD = `
[biology]
domain_id = "bio"
[[biology.projects]]
project_id = "p1"
project_name = "BioVis"
machines = [{ cpus = 1, ram = 2, instance_id = "1" }, { cpus = 1, ram = 2, instance_id = "2" }]
[[biology.projects]]
project_id = "p2"
project_name = "GenomeAssembly"
machines = [{ cpus = 1, ram = 2, instance_id = "1" }]
`
const ONLY_BIOVIS = CLOUD.slice(0, CLOUD.lastIndexOf('[[biology.projects]]'))

/** An exporter whose clock stands still until `pass` is called. */
async function start(options: Partial<ExporterOptions> = {}) {
  const clock = { at: NOON, now: () => clock.at }
  const exporter = await startExporter({ cloud: CLOUD, clock, ...options })
  onTestFinished(() => exporter.close())
  const pass = (ms: number) => {
    clock.at += ms
  }
  return { exporter, pass }
}

async function scrape(exporter: Exporter, headers: Record<string, string> = {}): Promise<string> {
  return (await fetch(exporter.url, { headers })).text()
}

/** vCPU·h by project name. */
async function vcpuHours(exporter: Exporter): Promise<Record<string, number>> {
  const lines = (await scrape(exporter)).matchAll(/^project_vcpu_usage\{.*project_name="(.*)"\} (.*)$/gm)
  return Object.fromEntries([...lines].map(([, name, value]) => [name, Number(value)]))
}

function request(exporter: Exporter, path: string, headers = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => get(new URL(path, exporter.url), { headers }, resolve).on('error', reject))
}

suite('the dummy exporter', () => {
  test('serves what its projects have used, among what it does not concern', async () => {
    const { exporter, pass } = await start()
    pass(HOUR)
    const text = await scrape(exporter)
    const labels = (id: string, name: string) =>
      `{domain_id="bio",domain_name="biology",project_id="${id}",project_name="${name}"}`
    expect(text.slice(text.indexOf('# HELP project_vcpu_usage'))).toBe(
      `# HELP project_vcpu_usage Total vcpu usage
# TYPE project_vcpu_usage gauge
project_vcpu_usage${labels('p1', 'BioVis')} 2.0
project_vcpu_usage${labels('p2', 'GenomeAssembly')} 1.0
# HELP project_mb_usage Total MB usage
# TYPE project_mb_usage gauge
project_mb_usage${labels('p1', 'BioVis')} 4.0
project_mb_usage${labels('p2', 'GenomeAssembly')} 2.0
`,
    )
    expect(text).toContain('\npython_info{implementation="CPython",')
    expect(text).toContain(`\nprocess_start_time_seconds 1.7952624e+09\n`)
  })

  test('labels the series of a cloud as the real exporter did', async () => {
    const fixture = (name: string) => readFileSync(new URL(`../fixtures/exporter/${name}`, import.meta.url), 'utf8')
    const labelled = (text: string) => text.match(/^project_\w+\{.*\}/gm)!.toSorted()
    // The TOML library of the recorded exporter left the escapes of a quoted table name as they stood.
    const cloud = fixture('escapes.toml').replaceAll('"Dom \\"quoted\\""', `'Dom \\"quoted\\"'`)
    const { exporter } = await start({ cloud })
    expect(labelled(await scrape(exporter))).toEqual(labelled(fixture('escapes__start-now__20261121T031931_844Z.prom')))
  })

  test('counts from its start date when it has one', async () => {
    const { exporter } = await start({ startDate: NOON - 5 * HOUR })
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 10, GenomeAssembly: 5 })
  })

  test('lets hours pass in seconds', async () => {
    const { exporter, pass } = await start({ timeFactor: 3600 })
    pass(2 * SECOND)
    expect(exporter.now()).toBe(NOON + 2 * HOUR)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 4, GenomeAssembly: 2 })
  })

  test('splits the SimpleVM project of the demo into those who share it', async () => {
    const cloud = readFileSync(new URL('../../src/demo/cloud.toml', import.meta.url), 'utf8')
    const { exporter } = await start({ cloud, simpleVmProject: 'simplevm' })
    const shared = (await scrape(exporter)).match(/^project_vcpu_usage.*project_id="simplevm",project_name="\w+"/gm)
    expect(shared?.map((line) => line.slice(line.lastIndexOf('=') + 1))).toEqual(['"HisSVM"', '"HerSVM"'])
  })

  test('refuses to start with what it cannot work with', async () => {
    await expect(start({ cloud: 'x' })).rejects.toThrow('In the cloud file, line 1, column')
    await expect(start({ weights: '[[weights]]' })).rejects.toThrow('"from"')
    await expect(start({ timeFactor: 0 })).rejects.toThrow(RangeError)
    await expect(start({ updateInterval: -1 })).rejects.toThrow(RangeError)
  })
})

suite('an update', () => {
  test('comes for the first time after one interval; until then nothing is served but the names', async () => {
    const { exporter, pass } = await start({ updateInterval: 30 * SECOND, startDate: NOON - HOUR })
    pass(29_999)
    expect(await vcpuHours(exporter)).toEqual({})
    expect(await scrape(exporter)).toContain(
      '# TYPE project_vcpu_usage gauge\n# HELP project_mb_usage Total MB usage\n',
    )
    pass(1)
    expect(Object.keys(await vcpuHours(exporter))).toEqual(['BioVis', 'GenomeAssembly'])
  })

  test('is what values wait for, whenever they are read', async () => {
    const { exporter, pass } = await start({ updateInterval: 30 * MINUTE })
    pass(75 * MINUTE)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
    pass(14 * MINUTE)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
    pass(MINUTE)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 3, GenomeAssembly: 1.5 })
  })

  // Due after one hour, changed after one and a half, next due after two.
  test.each<[change: string, change: (exporter: Exporter) => void, after: number]>([
    ['a machine is deleted', (exporter) => exporter.deleteMachine('BioVis', '2'), 2],
    ['the start date moves', (exporter) => exporter.moveStart(NOON - HOUR), 6],
    ['weights are set', (exporter) => exporter.reweight('[[weights]]\nfrom = 2018-01-01\nvcpus = { "1" = 3 }'), 12],
    ['the project is removed', (exporter) => exporter.setCloud(''), 2],
  ])('that was due before %s does not know of it, the next one does', async (_name, change, after) => {
    const { exporter, pass } = await start({ updateInterval: HOUR })
    pass(90 * MINUTE)
    change(exporter)
    expect(await vcpuHours(exporter)).toMatchObject({ BioVis: 2 })
    pass(30 * MINUTE)
    expect(await vcpuHours(exporter)).toMatchObject({ BioVis: after })
  })
})

suite.each([0, MINUTE])('with updates every %d ms', (updateInterval) => {
  test('a removed project keeps its last value until the exporter restarts', async () => {
    const { exporter, pass } = await start({ updateInterval })
    pass(HOUR)
    exporter.setCloud(ONLY_BIOVIS)
    pass(HOUR)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 4, GenomeAssembly: 1 })
    exporter.restart()
    pass(HOUR)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2 })
  })

  test('a renamed project leaves its old series behind and starts a new one at its full total', async () => {
    const { exporter, pass } = await start({ updateInterval })
    pass(HOUR)
    exporter.setCloud(CLOUD.replace('"BioVis"', '"BioVision"'))
    pass(HOUR)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 2, BioVision: 4 })
  })

  test('a project that is added starts with what its machines have used', async () => {
    const { exporter, pass } = await start({ updateInterval, cloud: ONLY_BIOVIS })
    pass(HOUR)
    exporter.setCloud(CLOUD)
    pass(HOUR)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 4, GenomeAssembly: 2 })
  })
})

suite('the switch', () => {
  test('restart lets the totals begin near zero', async () => {
    const { exporter, pass } = await start()
    pass(10 * HOUR)
    exporter.restart()
    pass(MINUTE)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2 / 60, GenomeAssembly: 1 / 60 })
    expect(await scrape(exporter)).toContain('process_start_time_seconds 1.7952984e+09\n') // NOON + 10 h
  })

  test('restart keeps the start date that was given, or takes another for good', async () => {
    const { exporter, pass } = await start({ startDate: NOON - 5 * HOUR })
    exporter.restart()
    expect(await vcpuHours(exporter)).toMatchObject({ GenomeAssembly: 5 })
    exporter.restart({ startDate: NOON - 2 * HOUR })
    expect(await vcpuHours(exporter)).toMatchObject({ GenomeAssembly: 2 })
    pass(HOUR)
    exporter.restart()
    expect(await vcpuHours(exporter)).toMatchObject({ GenomeAssembly: 3 })
  })

  test('restart waits an interval for its first update', async () => {
    const { exporter, pass } = await start({ updateInterval: MINUTE })
    pass(90 * SECOND)
    exporter.restart()
    pass(59 * SECOND)
    expect(await vcpuHours(exporter)).toEqual({})
    pass(SECOND)
    expect(await vcpuHours(exporter)).toMatchObject({ GenomeAssembly: 1 / 60 })
  })

  test('move start changes every total and forgets no series', async () => {
    const { exporter, pass } = await start({ startDate: NOON - 10 * HOUR })
    exporter.setCloud(ONLY_BIOVIS)
    exporter.moveStart(NOON - 4 * HOUR)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 8, GenomeAssembly: 10 })
    pass(HOUR)
    exporter.moveStart(NOON - 19 * HOUR)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 40, GenomeAssembly: 10 })
  })

  test('delete machine lets a total fall', async () => {
    const { exporter, pass } = await start()
    pass(HOUR)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
    exporter.deleteMachine('BioVis', '1')
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 1, GenomeAssembly: 1 })
    expect(() => exporter.deleteMachine('BioVis', '1')).toThrow(
      'No project named "BioVis" has a machine with the id "1"',
    )
  })

  test('delete machine knows SimpleVM projects by the name that is exported; the last machine leaves a frozen series', async () => {
    const cloud = '[[d.projects]]\nproject_id = "s"\nmachines = [{ instance_id = "1", metadata = { tag = "His" } }]'
    const { exporter, pass } = await start({ cloud, simpleVmProject: 's', simpleVmTag: 'tag' })
    pass(HOUR)
    exporter.deleteMachine('His', '1')
    pass(HOUR)
    expect(await vcpuHours(exporter)).toEqual({ His: 4 })
  })

  test('reweight changes all history, and back', async () => {
    const { exporter, pass } = await start()
    pass(HOUR)
    exporter.reweight('[[weights]]\nfrom = 2018-01-01\nvcpus = { "1" = 1.5 }')
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 3, GenomeAssembly: 1.5 })
    exporter.reweight(undefined)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
  })

  test('changes nothing when it is given what cannot be used', async () => {
    const { exporter, pass } = await start()
    pass(HOUR)
    expect(() => exporter.setCloud('[[a.projects]]\nmachines = [{ ram = 0 }]')).toThrow('"ram"')
    expect(() => exporter.reweight('[[weights]]')).toThrow('"from"')
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
  })
})

suite('a scrape fails', () => {
  test('with status 500', async () => {
    const { exporter } = await start()
    exporter.fail('error')
    expect((await fetch(exporter.url)).status).toBe(500)
  })

  test('without an answer, until the scraper gives up or the exporter ends', async () => {
    const { exporter } = await start()
    exporter.fail('hang')
    await expect(fetch(exporter.url, { signal: AbortSignal.timeout(200) })).rejects.toThrow('timeout')
    const hanging = expect(fetch(exporter.url)).rejects.toThrow()
    await exporter.close()
    await hanging
  })

  test('with a connection that is reset', async () => {
    const { exporter } = await start()
    exporter.fail('reset')
    await expect(request(exporter, '/metrics')).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('in the middle of the body', async () => {
    const { exporter } = await start()
    const whole = await scrape(exporter)
    exporter.fail('partial')
    const response = await request(exporter, '/metrics')
    const chunks: Buffer[] = []
    response.on('data', (chunk) => chunks.push(chunk))
    await expect(new Promise((_, reject) => response.on('error', reject))).rejects.toThrow('aborted')
    expect(response.headers['content-length']).toBe(String(whole.length))
    expect(Buffer.concat(chunks).toString()).toBe(whole.slice(0, Math.floor(whole.length / 2)))
  })

  test('with something that is no exposition', async () => {
    const { exporter } = await start()
    exporter.fail('garbage')
    const response = await fetch(exporter.url)
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('<html>')
  })

  test('no longer once it is told so, and usage has grown in the meantime', async () => {
    const { exporter, pass } = await start()
    exporter.fail('error')
    pass(HOUR)
    exporter.fail(undefined)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
  })
})

suite('over HTTP', () => {
  test('any path and method is a scrape, except the icon, which is empty', async () => {
    const { exporter } = await start()
    const whole = await scrape(exporter)
    for (const path of ['/', '/any/path', '/metrics?match[]=up']) {
      expect(await (await fetch(new URL(path, exporter.url))).text()).toBe(whole)
    }
    expect(await (await fetch(exporter.url, { method: 'POST', body: 'x' })).text()).toBe(whole)
    expect(await (await fetch(new URL('/favicon.ico', exporter.url))).text()).toBe('')
  })

  test('names choose metrics', async () => {
    const { exporter } = await start()
    const response = await request(exporter, '/?name[]=project_mb_usage&name%5B%5D=python_info')
    const names = (await buffer(response)).toString().match(/(?<=^# TYPE )\w+/gm)
    expect(names).toEqual(['python_info', 'project_mb_usage'])
  })

  test('the plain format is the usual one and OpenMetrics is given to who asks', async () => {
    const { exporter } = await start()
    const plain = await fetch(exporter.url)
    expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await plain.text()).toContain('# TYPE python_gc_collections_total counter\n')
    const accept =
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1'
    const open = await fetch(exporter.url, { headers: { accept } })
    expect(open.headers.get('content-type')).toBe('application/openmetrics-text; version=0.0.1; charset=utf-8')
    expect(await open.text()).toMatch(
      /# TYPE python_gc_collections counter\npython_gc_collections_total\{(.|\n)*\n# EOF\n$/,
    )
  })

  test('the body is compressed for who understands it', async () => {
    const { exporter } = await start()
    const [plain, zipped] = [
      await request(exporter, '/'),
      await request(exporter, '/', { 'accept-encoding': 'deflate, gzip' }),
    ]
    const [text, bytes] = [await buffer(plain), await buffer(zipped)]
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(plain.headers['content-length']).toBe(String(text.length))
    expect(zipped.headers['content-encoding']).toBe('gzip')
    expect(zipped.headers['content-length']).toBe(String(bytes.length))
    expect(gunzipSync(bytes)).toEqual(text)
  })

  test('a token is asked for when there is one, for switches too', async () => {
    const { exporter } = await start({ token: 'secret' })
    const status = async (path: string, authorization?: string) =>
      (await fetch(new URL(path, exporter.url), { headers: authorization ? { authorization } : {} })).status
    expect(await status('/metrics')).toBe(401)
    expect(await status('/metrics', 'Bearer wrong')).toBe(401)
    expect(await status('/-/')).toBe(401)
    expect(await status('/metrics', 'Bearer secret')).toBe(200)
  })
})

suite('at a terminal', () => {
  async function turn(exporter: Exporter, path: string, body?: string): Promise<[number, string]> {
    const response = await fetch(new URL(path, exporter.url), {
      method: 'POST',
      ...(body === undefined ? {} : { body }),
    })
    return [response.status, await response.text()]
  }

  test('every switch is listed', async () => {
    const { exporter } = await start()
    const list = await (await fetch(new URL('/-/', exporter.url))).text()
    expect(list).toMatch(/^The exporter's clock shows 2026-11-21T12:00:00.000Z. Its switches:\n/)
    expect(list.match(/(?<=POST )[\w/-]+/g)).toEqual([
      '/-/restart',
      '/-/move-start',
      '/-/delete-machine',
      '/-/reweight',
      '/-/cloud',
      '/-/fail',
    ])
  })

  test('every switch answers a sentence and does what it says', async () => {
    const { exporter, pass } = await start()
    pass(12 * HOUR)
    expect(await turn(exporter, '/-/move-start?to=2026-11-21T23:00:00Z')).toEqual([
      200,
      'Usage now counts from 2026-11-21T23:00:00.000Z on.\n',
    ])
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
    expect(await turn(exporter, '/-/delete-machine?project=BioVis&instance=1')).toEqual([
      200,
      'Machine "1" of project "BioVis" was deleted.\n',
    ])
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 1, GenomeAssembly: 1 })
    expect(await turn(exporter, '/-/reweight', '[[weights]]\nfrom = 2018-01-01\nvcpus = { "1" = 3 }')).toEqual([
      200,
      'All machines are now weighed with the new weights.\n',
    ])
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 3, GenomeAssembly: 3 })
    expect(await turn(exporter, '/-/reweight')).toEqual([200, 'Machines are no longer weighed.\n'])
    expect(await turn(exporter, '/-/cloud', ONLY_BIOVIS)).toEqual([200, 'The exporter now measures the new cloud.\n'])
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
    expect(await turn(exporter, '/-/restart')).toEqual([200, 'The exporter was restarted.\n'])
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 0 })
    expect(await turn(exporter, '/-/restart?start=2026-11-21')).toEqual([
      200,
      'The exporter was restarted with the start date 2026-11-21T00:00:00.000Z.\n',
    ])
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 48 })
    expect((await turn(exporter, '/-/restart?start=now'))[0]).toBe(200)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 0 })
  })

  test('scrapes can be broken and mended, switches work meanwhile', async () => {
    const { exporter } = await start()
    expect(await turn(exporter, '/-/fail?mode=error')).toEqual([200, 'From now on scrapes fail: error.\n'])
    expect((await fetch(exporter.url)).status).toBe(500)
    expect(await turn(exporter, '/-/fail')).toEqual([200, 'Scrapes are answered again.\n'])
    expect((await fetch(exporter.url)).status).toBe(200)
  })

  test.each([
    ['/-/restart?start=tomorrow', 'Expected "start" to be "now" or a date such as 2026-01-01, got "tomorrow"\n'],
    ['/-/move-start', 'Expected "to" after the question mark\n'],
    ['/-/delete-machine?project=BioVis', 'Expected "instance" after the question mark\n'],
    ['/-/delete-machine?project=BioVis&instance=9', 'No project named "BioVis" has a machine with the id "9"\n'],
    ['/-/fail?mode=gently', 'Expected "mode" to be one of error, hang, reset, partial, garbage, got "gently"\n'],
  ])('%s says what is wrong', async (path, sentence) => {
    const { exporter } = await start()
    expect(await turn(exporter, path)).toEqual([400, sentence])
  })

  test('a file that cannot be read says where', async () => {
    const { exporter } = await start()
    expect(await turn(exporter, '/-/cloud', 'x')).toEqual([400, expect.stringContaining('In the cloud file, line 1')])
    expect(await turn(exporter, '/-/reweight', '[[weights]]')).toEqual([400, expect.stringContaining('"from"')])
  })

  test('there is no other switch and none is turned by looking at it', async () => {
    const { exporter, pass } = await start()
    pass(HOUR)
    expect((await turn(exporter, '/-/explode'))[0]).toBe(404)
    expect((await fetch(new URL('/-/restart', exporter.url))).status).toBe(405)
    expect(await vcpuHours(exporter)).toEqual({ BioVis: 2, GenomeAssembly: 1 })
  })
})
