/**
 * Definitions of attributes: the names, types and rights of what a group can hold, by itself or together with a resource.
 *
 * The four that de.NBI uses are there from the start. Their ids are unlike those of any known Perun on purpose: a client
 * has to look them up.
 */
import type { JavaType } from './values.ts'

export type AttributeRole = 'used' | 'granted' | 'email' | 'timestamps'

export interface AttributeSpec {
  /** Full name: `urn:perun:group:attribute-def:opt:denbiCreditsCurrent`. Of a group, or of a group with a resource. */
  readonly name: string
  readonly id: number
  readonly type: JavaType
  readonly displayName: string
  /** Whether the service account may read it, default yes. An unreadable attribute is left out of lists without a word. */
  readonly readable?: boolean
  /** Whether the service account may write it, default yes. */
  readonly writable?: boolean
}

export const deNbiAttributes: Readonly<Record<AttributeRole, AttributeSpec>> = {
  used: {
    name: 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent',
    id: 50_117,
    type: 'java.lang.String',
    displayName: 'de.NBI credits used',
  },
  granted: {
    name: 'urn:perun:group:attribute-def:opt:denbiCreditsGranted',
    id: 50_121,
    type: 'java.lang.String',
    displayName: 'de.NBI credits granted',
  },
  email: {
    name: 'urn:perun:group:attribute-def:def:toEmail',
    id: 50_044,
    type: 'java.util.ArrayList',
    displayName: 'Contact addresses',
  },
  timestamps: {
    name: 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps',
    id: 50_139,
    type: 'java.util.LinkedHashMap',
    displayName: 'de.NBI credit timestamps',
  },
}

/** A definition in a running Perun: rights can be lost and the id can change while it runs. */
export interface Definition {
  id: number
  readable: boolean
  writable: boolean
  readonly name: string
  readonly namespace: string
  readonly friendlyName: string
  readonly entity: 'group' | 'group_resource'
  readonly type: JavaType
  readonly displayName: string
}

/** @throws {RangeError} if the name is not one of a group or of a group with a resource. */
export function define({ name, readable = true, writable = true, ...spec }: AttributeSpec): Definition {
  const match = /^(urn:perun:(group|group_resource):attribute-def:(?:def|opt)):(.+)$/.exec(name)
  if (match === null) throw new RangeError(`Expected the name of a group or group_resource attribute, got "${name}"`)
  const entity = match[2] === 'group' ? 'group' : 'group_resource'
  return { ...spec, name, readable, writable, entity, namespace: match[1]!, friendlyName: match[3]! }
}
