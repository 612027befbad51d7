/** The form of the planner as it stands in an address. Kinds of machines come one after another, each with the same fields. */
import type { Meter } from '../../core/meters.ts'

/** Fields of one kind of machines, by name: `count`, `hours`, `size.cpu`, `weight.cpu`. */
type Kind = Readonly<Record<string, string>>

export interface PlanForm {
  readonly kinds: readonly Kind[]
  readonly days: string
  readonly credits: string
  readonly granted: string
  readonly used: string
}

/** A kind that nothing was written into. */
export const emptyKind: Kind = {}

/** How many kinds a new form has room for, and by how many more it grows. */
const FEW = 2
/** An address has no room for more. */
const MOST = 50

export function readPlanForm(query: URLSearchParams, meters: readonly Meter[]): PlanForm {
  const names = ['count', 'hours', ...meters.flatMap(({ name }) => [`size.${name}`, `weight.${name}`])]
  const columns = names.map((name) => query.getAll(name).slice(0, MOST))
  const length = Math.max(0, ...columns.map((column) => column.length))
  const given = Array.from({ length }, (_, index): Kind => {
    const fields = names.map((name, column) => [name, (columns[column]![index] ?? '').trim()] as const)
    return fields.every(([, value]) => value === '') ? emptyKind : Object.fromEntries(fields)
  })
  const kinds = query.has('more') ? [...given, ...room(FEW)] : given
  const one = (name: string) => (query.get(name) ?? '').trim()
  return {
    kinds: [...kinds, ...room(FEW - kinds.length)].slice(0, MOST),
    days: one('days'),
    credits: one('credits'),
    granted: one('granted'),
    used: one('used'),
  }
}

function room(count: number): Kind[] {
  return Array<Kind>(Math.max(0, count)).fill(emptyKind)
}

/** Whether there is something to compute: a form that only knows the grant of a project is still to be filled in. */
export function isAsked({ kinds }: PlanForm): boolean {
  return kinds.some((kind) => kind !== emptyKind)
}

/** What `POST /api/plan` would be sent. A field that was left empty is none. */
export function bodyOf({ kinds, ...rest }: PlanForm): object {
  const machines = kinds
    .filter((kind) => kind !== emptyKind)
    .map((kind) => {
      const [sizes, weights] = [partsOf(kind, 'size.'), partsOf(kind, 'weight.')]
      const { count, hours } = filled({ count: kind.count!, hours: kind.hours! })
      return {
        sizes,
        ...(Object.keys(weights).length > 0 && { weights }),
        ...(count !== undefined && { count }),
        ...(hours !== undefined && { hours_per_day: hours }),
      }
    })
  return { machines, ...filled(rest) }
}

function partsOf(kind: Kind, prefix: string): Record<string, string> {
  const fields = Object.entries(kind).filter(([name, value]) => name.startsWith(prefix) && value !== '')
  return Object.fromEntries(fields.map(([name, value]) => [name.slice(prefix.length), value]))
}

function filled<Name extends string>(fields: Readonly<Record<Name, string>>): Partial<Record<Name, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')) as Partial<Record<Name, string>>
}
