/** The dashboard and the alerts in `deploy/`: they parse, and what they ask for is there. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, suite, test } from 'vitest'
import { parse } from 'yaml'
import { createMetrics } from '#src/telemetry/metrics.ts'
import { plain, read, root, section, tableRows } from './repository.ts'
import { contacts, decisionKinds, holdKinds } from './words.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string }[]
  readonly panels?: readonly Panel[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

const alerts = parse(read('deploy/alerts.yml')) as { groups: { rules: Rule[] }[] }
const rules = alerts.groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(read('deploy/dashboard.json')) as Dashboard
const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
const charts = panels.filter(({ type }) => type !== 'row')

const ALERT_TESTS = ['deploy/alerts.test.yml', 'deploy/alerts.days.test.yml']

/** What Grafana puts in place of its variables, or something like it. */
const filled = (expr: string) =>
  expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*').replaceAll('$group', '.*')
const expressions = [
  ...rules.map(({ alert, expr }) => ({ of: alert, expr })),
  ...charts.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ of: title, expr: filled(expr) }))),
]

/** Labels that Prometheus adds by itself. */
const OF_PROMETHEUS = ['instance', 'job']

/** Each metric by the names under which its numbers are stored, with its labels. */
async function storedMetrics(): Promise<Map<string, string[]>> {
  const metrics = createMetrics({ version: 'test' })
  metrics.showGroups(async () => ({ groups: [], leftOut: 0 }), { withForecasts: true })
  const all = await metrics.registry.getMetricsAsJSON()
  return new Map(
    all.flatMap(({ name, type }) => {
      const { labelNames } = metrics.registry.getSingleMetric(name) as unknown as { labelNames: string[] }
      const names = String(type) === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name]
      return names.map((each): [string, string[]] => [
        each,
        [...labelNames, ...(each.endsWith('_bucket') ? ['le'] : [])],
      ])
    }),
  )
}

/** Metrics of an expression with the labels that are chosen by; those it is grouped by are apart. */
function named(expr: string) {
  const texts = /"(?:[^"\\]|\\.)*"/g
  const selectors = [...expr.matchAll(/\b((?:os_credits|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)]
  const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap((match) => match[1]!.split(/,\s*/))
  return {
    selectors: selectors.map(([, metric, chosen = '']) => ({
      metric: metric!,
      labels: [...chosen.replace(texts, '').matchAll(/(\w+)\s*[=!]/g)].map((match) => match[1]!),
    })),
    grouped,
  }
}

suite('The alerts and the dashboard', () => {
  test('ask only for metrics and labels that the worker has', async () => {
    const metrics = await storedMetrics()
    for (const { of, expr } of expressions) {
      const { selectors, grouped } = named(expr)
      expect(selectors.length, of).toBeGreaterThan(0)
      const known = selectors.flatMap(({ metric }) => metrics.get(metric) ?? [])
      expect(
        selectors.filter(({ metric }) => !metrics.has(metric)),
        of,
      ).toEqual([])
      for (const { metric, labels } of selectors) {
        const own = [...metrics.get(metric)!, ...OF_PROMETHEUS]
        expect(
          labels.filter((label) => !own.includes(label)),
          `${of}: ${metric}`,
        ).toEqual([])
      }
      expect(
        grouped.filter((label) => ![...known, ...OF_PROMETHEUS].includes(label)),
        of,
      ).toEqual([])
    }
  })

  test('look for kinds, decisions and states that there are', () => {
    const existing = {
      kind: holdKinds,
      decision: decisionKinds,
      state: [...contacts, 'publishing', 'waiting', 'stopped', 'off'],
      outcome: ['ok'],
    }
    let looked = 0
    for (const { of, expr } of expressions) {
      for (const [, label, values] of expr.matchAll(/\b(kind|decision|state|outcome)\s*[!=]=?~?"([^"]*)"/g)) {
        looked += 1
        const known: readonly string[] = existing[label as keyof typeof existing]
        expect(
          values!.split('|').filter((value) => !known.includes(value)),
          of,
        ).toEqual([])
      }
    }
    expect(looked).toBeGreaterThan(5)
  })

  test('have an alert for every kind of hold', () => {
    const kinds = rules.flatMap(({ expr }) => /os_credits_holds\{kind=~"([^"]*)"/.exec(expr)?.[1]?.split('|') ?? [])
    expect(kinds.toSorted()).toEqual(holdKinds.toSorted())
  })
})

suite('Each alert', () => {
  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s says what it means and what to do', (_name, rule) => {
    expect(rule.alert).toMatch(/^Credits[A-Z]\w+$/)
    expect(['critical', 'warning', 'info']).toContain(rule.labels.severity)
    expect(Object.keys(rule.annotations)).toEqual(['summary', 'description', 'action'])
    for (const text of [rule.annotations.description, rule.annotations.action]) expect(text).toMatch(/[.]$/)
  })

  test('has a name of its own, a case in which it fires, and a row in docs/OPERATING.md', () => {
    const names = rules.map(({ alert }) => alert)
    expect(new Set(names).size).toBe(names.length)
    const tested = new Set(
      ALERT_TESTS.map(read)
        .join('\n')
        .match(/Credits\w+/g),
    )
    expect([...tested].toSorted()).toEqual(names.toSorted())
    const documented = tableRows(section(read('docs/OPERATING.md'), 'Metrics and alerts')).map(([name]) => plain(name!))
    expect(documented).toEqual(names)
  })
})

suite('The dashboard', () => {
  test('has panels with a number, a title and a description each, of which none lies on another', () => {
    expect(charts.length).toBeGreaterThan(25)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const { title, description, targets } of charts) {
      expect(description, title).toMatch(/^[A-Z0-9].*\.?$/i)
      expect(targets, title).not.toEqual([])
    }
    const overlapping = panels.filter((one) =>
      panels.some((other) => one.id < other.id && overlap(one.gridPos, other.gridPos)),
    )
    expect(overlapping.map(({ title }) => title)).toEqual([])
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([])
  })

  test('uses the variables that it has', () => {
    const variables = dashboard.templating.list.map(({ name }) => name)
    const used = new Set([...read('deploy/dashboard.json').matchAll(/\$\{?(?!__)(\w+)/g)].map((match) => match[1]!))
    expect([...used].toSorted()).toEqual(variables.toSorted())
  })

  test('shows every metric of the worker that has a meaning of its own', async () => {
    const shown = new Set(expressions.flatMap(({ expr }) => named(expr).selectors).map(({ metric }) => metric))
    const own = [...(await storedMetrics()).keys()].filter((name) => name.startsWith('os_credits_'))
    const missing = own.filter((name) => !/_(sum|count|bucket)$/.test(name) && !shown.has(name))
    expect(missing).toEqual([])
  })
})

function overlap(a: Panel['gridPos'], b: Panel['gridPos']): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

// promtool comes with Prometheus; PROMTOOL names it where it is not in the path.
const promtool = process.env.PROMTOOL ?? 'promtool'
const isMissing = spawnSync(promtool, ['--version']).error !== undefined
if (isMissing) {
  process.stderr.write(
    'NOT TESTED: whether Prometheus understands deploy/alerts.yml and the queries of deploy/dashboard.json, and when alerts ' +
      'fire (promtool is not in the path, and PROMTOOL does not name it; it comes with Prometheus)\n',
  )
}

suite.skipIf(isMissing)('Prometheus', () => {
  const run = (...words: string[]) => {
    const { status, stdout, stderr } = spawnSync(promtool, words, { cwd: root, encoding: 'utf8' })
    return { status, output: stdout + stderr }
  }

  test('understands the alerts', () => {
    const { status, output } = run('check', 'rules', 'deploy/alerts.yml')
    expect({ status, output }).toMatchObject({
      status: 0,
      output: expect.stringContaining(`${rules.length} rules found`),
    })
  })

  test('fires them when they are to, and not else', { timeout: 120_000 }, () => {
    const { status, output } = run('test', 'rules', ...ALERT_TESTS)
    expect({ status, output }).toMatchObject({ status: 0, output: expect.stringContaining('SUCCESS') })
  })

  test('understands the queries of the dashboard', () => {
    const folder = mkdtempSync(join(tmpdir(), 'queries-'))
    const queries = expressions.map(({ expr }, index) => ({ record: `query:${index}`, expr }))
    writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules: queries }] }))
    const { status, output } = run('check', 'rules', join(folder, 'rules.yml'))
    rmSync(folder, { recursive: true })
    expect({ status, output }).toMatchObject({ status: 0 })
  })

  test('understands how the stack is set up', () => {
    expect(run('check', 'config', '--syntax-only', 'deploy/prometheus.yml')).toMatchObject({ status: 0 })
    const { rule_files: files } = parse(read('deploy/prometheus.yml')) as { rule_files: string[] }
    expect(files).toEqual(['alerts.yml'])
  })
})
