/**
 * Perun's database, as far as credits go: groups, resources, who is assigned to what, and attributes.
 *
 * It keeps Perun's rules about values, also the surprising ones: empty means removal, the same value again changes nothing,
 * one call is written whole or not at all, nobody is warned about overwriting what somebody else wrote, and whether a group
 * is assigned to a resource does not matter for its attributes there. It knows nothing of HTTP.
 */
import { type Clock, formatPerunTimestamp } from '../../core/time.ts'
import type { NamedGroup, Resource, StoredValue, Vo } from './beans.ts'
import { attributeBean, richGroupBean } from './beans.ts'
import type { Definition } from './definitions.ts'
import { checked, runtime } from './exceptions.ts'
import { checkedValue, isEmpty, sameValue, throughDatabase } from './values.ts'

export type AssignmentStatus = 'ACTIVE' | 'INACTIVE' | 'FAILED' | 'PROCESSING'

type Values = Map<Definition, StoredValue>

export interface Group extends NamedGroup {
  readonly values: Values
  readonly valuesByResource: Map<number, Values>
  readonly assignments: Map<number, AssignmentStatus>
}

/** What a call speaks about. With a resource, `withGroup` says whether attributes of the group itself belong to it too. */
export interface Address {
  readonly group: Group
  readonly resource?: Resource
  readonly withGroup?: boolean
}

/** One attribute to set; an empty value removes it. */
export interface Change {
  readonly definition: Definition
  readonly value: unknown
}

/** Where new groups get their ids from. */
const FIRST_GROUP_ID = 31_001

export class PerunStore {
  readonly vo: Vo
  /** Those of groups first, which is the order they are listed in. */
  readonly definitions: readonly Definition[]
  /** As with `perun.readOnlyPerun`: reads work, and so do writes that change nothing. */
  readOnly = false
  readonly #clock: Clock
  readonly #groups = new Map<number, Group>()
  readonly #idByName = new Map<string, number>()
  readonly #resources = new Map<number, Resource>()
  /** Groups of a resource in the order of their assignment, whatever its status. */
  readonly #assigned = new Map<number, Set<Group>>()
  #nextGroupId = FIRST_GROUP_ID
  #lastStamp = { at: Number.NEGATIVE_INFINITY, count: 0 }

  constructor({ vo, definitions, clock }: { vo: Vo; definitions: readonly Definition[]; clock: Clock }) {
    this.vo = vo
    this.definitions = [...definitions].sort((a, b) => a.entity.localeCompare(b.entity))
    this.#clock = clock
  }

  addResource(resource: Resource): void {
    this.#resources.set(resource.id, resource)
    this.#assigned.set(resource.id, this.#assigned.get(resource.id) ?? new Set())
  }

  hasResource(id: number): boolean {
    return this.#resources.has(id)
  }

  /** @throws {RangeError} if the name or the id is taken. */
  addGroup(name: string, id = this.#nextGroupId, voId = this.vo.id): Group {
    if (this.#groups.has(id)) throw new RangeError(`A group with id ${id} exists`)
    if (this.#idByName.has(`${voId} ${name}`)) throw new RangeError(`A group "${name}" exists in VO ${voId}`)
    const group = { id, voId, name, values: new Map(), valuesByResource: new Map(), assignments: new Map() }
    this.#groups.set(id, group)
    this.#idByName.set(`${voId} ${name}`, id)
    this.#nextGroupId = Math.max(this.#nextGroupId, id + 1)
    return group
  }

  removeGroup(group: Group): void {
    this.#groups.delete(group.id)
    this.#idByName.delete(`${group.voId} ${group.name}`)
    for (const groups of this.#assigned.values()) groups.delete(group)
  }

  assign(group: Group, resourceId: number, status: AssignmentStatus): void {
    const resource = this.resource(resourceId)
    group.assignments.set(resource.id, status)
    this.#assigned.get(resource.id)!.add(group)
  }

  unassign(group: Group, resourceId: number): void {
    group.assignments.delete(resourceId)
    this.#assigned.get(resourceId)?.delete(group)
  }

  get groups(): Iterable<Group> {
    return this.#groups.values()
  }

  /** @throws {PerunException} if there is none. So do the following. */
  group(id: number): Group {
    const group = this.#groups.get(id)
    if (group === undefined) throw checked('GroupNotExistsException', `Group id=${id} not exists`, { group: null })
    return group
  }

  groupByName(voId: number, name: string): Group {
    const id = this.#idByName.get(`${voId} ${name}`)
    if (id === undefined) {
      throw checked('GroupNotExistsException', `Group name=${name}, vo id=${voId} not exists`, { group: null })
    }
    return this.group(id)
  }

  resource(id: number): Resource {
    const resource = this.#resources.get(id)
    if (resource === undefined) {
      throw checked('ResourceNotExistsException', `Resource id=${id} not exists`, { resource: null })
    }
    return resource
  }

  definitionByName(name: string): Definition {
    const found = this.definitions.find((definition) => definition.name === name)
    if (found === undefined) throw attributeNotExists(`Attribute - attribute.name='${name}'`)
    return found
  }

  definitionById(id: number): Definition {
    const found = this.definitions.find((definition) => definition.id === id)
    if (found === undefined) throw attributeNotExists(`Attribute id= "${id}"`)
    return found
  }

  /** Groups whose assignment is in force. */
  activeGroups(resource: Resource): Group[] {
    const groups = [...this.#assigned.get(resource.id)!]
    return groups.filter((group) => group.assignments.get(resource.id) === 'ACTIVE')
  }

  activeResources(group: Group): Resource[] {
    const active = [...group.assignments].filter(([, status]) => status === 'ACTIVE')
    return active.map(([id]) => this.resource(id))
  }

  /**
   * The attributes of these names as beans, those of the group first.
   *
   * What is defined but not set has the value null. What is not defined, not readable or not of this address is absent.
   *
   * @param names All attributes that are set, when left out.
   */
  attributes(address: Address, names?: readonly string[]) {
    return attributeBeans(address, this.#readable(names), names === undefined)
  }

  /** One attribute. @throws {PerunException} if the address cannot have it or the service account may not read it. */
  attribute(address: Address, definition: Definition) {
    const values = valuesAt(address, definition)
    if (values === undefined) throw wrongAssignment(definition)
    if (!definition.readable) throw privilege(`read ${definition.name}`)
    return attributeBean(definition, readBack(definition, values.get(definition)))
  }

  /** All groups of a resource with the attributes of both kinds. One value that cannot be read spoils the whole list. */
  richGroups(resource: Resource, names?: readonly string[]) {
    const definitions = this.#readable(names)
    return this.activeGroups(resource).map((group) =>
      richGroupBean(group, attributeBeans({ group, resource, withGroup: true }, definitions, names === undefined)),
    )
  }

  #readable(names?: readonly string[]): Definition[] {
    return this.definitions.filter(({ name, readable }) => readable && (names === undefined || names.includes(name)))
  }

  /**
   * Makes all the changes of one call, or none.
   *
   * @param by Who is noted as the one who modified them.
   * @returns Whether anything is different now.
   * @throws {PerunException} before anything has changed.
   */
  write(address: Address, changes: readonly Change[], by: string): boolean {
    const prepared = changes.map((change) => prepare(address, change))
    const differing = prepared.filter(({ values, definition, value }) => {
      const stored = values.get(definition)?.value
      return value === undefined ? values.has(definition) : stored === undefined || !sameValue(stored, value)
    })
    if (differing.length === 0) return false
    if (this.readOnly) throw runtime('InternalErrorException', 'SQL merger (or other) failed more than 10 times')
    const at = this.#stamp()
    for (const { values, definition, value } of differing) {
      const { createdAt, createdBy } = values.get(definition) ?? { createdAt: at, createdBy: by }
      if (value === undefined) values.delete(definition)
      else
        values.set(definition, { value: throughDatabase(value), createdAt, createdBy, modifiedAt: at, modifiedBy: by })
    }
    return true
  }

  /** Deletes a definition with all its values and creates it again, which gives it another id. */
  redefine(definition: Definition): void {
    for (const group of this.#groups.values()) {
      group.values.delete(definition)
      for (const values of group.valuesByResource.values()) values.delete(definition)
    }
    definition.id = Math.max(...this.definitions.map(({ id }) => id)) + 1
  }

  /** The time of a transaction. Two in the same millisecond are told apart by a microsecond, as in a real database. */
  #stamp(): string {
    const at = this.#clock.now()
    this.#lastStamp = { at, count: at === this.#lastStamp.at ? Math.min(this.#lastStamp.count + 1, 999) : 0 }
    return formatPerunTimestamp(at).slice(0, -3) + String(this.#lastStamp.count).padStart(3, '0')
  }
}

/** Where the values for a definition are, or `undefined` if its namespace does not fit the address. */
function valuesAt({ group, resource, withGroup = resource === undefined }: Address, { entity }: Definition) {
  if (entity === 'group') return withGroup ? group.values : undefined
  if (resource === undefined) return undefined
  const values = group.valuesByResource.get(resource.id) ?? new Map<Definition, StoredValue>()
  group.valuesByResource.set(resource.id, values)
  return values
}

function attributeBeans(address: Address, definitions: readonly Definition[], onlySet: boolean) {
  const beans = []
  for (const definition of definitions) {
    const values = valuesAt(address, definition)
    const stored = readBack(definition, values?.get(definition))
    if (values !== undefined && (stored !== undefined || !onlySet)) beans.push(attributeBean(definition, stored))
  }
  return beans
}

/** A change that can be made: nothing can go wrong with it any more. A `value` of `undefined` is a removal. */
function prepare(address: Address, { definition, value }: Change) {
  const values = valuesAt(address, definition)
  if (values === undefined) throw wrongAssignment(definition)
  if (isEmpty(value)) return { values, definition, value: undefined }
  const fitting = checkedValue(definition.type, value)
  // Perun compares with what is stored, so it has to be able to read that.
  readBack(definition, values.get(definition))
  return { values, definition, value: fitting }
}

function readBack({ name }: Definition, stored: StoredValue | undefined): StoredValue | undefined {
  if (stored === undefined || stored.value !== undefined) return stored
  throw runtime('InternalErrorException', `Attribute conversion failed: ${name}`)
}

export function privilege(action: string) {
  return checked('PrivilegeException', `Principal is not authorized to perform action '${action}'`)
}

export function attributeNotExists(detail: string) {
  return checked('AttributeNotExistsException', detail, { attribute: null })
}

function wrongAssignment({ name }: Definition) {
  return checked('WrongAttributeAssignmentException', `Attribute ${name} does not belong to the entity`, {
    attribute: null,
  })
}
