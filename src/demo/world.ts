/** The demo's cloud and Perun: the same in `make run` and in the containers of docker-compose. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Exporter, startExporter } from './exporter/exporter.ts'
import { type PerunSimulator, startPerun } from './perun/simulator.ts'

/** The Perun resource that is the demo's site. */
export const SITE = 8676

/** Another one, which only the Compose profile `stack` measures. */
const SECOND_SITE = 8677

/** An hour of the demo's cloud is a second. */
export const TIME_FACTOR = 3_600

const grants = {
  BioVis: '20000',
  GenomeAssembly: '100000',
  'Protein Folding': '5000',
  'Großes Mikroskop': '500',
  HisSVM: '2000',
  HerSVM: '2000',
}

export interface Place {
  readonly host?: string
  readonly port?: number
}

export function startDemoExporter(place: Place = {}): Promise<Exporter> {
  const cloud = readFileSync(join(import.meta.dirname, 'cloud.toml'), 'utf8')
  return startExporter({ ...place, cloud, timeFactor: TIME_FACTOR, simpleVmProject: 'simplevm' })
}

/** A Perun with the groups of the demo's cloud, but one: what it uses is a hold. */
export async function startDemoPerun(place: Place = {}): Promise<PerunSimulator> {
  const perun = await startPerun({ ...place, openAdmin: place.host !== undefined })
  perun.addResource(SITE, 'demo site')
  perun.addResource(SECOND_SITE, 'second site')
  for (const [name, granted] of Object.entries(grants)) {
    perun.addGroup({ name, granted, email: ['maintainer@example.org'], resources: [SITE, SECOND_SITE] })
  }
  return perun
}
