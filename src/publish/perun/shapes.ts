/**
 * Whether an answer has the shape that Perun's have. One of another shape is none: a proxy or a newer Perun wrote it, and to
 * take what it lacks for what is not set would overwrite that.
 */
import { PerunError } from './rpc.ts'

export interface GroupBean {
  readonly id: number
  readonly name: string
  readonly voId: number
  readonly attributes?: unknown
}

export interface DefinitionBean {
  readonly id: number
  readonly friendlyName: string
  readonly namespace: string
  readonly type: string
  readonly unique?: boolean
}

/** An attribute as Perun sends it; the parts we read. */
export interface AttributeBean {
  readonly friendlyName: string
  readonly namespace: string
  readonly value?: unknown
  readonly valueModifiedAt?: unknown
  readonly valueModifiedBy?: unknown
}

/** @throws {PerunError} unless `answer` is a group, perhaps with something as its attributes. */
export function readGroup(method: string, answer: unknown): GroupBean {
  const { id, name, voId, attributes } = fieldsOf(answer)
  if (isId(id) && typeof name === 'string' && isId(voId)) return { id, name, voId, attributes }
  throw otherShape(method, 'a group')
}

/** @throws {PerunError} unless `answer` is the definition of an attribute. */
export function readDefinition(method: string, answer: unknown): DefinitionBean {
  const { id, friendlyName, namespace, type, unique } = fieldsOf(answer)
  if (isId(id) && isText(friendlyName) && isText(namespace) && isText(type)) {
    return { id, friendlyName, namespace, type, ...(typeof unique === 'boolean' && { unique }) }
  }
  throw otherShape(method, 'a definition')
}

/** @throws {PerunError} unless `answer` is a list of attributes. */
export function readAttributes(method: string, answer: unknown): readonly AttributeBean[] {
  const list = readList(method, answer)
  if (list.every(isAttribute)) return list
  throw otherShape(method, 'attributes')
}

/** @throws {PerunError} unless `answer` is a list. */
export function readList(method: string, answer: unknown): readonly unknown[] {
  if (Array.isArray(answer)) return answer
  throw otherShape(method, 'a list')
}

function otherShape(method: string, expected: string): PerunError {
  return new PerunError(method, 'unavailable', `not the shape of ${expected}`)
}

function isAttribute(answer: unknown): answer is AttributeBean {
  const { namespace, friendlyName } = fieldsOf(answer)
  return isText(namespace) && isText(friendlyName)
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
