/**
 * The attributes we read and write, looked up by name at the start.
 *
 * Perun takes an attribute only if its id, namespace, friendly name and type all match its definition, and ids differ from
 * one Perun to the next; so none of them is configured.
 */
import { PerunError, type PerunRpc } from './rpc.ts'

export interface AttributeNames {
  readonly used: string
  readonly granted: string
  readonly timestamps: string
}

/** What identifies an attribute in a call. */
export interface Definition {
  readonly id: number
  readonly friendlyName: string
  readonly namespace: string
  readonly type: string
  readonly unique?: boolean
}

export interface Definitions {
  readonly used: Definition
  readonly granted: Definition
  readonly timestamps: Definition
}

/** An attribute as Perun sends it; the parts we read. */
export interface AttributeBean extends Definition {
  readonly value: unknown
  readonly writable?: boolean
  readonly valueModifiedAt?: string | null
  readonly valueModifiedBy?: string | null
}

const expectedTypes: Readonly<Record<keyof AttributeNames, readonly string[]>> = {
  used: ['java.lang.String'],
  granted: ['java.lang.String', 'java.lang.Integer'],
  timestamps: ['java.util.LinkedHashMap'],
}

/** @throws {PerunError} if one does not exist, has another type than it needs, or Perun does not answer. */
export async function lookUpDefinitions(rpc: PerunRpc, names: AttributeNames): Promise<Definitions> {
  const [used, granted, timestamps] = await Promise.all([
    lookUp(rpc, 'used', names.used),
    lookUp(rpc, 'granted', names.granted),
    lookUp(rpc, 'timestamps', names.timestamps),
  ])
  return { used, granted, timestamps }
}

async function lookUp(rpc: PerunRpc, role: keyof AttributeNames, attributeName: string): Promise<Definition> {
  const method = 'attributesManager/getAttributeDefinition'
  const { id, friendlyName, namespace, type, unique } = (await rpc.call(method, { attributeName })) as AttributeBean
  if (!expectedTypes[role].includes(type)) {
    const expected = expectedTypes[role].join(' or ')
    throw new PerunError(method, 'refused', `${attributeName} has type ${type}, ${expected} is needed`)
  }
  return { id, friendlyName, namespace, type, ...(unique !== undefined && { unique }) }
}

/** The attribute with a value, as `setAttributes` takes it. */
export function withValue(definition: Definition, value: string | Record<string, string>): object {
  return { ...definition, value }
}

/** The full name, which Perun does not send: `urn:perun:group:attribute-def:opt:denbiCreditsCurrent`. */
export function fullName({ namespace, friendlyName }: Pick<Definition, 'namespace' | 'friendlyName'>): string {
  return `${namespace}:${friendlyName}`
}
