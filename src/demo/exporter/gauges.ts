/**
 * What the dummy exporter holds in memory: the last value of every series it has seen since it was started.
 *
 * As with the real one, values change only when an update comes, an update sets the series of the projects it finds and
 * touches no other: the series of a project that was removed or renamed keeps its last value until a restart. No timer
 * runs. Updates that have come due are made up for before anything is read or changed, which gives the same
 * values and leaves the time to whoever owns the clock.
 */
import type { Clock, Instant } from '../../core/time.ts'
import { type Cloud, withoutMachine } from './cloud.ts'
import { type Terms, type Usage, usagesAt } from './usage.ts'
import type { Weights } from './weights.ts'

export interface GaugesOptions {
  readonly cloud: Cloud
  readonly weights: Weights
  readonly simpleVm: Terms['simpleVm']
  /** Real time. */
  readonly clock: Clock
  /** How many times faster than real time the exporter's own clock goes. */
  readonly timeFactor: number
  /** Usage before this does not count; `undefined` is the moment of each start. */
  readonly startDate: Instant | undefined
  /** Real milliseconds from the start to the first update and between updates; 0 is always up to date. */
  readonly updateInterval: number
}

export class Gauges {
  readonly #options: GaugesOptions
  /** Real time at which the exporter's clock showed the same. */
  readonly #clocksMet: Instant
  #cloud: Cloud
  #weights: Weights
  /** As on the command line: what a restart begins with. */
  #givenStartDate: Instant | undefined
  #startDate: Instant
  /** Real time of the last start and of the last update. */
  #startedAt: Instant
  #updatedAt: Instant
  #series = new Map<string, Usage>()

  constructor(options: GaugesOptions) {
    this.#options = options
    this.#cloud = options.cloud
    this.#weights = options.weights
    this.#clocksMet = options.clock.now()
    this.#startedAt = this.#clocksMet
    this.#updatedAt = this.#clocksMet
    this.#givenStartDate = options.startDate
    this.#startDate = options.startDate ?? this.#clocksMet
  }

  /** What the exporter's clock shows. */
  now(): Instant {
    return this.#virtual(this.#options.clock.now())
  }

  /** When the exporter was last started, by its own clock. */
  startedAt(): Instant {
    return this.#virtual(this.#startedAt)
  }

  /** The series as of the last update, none before the first. */
  usages(): Usage[] {
    this.#catchUp()
    return [...this.#series.values()]
  }

  /** Forgets every series. A start date that is given counts for later restarts as well. */
  restart(startDate?: Instant): void {
    this.#givenStartDate = startDate ?? this.#givenStartDate
    this.#startedAt = this.#options.clock.now()
    this.#updatedAt = this.#startedAt
    this.#startDate = this.#givenStartDate ?? this.startedAt()
    this.#series.clear()
  }

  /** From the next update on, usage counts from another date; no series is forgotten. */
  moveStart(startDate: Instant): void {
    this.#catchUp()
    this.#startDate = startDate
  }

  /** @throws {UnusableError} if there is no such machine. */
  deleteMachine(projectName: string, instanceId: string): void {
    this.setCloud(withoutMachine(this.#cloud, projectName, instanceId, this.#options.simpleVm.tag))
  }

  setCloud(cloud: Cloud): void {
    this.#catchUp()
    this.#cloud = cloud
  }

  setWeights(weights: Weights): void {
    this.#catchUp()
    this.#weights = weights
  }

  #virtual(real: Instant): Instant {
    return this.#clocksMet + Math.floor((real - this.#clocksMet) * this.#options.timeFactor)
  }

  /** Makes the last update that is due. Those before it would only have set values that it replaces. */
  #catchUp(): void {
    const { clock, updateInterval, simpleVm } = this.#options
    const now = clock.now()
    const due = updateInterval === 0 ? now : now - ((now - this.#startedAt) % updateInterval)
    if (updateInterval > 0 && due <= this.#updatedAt) return
    const terms: Terms = { startDate: this.#startDate, weights: this.#weights, simpleVm }
    for (const usage of usagesAt(this.#virtual(due), this.#cloud, terms)) {
      this.#series.set(JSON.stringify(usage.labels), usage)
    }
    this.#updatedAt = due
  }
}
