/**
 * The readings of a delivery in portions as scrapes would have brought them: in each one, a series occurs once.
 *
 * What is found by looking at all readings of a site together (it jumped, it was weighted anew) counts on that. A sender that
 * could not send for a while, and an archive, bring many readings of a few series: taken for one look at a site, a project
 * that started a machine would look like many that did.
 */
import { compare } from './decimals.ts'
import type { Reading, Series } from './series.ts'
import { atOnce, sorting } from './sorting.ts'

/** @returns At least one portion, the earliest readings first. What came twice, alike, is in it once. */
export function inPortions(readings: readonly Reading[]): readonly (readonly Reading[])[] {
  return atOnce(portioning(readings))
}

/** Readings that are looked at before other work may have its turn: about a millisecond. */
const STEP = 2_000

/** The same in steps. */
export function* portioning(readings: readonly Reading[]): Generator<void, readonly (readonly Reading[])[]> {
  const portions: Reading[][] = [[]]
  let seen = new BySeries()
  let count = 0
  for (const reading of yield* sorting(readings, (a, b) => a.at - b.at)) {
    count += 1
    if (count % STEP === 0) yield
    const before = seen.get(reading.series)
    if (before !== undefined && isSame(before, reading)) continue
    if (before !== undefined) {
      portions.push([])
      seen = new BySeries()
    }
    seen.set(reading)
    portions.at(-1)!.push(reading)
  }
  return portions
}

function isSame(a: Reading, b: Reading): boolean {
  return a.at === b.at && compare(a.value, b.value) === 0
}

/**
 * A reading of each series. Looked up part by part of what names a series, most of which many of them share: a key for each of
 * hundreds of thousands would be more text than all their names.
 */
class BySeries {
  private readonly sites = new Map<string, Map<string, Projects>>()

  get({ site, metric, projectId, projectName }: Series): Reading | undefined {
    const found = this.sites.get(site)?.get(metric)?.get(projectName)
    if (found instanceof Map) return found.get(projectId)
    return found?.series.projectId === projectId ? found : undefined
  }

  set(reading: Reading): void {
    const { site, metric, projectId, projectName } = reading.series
    const metrics = this.sites.get(site) ?? new Map<string, Projects>()
    this.sites.set(site, metrics)
    const projects = metrics.get(metric) ?? new Map()
    metrics.set(metric, projects)
    const found = projects.get(projectName)
    if (found instanceof Map) found.set(projectId, reading)
    else if (found === undefined || found.series.projectId === projectId) projects.set(projectName, reading)
    else projects.set(projectName, new Map([found, reading].map((each) => [each.series.projectId, each])))
  }
}

/** By name. In different domains several projects may have the same one; then by id. */
type Projects = Map<string, Reading | Map<string, Reading>>
