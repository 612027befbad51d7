/**
 * The world as people see it: groups by name with their credits, instead of attributes by definition.
 *
 * The demo and the tests set up and look at a Perun through this; programs under test use the RPC only.
 */
import type { Clock, Instant } from '../../core/time.ts'
import type { AttributeRole, Definition } from './definitions.ts'
import type { Address, AssignmentStatus, Change, Group, PerunStore } from './store.ts'

export type Timestamps = Readonly<Record<string, string>>

export interface NewGroup extends Edit {
  readonly name: string
  readonly id?: number
  /** Another VO than that of the simulator: such a group does not fit its resources. */
  readonly voId?: number
  /** Resources it is assigned to; those that do not exist are added. */
  readonly resources?: readonly number[]
}

/** What somebody changes; what is left out stays, null removes. */
export interface Edit {
  readonly used?: string | null
  readonly granted?: string | null
  readonly email?: readonly string[] | null
  /** By resource. */
  readonly timestamps?: Readonly<Record<number, Timestamps | null>>
}

export interface GroupState {
  readonly id: number
  readonly name: string
  /** Resources with an active assignment. */
  readonly resources: readonly number[]
  readonly granted: string | null
  readonly used: string | null
  /** As Perun writes it: `2026-11-21 03:18:17.293000`. */
  readonly usedModifiedAt: string | null
  readonly usedModifiedBy: string | null
  readonly email: readonly string[]
  /** By resource; only those that have any. */
  readonly timestamps: Readonly<Record<number, Timestamps>>
}

/** A write that succeeded, by the RPC or by `edit`. */
interface WriteRecord {
  readonly at: Instant
  readonly group: string
  readonly resource: number | null
  /** Absent when the call did not carry it, null when it removed it. */
  readonly used?: string | null
  readonly timestamps?: Timestamps | null
  readonly by: string
  /** False when Perun already had all of it. */
  readonly changed: boolean
}

export type Roles = Readonly<Partial<Record<AttributeRole, Definition>>>

/** How many of the latest writes are kept unless told otherwise. */
const WRITES_KEPT = 10_000

export type World = ReturnType<typeof worldOf>

/** The groups in `store`. `roles` says which of its attributes mean what. */
export function worldOf(store: PerunStore, roles: Roles, clock: Clock, writesKept = WRITES_KEPT) {
  const writes: WriteRecord[] = []
  const groupNamed = (name: string) => store.groupByName(store.vo.id, name)

  function role(name: AttributeRole): Definition {
    const definition = roles[name]
    if (definition === undefined) throw new RangeError(`The attribute "${name}" is not defined in this Perun`)
    return definition
  }

  function* changesOf(group: Group, { used, granted, email, timestamps = {} }: Edit): Generator<[Address, Change[]]> {
    const own = Object.entries({ used, granted, email }).filter(([, value]) => value !== undefined)
    const changes = own.map(([name, value]) => ({ definition: role(name as AttributeRole), value }))
    if (changes.length > 0) yield [{ group }, changes]
    for (const [id, value] of Object.entries(timestamps)) {
      yield [{ group, resource: store.resource(Number(id)) }, [{ definition: role('timestamps'), value }]]
    }
  }

  function addResource(id: number, name = `site-${id}`, voId = store.vo.id): void {
    store.addResource({ id, name, voId })
  }

  /** @returns Its id. @throws {RangeError} if the name or the id is taken. */
  function addGroup({ name, id, voId, resources = [], ...values }: NewGroup): number {
    const group = store.addGroup(name, id, voId)
    for (const resource of resources) {
      if (!store.hasResource(resource)) addResource(resource)
      store.assign(group, resource, 'ACTIVE')
    }
    for (const [address, changes] of changesOf(group, values)) store.write(address, changes, 'setup')
    return group.id
  }

  /** A change by somebody else than the worker, whose rights do not matter. */
  function edit(name: string, values: Edit, by = 'a person'): void {
    for (const [address, changes] of changesOf(groupNamed(name), values)) {
      record(address, changes, store.write(address, changes, by), by)
    }
  }

  /** Notes a write that succeeded. */
  function record({ group, resource }: Address, changes: readonly Change[], changed: boolean, by: string): void {
    const carried = (name: AttributeRole) => changes.findLast(({ definition }) => definition === roles[name])
    const [used, timestamps] = [carried('used'), carried('timestamps')]
    writes.push({
      at: clock.now(),
      group: group.name,
      resource: resource?.id ?? null,
      ...(used && { used: used.value as string | null }),
      ...(timestamps && { timestamps: timestamps.value as Timestamps | null }),
      by,
      changed,
    })
    // A tenth at a time, because moving those that stay costs the same for one as for many.
    if (writes.length > writesKept * 1.1) writes.splice(0, writes.length - writesKept)
  }

  function stateOf(group: Group): GroupState {
    const stored = (name: AttributeRole) => (roles[name] ? group.values.get(roles[name]) : undefined)
    const used = stored('used')
    return {
      id: group.id,
      name: group.name,
      resources: store.activeResources(group).map(({ id }) => id),
      granted: (stored('granted')?.value as string | undefined) ?? null,
      used: (used?.value as string | undefined) ?? null,
      usedModifiedAt: used?.modifiedAt ?? null,
      usedModifiedBy: used?.modifiedBy ?? null,
      email: [...((stored('email')?.value as readonly string[] | undefined) ?? [])],
      timestamps: timestampsOf(group, roles.timestamps),
    }
  }

  return {
    /** The latest writes, oldest first. */
    writes: writes as readonly WriteRecord[],
    record,
    addResource,
    addGroup,
    removeGroup: (name: string) => store.removeGroup(groupNamed(name)),
    assign: (name: string, resourceId: number, status: AssignmentStatus = 'ACTIVE') =>
      store.assign(groupNamed(name), resourceId, status),
    unassign: (name: string, resourceId: number) => store.unassign(groupNamed(name), resourceId),
    edit,
    read: (name: string) => stateOf(groupNamed(name)),
    readAll: () => Array.from(store.groups, stateOf),
    /** Takes rights on an attribute away from the service account, or gives them back. */
    setRights(name: AttributeRole, rights: { readonly readable?: boolean; readonly writable?: boolean }): void {
      Object.assign(role(name), rights)
    },
    /** Deletes an attribute with all its values and creates it again, which gives it another id. */
    redefine: (name: AttributeRole) => store.redefine(role(name)),
  }
}

function timestampsOf(group: Group, definition: Definition | undefined): Record<number, Timestamps> {
  const found = [...group.valuesByResource].map(
    ([id, values]) => [id, definition && values.get(definition)?.value] as const,
  )
  return Object.fromEntries(
    found.flatMap(([id, value]) => (value === undefined ? [] : [[id, { ...(value as Timestamps) }]])),
  )
}
