/** The mail addresses of a group's people, as they stand in Perun. Read when somebody is to be told, and not kept. */
import { LOOK_UP } from './groups.ts'
import { PerunError, type PerunRpc } from './rpc.ts'
import { readAttributes, readGroup, readList } from './shapes.ts'

const READ = 'attributesManager/getAttribute'

export interface PeopleOptions {
  readonly rpc: Pick<PerunRpc, 'call'>
  readonly voId: number
  /** Full name of an attribute of groups: a list of texts. */
  readonly attributeName: string
}

/** @returns A function that gives what the list holds, addresses or not; nothing if Perun has no such group. */
export function createPeople({ rpc, voId, attributeName }: PeopleOptions) {
  /** @throws {PerunError} if Perun cannot or may not tell. */
  return async (name: string): Promise<readonly unknown[]> => {
    // No database of Perun's can hold it, and asking looks as if that were down.
    if (name.includes('\0')) return []
    try {
      const { id } = readGroup(LOOK_UP, await rpc.call(LOOK_UP, { vo: voId, name }))
      const [attribute] = readAttributes(READ, [await rpc.call(READ, { group: id, attributeName })])
      const value = attribute!.value ?? []
      // A list is what the attribute needs to be; a text of one address does no harm.
      return typeof value === 'string' ? [value] : readList(READ, value)
    } catch (error) {
      if (error instanceof PerunError && error.exception === 'GroupNotExistsException') return []
      throw error
    }
  }
}
