/** The images and the compose file: what they copy, run and set exists and is understood. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { matchesGlob } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, suite, test } from 'vitest'
import { parse } from 'yaml'
import { declarations } from '#src/config/declarations.ts'
import { duration } from '#src/config/parsers.ts'
import { loadSettings } from '#src/config/settings.ts'
import { startDemoExporter, startDemoPerun } from '#src/demo/world.ts'
import { createPerunRpc } from '#src/publish/perun/rpc.ts'
import { STOP_GRACE } from '#src/service.ts'
import { allFiles, exists, packageJson, read, sources } from './repository.ts'

/** What `COPY src src` and the rest of an image's instructions say. */
interface Image {
  readonly instructions: readonly { readonly name: string; readonly words: readonly string[]; readonly text: string }[]
  readonly environment: Readonly<Record<string, string>>
  readonly command: readonly string[]
}

function readImage(path: string): Image {
  const lines = read(path)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const instructions = lines.map((line) => {
    const [name = '', ...words] = line.split(' ')
    return { name, words, text: words.join(' ') }
  })
  const pairs = instructions.filter(({ name }) => name === 'ENV').flatMap(({ words }) => words)
  const command = instructions.findLast(({ name }) => name === 'CMD')!.text
  return {
    instructions,
    environment: Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s, 2) as [string, string])),
    command: JSON.parse(command) as string[],
  }
}

/** What is copied from the repository into an image. */
function copied({ instructions }: Image): string[] {
  const copies = instructions.filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from='))
  return copies.flatMap(({ words }) => words.slice(0, -1))
}

const dockerignore = read('.dockerignore').trim().split('\n')
const isKeptOut = (path: string) =>
  dockerignore.some((pattern) => matchesGlob(path, pattern) || matchesGlob(path, `${pattern}/**`))

suite.each(['Dockerfile', 'Dockerfile.dev'])('%s', (path) => {
  const image = readImage(path)

  test('copies what exists and is not kept out', () => {
    const files = copied(image)
    expect(files).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', '.npmrc', 'src']))
    expect(files.filter((file) => !exists(file) || isKeptOut(file))).toEqual([])
    expect(allFiles('src').filter(isKeptOut)).toEqual([])
  })

  test('copies only from stages that it has', () => {
    const stages = image.instructions.filter(({ name }) => name === 'FROM').flatMap(({ words }) => words[2] ?? [])
    const sourcesOfCopies = image.instructions.flatMap(({ text }) => /^--from=(\S+)/.exec(text)?.[1] ?? [])
    expect(sourcesOfCopies.filter((stage) => !stages.includes(stage))).toEqual([])
  })

  // npm in between would end at a signal and leave Node behind.
  test('runs the worker with Node itself', () => {
    const [program, ...words] = image.command
    expect(program).toBe('node')
    expect(words.at(-1)).toBe('src/main.ts')
    expect(read(path)).not.toMatch(/npm (run |start)/)
  })

  test('sets settings that the worker understands, and listens where it says', () => {
    const { NODE_ENV: _, ...environment } = image.environment
    const exposed = image.instructions.find(({ name }) => name === 'EXPOSE')!.text
    const { settings } = loadSettings({ USAGE_EXPORTER_URLS: 'http://exporter/metrics', ...environment }, read)
    expect(settings.http).toMatchObject({ host: '0.0.0.0', port: Number(exposed) })
    const volume = image.instructions.find(({ name }) => name === 'VOLUME')!.text
    expect(settings.ledger).toMatchObject({ kind: 'sqlite', path: expect.stringMatching(`^${volume}/`) })
    expect(Object.keys(environment).filter((name) => !(name in declarations))).toEqual([])
  })

  test('does not run as root', () => {
    expect(image.instructions.findLast(({ name }) => name === 'USER')!.text).toBe('node')
  })
})

test('What the image leaves out is not needed: the source imports only dependencies, and no alias', () => {
  const imports = sources.flatMap(({ text }) => [...text.matchAll(/(?:from|import) '([^'.][^']*)'/g)])
  const packages = imports.map((match) => match[1]!).filter((name) => !name.startsWith('node:'))
  const names = new Set(packages.map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')))
  expect(names).toContain('koa')
  expect([...names].filter((name) => packageJson.dependencies[name] === undefined)).toEqual([])
})

suite('The health check of the image', () => {
  const { instructions } = readImage('Dockerfile')
  const check = instructions.find(({ name }) => name === 'HEALTHCHECK')!.text
  const [program, flag, code] = JSON.parse(check.slice(check.indexOf('CMD ') + 4)) as [string, string, string]

  async function verdict(port: number): Promise<number> {
    expect([program, flag]).toEqual(['node', '-e'])
    const child = spawn(process.execPath, [flag, code], { env: { CREDITS_PORT: String(port) } })
    const [exitCode] = (await once(child, 'exit')) as [number]
    return exitCode
  }

  test('is content with a worker that lives, and with nothing else', async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/livez' ? 200 : 404
      response.end()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    expect(await verdict(port)).toBe(0)
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    expect(await verdict(port)).toBe(1)
  })
})

interface Service {
  readonly profiles: readonly string[]
  readonly build?: string | { readonly context: string; readonly dockerfile: string }
  readonly image?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly env_file?: readonly { readonly path: string }[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly stop_grace_period?: string
}

suite('docker-compose.yml', () => {
  const text = read('docker-compose.yml')
  const file = parse(text, { merge: true }) as { services: Record<string, Service>; volumes: Record<string, null> }
  const services = Object.entries(file.services)
  const workers = services.filter(([, service]) => service.command === undefined && service.build !== undefined)

  /** The port a service listens on, as its own command or image says. */
  function portOf({ command, environment, image }: Service): number {
    if (image === 'prom/prometheus') return 9090
    const given = command === undefined ? undefined : command[command.indexOf('--port') + 1]
    return Number(given ?? environment?.CREDITS_PORT ?? readImage('Dockerfile').environment.CREDITS_PORT)
  }

  test('builds from files that exist', () => {
    const builds = services.flatMap(([, { build }]) => (build === undefined ? [] : [build]))
    const files = builds.map((build) => (typeof build === 'string' ? `${build}/Dockerfile` : build.dockerfile))
    expect(new Set(files)).toEqual(new Set(['./Dockerfile', 'Dockerfile.dev']))
    expect(files.filter((each) => !exists(each))).toEqual([])
  })

  test('runs files that exist', () => {
    const commands = services.flatMap(([, { command }]) => command ?? [])
    const files = commands.filter((word) => word.includes('/'))
    expect(new Set(files)).toEqual(new Set(['src/demo/main.ts']))
    expect(files.filter((each) => !exists(each))).toEqual([])
  })

  test('mounts what exists, or volumes that it has', () => {
    const mounts = services.flatMap(([, { volumes = [] }]) => volumes).map((volume) => volume.split(':')[0]!)
    const paths = mounts.filter((source) => source.startsWith('.'))
    expect(paths).toEqual(['./src', './deploy/prometheus.yml', './deploy/alerts.yml'])
    expect(paths.filter((path) => !exists(path))).toEqual([])
    const named = mounts.filter((source) => !source.startsWith('.'))
    expect(named.toSorted()).toEqual(Object.keys(file.volumes).toSorted())
  })

  test('publishes on this machine only, the port that the service listens on', () => {
    for (const [name, service] of services) {
      const port = portOf(service)
      expect(service.ports, name).toEqual([`127.0.0.1:${port}:${port}`])
    }
  })

  test('names the profiles that it has at its beginning', () => {
    const told = [...text.matchAll(/^# +docker compose --profile (\w+) up/gm)].map((match) => match[1])
    expect(new Set(told)).toEqual(new Set(services.flatMap(([, { profiles }]) => profiles)))
  })

  test('starts with a service all services that it depends on, and waits for those that can tell', () => {
    for (const [name, { depends_on: needed = {}, profiles }] of services) {
      for (const [other, { condition }] of Object.entries(needed)) {
        const service = file.services[other]
        expect(service?.profiles, `${name} needs ${other}`).toEqual(expect.arrayContaining([...profiles]))
        if (condition === 'service_healthy') expect(service?.healthcheck, other).toBeDefined()
      }
    }
  })

  test('asks each service for its health at its own port', () => {
    const asked = services.flatMap(([name, { healthcheck }]) => (healthcheck === undefined ? [] : [name]))
    expect(asked).toEqual(['exporter', 'perun'])
    for (const name of asked) {
      const service = file.services[name]!
      expect(service.healthcheck!.test.join(' ')).toContain(`http://127.0.0.1:${portOf(service)}/`)
    }
  })

  test('leaves the worker more time to stop than it takes', () => {
    const graces = services.flatMap(([, { stop_grace_period: grace }]) => grace ?? [])
    expect(graces.length).toBe(2)
    for (const grace of graces) expect(duration({ min: 0 })(grace)).toBeGreaterThan(STOP_GRACE)
  })

  test.each(workers)('gives %s settings that it understands, none of them in vain', (_name, service) => {
    const { warnings } = loadSettings(environmentOf(service), (path) => read(path.replace(/^\/app\//, '')))
    expect(warnings).toEqual([])
    const names = Object.keys(service.environment ?? {})
    expect(names.filter((name) => !(name in declarations))).toEqual([])
  })

  /** What the process in the container is given. The `.env` of the production service is the shortest one that works. */
  function environmentOf({ env_file: envFile, environment = {}, build }: Service): Record<string, string> {
    const { environment: ofImage } = readImage(typeof build === 'string' ? 'Dockerfile' : build!.dockerfile)
    const own = Object.entries(environment).map(([name, value]) => [name, value.replace(/^\$\{\w+:-(.*)\}$/, '$1')])
    return { ...ofImage, ...(envFile === undefined ? {} : shortestEnvironment()), ...Object.fromEntries(own) }
  }

  function shortestEnvironment() {
    const needed = {
      USAGE_EXPORTER_URLS: 'https://exporter.example.org/metrics',
      OS_CREDITS_PERUN_URL: 'https://perun.example.org/ba/rpc/json',
      OS_CREDITS_PERUN_LOGIN: 'credits',
      OS_CREDITS_PERUN_PASSWORD: 'secret',
      OS_CREDITS_PERUN_VO_ID: '1',
      API_KEY: 'key',
    }
    return { ...parseEnv(read('.default.env')), ...needed } as Record<string, string>
  }

  test('gives the demo settings with which it finds its exporter and its Perun', async () => {
    const { settings } = loadSettings(environmentOf(file.services['demo-worker']!), (path) =>
      read(path.replace(/^\/app\//, '')),
    )
    await using exporter = await disposable(startDemoExporter())
    await using perun = await disposable(startDemoPerun())
    const [target] = settings.targets
    expect(new URL(target!.url).pathname).toBe(new URL(exporter.url).pathname)
    const { login, password, url, voId, attributes } = settings.perun!
    const rpc = createPerunRpc({
      url: perun.home + new URL(url).pathname,
      login,
      password,
      timeout: 5_000,
      connections: 1,
    })
    const attributeName = attributes.used
    await expect(rpc.call('attributesManager/getAttributeDefinition', { attributeName })).resolves.toBeDefined()
    rpc.close()
    expect(voId).toBe(perun.voId)
  })

  test('names services of its own, with their ports, in every address', () => {
    const prometheus = parse(read('deploy/prometheus.yml')) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[]
    }
    const targets = prometheus.scrape_configs.flatMap((job) => job.static_configs.flatMap((each) => each.targets))
    const values = services.flatMap(([, { environment = {} }]) => Object.values(environment))
    const urls = values.filter((value) => value.startsWith('http://')).map((value) => new URL(value).host)
    expect(targets.length).toBe(2)
    for (const address of [...targets, ...urls]) {
      const [host, port] = address.split(':')
      expect(file.services, address).toHaveProperty(host!)
      expect(portOf(file.services[host!]!), address).toBe(Number(port))
    }
  })
})

/** Both demo servers can be closed; one of them says so in its own way. */
async function disposable<Server extends { close(): Promise<void> }>(starting: Promise<Server>) {
  const server = await starting
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.close() })
}
