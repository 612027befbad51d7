/**
 * The simulated Perun: the store and the methods of the simulator in `src/demo/perun`, behind a network of virtual time.
 *
 * What a call meets on its way is decided when it is sent: it may get lost before or after it takes effect, take effect long
 * after the worker gave it up, or be answered with something that is no answer. All changes of used credits are kept, with
 * what the worker had seen when it sent them.
 */
import { type AttributeRole, type Definition, define, deNbiAttributes } from '#src/demo/perun/definitions.ts'
import { Parameters } from '#src/demo/perun/parameters.ts'
import { resultOf } from '#src/demo/perun/respond.ts'
import { type Caller, methodNamed } from '#src/demo/perun/rpc.ts'
import { PerunStore } from '#src/demo/perun/store.ts'
import { worldOf } from '#src/demo/perun/world.ts'
import { NoAnswer, type PerunRequest, type PerunTransport } from '#src/publish/perun/transport.ts'
import type { Configuration } from './configuration.ts'
import { type Answer, answers, type Fate, firstHalf, forbidden, moods, passing } from './fates.ts'
import type { Random } from './random.ts'
import type { Story, Verdict } from './story.ts'
import type { Life, Timeline } from './timeline.ts'
import { WriteWindowOracle } from './writeWindowOracle.ts'

export const VO = 412
const LOGIN = 'credits'
/** When the worker gives a call up. */
export const TIMEOUT = 30_000
/** The longest that a call which was given up may still take. */
const LATEST = 20 * 60_000

/** A change of a group's used credits. */
export interface Change {
  readonly number: number
  readonly at: number
  readonly by: string
  readonly value: string | null
  /** Of the worker's own: when it was sent, and the last change that it had been shown before, with when it asked for it. */
  readonly sentAt?: number
  readonly seen?: Seen | undefined
  /** The worker had given the call up, or died, before this happened. */
  readonly isLate?: boolean
  /** For an edit: whether the ledger knew what Perun showed before. */
  readonly isOnKnown?: boolean
}

export interface Seen {
  readonly number: number
  readonly askedAt: number
}

/** What happens for a while. */
type Mood = { readonly fates: readonly Fate[]; readonly share: number } | undefined

export class SimulatedPerun {
  readonly world: ReturnType<typeof worldOf>
  readonly changes = new Map<string, Change[]>()
  /** `site/group` of those that could not be charged there at some time, or were charged by another service. */
  readonly away = new Set<string>()
  readonly #store: PerunStore
  readonly #timeline: Timeline
  readonly #configuration: Configuration
  readonly #random: Random
  readonly #story: Story
  readonly #verdict: Verdict
  readonly #seen = new Map<string, Seen>()
  readonly #window: WriteWindowOracle
  readonly #roles: Record<AttributeRole, Definition>
  #number = 0
  #token = 0
  #mood: Mood
  #pending: { sentAt: number; seen: Seen | undefined; isLate: boolean } | undefined
  isRough = true
  /** What the ledger says that Perun shows of a group, in micro-credits. */
  published: (group: string) => bigint | null | undefined = () => undefined

  constructor(parts: {
    timeline: Timeline
    configuration: Configuration
    random: Random
    story: Story
    verdict: Verdict
  }) {
    this.#timeline = parts.timeline
    this.#configuration = parts.configuration
    this.#random = parts.random
    this.#story = parts.story
    this.#verdict = parts.verdict
    this.#window = new WriteWindowOracle(parts.verdict, parts.configuration)
    const clock = { now: () => this.#timeline.now }
    this.#roles = {
      used: define(deNbiAttributes.used),
      granted: define(deNbiAttributes.granted),
      email: define(deNbiAttributes.email),
      timestamps: define(deNbiAttributes.timestamps),
    }
    this.#store = new PerunStore({ vo: { id: VO, name: 'credits' }, definitions: Object.values(this.#roles), clock })
    this.world = worldOf(this.#store, this.#roles, clock)
  }

  /** Notes what became of a group's used credits, whoever changed them. */
  note(group: string, by: string): void {
    const changes = this.changes.get(group) ?? []
    this.changes.set(group, changes)
    const value = this.valueOf(group)
    if (value === (changes.at(-1)?.value ?? null)) return
    this.#number += 1
    const own = by === LOGIN ? this.#pending : { isOnKnown: this.#isKnown(group, changes.at(-1)?.value) }
    changes.push({ number: this.#number, at: this.#timeline.now, by, value, ...own })
  }

  #isKnown(group: string, before: string | null | undefined): boolean {
    const published = this.published(group)
    if (before === null || before === undefined) return true
    return typeof published === 'bigint' && Number(before) === Number(published) / 1_000_000
  }

  valueOf(group: string): string | null {
    return this.exists(group) ? this.world.read(group).used : null
  }

  exists(group: string): boolean {
    return this.world.readAll().some(({ name }) => name === group)
  }

  /** What happens to calls from now on, until the next mood. */
  changeMood(): void {
    const fates = this.#random.pick(moods)
    this.#mood = { fates, share: this.#random.pick([0.5, 1]) }
    this.#story.fault('perun in trouble', fates.join(', '))
    this.#timeline.after(this.#random.whole(20, 900) * 1_000, () => {
      this.#mood = undefined
    })
  }

  readOnly(isSo: boolean): void {
    if (isSo) this.#story.fault('perun read-only')
    this.#store.readOnly = isSo
  }

  /** Notes who cannot be charged where just now. */
  noteAway(names: readonly string[], sites: readonly string[]): void {
    const there = new Map(this.world.readAll().map((group) => [group.name, group]))
    for (const name of names) {
      const group = there.get(name)
      const isServed = Object.keys(group?.timestamps ?? {}).length > 0 && this.changes.get(name)?.length === 1
      for (const site of sites) {
        const isThere = group !== undefined && group.granted !== null && group.resources.includes(Number(site))
        if (!isThere || isServed) this.away.add(`${site}/${name}`)
      }
    }
  }

  get isReadOnly(): boolean {
    return this.#store.readOnly
  }

  /** The right to write or read an attribute is taken away or given back. */
  setRights(role: AttributeRole, rights: { readable?: boolean; writable?: boolean }): void {
    this.world.setRights(role, rights)
  }

  mend(): void {
    this.isRough = false
    this.#mood = undefined
    this.#store.readOnly = false
    for (const role of ['used', 'granted', 'timestamps'] as const) {
      this.setRights(role, { readable: true, writable: true })
    }
  }

  /** The last change of a group that the worker was shown. */
  seen(group: string): Seen | undefined {
    return this.#seen.get(group)
  }

  transportFor(life: Life, dies: (when: string) => boolean): PerunTransport {
    // A cookie comes with an answer.
    let cookie: string | undefined
    return {
      post: async (request, receive) => {
        const status = await this.#post(life, dies, request, receive)
        if (this.#configuration.csrf) cookie = `token-${this.#token}`
        return status
      },
      csrfToken: async () => cookie,
      close: () => {},
    }
  }

  #fate(): Fate {
    if (!this.isRough) return 'answered'
    if (this.#mood !== undefined && this.#random.chance(this.#mood.share)) return this.#random.pick(this.#mood.fates)
    return this.#random.chance(this.#configuration.faults.perun) ? this.#random.pick(passing) : 'answered'
  }

  #post(
    life: Life,
    dies: (when: string) => boolean,
    request: PerunRequest,
    receive: (piece: Buffer, status: number) => void,
  ): Promise<number> {
    const method = request.method.slice(request.method.indexOf('/') + 1)
    const sentAt = this.#timeline.now
    const group = this.#groupOf(request)
    const seen = group === undefined ? undefined : this.#seen.get(group)
    if (dies(`before ${method}`)) return new Promise(() => {})
    if (method === 'setAttributes') this.#window.writes(group!, sentAt)
    const fate = this.#fate()
    if (fate !== 'answered') this.#story.fault(`perun ${fate}`, `${method}${group === undefined ? '' : ` of ${group}`}`)
    const there = this.isRough && this.#random.chance(0.1) ? this.#random.whole(1, 20_000) : this.#random.whole(1, 60)
    const back = this.#random.whole(1, 60)
    let isGivenUp = false
    const perform = () => {
      this.#pending = { sentAt, seen, isLate: isGivenUp || life.isDead }
      const answer = this.#perform(request)
      this.#pending = undefined
      if (answer.status === 200 && group !== undefined && method === 'setAttributes') {
        const late = isGivenUp || life.isDead ? ' (late)' : ''
        this.#story.tell(`perun: ${group} shows ${this.valueOf(group)}${late}`)
      }
      return answer
    }
    return new Promise<number>((resolve, reject) => {
      const arrive = (ms: number, action: () => void) =>
        this.#timeline.after(ms, () => {
          if (!life.isDead) action()
        })
      const lose = (ms: number, code: string) =>
        arrive(ms, () => {
          isGivenUp = true
          reject(new NoAnswer(code))
        })
      const reply = ({ status, body }: Answer, view: ReadonlyMap<string, number>) =>
        arrive(back, () => {
          if (dies(`after ${method}`)) return
          if (status === 200) {
            for (const [name, number] of view) this.#note(name, { number, askedAt: sentAt })
          }
          if (method !== 'setAttributes') this.#window.answered(group, this.#timeline.now)
          this.#hand(body, status, receive)
          resolve(status)
        })
      const respond = (answer: () => Answer) =>
        this.#timeline.after(there, () => {
          const given = answer()
          const isView = method.startsWith('getRichGroups') || method === 'getAttributes'
          reply(given, isView && fate === 'answered' ? this.#viewed(request, group) : new Map())
        })
      if (fate === 'answered') respond(() => (this.#admits(request) ? perform() : forbidden))
      else if (fate === 'refused connection') lose(1, 'ECONNREFUSED')
      else if (fate === 'lost before') lose(there, 'ECONNRESET')
      else if (fate === 'lost after') {
        this.#timeline.after(there, perform)
        lose(there + back, 'ECONNRESET')
      } else if (fate === 'given up, never done') lose(TIMEOUT, 'ETIMEDOUT')
      else if (fate === 'given up, done later') {
        lose(TIMEOUT, 'ETIMEDOUT')
        this.#timeline.after(this.#random.whole(1_000, LATEST), perform)
      } else if (fate === 'truncated') respond(() => firstHalf(perform()))
      else respond(() => answers[fate]())
    })
  }

  #admits({ headers }: PerunRequest): boolean {
    return !this.#configuration.csrf || headers['x-xsrf-token'] === `token-${this.#token}`
  }

  /** Its session ends; the next one has another token. */
  renewSession(): void {
    this.#token += 1
  }

  #perform({ method, parameters }: PerunRequest): Answer {
    const [manager = '', name = ''] = method.split('/')
    const clock = { now: () => this.#timeline.now }
    const wrote: Caller['wrote'] = ({ group }, changes) => {
      const written = changes.map(({ definition }) => definition)
      const isBoth = written.includes(this.#roles.used) && written.includes(this.#roles.timestamps)
      this.#verdict.check(isBoth, 'credits and timestamps are written together', () => group.name)
      this.note(group.name, LOGIN)
    }
    return resultOf(() =>
      methodNamed(manager, name, false).call(Parameters.fromBody(JSON.stringify(parameters)), this.#store, {
        login: LOGIN,
        clock,
        wrote,
      }),
    )
  }

  #groupOf({ parameters }: PerunRequest): string | undefined {
    const { group, name } = parameters as { group?: number; name?: string }
    if (name !== undefined) return name
    return group === undefined ? undefined : this.world.readAll().find(({ id }) => id === group)?.name
  }

  /** The changes that an answer shows. */
  #viewed({ parameters }: PerunRequest, group: string | undefined): Map<string, number> {
    const { resource } = parameters as { resource?: number }
    const names =
      group === undefined
        ? this.world
            .readAll()
            .filter(({ resources }) => resources.includes(resource!))
            .map(({ name }) => name)
        : [group]
    return new Map(names.map((name) => [name, this.changes.get(name)?.at(-1)?.number ?? 0]))
  }

  #note(group: string, seen: Seen): void {
    this.#window.shown(group, seen.askedAt)
    const known = this.#seen.get(group)
    if (known === undefined || seen.number >= known.number) this.#seen.set(group, seen)
  }

  /** A body arrives in pieces that end anywhere. */
  #hand(body: string, status: number, receive: (piece: Buffer, status: number) => void): void {
    const bytes = Buffer.from(body)
    const cut = this.#random.whole(0, bytes.length)
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) if (piece.length > 0) receive(piece, status)
  }
}
