/** The description of the API as a judge: whether an answer is one of those that it tells of. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import type { Door } from '#src/http/door.ts'
import { describeApi, type OpenApi, type Operation, type Reference, type Response } from '#src/http/openapi.ts'
import type { HttpParts } from '#src/http/parts.ts'
import type { Route } from '#src/http/route.ts'
import { allRoutes } from '#src/http/routes/all.ts'
import { createMetrics } from '#src/telemetry/metrics.ts'
import { meters } from '../../helpers/billing.ts'

/** Nothing is asked of the parts before a request comes. */
export const routes: readonly Route[] = allRoutes(
  { metrics: createMetrics({ version: 'test' }) } as unknown as HttpParts,
  {} as Door,
)

export const document: OpenApi = describeApi({ routes, meters, version: '1.2.3' })

export interface Described {
  /** `GET /api/groups/{name}` */
  readonly name: string
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

export const operations: readonly Described[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([lower, operation]) => {
    const method = lower.toUpperCase()
    return { name: `${method} ${path}`, method, path, operation }
  }),
)

export function responsesOf({ responses }: Operation): [number, Response][] {
  return Object.entries(responses).map(([status, response]) => [Number(status), resolve(response)])
}

function resolve(response: Response | Reference): Response {
  if (!('$ref' in response)) return response
  return document.components.responses[response.$ref.split('/').at(-1)!]!
}

interface Told {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** What is wrong with an answer to this request; nothing if the description tells of it. */
export function complaints(method: string, url: string, answer: Told): string[] {
  const path = url.split('?')[0]!
  // An address without parameters comes before one with.
  const [found] = operations
    .filter((each) => each.method === method && patternOf(each.path).test(path))
    .toSorted((a, b) => a.operation.parameters.length - b.operation.parameters.length)
  return found === undefined ? [] : complaintsAbout(found, answer)
}

export function complaintsAbout({ name, operation }: Described, { status, headers, text }: Told): string[] {
  const response = responsesOf(operation).find(([documented]) => documented === status)?.[1]
  if (response === undefined) return [`${name} answers ${status}, which its route does not name: ${text.slice(0, 200)}`]
  const required = Object.entries(response.headers ?? {}).filter(
    ([, header]) => (header as { required: boolean }).required,
  )
  const missing = required
    .map(([header]) => header)
    .filter((header) => header !== 'Link' && headers[header.toLowerCase()] === undefined)
  const told = missing.map((header) => `${name} answers ${status} without ${header}`)
  // That a route has no schema yet is told by another test.
  if (response.content === undefined) return told
  // Node refuses a head of more than 16 KiB by itself, before there is a route.
  if (status === 431 && text === '') return []
  const type = String(headers['content-type']).split(';')[0]!
  const content = response.content[type]
  if (content === undefined) return [...told, `${name} answers ${status} as ${type}`]
  const value: unknown = type.endsWith('json') ? JSON.parse(text) : text
  return [...told, ...mistakes(content.schema, value).map((mistake) => `${name} answers ${status}: ${mistake}`)]
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/[.]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}

const ajv = formats.default(new Ajv2020({ allErrors: true, allowUnionTypes: true, keywords: ['components'] }))
const compiled = new Map<object, ValidateFunction>()
/** Schemas refer to those of the document. */
const shared = { components: { schemas: document.components.schemas } }

/** Where a value is not what a schema of the document says. */
export function mistakes(schema: object, value: unknown): string[] {
  const validate = compiled.get(schema) ?? ajv.compile({ ...schema, ...shared })
  compiled.set(schema, validate)
  if (validate(value)) return []
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  )
}
