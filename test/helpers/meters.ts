/** The two meters of the usage exporter, for tests. */
import { decimal } from '../../src/core/decimals.ts'
import type { Meter, Meters } from '../../src/core/meters.ts'

function meter(name: string, metric: string, unit: string, perUnit: string): Meter {
  const prices = [{ version: `${name}@-`, from: -Infinity, perUnit: decimal(perUnit) }]
  return { name, metric, unit, description: name, maxGrowthPerHour: decimal('1000000'), prices }
}

export const cpu = meter('cpu', 'project_vcpu_usage', 'vCPU·h', '1')
const ram = meter('ram', 'project_mb_usage', 'GiB·h', '0.3')

export const meters: Meters = new Map([cpu, ram].map((each) => [each.metric, each]))
