/**
 * The cloud that the dummy exporter measures: which projects it has, which machines they run and when each of them exists.
 *
 * It is written down in TOML, in the format that the dummy mode of the real exporter reads:
 *
 *     [biology]                      # the name of a domain
 *     domain_id = "biology-id"
 *     [[biology.projects]]
 *     project_id = "p1"
 *     project_name = "BioVis"
 *     machines = [{ cpus = 4, ram = 8, existence = true, instance_id = "1", metadata = { project_name = "HisSVM" } }]
 *
 * `ram` is in GiB. `existence` is `true` (since the exporter's start date), `false` (never), a date (since then) or two
 * dates (from, to). Differences from the real one: a day without a time is accepted, `ram` need not be a whole number, and
 * two projects that would be the same series are refused.
 */
import type { TomlValue } from 'smol-toml'
import type { Instant } from '../../core/time.ts'
import {
  instantOf,
  isTable,
  positiveField,
  readToml,
  type Section,
  tableField,
  tablesField,
  textField,
  UnusableError,
  wrong,
} from './toml.ts'

/** When a machine runs. `from` is -Infinity when it runs since the start date, Infinity when it never does. */
export interface Existence {
  readonly from: Instant
  readonly to: Instant
}

export interface Machine {
  readonly instanceId: string
  readonly cpus: number
  /** GiB. */
  readonly ram: number
  readonly existence: Existence
  /** Tags by name. SimpleVM writes there to which of its projects a machine belongs. */
  readonly metadata: ReadonlyMap<string, string>
}

export interface Project {
  readonly domainId: string
  readonly domainName: string
  readonly projectId: string
  readonly projectName: string
  readonly machines: readonly Machine[]
}

export type Cloud = readonly Project[]

/** @throws {UnusableError} naming the project and the field that cannot be used. */
export function parseCloud(text: string): Cloud {
  const file = readToml(text, 'the cloud file')
  const cloud = Object.entries(file.table).flatMap(([name, value]) => {
    if (!isTable(value)) throw wrong(file, name, `a domain, a table such as [${name}]`, value)
    return readDomain(name, { table: value, where: `domain "${name}"` })
  })
  refuseTwins(cloud)
  return cloud
}

function readDomain(domainName: string, section: Section): Project[] {
  const domainId = textField(section, 'domain_id', 'UNKNOWN_DOMAIN_ID')
  return tablesField(section, 'projects').map((table, index) => {
    const called = table.project_name ?? table.project_id
    const project = called === undefined ? `project ${index + 1}` : `project ${JSON.stringify(called)}`
    return { domainId, domainName, ...readProject({ table, where: `${project} of ${section.where}` }) }
  })
}

function readProject(section: Section): Pick<Project, 'projectId' | 'projectName' | 'machines'> {
  return {
    projectId: textField(section, 'project_id', 'UNKNOWN_ID'),
    projectName: textField(section, 'project_name', 'UNKNOWN_NAME'),
    machines: tablesField(section, 'machines').map((table, index) =>
      readMachine({ table, where: `machine ${index + 1} of ${section.where}` }),
    ),
  }
}

function readMachine(section: Section): Machine {
  return {
    instanceId: textField(section, 'instance_id', 'UNKNOWN_ID'),
    cpus: positiveField(section, 'cpus', 4),
    ram: positiveField(section, 'ram', 8),
    existence: readExistence(section),
    metadata: readMetadata(section),
  }
}

function readExistence(section: Section): Existence {
  const value: TomlValue = section.table.existence ?? true
  if (typeof value === 'boolean') return { from: value ? -Infinity : Infinity, to: Infinity }
  const between = Array.isArray(value) && value.length === 2
  const [from, to] = between ? value.map(instantOf) : [instantOf(value), Infinity]
  if (from === undefined || to === undefined) {
    throw wrong(section, 'existence', 'true, false, a date or [from, to]', value)
  }
  if (from > to) throw wrong(section, 'existence', 'two dates of which the first is not the later one', value)
  return { from, to }
}

function readMetadata(section: Section): Map<string, string> {
  const tags: Section = { table: tableField(section, 'metadata'), where: `the metadata of ${section.where}` }
  return new Map(Object.keys(tags.table).map((name) => [name, textField(tags, name, '')]))
}

/** The real exporter would count one of them twice and lose the other. */
function refuseTwins(cloud: Cloud): void {
  const seen = new Set<string>()
  for (const { domainName, projectId, projectName } of cloud) {
    const key = JSON.stringify([domainName, projectId, projectName])
    if (seen.has(key)) {
      throw new UnusableError(
        `Domain "${domainName}" has two projects named "${projectName}" with the id "${projectId}"`,
      )
    }
    seen.add(key)
  }
}

/**
 * The cloud without the machines of that id in the projects of that name. A SimpleVM project goes by the name in its
 * machines' tag as well, for that is the name it is exported under.
 *
 * @throws {UnusableError} if there is no such machine.
 */
export function withoutMachine(cloud: Cloud, projectName: string, instanceId: string, simpleVmTag: string): Cloud {
  const deleted = (project: Project, machine: Machine) =>
    machine.instanceId === instanceId &&
    (project.projectName === projectName || machine.metadata.get(simpleVmTag) === projectName)
  if (!cloud.some((project) => project.machines.some((machine) => deleted(project, machine)))) {
    throw new UnusableError(`No project named "${projectName}" has a machine with the id "${instanceId}"`)
  }
  return cloud.map((project) => ({
    ...project,
    machines: project.machines.filter((machine) => !deleted(project, machine)),
  }))
}
