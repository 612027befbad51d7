/** The service that wrote to Perun before: its timestamps of a site's groups tell up to when it has charged them. */
import type { ChargedUpTo, Legacy, Predecessor } from '../predecessor.ts'
import { createGroups, type GroupsOptions } from './groups.ts'
import { PerunError } from './rpc.ts'
import { parseTimestamps } from './times.ts'

export function createPredecessor(options: Omit<GroupsOptions, 'demand'>): Predecessor {
  const groups = createGroups({ ...options, demand: () => 0 })

  async function read(site: string): Promise<ChargedUpTo> {
    const charged = new Map<string, Readonly<Record<string, number>>>()
    for (const [group, { timestamps }] of await groups.members(site)) {
      const times = parseTimestamps(timestamps)
      if (Object.keys(times).length > 0) charged.set(group, times)
    }
    return charged
  }

  return {
    async chargedAt(site): Promise<Legacy> {
      try {
        return { kind: 'known', groups: await read(site) }
      } catch (error) {
        if (!(error instanceof PerunError)) throw error
        return { kind: error.failure, reason: error.message }
      }
    },
  }
}
