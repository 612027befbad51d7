/**
 * The methods of Perun's RPC that a credits worker may want, each a few lines from parameters to the store.
 *
 * Perun has many methods of one name and chooses among them by the parameters that are present, in a fixed order of
 * precedence. A parameter too many therefore does not fail, it addresses something else.
 */
import type { Clock } from '../../core/time.ts'
import { definitionBean, groupBean, resourceBean, voBean } from './beans.ts'
import type { Definition } from './definitions.ts'
import { checked, rpcException, runtime } from './exceptions.ts'
import type { Parameters, SentAttribute } from './parameters.ts'
import { type Address, attributeNotExists, type Change, type PerunStore, privilege } from './store.ts'

/** Who calls, and what is told about writes. */
export interface Caller {
  readonly login: string
  readonly clock: Clock
  /** Called after each write that succeeded. */
  wrote(address: Address, changes: readonly Change[], changed: boolean): void
}

interface Method {
  /** Refused for GET. */
  readonly changesState?: true
  call(parameters: Parameters, store: PerunStore, caller: Caller): unknown
}

const attributesManager: Readonly<Record<string, Method>> = {
  getAttributeDefinition: {
    call: (parameters, store) => definitionBean(store.definitionByName(parameters.text('attributeName'))),
  },
  getAttributesDefinition: { call: (_, store) => store.definitions.map(definitionBean) },
  getAttributes: {
    call(parameters, store) {
      const address = addressOf(parameters, store)
      if (address === undefined) return []
      // With a resource, names are looked at only together with workWithGroupAttributes.
      const byName = parameters.has('attrNames') && (address.resource === undefined || address.withGroup !== undefined)
      return store.attributes(address, byName ? parameters.texts('attrNames') : undefined)
    },
  },
  getAttribute: {
    call(parameters, store) {
      const address = addressOf(parameters, store)
      const definition = parameters.has('attributeId')
        ? store.definitionById(parameters.int('attributeId'))
        : store.definitionByName(parameters.text('attributeName'))
      if (address === undefined) throw notOfGroup(definition)
      return store.attribute(address, definition)
    },
  },
  setAttribute: {
    changesState: true,
    call: (parameters, store, caller) => set(parameters, store, caller, () => [parameters.attribute('attribute')]),
  },
  setAttributes: {
    changesState: true,
    call: (parameters, store, caller) => set(parameters, store, caller, () => parameters.attributes('attributes')),
  },
  removeAttribute: {
    changesState: true,
    call: (parameters, store, caller) => remove(parameters, store, caller, () => [parameters.int('attribute')]),
  },
  removeAttributes: {
    changesState: true,
    call: (parameters, store, caller) => remove(parameters, store, caller, () => parameters.ints('attributes')),
  },
}

const groupsManager: Readonly<Record<string, Method>> = {
  getGroupById: { call: (parameters, store) => groupBean(store.group(parameters.int('id'))) },
  getGroupByName: {
    call(parameters, store) {
      const vo = voOf(parameters.int('vo'), store)
      const name = parameters.text('name')
      if (name.includes('\0'))
        throw runtime('InternalErrorException', 'invalid byte sequence for encoding "UTF8": 0x00')
      return groupBean(store.groupByName(vo.id, name))
    },
  },
  getRichGroupsAssignedToResourceWithAttributesByNames: {
    call(parameters, store) {
      const resource = store.resource(parameters.int('resource'))
      if (parameters.has('member')) throw notExists('member', parameters.int('member'))
      const names = parameters.has('attrNames') ? parameters.texts('attrNames') : []
      // An empty list of names means all of them here, not none.
      return store.richGroups(resource, names.length === 0 ? undefined : names)
    },
  },
}

const resourcesManager: Readonly<Record<string, Method>> = {
  getResourceById: { call: (parameters, store) => resourceBean(store.resource(parameters.int('id'))) },
  getAssignedGroups: {
    call: (parameters, store) => store.activeGroups(store.resource(parameters.int('resource'))).map(groupBean),
  },
  getAssignedResources: {
    call: (parameters, store) => store.activeResources(store.group(parameters.int('group'))).map(resourceBean),
  },
}

const managers: Readonly<Record<string, Readonly<Record<string, Method>>>> = {
  attributesManager,
  groupsManager,
  resourcesManager,
  vosManager: { getVoById: { call: (parameters, store) => voBean(voOf(parameters.int('id'), store)) } },
  utils: { getPerunSystemTimeInMillis: { call: (_parameters, _store, { clock }) => clock.now() } },
  authzResolver: { getPerunPrincipal: { call: (_parameters, { vo }, caller) => principal(caller, vo.id) } },
}

/**
 * The method of this name.
 *
 * @throws {PerunException} if there is none, or if it changes something and `isGet`.
 */
export function methodNamed(manager: string, method: string, isGet: boolean): Method {
  const methods = Object.hasOwn(managers, manager) ? managers[manager]! : undefined
  if (methods === undefined) throw rpcException('UNKNOWN_MANAGER', manager)
  // The OpenAPI description of Perun names some methods so.
  const name = method.replace(/BodyParams$/, '')
  if (!Object.hasOwn(methods, name)) throw rpcException('UNKNOWN_METHOD', `Method ${name} in ${manager}`)
  const found = methods[name]!
  if (isGet && found.changesState) throw rpcException('STATE_CHANGING_CALL', 'This is a state changing operation')
  return found
}

/**
 * What a call of the attributes manager is about, by the parameters that are present: facility before VO, resource, member,
 * user and group. A group counts only when none of the others is there, or with a resource. There are no facilities, members
 * and users in this Perun.
 *
 * @returns `undefined` for a VO or a resource by itself: they exist, and have no attributes here.
 */
function addressOf(parameters: Parameters, store: PerunStore): Address | undefined {
  if (parameters.has('facility')) throw notExists('facility', parameters.int('facility'))
  if (parameters.has('vo')) {
    voOf(parameters.int('vo'), store)
    return undefined
  }
  if (parameters.has('resource')) return resourceAddress(parameters, store)
  const person = ['member', 'user'].find((name) => parameters.has(name))
  if (person !== undefined) throw notExists(person, parameters.int(person))
  if (parameters.has('group')) return { group: store.group(parameters.int('group')) }
  throw rpcException('MISSING_VALUE', 'facility, vo, resource, member, user, host, group, userExtSource or key')
}

function resourceAddress(parameters: Parameters, store: PerunStore): Address | undefined {
  const resource = store.resource(parameters.int('resource'))
  if (parameters.has('member')) throw notExists('member', parameters.int('member'))
  if (!parameters.has('group')) return undefined
  const group = store.group(parameters.int('group'))
  if (group.voId !== resource.voId) {
    throw checked(
      'GroupResourceMismatchException',
      `Group ${group.id} and resource ${resource.id} are in different VOs`,
    )
  }
  if (!parameters.has('workWithGroupAttributes')) return { group, resource }
  return { group, resource, withGroup: parameters.flag('workWithGroupAttributes') }
}

/** Perun finds the entities before it reads the attributes, hence the function. */
function set(parameters: Parameters, store: PerunStore, caller: Caller, sent: () => readonly SentAttribute[]): null {
  const address = addressOf(parameters, store)
  const changes = sent().map((attribute) => ({ definition: definitionOf(attribute, store), value: attribute.value }))
  return write(address, changes, store, caller)
}

function remove(parameters: Parameters, store: PerunStore, caller: Caller, ids: () => readonly number[]): null {
  const address = addressOf(parameters, store)
  const changes = ids().map((id) => ({ definition: store.definitionById(id), value: null }))
  return write(address, changes, store, caller)
}

function write(address: Address | undefined, changes: readonly Change[], store: PerunStore, caller: Caller): null {
  const refused = changes.find(({ definition }) => !definition.writable)
  if (refused !== undefined) throw privilege(`write ${refused.definition.name}`)
  if (address === undefined) {
    if (changes.length > 0) throw notOfGroup(changes[0]!.definition)
    return null
  }
  caller.wrote(address, changes, store.write(address, changes, caller.login))
  return null
}

/** Id, name, namespace, friendly name and type must all be those of one definition; the name follows from two of them. */
function definitionOf({ id, namespace, friendlyName, type }: SentAttribute, store: PerunStore): Definition {
  const found = store.definitions.find((definition) => definition.id === id)
  const same = found?.namespace === namespace && found.friendlyName === friendlyName && found.type === type
  if (!same) throw attributeNotExists(`Attribute id=${id}, name=${namespace}:${friendlyName}, type=${type}`)
  return found
}

function voOf(id: number, { vo }: PerunStore) {
  if (id !== vo.id) throw checked('VoNotExistsException', `Vo id=${id} not exists`)
  return vo
}

function notExists(entity: string, id: number) {
  const name = entity.charAt(0).toUpperCase() + entity.slice(1)
  return checked(`${name}NotExistsException`, `${name} id=${id} not exists`)
}

function notOfGroup({ name }: Definition) {
  return checked('WrongAttributeAssignmentException', `Attribute ${name} does not belong to the entity`, {
    attribute: null,
  })
}

function principal({ login, clock }: Caller, voId: number) {
  return {
    actor: login,
    extSourceName: 'simulator',
    extSourceType: 'cz.metacentrum.perun.core.impl.ExtSourceInternal',
    extSourceLoa: 0,
    user: null,
    userId: -1,
    roles: { VOADMIN: { Vo: [voId] } },
    authzInitialized: true,
    rolesUpdatedAt: clock.now(),
    additionalInformations: {},
    referer: '',
  }
}
