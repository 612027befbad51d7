/** Replicas in memory: what a ledger that several workers share tells of them, without a database. */
import { LedgerError } from '#src/ledger/ledger.ts'
import type { Replica, Replicas } from '#src/ledger/replicas.ts'

interface Member {
  readonly id: number
  readonly name: string
  state: Replica['state']
  readonly claims: Map<string, AbortController>
  publishing: readonly string[]
}

export interface TestReplica extends Replicas {
  readonly id: number
  /** Ends, with or without a word: what it had claimed is lost at once, and everybody knows. */
  die(): void
  /** Says nothing for too long: what it had claimed stays so until it dies. */
  fallSilent(): void
  /** What it had claimed is lost, as with a broken connection; it stays one of them. */
  loseClaims(): void
  /** The groups that it publishes. */
  publish(...groups: string[]): void
  /** What it has claimed. */
  claimed(): string[]
}

export function createCluster() {
  const members: Member[] = []
  const state = { isDown: false }
  let ids = 0

  function expectUp(): void {
    if (state.isDown) throw new LedgerError('The ledger cannot be reached.')
  }

  function join(name = `host/${ids + 1}`): TestReplica {
    ids += 1
    const self: Member = { id: ids, name, state: 'working', claims: new Map(), publishing: [] }
    members.push(self)
    const loseClaims = () => {
      const lost = [...self.claims.values()]
      self.claims.clear()
      for (const controller of lost) controller.abort()
    }
    return {
      id: self.id,
      async claim(target) {
        expectUp()
        const isTaken = members.some(({ claims }) => claims.has(target))
        if (isTaken || self.state === 'gone' || !members.includes(self)) return undefined
        const controller = new AbortController()
        self.claims.set(target, controller)
        return {
          lost: controller.signal,
          async release() {
            if (self.claims.get(target) === controller) self.claims.delete(target)
            expectUp()
          },
        }
      },
      async list(names) {
        expectUp()
        return members.map(({ claims, ...member }) => ({
          ...{ ...member, version: 'test', startedAt: 0, seenAt: 0, isSelf: member.id === self.id },
          claims: names.filter((each) => claims.has(each)),
        }))
      },
      isMember: () => self.state === 'working' && members.includes(self),
      die() {
        members.splice(members.indexOf(self), 1)
        loseClaims()
      },
      fallSilent() {
        self.state = 'gone'
      },
      loseClaims,
      publish: (...groups) => {
        self.publishing = groups
      },
      claimed: () => [...self.claims.keys()],
    }
  }

  return { join, state }
}
