/** What Grafana of the Compose profile `stack` is provisioned with: a data source, and the dashboard that can also be imported. */
import { dirname } from 'node:path'
import { expect, suite, test } from 'vitest'
import { parse } from 'yaml'
import { compose, inRepository, mountsOf } from './compose.ts'
import { allFiles, read } from './repository.ts'

const grafana = compose.services.grafana!
const targets = mountsOf(grafana).map(({ target }) => target)
const inside = '/etc/grafana/provisioning'

interface Provisioned {
  readonly datasources: readonly { readonly type: string; readonly isDefault: boolean }[]
  readonly providers: readonly { readonly type: string; readonly options: { readonly path: string } }[]
}

/** The one file of a kind, from where Grafana looks for it. */
function provisioned(kind: 'datasources' | 'dashboards'): Provisioned {
  expect(targets).toContain(`${inside}/${kind}`)
  const [file, ...others] = allFiles(inRepository(grafana, `${inside}/${kind}`))
  expect(others).toEqual([])
  return parse(read(file!)) as Provisioned
}

suite('Grafana of the stack', () => {
  test('has one data source, which is what a dashboard takes that names none', () => {
    expect(provisioned('datasources').datasources).toMatchObject([{ type: 'prometheus', isDefault: true }])
  })

  test('finds the dashboard where it looks for some, and opens with it', () => {
    const home = grafana.environment!.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH!
    const [{ type, options }] = provisioned('dashboards').providers as [Provisioned['providers'][number]]
    expect({ type, path: options.path }).toEqual({ type: 'file', path: dirname(home) })
    expect(inRepository(grafana, home)).toBe('deploy/dashboard.json')
  })

  // An input would be filled in by a person who imports it, and by nobody here.
  test('gets a dashboard that asks for nothing and has its data source chosen by a variable', () => {
    const dashboard = JSON.parse(read('deploy/dashboard.json')) as {
      templating: { list: { name: string; type: string; query: unknown }[] }
    }
    expect(dashboard).not.toHaveProperty('__inputs')
    expect(dashboard.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource', query: 'prometheus' })
    const sources = read('deploy/dashboard.json').match(/"uid": "\$?[^"]*"/g)!
    expect(new Set(sources)).toEqual(new Set(['"uid": "credits-worker"', `"uid": "\${datasource}"`]))
  })
})
