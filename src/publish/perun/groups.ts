/**
 * What Perun shows of groups, read in bulk.
 *
 * One call returns all groups that are assigned to a site with their attributes, so a round over ten thousand groups reads
 * once. What was read is used for `maxAge`; after that a group is read again by itself, or the whole site if many wait, and
 * shortly before if they still do.
 */
import type { Clock, Instant } from '../../core/time.ts'
import { MINUTE } from '../../core/time.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { AttributeNames } from './attributes.ts'
import { PerunError, type PerunRpc } from './rpc.ts'
import { readGroup, readList } from './shapes.ts'
import { type GroupView, toView } from './views.ts'

export type { GroupView } from './views.ts'

/** Perun has no such group, or does not have it at this site. */
export type Absence = 'unknown group' | 'not assigned'

export interface Groups {
  /** @throws {PerunError} if Perun cannot tell now, or a person has to correct what it shows. */
  view(site: string, group: string): Promise<GroupView | Absence>
  /** All groups of a site as they are now. @throws {PerunError} as `view` does. */
  members(site: string): Promise<ReadonlyMap<string, GroupView>>
  /** Notes what we wrote, so that it is not taken for somebody's edit. It makes the view no younger: others write too. */
  written(site: string, group: string, values: { used: string; timestamps: Readonly<Record<string, string>> }): void
  /** Forgets what we know of a group, because a write of it may or may not have happened. */
  doubt(group: string): void
}

export interface GroupsOptions {
  readonly rpc: PerunRpc
  readonly voId: number
  readonly names: AttributeNames
  /** Milliseconds a view may be old when it is used. */
  readonly maxAge: number
  readonly clock: Clock
  readonly logger: Logger
  /** How many groups wait to be published: decides between reading one and reading all. */
  readonly demand: () => number
}

interface Snapshot {
  readonly groups: Map<string, GroupView>
  /** When the reading of the site began. */
  readonly readAt: Instant
}

/** From this many waiting groups on, reading a whole site is cheaper than reading each of them. */
const MANY = 10

/** A site is read again before it has to be by so many times what that took the last time. */
const READ_AHEAD = 2

/** A group that is read by itself does not show that it lost its site; so the whole site is read this often. */
const SNAPSHOT_MAX_AGE = 5 * MINUTE

/** After so many failures in a row it is not its database. */
const BULK_ATTEMPTS = 3

const BULK = 'groupsManager/getRichGroupsAssignedToResourceWithAttributesByNames'
export const READ_ONE = 'attributesManager/getAttributes'
export const LOOK_UP = 'groupsManager/getGroupByName'
const ASSIGNED = 'resourcesManager/getAssignedGroups'

/** Groups of a site; more than that never end. */
const MOST_GROUPS = 200_000

/** A site that Perun refuses to read is not asked for again before this. */
const REFUSAL_MEMORY = MINUTE

export function createGroups({ rpc, voId, names, maxAge, clock, logger, demand }: GroupsOptions): Groups {
  const attrNames = [names.used, names.granted, names.timestamps]
  const snapshots = new Map<string, Snapshot>()
  const underWay = new Map<string, Promise<Snapshot>>()
  /** For each site that is being read, the groups that came into doubt meanwhile. */
  const doubted = new Map<string, Set<string>>()
  /** How long it took to read each site, the last time. */
  const durations = new Map<string, number>()
  /** How often in a row Perun had trouble with reading a site as a whole. */
  const troubles = new Map<string, number>()
  const refusals = new Map<string, { error: PerunError; at: Instant }>()

  async function view(site: string, group: string): Promise<GroupView | Absence> {
    const snapshot = await recentSnapshot(site, group)
    const known = snapshot.groups.get(group)
    if (known === undefined) return absence(group)
    if (isWithin(maxAge, known.readAt)) return checked(known)
    const read = await readOne(site, known.id)
    const { groups } = snapshots.get(site) ?? snapshot
    if (typeof read === 'string') groups.delete(group)
    else groups.set(group, read)
    return typeof read === 'string' ? read : checked(read)
  }

  function checked(view: GroupView): GroupView {
    if (view.trouble !== undefined) throw new PerunError(READ_ONE, 'refused', view.trouble)
    return view
  }

  /** A clock that was set back makes everything look young; what seems to come from the future is read again. */
  function isWithin(age: number, readAt: Instant): boolean {
    const now = clock.now()
    return readAt <= now && now - readAt <= age
  }

  /** A snapshot to look the group up in; fresh if it is worth reading the whole site, or the group was not there. */
  async function recentSnapshot(site: string, group: string): Promise<Snapshot> {
    const snapshot = snapshots.get(site)
    if (snapshot !== undefined) {
      if (isWithin(maxAge, snapshot.readAt)) {
        readAhead(site, snapshot)
        return snapshot
      }
      if (demand() < MANY && snapshot.groups.has(group) && isWithin(SNAPSHOT_MAX_AGE, snapshot.readAt)) return snapshot
    }
    return freshSnapshot(site)
  }

  /** Reads a site anew while what is known of it is still good, so that nobody waits for it in the middle of a round. */
  function readAhead(site: string, { readAt }: Snapshot): void {
    const needed = READ_AHEAD * (durations.get(site) ?? 0)
    if (needed > maxAge / 2 || isWithin(maxAge - needed, readAt) || demand() < MANY || underWay.has(site)) return
    freshSnapshot(site).catch((error: unknown) =>
      logger.debug({ site, err: error }, 'The site could not be read ahead'),
    )
  }

  async function freshSnapshot(site: string): Promise<Snapshot> {
    const refusal = refusals.get(site)
    if (refusal !== undefined && isWithin(REFUSAL_MEMORY - 1, refusal.at)) throw refusal.error
    const reading = underWay.get(site) ?? readSite(site)
    underWay.set(site, reading)
    return reading.finally(() => {
      if (underWay.get(site) === reading) underWay.delete(site)
    })
  }

  async function readSite(site: string): Promise<Snapshot> {
    const readAt = clock.now()
    const groups = new Map<string, GroupView>()
    const inDoubt = new Set<string>()
    doubted.set(site, inDoubt)
    try {
      for (const [name, view] of await membersOf(site, readAt)) groups.set(name, view)
    } catch (error) {
      const refusal = refusalOf(site, error)
      // A site that Perun refuses would otherwise be asked for by each of its groups.
      if (refusal !== undefined) refusals.set(site, { error: refusal, at: readAt })
      throw refusal ?? error
    } finally {
      doubted.delete(site)
    }
    refusals.delete(site)
    durations.set(site, clock.now() - readAt)
    for (const name of inDoubt) expire(groups, name)
    keepWhatWeWrote(groups, snapshots.get(site), { readAt, now: clock.now() })
    const snapshot = { groups, readAt }
    snapshots.set(site, snapshot)
    return snapshot
  }

  /**
   * That this site is refused, not all. A site may be foreign: whoever may read another one has not lost all rights, and one
   * exporter with a wrong site number must not keep the others from being published.
   */
  function refusalOf(site: string, error: unknown): PerunError | undefined {
    if (!(error instanceof PerunError)) return undefined
    if (error.failure === 'refused') return error
    const mayReadOthers = [...snapshots.keys()].some((each) => each !== site)
    if (error.exception !== 'PrivilegeException' || !mayReadOthers) return undefined
    return new PerunError(error.call, 'refused', error.exception, { cause: error })
  }

  /**
   * One value that Perun cannot decode makes it fail for all groups of the site, with the same words as when its database
   * is down. When it goes on and the groups without their values can be had, each group is read by itself, so that only
   * the one with that value is in trouble.
   */
  async function membersOf(site: string, readAt: Instant): Promise<Iterable<readonly [string, GroupView]>> {
    try {
      const members = await bulk(site, readAt)
      troubles.delete(site)
      return members
    } catch (error) {
      if (!(error instanceof PerunError && error.isTrouble)) throw error
      const count = (troubles.get(site) ?? 0) + 1
      troubles.set(site, count)
      if (count < BULK_ATTEMPTS) throw error
      const assigned = readList(ASSIGNED, await rpc.call(ASSIGNED, { resource: Number(site) }))
      if (count === BULK_ATTEMPTS) {
        logger.warn(
          { site, err: error },
          `Perun cannot read all groups of site ${site} at once: each is read by itself`,
        )
      }
      return assigned
        .map((each) => readGroup(ASSIGNED, each))
        .filter((each) => each.voId === voId)
        .map(({ name, id }) => [name, { id, timestamps: {}, readAt: Number.NEGATIVE_INFINITY }] as const)
    }
  }

  async function bulk(site: string, readAt: Instant): Promise<[string, GroupView][]> {
    const members: [string, GroupView][] = []
    await rpc.each(BULK, { resource: Number(site), attrNames }, (element) => {
      const group = readGroup(BULK, element)
      if (members.length === MOST_GROUPS) throw new PerunError(BULK, 'unavailable', `more than ${MOST_GROUPS} groups`)
      // A group of another organisation may have the same name.
      if (group.voId === voId) members.push([group.name, toView(BULK, group, names, readAt)])
    })
    return members
  }

  async function readOne(site: string, id: number): Promise<GroupView | Absence> {
    const readAt = clock.now()
    const parameters = { group: id, resource: Number(site), attrNames, workWithGroupAttributes: true }
    try {
      const attributes = await rpc.call(READ_ONE, parameters)
      return toView(READ_ONE, { id, attributes }, names, readAt)
    } catch (error) {
      if (isUnknownGroup(error)) return 'unknown group'
      throw error
    }
  }

  async function absence(group: string): Promise<Absence> {
    // No database of Perun's can hold or look for it, and asking looks as if that were down.
    if (group.includes('\0')) return 'unknown group'
    try {
      await rpc.call(LOOK_UP, { vo: voId, name: group })
      return 'not assigned'
    } catch (error) {
      if (isUnknownGroup(error)) return 'unknown group'
      throw error
    }
  }

  return {
    view,
    async members(site) {
      return (await freshSnapshot(site)).groups
    },
    written(site, group, { used, timestamps }) {
      const writtenAt = clock.now()
      // A site that is being read just now may show what was before.
      for (const inDoubt of doubted.values()) inDoubt.add(group)
      for (const [each, { groups }] of snapshots) {
        const known = groups.get(group)
        // Used credits belong to the group, so all its sites show them.
        if (known !== undefined) groups.set(group, { ...known, used, ...(each === site && { timestamps }), writtenAt })
      }
    },
    doubt(group) {
      for (const { groups } of snapshots.values()) expire(groups, group)
      for (const inDoubt of doubted.values()) inDoubt.add(group)
    },
  }
}

function isUnknownGroup(error: unknown): boolean {
  return error instanceof PerunError && error.exception === 'GroupNotExistsException'
}

/** Has a group read again before it is used. */
function expire(groups: Map<string, GroupView>, group: string): void {
  const known = groups.get(group)
  if (known !== undefined) groups.set(group, { ...known, readAt: Number.NEGATIVE_INFINITY })
}

/** A reading of the site that began before our write may show the value before it. What is of the future was read by a wrong clock. */
function keepWhatWeWrote(
  groups: Map<string, GroupView>,
  before: Snapshot | undefined,
  { readAt, now }: { readAt: Instant; now: Instant },
): void {
  if (before === undefined) return
  for (const [name, known] of before.groups) {
    const knownAt = Math.max(known.readAt, known.writtenAt ?? known.readAt)
    if (knownAt >= readAt && knownAt <= now && groups.has(name)) groups.set(name, known)
  }
}
