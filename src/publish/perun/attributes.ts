/**
 * The attributes we read and write, looked up by name at the start.
 *
 * Perun takes an attribute only if its id, namespace, friendly name and type all match its definition, and ids differ from
 * one Perun to the next; so none of them is configured.
 */
import { PerunError, type PerunRpc } from './rpc.ts'
import { type DefinitionBean, readDefinition } from './shapes.ts'

export interface AttributeNames {
  readonly used: string
  readonly granted: string
  readonly timestamps: string
}

export interface Definitions {
  readonly used: DefinitionBean
  readonly granted: DefinitionBean
  readonly timestamps: DefinitionBean
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

async function lookUp(rpc: PerunRpc, role: keyof AttributeNames, attributeName: string): Promise<DefinitionBean> {
  const method = 'attributesManager/getAttributeDefinition'
  const definition = readDefinition(method, await rpc.call(method, { attributeName }))
  const { type } = definition
  if (!expectedTypes[role].includes(type)) {
    const expected = expectedTypes[role].join(' or ')
    throw new PerunError(method, 'refused', `${attributeName} has type ${type}, ${expected} is needed`)
  }
  return definition
}

/** The attribute with a value, as `setAttributes` takes it. */
export function withValue(definition: DefinitionBean, value: string | Record<string, string>): object {
  return { ...definition, value }
}

/** The full name, which Perun does not send: `urn:perun:group:attribute-def:opt:denbiCreditsCurrent`. */
export function fullName({ namespace, friendlyName }: Pick<DefinitionBean, 'namespace' | 'friendlyName'>): string {
  return `${namespace}:${friendlyName}`
}
