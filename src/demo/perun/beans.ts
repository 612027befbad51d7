/** The JSON of Perun's beans: every field, in Perun's order, absent values as null. */
import type { Definition } from './definitions.ts'
import type { Value } from './values.ts'

export interface Vo {
  readonly id: number
  readonly name: string
}

export interface Resource {
  readonly id: number
  readonly voId: number
  readonly name: string
}

export interface NamedGroup {
  readonly id: number
  readonly voId: number
  /** Full name, with the names of its parents: `parent:child`. */
  readonly name: string
}

/** A value in the database, and since when. */
export interface StoredValue {
  /** As Perun reads it back; `undefined` when it cannot read it any more. */
  readonly value: Value | undefined
  readonly createdAt: string
  readonly createdBy: string
  readonly modifiedAt: string
  readonly modifiedBy: string
}

const audit = {
  createdAt: null,
  createdBy: null,
  modifiedAt: null,
  modifiedBy: null,
  createdByUid: null,
  modifiedByUid: null,
}

export function attributeBean(definition: Definition, stored: StoredValue | undefined) {
  return {
    ...definitionHead(definition),
    value: stored?.value ?? null,
    valueCreatedAt: stored?.createdAt ?? null,
    valueCreatedBy: stored?.createdBy ?? null,
    valueModifiedAt: stored?.modifiedAt ?? null,
    valueModifiedBy: stored?.modifiedBy ?? null,
    ...definitionTail(definition, 'Attribute'),
  }
}

export function definitionBean(definition: Definition) {
  return { ...definitionHead(definition), ...definitionTail(definition, 'AttributeDefinition') }
}

function definitionHead({ id, friendlyName, namespace, type, displayName, writable }: Definition) {
  return { id, ...audit, friendlyName, namespace, description: null, type, displayName, writable, unique: false }
}

function definitionTail({ friendlyName, entity }: Definition, beanName: string) {
  const [baseFriendlyName, ...parameters] = friendlyName.split(':')
  return { baseFriendlyName, entity, friendlyNameParameter: parameters.join(':'), beanName }
}

export function groupBean({ id, voId, name }: NamedGroup) {
  return { ...groupHead(id, voId, name), beanName: 'Group' }
}

export function richGroupBean({ id, voId, name }: NamedGroup, attributes: readonly unknown[]) {
  return { ...groupHead(id, voId, name), attributes, beanName: 'RichGroup' }
}

function groupHead(id: number, voId: number, name: string) {
  const shortName = name.slice(name.lastIndexOf(':') + 1)
  return { id, ...audit, voId, parentGroupId: null, name, description: name, uuid: uuid(1, id), shortName }
}

export function resourceBean({ id, voId, name }: Resource) {
  return { id, ...audit, facilityId: id + 1, voId, name, description: name, uuid: uuid(2, id), beanName: 'Resource' }
}

export function voBean({ id, name }: Vo) {
  return { id, ...audit, name, shortName: name, uuid: uuid(3, id), beanName: 'Vo' }
}

/** A UUID that belongs to the `id` of one kind of bean, so that it is the same after every start. */
function uuid(kind: number, id: number): string {
  return `00000000-0000-4000-800${kind}-${id.toString(16).padStart(12, '0')}`
}
