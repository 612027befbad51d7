/** Where the past is read: built from the settings, for the worker and for programs that read it by themselves. */
import type { Settings } from './config/settings.ts'
import { type Clock, MINUTE } from './core/time.ts'
import { createPredecessor } from './publish/perun/predecessor.ts'
import { createPerunRpc } from './publish/perun/rpc.ts'
import type { Predecessor } from './publish/predecessor.ts'
import type { Archive } from './sources/archive.ts'
import { createPrometheusArchive } from './sources/prometheus/archive.ts'
import { createLogging } from './telemetry/logger.ts'

/** Of one answer. Prometheus itself gives a query up after two minutes, as it is set up. */
const TIMEOUT = MINUTE

export function archiveOf(settings: Settings, version: string, clock: Clock): Archive | undefined {
  const { prometheus, meters, whitelist } = settings
  if (prometheus === undefined) return undefined
  return createPrometheusArchive({
    ...prometheus,
    meters,
    whitelist,
    site: siteOfUnlabelled(settings),
    timeout: TIMEOUT,
    userAgent: `credits-worker/${version}`,
    clock,
  })
}

/** For a program that has no publisher; nobody but it logs what Perun has trouble with. */
export function predecessorOf({ perun }: Settings, clock: Clock): (Predecessor & { close(): void }) | undefined {
  if (perun === undefined) return undefined
  const rpc = createPerunRpc({ ...perun, connections: 1 })
  const logger = createLogging({ level: 'silent', destination: { write: () => undefined } }).logger('perun')
  const predecessor = createPredecessor({ ...perun, names: perun.attributes, rpc, clock, logger })
  return { ...predecessor, close: () => rpc.close() }
}

/** The sites that the settings name. */
export function sitesOf({ targets, site }: Settings): readonly string[] {
  const all = [...targets.map(({ labels }) => labels.location_id), site]
  return [...new Set(all.filter((each) => each !== undefined))]
}

/** Prometheus does not tell which of our targets a sample came from. Where all of them are of one site, it is known all the same. */
function siteOfUnlabelled(settings: Settings): string | undefined {
  if (settings.site !== undefined) return settings.site
  const [only, ...others] = sitesOf(settings)
  const isOfAll = settings.targets.every(({ labels }) => labels.location_id !== undefined)
  return others.length === 0 && isOfAll ? only : undefined
}
