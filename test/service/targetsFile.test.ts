/** A whole worker whose file of targets is changed while it runs. */
import { writeFileSync } from 'node:fs'
import { expect, onTestFinished, suite, test } from 'vitest'
import { startPeer } from '../helpers/peer.ts'
import { startWorker, until } from '../helpers/worker.ts'

interface Stats {
  readonly targets: readonly {
    readonly url: string
    readonly labels: Readonly<Record<string, string>>
    readonly last_success: string | null
  }[]
  readonly targets_file: { readonly path: string; readonly problems: readonly string[]; readonly since: string } | null
}

/** An exporter of one project that has used more each time it is asked. */
async function startExporter(project: string) {
  let value = 100
  const exporter = await startPeer((_, response) => {
    value += 1
    response.end(`project_vcpu_usage{project_name="${project}"} ${value}\n`)
  })
  onTestFinished(() => exporter[Symbol.asyncDispose]())
  return { ...exporter, target: `${exporter.url}/metrics`, host: new URL(exporter.url).host }
}

async function setUp() {
  const [one, two, three] = [await startExporter('a'), await startExporter('b'), await startExporter('c')]
  const worker = await startWorker({
    files: { 'targets.yaml': `- targets: [${one.host}]\n  labels: { location_id: 1 }\n` },
    env: {
      USAGE_EXPORTER_URLS: three.target,
      USAGE_EXPORTER_TARGETS_FILE: 'targets.yaml',
      OS_CREDITS_LOCATION_ID: '3',
      OS_CREDITS_SCRAPE_INTERVAL: '50ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '49ms',
    },
  })
  onTestFinished(() => worker[Symbol.asyncDispose]())
  const stats = async () => (await (await worker.get('/stats')).json()) as Stats
  return {
    one,
    two,
    three,
    worker,
    stats,
    write: (content: string) => writeFileSync(worker.pathOf('targets.yaml'), content),
    metrics: async () => (await worker.get('/metrics')).text(),
    targetOf: async (url: string) => (await stats()).targets.find((each) => each.url === url),
  }
}

suite('The file of targets', () => {
  test('is followed while the worker runs: targets come, get other labels, and go, also from the metrics', async () => {
    const { one, two, worker, write, metrics, targetOf } = await setUp()
    const isScraped = async (url: string) => typeof (await targetOf(url))?.last_success === 'string'
    await until('the first one is scraped', () => isScraped(one.target))
    write(`
- targets: [${one.host}]
  labels: { location_id: 11 }
- targets: ["http://user:hunter2@${two.host}/metrics"]
  labels: { location_id: 2 }
`)
    await until('the second one is scraped', () => isScraped(two.target))
    expect(await targetOf(one.target)).toMatchObject({
      labels: { location_id: '11' },
      last_success: expect.any(String),
    })
    expect(two.requests.at(-1)!.headers.authorization).toBe(`Basic ${btoa('user:hunter2')}`)
    expect(JSON.stringify(worker.log())).not.toContain('hunter2')
    expect(worker.log()).toContainEqual(
      expect.objectContaining({ level: 'info', added: [two.target], removed: [], relabelled: [one.target] }),
    )
    write(`- targets: ["http://user:hunter2@${two.host}/metrics"]\n  labels: { location_id: 2 }\n`)
    await until('the first one is gone', async () => (await targetOf(one.target)) === undefined)
    await until('its metrics are gone', async () => !(await metrics()).includes(one.target))
    const asked = one.requests.length
    await until('the second one goes on', async () => (await metrics()).includes(two.target))
    expect(one.requests.length).toBe(asked)
  }, 60_000)

  test('that is broken changes nothing, and everybody who looks is told', async () => {
    const { one, three, worker, write, metrics, stats, targetOf } = await setUp()
    await until('it is well', async () => (await metrics()).includes('\nos_credits_targets_file_ok 1\n'))
    write(`- targets: [${three.target}, "http://user:hunter2@[bad"]\n  labels: { location_id: Bielefeld }\n`)
    await until('it is seen', async () => (await stats()).targets_file!.problems.length > 0)
    const setting = 'USAGE_EXPORTER_TARGETS_FILE: '
    expect((await stats()).targets_file).toMatchObject({
      path: worker.pathOf('targets.yaml'),
      problems: [
        `${setting}[0].labels.location_id: expected a number in digits, got "Bielefeld"`,
        expect.stringMatching(/\[0\]\.targets\[1\]: expected an http or https address, .* not shown/),
        `USAGE_EXPORTER_URLS: expected each address once, also in USAGE_EXPORTER_TARGETS_FILE, got "${three.target}" again`,
      ],
    })
    expect(await metrics()).toContain('\nos_credits_targets_file_ok 0\n')
    const page = await (await worker.get('/')).text()
    expect(page).toContain('The file of targets cannot be used.')
    expect(page).toContain('[0].labels.location_id')
    expect(await targetOf(one.target)).toMatchObject({ labels: { location_id: '1' } })
    const asked = one.requests.length
    await until('the old targets are scraped on', () => one.requests.length > asked + 2)
    write(`- targets: [${one.host}]\n  labels: { location_id: 1 }\n`)
    await until('it is well again', async () => (await stats()).targets_file!.problems.length === 0)
    expect(await metrics()).toContain('\nos_credits_targets_file_ok 1\n')
    const said = worker.log().filter(({ level, logger }) => logger === 'config' && level !== 'info')
    expect(said.map(({ level, msg }) => [level, msg])).toEqual([
      ['error', 'The file of targets cannot be used: the targets stay as they are'],
      ['warn', 'The file of targets can be used again'],
    ])
    expect(JSON.stringify(worker.log())).not.toContain('hunter2')
  }, 60_000)
})
