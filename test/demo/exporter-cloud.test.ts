import { readFileSync } from 'node:fs'
import { expect, suite, test } from 'vitest'
import { HOUR } from '../../src/core/time.ts'
import { parseCloud } from '../../src/demo/exporter/cloud.ts'
import { UnusableError } from '../../src/demo/exporter/toml.ts'
import { usagesAt } from '../../src/demo/exporter/usage.ts'
import { parseWeights, tableFor, weightOf } from '../../src/demo/exporter/weights.ts'

const START = Date.parse('2026-01-01T00:00:00Z')
const GOLDEN_WEIGHTS = `
[[weights]]
from = 2018-01-01T00:00:00Z
vcpus = { "4" = 1, "28" = 2 }
ram = { "8" = 1, "64" = 2.5 }
`

function cloudOf(machines: string): string {
  return `[biology]\n[[biology.projects]]\nproject_name = "BioVis"\nmachines = [${machines}]`
}

/** What the machines have used some hours after the start date. */
function used(machines: string, hours: number, weights = ''): { vcpu: number; ram: number } {
  const terms = {
    startDate: START,
    weights: parseWeights(weights),
    simpleVm: { projectId: undefined, tag: 'project_name' },
  }
  const { vcpu, ram } = usagesAt(START + hours * HOUR, parseCloud(cloudOf(machines)), terms)[0]!
  return { vcpu, ram }
}

suite('a cloud file', () => {
  test('needs to say nothing of a machine but that there is one', () => {
    expect(parseCloud('[[biology.projects]]\nmachines = [{}]')).toEqual([
      {
        domainId: 'UNKNOWN_DOMAIN_ID',
        domainName: 'biology',
        projectId: 'UNKNOWN_ID',
        projectName: 'UNKNOWN_NAME',
        machines: [
          {
            cpus: 4,
            ram: 8,
            existence: { from: -Infinity, to: Infinity },
            instanceId: 'UNKNOWN_ID',
            metadata: new Map(),
          },
        ],
      },
    ])
  })

  test('may hold domains without projects and projects without machines', () => {
    expect(parseCloud('[empty]\ndomain_id = "1"\n[[biology.projects]]\nproject_name = "BioVis"')).toMatchObject([
      { projectName: 'BioVis', machines: [] },
    ])
  })

  test('of the demo can be read', () => {
    const cloud = parseCloud(readFileSync(new URL('../../src/demo/cloud.toml', import.meta.url), 'utf8'))
    expect(new Set(cloud.map(({ domainName }) => domainName)).size).toBe(2)
    expect(cloud.map(({ projectName }) => projectName)).toContain('UnknownToPerun')
  })

  test.each([
    ['domain = 1', 'In the cloud file: expected "domain" to be a domain, a table such as [domain], got 1'],
    ['[a]\nprojects = 1', 'In domain "a": expected "projects" to be an array of tables, got 1'],
    ['[a]\ndomain_id = 1', 'In domain "a": expected "domain_id" to be a text, got 1'],
    ['[[a.projects]]\nproject_id = 7', 'In project 7 of domain "a": expected "project_id" to be a text, got 7'],
    [
      '[[a.projects]]\nmachines = [1]',
      'In project 1 of domain "a": expected "machines" to be an array of tables, got [1]',
    ],
    [
      '[a]\n[[a.projects]]\n[[a.projects]]',
      'Domain "a" has two projects named "UNKNOWN_NAME" with the id "UNKNOWN_ID"',
    ],
    ['a = [\n', 'In the cloud file, line 2, column 1: invalid value'],
  ])('is refused with the reason: %j', (text, message) => {
    expect(() => parseCloud(text)).toThrow(new UnusableError(message))
  })

  const machine = 'In machine 1 of project "BioVis" of domain "biology": expected'
  test.each([
    ['cpus = 0', `${machine} "cpus" to be a positive number, got 0`],
    ['ram = -1', `${machine} "ram" to be a positive number, got -1`],
    ['ram = nan', `${machine} "ram" to be a positive number, got NaN`],
    ['cpus = "2"', `${machine} "cpus" to be a positive number, got "2"`],
    ['instance_id = 1', `${machine} "instance_id" to be a text, got 1`],
    ['existence = "2026-01-01"', `${machine} "existence" to be true, false, a date or [from, to], got "2026-01-01"`],
    ['existence = 12:00:00', `${machine} "existence" to be true, false, a date or [from, to], got "12:00:00.000"`],
    ['existence = [2026-01-01]', `${machine} "existence" to be true, false, a date or [from, to], got ["2026-01-01"]`],
    [
      'existence = [2026-01-02, 2026-01-01]',
      `${machine} "existence" to be two dates of which the first is not the later one, got ["2026-01-02","2026-01-01"]`,
    ],
    ['metadata = 1', `${machine} "metadata" to be a table, got 1`],
    [
      'metadata = { tag = 1 }',
      'In the metadata of machine 1 of project "BioVis" of domain "biology": expected "tag" to be a text, got 1',
    ],
  ])('is refused with the project, the machine and the field: %s', (field, message) => {
    expect(() => parseCloud(cloudOf(`{ ${field} }`))).toThrow(new UnusableError(message))
  })
})

suite('usage', () => {
  // 10 hours after the start date, 2026-01-01T00:00Z. One vCPU and 2 GiB: vCPU·h are hours, GiB·h twice that.
  test.each([
    ['true', 10, 'since the start date'],
    ['false', 0, 'never'],
    ['2026-01-01T04:00:00Z', 6, 'since 04:00'],
    ['2026-01-01T06:00:00+02:00', 6, 'since 04:00, told in another zone'],
    ['2026-01-01T04:00:00', 6, 'a date without a zone is UTC'],
    ['2026-01-01', 10, 'a day is its midnight'],
    ['2025-06-01T00:00:00Z', 10, 'before the start date nothing counts'],
    ['2026-01-01T11:00:00Z', 0, 'not yet'],
    ['[2026-01-01T02:00:00Z, 2026-01-01T05:00:00Z]', 3, 'for three hours'],
    ['[2026-01-01T08:00:00Z, 2026-01-01T20:00:00Z]', 2, 'still running'],
    ['[2025-12-31T00:00:00Z, 2026-01-01T01:00:00Z]', 1, 'began before the start date'],
    ['[2025-01-01T00:00:00Z, 2025-02-01T00:00:00Z]', 0, 'over before the start date'],
    ['[2026-01-01T12:00:00Z, 2026-01-01T20:00:00Z]', 0, 'not yet'],
  ])('of a machine with existence %s is that of %d hours: %s', (existence, hours) => {
    expect(used(`{ cpus = 1, ram = 2, existence = ${existence} }`, 10)).toEqual({ vcpu: hours, ram: 2 * hours })
  })

  test('is zero for a project without machines', () => {
    expect(used('', 10)).toEqual({ vcpu: 0, ram: 0 })
  })

  test('is the sum over the machines in plain doubles, noise included', () => {
    const machines = '{ cpus = 1, ram = 1 }, { cpus = 2, ram = 2 }, { cpus = 3, ram = 3 }'
    expect(used(machines, 0.1).vcpu).toBe(0.1 + 0.2 + 3 * 0.1)
    expect(used(machines, 0.1).vcpu).not.toBe(0.6)
  })

  // The worked example of the credits: 1 per vCPU·h and 0.3 per GiB·h.
  test('of an hour of one vCPU and 2 GiB costs 1.6 credits, weights being 1', () => {
    expect(used('{ cpus = 1, ram = 2 }', 1, GOLDEN_WEIGHTS)).toEqual({ vcpu: 1, ram: 2 }) // 1 + 2 × 0.3 = 1.6
  })

  test('of an hour of 28 vCPU and 64 GiB costs 104 credits, weights being 2 and 2.5', () => {
    expect(used('{ cpus = 28, ram = 64 }', 1, GOLDEN_WEIGHTS)).toEqual({ vcpu: 56, ram: 160 }) // 56 + 160 × 0.3 = 104
  })

  test('of a SimpleVM project is split by the tag of its machines, and machines without it are left out', () => {
    const cloud = parseCloud(
      cloudOf(`{ cpus = 1, metadata = { team = "His" } }, { cpus = 2, metadata = { team = "Hers" } },
        { cpus = 4, metadata = { team = "His" } }, { cpus = 8 }`),
    )
    const terms = { startDate: START, weights: [], simpleVm: { projectId: 'UNKNOWN_ID', tag: 'team' } }
    const parts = usagesAt(START + HOUR, cloud, terms).map(({ labels, vcpu }) => [
      labels.project_id,
      labels.project_name,
      vcpu,
    ])
    expect(parts).toEqual([
      ['UNKNOWN_ID', 'His', 5],
      ['UNKNOWN_ID', 'Hers', 2],
    ])
  })
})

suite('weights', () => {
  const steps = parseWeights(GOLDEN_WEIGHTS)[0]!.vcpus

  test.each([
    [1, 1, 'the smallest step that holds it'],
    [4, 1, 'exactly a step'],
    [5, 2, 'the next step'],
    [100, 2, 'larger than all: the largest step'],
  ])('of size %d are %d: %s', (size, weight) => {
    expect(weightOf(steps, size)).toBe(weight)
  })

  test('are 1 when nothing is said', () => {
    expect(weightOf([], 28)).toBe(1)
    expect(used('{ cpus = 28, ram = 64 }', 1, '[[weights]]\nfrom = 2018-01-01\nvcpus = { "1" = 3 }')).toEqual({
      vcpu: 84,
      ram: 64,
    })
  })

  test('are those in force when the machine started', () => {
    const weights = parseWeights(`
      [[weights]]
      from = 2026-01-01T00:00:00Z
      vcpus = { "1" = 3 }
      [[weights]]
      from = 2020-01-01
      vcpus = { "1" = 2 }`)
    const at = (text: string) => tableFor(weights, Date.parse(text))?.vcpus[0]?.[1]
    expect(at('2019-01-01')).toBe(2)
    expect(at('2025-12-31T23:59:59Z')).toBe(2)
    expect(at('2026-01-01')).toBe(3)
  })

  test('of a machine that began before the start date are those of its own beginning', () => {
    const weights = `
      [[weights]]
      from = 2020-01-01
      vcpus = { "1" = 2 }
      [[weights]]
      from = 2026-01-01
      vcpus = { "1" = 3 }`
    expect(used('{ cpus = 1, existence = 2025-06-01 }', 1, weights).vcpu).toBe(2)
    expect(used('{ cpus = 1, existence = true }', 1, weights).vcpu).toBe(3)
  })

  test('of the demo give the worked example', () => {
    const demo = readFileSync(new URL('../../src/demo/weights.toml', import.meta.url), 'utf8')
    expect(parseWeights(demo)).toEqual(parseWeights(GOLDEN_WEIGHTS))
  })

  test.each([
    ['[[weights]]', 'In weights table 1: expected "from" to be a date, got nothing'],
    ['[[weights]]\nfrom = 2018-01-01\nram = 1', 'In weights table 1: expected "ram" to be a table, got 1'],
    [
      '[[weights]]\nfrom = 2018-01-01\nram = { "8" = 0 }',
      'In "ram" of weights table 1: expected "8" to be a positive number, got 0',
    ],
    [
      '[[weights]]\nfrom = 2018-01-01\nvcpus = { many = 2 }',
      'In "vcpus" of weights table 1: expected sizes such as "28", got "many"',
    ],
    ['weights = 1', 'In the weights file: expected "weights" to be an array of tables, got 1'],
  ])('are refused with the table and the field: %j', (text, message) => {
    expect(() => parseWeights(text)).toThrow(new UnusableError(message))
  })
})
