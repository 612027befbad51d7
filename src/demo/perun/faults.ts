/** Faults on demand: which of the next calls fail, and how. */
import { failures, type How } from './failures.ts'

export interface Fault {
  readonly how: How
  /** How many calls fail, 1 if left out. Null, which is how JSON writes `Infinity`, means every call until `clear`. */
  readonly times?: number | null
  /** Only calls of this method, such as `setAttributes`. */
  readonly method?: string
  /** Only calls for the group of this name. A call for all groups of a resource is for no group. */
  readonly group?: string
}

export class Faults {
  latencyMs: number
  readonly #store: { readOnly: boolean }
  #rules: { readonly fault: Fault; left: number }[] = []

  constructor(store: { readOnly: boolean }, latencyMs: number) {
    this.#store = store
    this.latencyMs = latencyMs
  }

  /** Every call waits so long before anything happens. */
  latency(ms: number): void {
    this.latencyMs = ms
  }

  /** Whether writes that would change something fail, as on a Perun with a read-only database. */
  readOnly(on: boolean): void {
    this.#store.readOnly = on
  }

  /** Adds a fault; those added first are used up first. @throws {RangeError} for a `how` that is none. */
  fail(fault: Fault): void {
    if (!Object.hasOwn(failures, fault.how)) {
      throw new RangeError(`Expected how to be one of ${Object.keys(failures).join(', ')}, got "${fault.how}"`)
    }
    this.#rules.push({ fault, left: fault.times === null ? Number.POSITIVE_INFINITY : (fault.times ?? 1) })
  }

  /** Ends all of it. Calls that hang go on hanging. */
  clear(): void {
    this.#rules = []
    this.latency(0)
    this.readOnly(false)
  }

  /** Uses up the fault that is meant for this call, if any. */
  take(method: string, group: string | undefined): How | undefined {
    const rule = this.#rules.find(({ fault }) => {
      const { method: ofMethod = method, group: ofGroup = group } = fault
      return ofMethod === method && ofGroup === group
    })
    if (rule === undefined) return undefined
    rule.left -= 1
    if (rule.left <= 0) this.#rules = this.#rules.filter((other) => other !== rule)
    return rule.fault.how
  }
}
