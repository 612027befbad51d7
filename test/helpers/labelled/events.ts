/** What may happen to a site: faults of its exporter, and what only looks like one. */
import type { Random } from './random.ts'
import { flavours, type Machine, type Project, runningMachine, type Site } from './site.ts'

/**
 * Something that happens at an instant.
 *
 * @param longest Seconds after which what lasts only for a while is over.
 * @returns What happens later.
 */
export type Happening = (site: Site, at: number, random: Random, longest: number) => readonly Later[]

/** What happens some seconds after a happening. */
export interface Later {
  readonly seconds: number
  readonly happen: (at: number) => void
}

export const labels = [
  'restart',
  'subject removed',
  'dropped for a while',
  're-weighted',
  're-weighted, one flavour',
  'start moved later',
  'start moved earlier',
  'purge',
  'unit switched',
  'unit switched and back',
  'series merged',
  'no fault: nothing',
  'no fault: stalled for hours',
  'no fault: 100 machines',
  'no fault: starts again',
  'no fault: new project',
  'no fault: many start',
] as const

export type Label = (typeof labels)[number]

/** Hours that the exporter stands still. */
export const STALL_HOURS = 6

/** Seconds: machines that ran for less are not told from consumption when they come back. */
const OLD = 7 * 24 * 3_600

const none: readonly Later[] = []

export const happenings: Readonly<Record<Label, Happening>> = {
  restart(site, at) {
    site.start = at
    return none
  },
  'subject removed'(site, at, random) {
    const { machines } = random.pick(counting(site, at))
    const machine = random.pick(machines.filter(({ from }) => from < at))
    machine.until = Math.min(machine.until, at)
    machine.isDropped = true
    return none
  },
  'dropped for a while'(site, at, random, longest) {
    const dropped = counting(site, at).flatMap(({ machines }) => {
      const old = machines.filter(({ from, until }) => Math.min(until, at) - from >= OLD)
      return random.isOne(0.3) ? old.slice(0, random.whole(1, old.length)) : []
    })
    for (const machine of dropped) machine.isDropped = true
    // They come back one after another, some never.
    return dropped.flatMap((machine) =>
      random.isOne(0.8) ? [{ seconds: random.whole(60, longest), happen: () => void delete machine.isDropped }] : [],
    )
  },
  're-weighted'(site, at, random) {
    const [cpu, ram] = [random.pick(factors), random.isOne(0.5) ? 1 : random.pick(factors)]
    reweight(site, at, () => ({ cpu, ram }))
    return none
  },
  're-weighted, one flavour'(site, at, random) {
    // One that several projects use. When it concerns one or two, their totals say no more than those of a small site.
    const users = flavours.map((_, index) => counting(site, at).filter((each) => hasRun(each, index, at)).length)
    const popular = users.indexOf(Math.max(...users))
    const [cpu, ram] = [random.pick(factors), random.pick(factors)]
    const isAffected = (flavour: number) => flavour === popular || users[popular]! < 3
    reweight(site, at, (flavour) => (isAffected(flavour) ? { cpu, ram } : { cpu: 1, ram: 1 }))
    return none
  },
  'start moved later'(site, at, random) {
    site.start = Math.floor(at * random.between(0.1, 0.8))
    return none
  },
  // The site has shown only what was consumed since then; `before` of the run sets it.
  'start moved earlier'(site) {
    site.start = 0
    return none
  },
  purge(site, at, random) {
    site.purgedBefore = Math.floor(at * random.between(0.3, 0.95))
    return none
  },
  'unit switched'(site) {
    site.ramUnit = 1_024
    return none
  },
  'unit switched and back'(site, _, random, longest) {
    site.ramUnit = 1_024
    const happen = () => {
      site.ramUnit = 1
    }
    return [{ seconds: random.whole(60, longest), happen }]
  },
  'series merged'(site, at, random) {
    const into = random.pick(counting(site, at))
    const others = counting(site, at).filter((each) => each !== into)
    if (others.length === 0) return none
    const from = random.pick(others)
    into.machines = [...into.machines, ...from.machines]
    from.machines = []
    from.isGone = true
    return none
  },
  'no fault: nothing': () => none,
  'no fault: stalled for hours': () => none,
  'no fault: 100 machines'(site, at, random) {
    start(random.pick(site.projects), at, random, 100)
    return none
  },
  'no fault: starts again'(site, at, random) {
    const stopped = site.projects.filter(({ machines }) => machines.every(({ until }) => until <= at))
    start(random.pick(stopped.length > 0 ? stopped : site.projects), at, random, random.whole(1, 10))
    return none
  },
  'no fault: new project'(site, at, random) {
    const project: Project = { name: 'new project', machines: [] }
    start(project, at, random, random.whole(1, 20))
    site.projects.push(project)
    return none
  },
  // A course begins: a tenth of the projects starts some machines within one update.
  'no fault: many start'(site, at, random) {
    for (const project of site.projects) if (random.isOne(0.1)) start(project, at, random, random.whole(1, 5))
    return none
  },
}

const factors = [0.5, 0.8, 1.2, 1.5, 2, 3]

/** Projects with a machine that has run. */
function counting(site: Site, at: number): Project[] {
  return site.projects.filter(({ machines }) => machines.some(({ from }) => from < at))
}

function hasRun({ machines }: Project, flavour: number, at: number): boolean {
  return machines.some((machine) => machine.flavour === flavour && machine.from < at)
}

function reweight(site: Site, at: number, factorOf: (flavour: number) => { cpu: number; ram: number }): void {
  const { tenths } = site.weights.at(-1)!
  site.weights.push({
    since: at,
    tenths: tenths.map((own, index) => {
      const { cpu, ram } = factorOf(index)
      return { cpu: Math.round(own.cpu * cpu), ram: Math.round(own.ram * ram) }
    }),
  })
}

function start(project: Project, at: number, random: Random, count: number): void {
  const flavour = random.whole(0, flavours.length - 1)
  const added = Array.from({ length: count }, (): Machine => runningMachine(flavour, at))
  project.machines = [...project.machines, ...added]
}
