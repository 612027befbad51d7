/** Pieces that tests of billing and publishing need: prices, readings, a clock that stands still, a silent logger. */
import { pino } from 'pino'
import { createIntake } from '#src/billing/intake.ts'
import { createJudge, type Verdicts } from '#src/billing/sites.ts'
import { noRejections } from '#src/core/admit.ts'
import { decimal } from '#src/core/decimals.ts'
import type { Meter, Meters } from '#src/core/meters.ts'
import type { Reading } from '#src/core/series.ts'
import type { Clock, Instant } from '#src/core/time.ts'
import type { Ledger, StoredSeries } from '#src/ledger/ledger.ts'

export const T0: Instant = Date.UTC(2026, 0, 1)

export const silent = pino({ level: 'silent' })

/** Time stands still until a test moves it. */
export function testClock(start: Instant = T0): Clock & { at: Instant; pass(ms: number): void } {
  return {
    at: start,
    now() {
      return this.at
    },
    pass(ms) {
      this.at += ms
    },
  }
}

export function meter(name: string, metric: string, unit: string, price: string, maxGrowthPerHour = '1000000'): Meter {
  const prices = [{ version: `${name}@always`, from: Number.NEGATIVE_INFINITY, perUnit: decimal(price) }]
  return { name, metric, unit, description: name, maxGrowthPerHour: decimal(maxGrowthPerHour), prices }
}

export const cpu = meter('cpu', 'project_vcpu_usage', 'vCPU·h', '1')
export const ram = meter('ram', 'project_mb_usage', 'GiB·h', '0.3')
export const meters: Meters = new Map([cpu, ram].map((each) => [each.metric, each]))

export interface Measured {
  readonly project: string
  readonly at: Instant
  readonly value: string
  readonly site?: string
  readonly metric?: string
  readonly id?: string
}

export function reading({
  project,
  at,
  value,
  site = '8676',
  metric = cpu.metric,
  id = `id-${project}`,
}: Measured): Reading {
  return { series: { site, metric, projectId: id, projectName: project }, at, value: decimal(value) }
}

/** Records readings as one delivery, as a source would. */
export function recorder(
  ledger: Ledger,
  clock: Clock,
  onChanged: (groups: readonly string[]) => void = () => {},
  charged: Meters = meters,
) {
  const about = {
    ledger,
    maxSeries: 1_000,
    smallSites: 'charge',
    meters: charged,
    clock,
    logger: silent,
    onChanged,
  } as const
  const intake = createIntake(about)
  return (...readings: Measured[]) =>
    intake.take({
      id: 'test',
      source: 'test',
      receivedAt: clock.now(),
      readings: readings.map(reading),
      rejected: noRejections(),
    })
}

/** What a delivery says about its sites, when no other series are known. */
export function judged(readings: readonly Reading[], stored: readonly (StoredSeries | undefined)[]): Promise<Verdicts> {
  const judge = createJudge()
  judge.look(readings, stored)
  return judge.verdicts({ seriesOf: async () => [], latestJump: async () => undefined })
}
