/**
 * What every project of a cloud has used at an instant, summed over its machines in plain doubles.
 *
 * Doubles on purpose: the real exporter computes each total anew from all machines, so its values carry rounding noise and can fall.
 * A worker that copes with that is what this exporter is there to test.
 */
import { HOUR, type Instant } from '../../core/time.ts'
import type { Cloud, Existence, Machine, Project } from './cloud.ts'
import { tableFor, type Weights, weightOf } from './weights.ts'

/** The labels of a series. They are written in the order in which they are set. */
type Labels = Readonly<Record<'domain_id' | 'domain_name' | 'project_id' | 'project_name', string>>

export interface Usage {
  readonly labels: Labels
  /** Weighted vCPU·h. */
  readonly vcpu: number
  /** Weighted GiB·h. The exporter calls it `mb`. */
  readonly ram: number
}

/** What the totals depend on besides the machines. */
export interface Terms {
  /** Usage before this does not count. */
  readonly startDate: Instant
  readonly weights: Weights
  /** The project whose machines are exported under the project name in their tag, if there is one. */
  readonly simpleVm: { readonly projectId: string | undefined; readonly tag: string }
}

/** One usage for each project, zero if it has no machines. A SimpleVM project has one for each name in its machines' tags. */
export function usagesAt(now: Instant, cloud: Cloud, terms: Terms): Usage[] {
  return cloud.flatMap((project) =>
    project.projectId === terms.simpleVm.projectId
      ? splitByTag(project, terms.simpleVm.tag).map((part) => usageOf(part, now, terms))
      : [usageOf(project, now, terms)],
  )
}

/** Machines without the tag belong to none of the parts and are not exported at all. */
function splitByTag(project: Project, tag: string): Project[] {
  const byName = Map.groupBy(project.machines, ({ metadata }) => metadata.get(tag))
  byName.delete(undefined)
  return [...byName].map(([projectName, machines]) => ({ ...project, projectName: projectName!, machines }))
}

function usageOf({ machines, ...project }: Project, now: Instant, terms: Terms): Usage {
  let [vcpu, ram] = [0, 0]
  for (const machine of machines) {
    const hours = hoursOf(machine.existence, terms.startDate, now)
    const table = tableFor(terms.weights, startOf(machine, terms.startDate))
    vcpu += hours * machine.cpus * weightOf(table?.vcpus ?? [], machine.cpus)
    ram += hours * machine.ram * weightOf(table?.ram ?? [], machine.ram)
  }
  return { labels: labelsOf(project), vcpu, ram }
}

function labelsOf({ domainId, domainName, projectId, projectName }: Omit<Project, 'machines'>): Labels {
  return { domain_id: domainId, domain_name: domainName, project_id: projectId, project_name: projectName }
}

/** How long a machine has existed between the start date and now, in hours; zero if it has not begun by now. */
function hoursOf({ from, to }: Existence, startDate: Instant, now: Instant): number {
  return Math.max(0, Math.min(now, to) - Math.max(startDate, from)) / HOUR
}

/** A machine without a date of its own started on the start date. */
function startOf({ existence }: Machine, startDate: Instant): Instant {
  return existence.from === -Infinity ? startDate : existence.from
}
