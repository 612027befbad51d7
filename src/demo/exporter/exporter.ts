/**
 * A stand-in for the usage exporter of an OpenStack site: serves what the projects of a made-up cloud have used, with a
 * clock that can run faster, and misbehaves when told to. Newcomers run it in the demo; tests talk to it.
 *
 * Every path answers a scrape, except those below `/-/`, which are switches for a person at a terminal (`switches.ts`).
 * Differences from the real exporter: series come in the order of the file and all belong to the same instant; HTTP/1.1;
 * it can ask for a token.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Clock, type Instant, systemClock } from '../../core/time.ts'
import { parseCloud } from './cloud.ts'
import type { FailMode } from './failures.ts'
import { Gauges } from './gauges.ts'
import { answerScrape } from './scrape.ts'
import { answerSwitch } from './switches.ts'
import { parseWeights } from './weights.ts'

export interface ExporterOptions {
  /** TOML, see `cloud.ts`. */
  readonly cloud: string
  /** TOML, see `weights.toml`; without it every machine has weight 1. */
  readonly weights?: string | undefined
  /** Default 127.0.0.1. */
  readonly host?: string | undefined
  /** Default 0: any free one. */
  readonly port?: number | undefined
  readonly clock?: Clock | undefined
  /** How many times faster than real time the exporter's clock goes: with 3600, hours pass in seconds. Default 1. */
  readonly timeFactor?: number | undefined
  /** Usage before this does not count. Default: the moment of each start. */
  readonly startDate?: Instant | undefined
  /** Real milliseconds to the first update and between updates. Default 0: always up to date. */
  readonly updateInterval?: number | undefined
  /** The id of the project whose machines carry the name of their real project in a tag. */
  readonly simpleVmProject?: string | undefined
  /** The name of that tag. Default `project_name`. */
  readonly simpleVmTag?: string | undefined
  /** When given, every request needs `Authorization: Bearer <token>`, switches too. */
  readonly token?: string | undefined
}

/** A running exporter. All switches act at once and throw an `UnusableError`, changing nothing, if they cannot be done. */
export interface Exporter {
  /** Where to scrape. */
  readonly url: string
  /** What the exporter's clock shows. */
  now(): Instant
  /** Starts anew, with the same start date unless another is given. Values of removed projects are gone. */
  restart(options?: { readonly startDate?: Instant | undefined }): void
  /** Moves the date from which on usage counts, without a restart. */
  moveStart(startDate: Instant): void
  /** Deletes all machines with this id in projects of this name (for SimpleVM: the name in the tag). */
  deleteMachine(projectName: string, instanceId: string): void
  /** Weighs all history with other weights; `undefined` is none. */
  reweight(weights: string | undefined): void
  /** Replaces all projects and machines. */
  setCloud(cloud: string): void
  /** Lets every scrape fail from now on, `undefined` none. Usage grows all the same. */
  fail(mode: FailMode | undefined): void
  /** Ends all connections, also those that hang. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * @throws {UnusableError} if the cloud or the weights cannot be read.
 * @throws {RangeError} if the time factor or the update interval is not a number it can work with.
 */
export async function startExporter(options: ExporterOptions): Promise<Exporter> {
  const { host = '127.0.0.1', port = 0, token } = options
  const gauges = createGauges(options)
  let failure: FailMode | undefined
  const server = createServer((request, response) => {
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) return refuse(response)
    if (request.url!.startsWith('/-/')) return void answerSwitch(exporter, request, response)
    answerScrape(gauges, request, response, failure)
  })
  server.listen(port, host)
  await once(server, 'listening')
  const close = async () => {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  const exporter: Exporter = {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}/metrics`,
    now: () => gauges.now(),
    restart: ({ startDate } = {}) => gauges.restart(startDate),
    moveStart: (startDate) => gauges.moveStart(startDate),
    deleteMachine: (projectName, instanceId) => gauges.deleteMachine(projectName, instanceId),
    reweight: (weights) => gauges.setWeights(parseWeights(weights ?? '')),
    setCloud: (cloud) => gauges.setCloud(parseCloud(cloud)),
    fail: (mode) => {
      failure = mode
    },
    close,
    [Symbol.asyncDispose]: close,
  }
  return exporter
}

function createGauges(options: ExporterOptions): Gauges {
  const { timeFactor = 1, updateInterval = 0, simpleVmProject, simpleVmTag = 'project_name' } = options
  if (!(timeFactor > 0 && timeFactor < Infinity)) {
    throw new RangeError(`Expected a time factor above 0, got ${timeFactor}`)
  }
  if (!(updateInterval >= 0 && updateInterval < Infinity)) {
    throw new RangeError(`Expected an update interval of 0 ms or more, got ${updateInterval}`)
  }
  return new Gauges({
    cloud: parseCloud(options.cloud),
    weights: parseWeights(options.weights ?? ''),
    simpleVm: { projectId: simpleVmProject, tag: simpleVmTag },
    clock: options.clock ?? systemClock,
    timeFactor,
    startDate: options.startDate,
    updateInterval,
  })
}

function refuse(response: ServerResponse): void {
  response.writeHead(401, { 'Content-Type': 'text/plain', 'WWW-Authenticate': 'Bearer' })
  response.end('This exporter wants its token in the header "Authorization: Bearer <token>".\n')
}
