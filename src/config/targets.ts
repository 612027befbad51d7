/** Which exporters are scraped: the form of a target, and the file of them as Prometheus' file_sd reads it. */
import type { Values } from './declarations.ts'
import { type Files, readNamed } from './environment.ts'
import { address, digits, matching, type Parser, quoteAddress, quoteHidingLogin, text, Unexpected } from './parsers.ts'
import { type Place, type Report, readTree } from './place.ts'

/** One exporter, and the labels that its samples get where they have none of their own. */
export interface TargetConfig {
  /** http or https; may hold a login and a query, so it is shown only through `targetLabel`. */
  readonly url: string
  readonly labels: Readonly<Record<string, string>>
}

/** A file of targets, and the addresses that must not be in it, as they are scraped anyway. */
export interface TargetsFile {
  readonly path: string
  readonly urls: readonly string[]
}

/** The targets of both settings. One that is named twice would be scraped twice. */
export function collectTargets(
  { USAGE_EXPORTER_URLS: urls = [], USAGE_EXPORTER_TARGETS_FILE: path }: Partial<Values>,
  files: Files,
  report: Report,
): TargetConfig[] {
  const listed = path === undefined ? [] : readNamed('USAGE_EXPORTER_TARGETS_FILE', path, files, readTargets, report)
  const targets = [...urls.map((url) => ({ url, labels: {} })), ...(listed ?? [])]
  const all = targets.map(({ url }) => url)
  for (const url of new Set(all.filter((one, index) => all.indexOf(one) < index))) {
    const where = urls.includes(url)
      ? 'USAGE_EXPORTER_URLS: expected each address once, also in USAGE_EXPORTER_TARGETS_FILE'
      : 'USAGE_EXPORTER_TARGETS_FILE: expected each address once'
    report(`${where}, got ${quoteAddress(withoutLogin(url))} again`)
  }
  return targets
}

/** As at the start, but problems are told instead of thrown. */
export function readTargetsAgain({ path, urls }: TargetsFile, files: Files) {
  const problems: string[] = []
  const values = { USAGE_EXPORTER_URLS: urls, USAGE_EXPORTER_TARGETS_FILE: path }
  const targets = collectTargets(values, files, (problem) => problems.push(problem))
  return { targets, problems }
}

function withoutLogin(url: string): string {
  return Object.assign(new URL(url), { username: '', password: '' }).href
}

/** Reads a YAML or JSON list of `{ targets: [addresses], labels: { name: value } }`. Problems tell their place. */
export function readTargets(content: string, report: Report): TargetConfig[] {
  const groups = readTree(content, report)?.items() ?? []
  return groups.flatMap((group) => {
    const fields = group.fields('targets', 'labels')
    if (fields === undefined) return []
    const given = fields.labels.isGiven ? fields.labels.entries({ least: 0 }) : []
    const target = targetParser(readWay(given))
    const labels = readLabels(given)
    const urls = fields.targets.items().map((item) => item.read(target))
    return urls.filter((url) => url !== undefined).map((url) => ({ url, labels }))
  })
}

const LABEL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Labels that begin with two underscores tell Prometheus how to scrape; samples do not get them. */
function isInternal(name: string): boolean {
  return name.startsWith('__')
}

function readLabels(given: readonly (readonly [string, Place])[]): Record<string, string> {
  const labels = given
    .filter(([name]) => !isInternal(name))
    .map(([name, value]) => {
      if (!LABEL_NAME.test(name)) value.problem('a name of letters, digits and _ as key', quoteHidingLogin(name))
      // The label that names the site has to be one: the number of a resource in Perun.
      return [name, value.readOr(name === 'location_id' ? digits : text, '')]
    })
  return Object.fromEntries(labels)
}

/** How an address becomes of `host:port`. */
interface Way {
  readonly scheme: string
  readonly path: string
  readonly params: readonly (readonly [string, string])[]
  /** Whether anything of it was said. */
  readonly isGiven: boolean
}

const PARAM = '__param_'

function readWay(given: readonly (readonly [string, Place])[]): Way {
  const read = (name: string, parse: Parser<string>) => given.find(([each]) => each === name)?.[1].readOr(parse, '')
  const scheme = read('__scheme__', matching(/^https?$/, 'http or https'))
  const path = read('__metrics_path__', matching(/^\//, 'a path that begins with /'))
  const params = given
    .filter(([name]) => name.startsWith(PARAM))
    .map(([name, value]) => [name.slice(PARAM.length), value.readOr(text, '') ?? ''] as const)
  const isGiven = Boolean(scheme || path) || params.length > 0
  return { scheme: scheme || 'http', path: path || '/metrics', params, isGiven }
}

const HOST = /^(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/

/** A whole address, or `host:port` as Prometheus has it. */
function targetParser({ scheme, path, params, isGiven }: Way): Parser<string> {
  return (given) => {
    if (given.includes('//')) {
      if (!isGiven) return address(given)
      throw new Unexpected('host:port, as labels tell scheme, path or parameters of it', quoteAddress(given))
    }
    const url = HOST.test(given) ? URL.parse(`${scheme}://${given}${path}`) : null
    if (url === null) {
      const expected = 'an http or https address, such as http://10.0.0.5:8080/metrics, or host:port'
      throw new Unexpected(expected, quoteAddress(given))
    }
    for (const [name, value] of params) url.searchParams.append(name, value)
    return url.href
  }
}
