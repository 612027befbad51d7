/** What is measured: series and their readings. */
import type { Decimal } from './decimals.ts'
import type { Instant } from './time.ts'

/**
 * One stream of readings. The four parts together are its identity: the same project name can occur at two sites and, in
 * different domains, twice at one site, and SimpleVM projects share a project id. Labels that are added on the way
 * (`instance`, `job`, `domain_*`, …) are not part of it, so a project that arrives by two ways is one series.
 */
export interface Series {
  /** OpenStack location: the number of the Perun resource, as digits. */
  readonly site: string
  /** The exporter's name of what is measured, such as `project_vcpu_usage`. */
  readonly metric: string
  readonly projectId: string
  /** Also the name of the group that is charged. */
  readonly projectName: string
}

/** A sample we understood: how much the series had consumed in all, in the meter's unit, at an instant. */
export interface Reading {
  readonly series: Series
  readonly at: Instant
  readonly value: Decimal
  /** Which exporter said so, as far as that is known. It is not part of the series: several may report the same one. */
  readonly origin?: string
  /** Whether it was dated by our own clock when it arrived, because it brought no time with it. */
  readonly isOfNow?: boolean
}

/** A text that two series share only if they are the same, whatever characters their names hold. */
export function seriesKey({ site, metric, projectId, projectName }: Series): string {
  return `${site} ${metric} ${projectId.length} ${projectId} ${projectName}`
}

/** A text that two series of a site share only if they are of the same project. */
export function projectKey({ projectId, projectName }: Series): string {
  return `${projectId.length} ${projectId} ${projectName}`
}
