/** Which exporters are scraped: the form of a target, and the file of them as Prometheus' file_sd reads it. */
import { address, digits, quote, text } from './parsers.ts'
import { type Place, type Report, readTree } from './place.ts'

/** One exporter, and the labels that its samples get where they have none of their own. */
export interface TargetConfig {
  /** http or https; may hold a login and a query, so it is shown only through `targetLabel`. */
  readonly url: string
  readonly labels: Readonly<Record<string, string>>
}

const LABEL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Reads a YAML or JSON list of `{ targets: [addresses], labels: { name: value } }`. Problems tell their place. */
export function readTargets(content: string, report: Report): TargetConfig[] {
  const groups = readTree(content, report)?.items() ?? []
  return groups.flatMap((group) => {
    const fields = group.fields('targets', 'labels')
    if (fields === undefined) return []
    const labels = fields.labels.isGiven ? readLabels(fields.labels) : {}
    const urls = fields.targets.items().map((item) => item.read(address))
    return urls.filter((url) => url !== undefined).map((url) => ({ url, labels }))
  })
}

function readLabels(place: Place): Record<string, string> {
  const labels = place.entries({ least: 0 }).map(([name, value]) => {
    if (!LABEL_NAME.test(name)) value.problem('a name of letters, digits and _ as key', quote(name))
    // The label that names the site has to be one: the number of a resource in Perun.
    return [name, value.readOr(name === 'location_id' ? digits : text, '')]
  })
  return Object.fromEntries(labels)
}
