/** What operators do at the worker: they decide about holds, adjust groups, and correct the price of a past period. */
import { decimal } from '#src/core/decimals.ts'
import type { Meter } from '#src/core/meters.ts'
import { Refusal } from '#src/ledger/corrections.ts'
import type { Worker } from '#src/worker.ts'
import type { Random } from './random.ts'
import type { Story, Verdict } from './story.ts'

const decidable = new Set(['implausible growth', 'unclear after a fall', 'site jump', 'unit switched', 'series merged'])

/** An adjustment that was asked for; the caller may not have heard what came of it. */
export interface Asked {
  readonly group: string
  readonly amount: bigint
  isConfirmed: boolean
}

export class Operators {
  /** By the id of the request. */
  readonly asked = new Map<string, Asked>()
  readonly #random: Random
  readonly #story: Story
  readonly #verdict: Verdict
  readonly #groups: readonly string[]
  readonly #start: number
  #previewed: string | undefined
  #applied: string | undefined

  constructor(parts: { random: Random; story: Story; verdict: Verdict; groups: readonly string[]; start: number }) {
    this.#random = parts.random
    this.#story = parts.story
    this.#verdict = parts.verdict
    this.#groups = parts.groups
    this.#start = parts.start
  }

  /** Does one thing. Its caller is told when that fails; then it may have been done or not. */
  async act(worker: Worker, meters: readonly Meter[], now: number): Promise<void> {
    const what = this.#random.pick(['decide', 'decide', 'decide', 'adjust', 'adjust again', 'reprice'] as const)
    try {
      if (what === 'decide') await this.#decide(worker)
      else if (what === 'reprice') await this.#reprice(worker, this.#random.pick(meters), now)
      else await this.#adjust(worker, what === 'adjust again')
    } catch (error) {
      this.#story.tell(`operator: it failed (${error instanceof Refusal ? 'refused' : String(error)})`)
    }
  }

  async #decide(worker: Worker): Promise<void> {
    const verdict = this.#random.pick(['accept', 'dismiss'] as const)
    const which = this.#random.next()
    const holds = await worker.ledger.holds({ limit: 100 })
    const open = holds.filter(({ kind }) => decidable.has(kind))
    const hold = open[Math.floor(which * open.length)]
    if (hold === undefined) return
    this.#story.tell(`operator: ${verdict} hold ${hold.id} (${hold.kind} of ${hold.group ?? hold.site})`)
    this.#story.count(`hold ${verdict}ed`.replace('eed', 'ed'))
    await worker.decideHold(hold.id, { verdict, actor: 'olga', reason: 'seen' })
  }

  /** A new one, or one that was asked for before: it is carried out once. */
  async #adjust(worker: Worker, again: boolean): Promise<void> {
    const ids = [...this.asked.keys()]
    const id = again && ids.length > 0 ? this.#random.pick(ids) : `request ${ids.length + 1}`
    const fresh = { group: this.#random.pick(this.#groups), amount: BigInt(this.#random.whole(-900_000, 3_000_000)) }
    const request = this.asked.get(id) ?? { ...fresh, isConfirmed: false }
    if (request.amount === 0n) return
    this.asked.set(id, request)
    const { group, amount } = request
    this.#story.count('adjustment asked for')
    this.#story.tell(`operator: adjust ${group} by ${amount} (${id})`)
    const adjusted = await worker.corrections.adjust({ group, amount, actor: 'olga', reason: 'agreed', id })
    if (adjusted === undefined) return
    this.#verdict.check(
      adjusted.wasKnown || !request.isConfirmed,
      'a request is carried out once',
      () => `${id} was carried out again`,
    )
    request.isConfirmed = true
  }

  /** One step after another: preview, apply, undo. */
  async #reprice({ corrections }: Worker, meter: Meter, now: number): Promise<void> {
    const by = { actor: 'olga', reason: 'a wrong price' }
    const [previewed, applied] = [this.#previewed, this.#applied]
    if (applied !== undefined) {
      this.#applied = undefined
      await corrections.undo(applied, by)
      this.#story.count('repricing undone')
    } else if (previewed === undefined) {
      const from = this.#random.chance(0.5) ? 0 : this.#random.whole(this.#start, now)
      const perUnit = decimal(this.#random.pick(['0', '0.5', '1.1000007', '0.2999999']))
      const repricing = await corrections.preview({ meter, period: { from, to: now }, perUnit, ...by })
      this.#story.count('repricing previewed')
      if (this.#random.chance(0.3)) this.#previewed = repricing.id
      else await this.#apply(corrections, repricing.id)
    } else {
      this.#previewed = undefined
      await this.#apply(corrections, previewed)
    }
  }

  async #apply(corrections: Worker['corrections'], id: string): Promise<void> {
    await corrections.apply(id, { actor: 'olga' })
    this.#applied = id
    this.#story.count('repricing applied')
  }
}
