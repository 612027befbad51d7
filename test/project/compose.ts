/** `docker-compose.yml` as a test sees it, and what a container of it is given. */
import { parseEnv } from 'node:util'
import { parse } from 'yaml'
import { readImage } from './images.ts'
import { read } from './repository.ts'

interface HealthCheck {
  readonly test: readonly string[]
  readonly interval?: string
  readonly timeout?: string
  readonly start_period?: string
}

type Networks = readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] } | null>>

export interface Service {
  readonly profiles: readonly string[]
  readonly build?: string | { readonly context: string; readonly dockerfile: string }
  readonly image?: string
  readonly user?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly env_file?: readonly { readonly path: string }[]
  readonly secrets?: readonly string[]
  readonly networks: Networks
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: HealthCheck
  readonly stop_grace_period?: string
  readonly init?: boolean
  readonly read_only?: boolean
  readonly tmpfs?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> }
  readonly deploy?: {
    readonly replicas?: number
    readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string } }
  }
}

export interface Compose {
  readonly name: string
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: Readonly<Record<string, null>>
}

export const composeText = read('docker-compose.yml')
export const compose = parse(composeText, { merge: true }) as Compose
export const services = Object.entries(compose.services)

/** Images of others: the port they listen on, and where they write besides `/tmp`. */
export const foreign: Readonly<Record<string, { readonly port: number; readonly writes: readonly string[] }>> = {
  'denbicloud/os_project_usage_exporter': { port: 8080, writes: [] },
  'prom/prometheus': { port: 9090, writes: ['/prometheus'] },
  'grafana/grafana': { port: 3000, writes: ['/var/lib/grafana', '/var/log/grafana'] },
  'axllent/mailpit': { port: 8025, writes: [] },
  postgres: { port: 5432, writes: ['/var/lib/postgresql', '/var/run/postgresql'] },
  haproxy: { port: 8000, writes: [] },
}

/** The name of an image without its tag. */
export const nameOf = ({ image = '' }: Service): string => image.replace(/:[^:/]*$/, '')

export const isOurs = ({ build }: Service): boolean => build !== undefined

/** The worker itself, in one role or another. */
export const isWorker = (service: Service): boolean => isOurs(service) && service.command === undefined

export const dockerfileOf = ({ build }: Service): string =>
  typeof build === 'object' ? build.dockerfile : 'Dockerfile'

/** The port a service listens on, as its own command or image says. */
export function portOf(service: Service): number {
  if (!isOurs(service)) return foreign[nameOf(service)]!.port
  const { command, environment } = service
  const given = command === undefined ? undefined : command[command.indexOf('--port') + 1]
  return Number(given ?? environment?.CREDITS_PORT ?? readImage(dockerfileOf(service)).environment.CREDITS_PORT)
}

export function networksOf({ networks }: Service): string[] {
  return Array.isArray(networks) ? [...networks] : Object.keys(networks)
}

/** The names by which others reach a service over a network. */
export function namesOf(name: string, { networks }: Service, network: string): string[] {
  const aliases = Array.isArray(networks) ? [] : (networks as Record<string, { aliases?: string[] }>)[network]?.aliases
  return [name, ...(aliases ?? [])]
}

/** `./deploy/x:/etc/x:ro` */
export function mountsOf({ volumes = [] }: Service) {
  return volumes.map((volume) => {
    const [source, target, mode] = volume.split(':') as [string, string, string?]
    return { source, target, mode, isFile: source.startsWith('.') }
  })
}

/** Where a path in a container lies in the repository. */
export function inRepository(service: Service, path: string): string {
  const mount = mountsOf(service).find(({ target, isFile }) => isFile && `${path}/`.startsWith(`${target}/`))
  if (mount === undefined) return path.replace(/^\/app\//, '')
  return mount.source.replace(/^\.\//, '') + path.slice(mount.target.length)
}

/** What a file in a container holds; a secret has some value, and what is made of one has the form that `make secrets` gives it. */
export function readInside(service: Service): (path: string) => string {
  return (path) => {
    if (path === '/run/secrets/ledger_address') return ledgerAddress('of-a-file')
    return path.startsWith('/run/secrets/') ? 'of-a-file\n' : read(inRepository(service, path))
  }
}

/** What `make secrets` writes for replicas, with a password. */
export function ledgerAddress(password: string): string {
  const [, form] = /^secrets\/ledger_address:.*\n\t@printf '(.*?)'/m.exec(read('Makefile'))!
  return form!.replace('%s', password)
}

/** What the process in the container is given. The `.env` of the production service is the shortest one that works. */
export function environmentOf(service: Service): Record<string, string> {
  const { environment: ofImage } = readImage(dockerfileOf(service))
  const { environment = {}, env_file: envFile } = service
  const own = Object.entries(environment).map(([name, value]) => [name, value.replace(/^\$\{\w+:-(.*)\}$/, '$1')])
  return { ...ofImage, ...(envFile === undefined ? {} : shortestEnvironment()), ...Object.fromEntries(own) }
}

function shortestEnvironment() {
  const needed = {
    USAGE_EXPORTER_URLS: 'https://exporter.example.org/metrics',
    OS_CREDITS_PERUN_URL: 'https://perun.example.org/ba/rpc/json',
    OS_CREDITS_PERUN_LOGIN: 'credits',
    OS_CREDITS_PERUN_VO_ID: '1',
  }
  return { ...parseEnv(read('.default.env')), ...needed } as Record<string, string>
}
