/**
 * Looks at groups that have nothing new to show.
 *
 * A group is read when it is published, so one that stands still would never be read again: an edit of its used credits, a
 * new grant or a site that was taken from it would go unnoticed. All groups of a site are one call of Perun.
 */
import type { Ledger, ShownGroup } from '../../ledger/ledger.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { parseShown } from './draft.ts'
import type { Groups } from './groups.ts'
import { PerunError } from './rpc.ts'
import type { GroupView } from './views.ts'

export interface Survey {
  /** Reads all sites, and returns the groups that Perun shows otherwise than we believe. A site it cannot read is left out. */
  look(): Promise<readonly string[]>
  /** Whether a look found this group; forgets that it did. */
  takeStray(group: string): boolean
}

export interface SurveyOptions {
  readonly ledger: Pick<Ledger, 'shownGroups'>
  readonly groups: Pick<Groups, 'members'>
  readonly logger: Logger
  /** Whether whoever is asked to publish a group is told that it was found: it may be another worker. */
  readonly handsOver: boolean
}

export function createSurvey({ ledger, groups, logger, handsOver }: SurveyOptions): Survey {
  const strays = new Set<string>()

  async function membersOf(site: string): Promise<ReadonlyMap<string, GroupView> | undefined> {
    try {
      return await groups.members(site)
    } catch (error) {
      if (!(error instanceof PerunError)) throw error
      logger.debug({ site, err: error }, 'A site could not be looked at')
      return undefined
    }
  }

  return {
    async look() {
      const shown = await ledger.shownGroups()
      for (const site of new Set(shown.flatMap(({ sites }) => sites))) {
        const members = await membersOf(site)
        if (members === undefined) continue
        const here = shown.filter(({ sites }) => sites.includes(site))
        for (const each of here) if (isStray(each, members.get(each.group))) strays.add(each.group)
      }
      const found = [...strays]
      if (handsOver) strays.clear()
      return found
    },
    takeStray: (group) => strays.delete(group),
  }
}

function isStray({ published, granted }: ShownGroup, view: GroupView | undefined): boolean {
  return view === undefined || parseShown(view) !== published || view.granted !== granted
}
