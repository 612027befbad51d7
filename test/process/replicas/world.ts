/**
 * What several replicas share: sites that grow all the time, a Perun, a PostgreSQL. Doors before the sites and before Perun
 * note who comes when.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { DAY } from '#src/core/time.ts'
import { startExporter } from '#src/demo/exporter/exporter.ts'
import { type PerunSimulator, startPerun } from '#src/demo/perun/simulator.ts'
import { startPostgres } from '../../helpers/postgres.ts'
import { perunSettings, runWorker, temporaryFolder } from '../processes.ts'
import { growthInCredits, pricesFile, standingClock, valuesOf } from '../truth.ts'
import { openDoor, type Visit } from './door.ts'
import type { Shown, Stay } from './stays.ts'

const SITES = [8676, 8677, 8678, 9001, 9002, 9003]
const groupName = (index: number) => `group ${index}`

/** The sites of a group: one, and for a third of them the next one too, which another replica may scrape. */
function sitesOf(group: number): number[] {
  const first = group % SITES.length
  return group % 3 === 0 ? [SITES[first]!, SITES[(first + 1) % SITES.length]!] : [SITES[first]!]
}

/** A write that came to Perun. */
export interface Write extends Stay, Shown {
  readonly site: number
  /** Whether Perun did it. */
  readonly isDone: boolean
}

export interface World {
  readonly perun: PerunSimulator
  /** Exporters stand still until it is let go. */
  readonly clock: ReturnType<typeof standingClock>
  readonly database: string
  readonly folder: string
  /** The addresses of all sites. */
  readonly targets: readonly string[]
  /** In the order in which Perun had done with them; those that are under way come last. */
  writes(): Write[]
  scrapes(): Stay[]
  /** Called with each write before Perun gets it, which waits for what this resolves to. */
  beforeWrite: (write: Pick<Write, 'who' | 'where' | 'site'>) => Promise<void> | void
  /** Whether Perun shows all groups, at all of their sites, with nothing used. */
  isOpened(): boolean
  /** What every site says now. */
  values(): Promise<Awaited<ReturnType<typeof valuesOf>>[]>
  /** Settings of a replica; `who` is how the doors know it. */
  settings(who: string): Record<string, string>
}

export type Values = Awaited<ReturnType<World['values']>>

/** What was used between two looks at the sites, by group. */
export const usedBetween = (first: Values, last: Values) =>
  growthInCredits(first.map((values, site) => ({ first: values, last: last[site]! })))

/** How fast the clocks of the sites go. */
const TIME_FACTOR = 20_000

/** More than there ever are: all of them are looked at. */
const WRITES_KEPT = 1_000_000

/** How long a site takes to answer, in milliseconds, so that two who ask at the same time are seen. */
const SCRAPE = 30

/**
 * Milliseconds in which all grows undisturbed at first. The first pace of a total counts from when it stood still, which is long on a
 * busy machine; by so low a pace, what grows while all replicas are starting at once would be held as a jump.
 */
export const QUIET = 15_000

/** Starts all of it, with so many groups, until the end of the test; the clock stands. */
export async function startWorld(count: number): Promise<World> {
  const clock = standingClock()
  const [server, perun, exporters] = await Promise.all([
    startPostgres(),
    startPerun({ writesKept: WRITES_KEPT }),
    startSites(clock, count),
  ])
  onTestFinished(() => server.stop())
  onTestFinished(() => perun.close())
  for (let index = 0; index < count; index += 1)
    perun.addGroup({ name: groupName(index), granted: '1000000000', resources: sitesOf(index) })
  const groups = new Map(perun.readAll().map(({ id, name }) => [id, name]))

  const written: { visit: Visit; group: string; site: number; used: string }[] = []
  const toPerun = await openDoor(perun.home, async (visit) => {
    if (!visit.path.endsWith('/setAttributes')) return
    const write = readWrite(visit, groups)
    await world.beforeWrite({ who: whoWrites(visit), where: write.group, site: write.site })
    written.push({ ...write, visit })
  })
  onTestFinished(() => toPerun.close())
  const scraped: { visit: Visit; where: string }[] = []
  const doors = await Promise.all(
    exporters.map(({ url, toldAt }, site) => {
      const onVisit = (visit: Visit) => {
        scraped.push({ visit, where: `${SITES[site]}` })
        return new Promise<void>((resolve) => setTimeout(resolve, SCRAPE))
      }
      // Each total with its time, as a federating server tells it: on a busy machine answers come late.
      const timed = (answer: string) => answer.replaceAll(/^(\w+\{.*\} \S+)$/gm, `$1 ${toldAt()}`)
      return openDoor(new URL(url).origin, onVisit, timed)
    }),
  )
  for (const door of doors) onTestFinished(() => door.close())

  const folder = temporaryFolder()
  // The first one leaves behind what has the others start in half the time: it has no settings, and ends at once.
  await runWorker({ NODE_COMPILE_CACHE: join(folder, 'cache') }).exit()
  const targets = doors.map(({ url }, site) => ({
    targets: [`${url}/metrics`],
    labels: { location_id: `${SITES[site]}` },
  }))
  writeFileSync(join(folder, 'targets.json'), JSON.stringify(targets))
  writeFileSync(join(folder, 'prices.json'), pricesFile)
  const database = await server.createDatabase()
  const world: World = {
    perun,
    clock,
    database,
    folder,
    targets: targets.flatMap((each) => each.targets),
    writes: () =>
      written
        .map(({ visit, group, site, used }) => ({
          who: whoWrites(visit),
          where: group,
          site,
          used,
          begin: visit.begin,
          end: visit.end,
          isDone: visit.status === 200,
        }))
        .toSorted((a, b) => (a.end ?? Infinity) - (b.end ?? Infinity)),
    scrapes: () =>
      scraped.map(({ visit, where }) => ({
        who: visit.authorization.replace('Bearer ', ''),
        where,
        begin: visit.begin,
        end: visit.end,
      })),
    beforeWrite: () => {},
    isOpened: () =>
      perun.readAll().every(({ used, timestamps, resources }) => {
        return used === '0.00' && Object.keys(timestamps).length === resources.length
      }),
    values: () => Promise.all(exporters.map(({ url }) => valuesOf(url))),
    settings: (who) => ({
      USAGE_EXPORTER_TARGETS_FILE: join(folder, 'targets.json'),
      USAGE_EXPORTER_TOKEN: who,
      OS_CREDITS_SCRAPE_INTERVAL: '400ms',
      OS_CREDITS_SCRAPE_TIMEOUT: '390ms',
      OS_CREDITS_LEDGER: database,
      OS_CREDITS_PRICES_FILE: join(folder, 'prices.json'),
      OS_CREDITS_SMALL_SITES: 'charge',
      ...perunSettings({ url: `${toPerun.url}/${who}/rpc/json`, voId: perun.voId }),
      OS_CREDITS_PERUN_TIMEOUT: '1s',
      OS_CREDITS_WORKERS: '8',
      OS_CREDITS_RATE_LIMIT: '0',
      CREDITS_PORT: '0',
      NODE_COMPILE_CACHE: join(folder, 'cache'),
      LOG_LEVEL: 'info',
    }),
  }
  return world
}

/** Each with the instant at which it was asked last. */
async function startSites(clock: ReturnType<typeof standingClock>, count: number) {
  // So long ago that no growth of this test multiplies a total, which might be new weights and would be held.
  const startDate = clock.now() - 5 * 365 * DAY
  const sites = await Promise.all(
    SITES.map(async (site) => {
      let told = Date.now()
      const now = () => {
        told = Date.now()
        return clock.now()
      }
      const options = { cloud: cloudOf(site, count), clock: { now }, timeFactor: TIME_FACTOR, startDate }
      return Object.assign(await startExporter(options), { toldAt: () => told })
    }),
  )
  for (const site of sites) onTestFinished(() => site.close())
  return sites
}

/** Sizes without a common measure, so that amounts do not come out round. */
function cloudOf(site: number, count: number): string {
  const groups = Array.from({ length: count }, (_, index) => index).filter((index) => sitesOf(index).includes(site))
  const tables = groups.map((index) => {
    const machine = `{ cpus = ${1 + ((index + site) % 7)}, ram = ${1 + (index % 5) * 3}, instance_id = "1" }`
    return `[[domain.projects]]\nproject_id = "p${index}"\nproject_name = "${groupName(index)}"\nmachines = [${machine}]`
  })
  return `[domain]\n${tables.join('\n')}`
}

/** Each replica has a path of its own, where a real Perun has the kind of login. */
const whoWrites = ({ path }: Visit) => path.split('/')[1]!

function readWrite({ body }: Visit, groups: ReadonlyMap<number, string>) {
  const { group, resource, attributes } = JSON.parse(body) as {
    readonly group: number
    readonly resource: number
    readonly attributes: readonly { readonly friendlyName: string; readonly value: unknown }[]
  }
  const used = attributes.find(({ friendlyName }) => friendlyName === 'denbiCreditsCurrent')!.value as string
  return { group: groups.get(group)!, site: resource, used }
}
