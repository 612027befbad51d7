/**
 * The description of the API (OpenAPI 3.1), made from the routes themselves: what they say about themselves, and what
 * holds for all of them. Pages for people are not in it.
 */
import { STATUS_CODES } from 'node:http'
import type { Meters } from '../core/meters.ts'
import { commonAnswers } from './commonAnswers.ts'
import { SESSION_COOKIE } from './door.ts'
import { problemType } from './errors.ts'
import type { AnswerShape, Route } from './route.ts'
import { exampleOf, examplesOf, type Schema } from './schema.ts'
import { problem } from './schemas/common.ts'
import { createSettler, type Settler } from './settle.ts'

/** What a description is made of. */
export interface Described {
  readonly routes: readonly Route[]
  readonly meters: Meters
  readonly version: string
}

export interface OpenApi {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>
    readonly responses: Readonly<Record<string, Response>>
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
}

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: true; readonly content: Readonly<Record<string, MediaType>> }
  readonly responses: Readonly<Record<string, Response | Reference>>
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required: boolean
  readonly description: string
  readonly schema: Schema
  readonly example?: unknown
}

export interface Response {
  readonly description: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, MediaType>>
}

export interface Reference {
  readonly $ref: string
}

export interface MediaType {
  readonly schema: Schema
  readonly examples: Readonly<Record<string, { readonly value: unknown }>>
}

export function describeApi({ routes, meters, version }: Described): OpenApi {
  const settle = createSettler(meters)
  const shown = routes.filter(({ isForPeople }) => isForPeople !== true)
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of shown) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method]: describeRoute(route, settle) }
  }
  const common = Object.fromEntries(
    commonAnswers.map(({ name, status, answer }) => [name, describeAnswer(status, answer, settle)]),
  )
  return {
    openapi: '3.1.1',
    info: { title: 'Credits worker', version, description: INTRODUCTION },
    tags: [...new Set(shown.map(tagOf))].map((name) => ({ name, description: tagTexts[name] ?? '' })),
    paths,
    components: {
      schemas: settle.named(),
      responses: common,
      securitySchemes: {
        key: {
          type: 'apiKey',
          in: 'header',
          name: 'X-API-KEY',
          description: 'The key of an operator, a reader or a writer',
        },
        bearer: { type: 'http', scheme: 'bearer', description: 'The same key' },
        session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE, description: 'Of a browser, from /login' },
      },
    },
  }
}

const INTRODUCTION = [
  'The credits worker turns the usage of OpenStack projects into credits.',
  'Amounts are decimal strings, exact to a micro-credit. Instants are in UTC unless they carry an offset. Names in paths',
  'are percent-encoded, a slash is `%2F`. Lists come in pages: `next` is the address of the next one.',
  'Without any key set, what needs one answers only direct requests from the same machine.',
].join(' ')

const tagTexts: Readonly<Record<string, string>> = {
  worker: 'The worker itself',
  prices: 'What is charged for, and what it would cost',
  groups: 'Groups, their entries and their history',
  holds: 'What is not charged or published until it is resolved',
  notices: 'What people are told about their credits',
  drifts: 'What people edited in Perun',
  repricings: 'Other prices for past periods',
  pushes: 'Readings that other programs push',
  doc: 'This description',
}

function tagOf({ path, tag }: Route): string {
  return tag ?? /^\/api\/([^/]+)/.exec(path)?.[1] ?? 'worker'
}

function describeRoute(route: Route, settle: Settler): Operation {
  const { method, path, summary } = route
  const body = bodyOf(route, settle)
  return {
    operationId: [method, ...path.split(/\W+/).filter((part) => part !== '')].join('_'),
    summary,
    tags: [tagOf(route)],
    security: securityOf(route),
    parameters: parametersOf(route, settle),
    ...(body !== undefined && { requestBody: { required: true, content: body } }),
    responses: describeAnswers(route, settle),
  }
}

function bodyOf({ body, payload }: Route, settle: Settler): Record<string, MediaType> | undefined {
  if (body !== undefined) return contentOf({ json: asSchema(body) }, settle)
  if (payload === undefined) return undefined
  return Object.fromEntries(Object.entries(payload).map(([type, schema]) => [type, mediaType(schema, settle)]))
}

/** A session opens what only looks. */
function securityOf({ who, method }: Route): Operation['security'] {
  if (who === 'all') return []
  return [{ key: [who] }, { bearer: [who] }, ...(method === 'get' ? [{ session: [who] }] : [])]
}

function parametersOf({ path, params = {}, query = {} }: Route, settle: Settler): Parameter[] {
  const ofPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ['path', name!, params[name!] ?? name!] as const)
  const ofQuery = Object.entries(query).map(([name, given]) => ['query', name, given] as const)
  return [...ofPath, ...ofQuery].map(([place, name, given]) => {
    const { description, ...schema } = settle.whole(asSchema(given))
    const isRequired = place === 'path'
    return {
      name,
      in: place,
      required: isRequired,
      description: String(description),
      schema,
      example: exampleOf(schema),
    }
  })
}

/** What a text stands for: anything. */
function asSchema(given: string | Schema): Schema {
  return typeof given === 'string' ? { description: given } : given
}

/** Its own answers, and the common ones that it says nothing about. */
function describeAnswers(route: Route, settle: Settler): Record<string, Response | Reference> {
  const common = commonAnswers
    .filter(({ status, isFor }) => route.answers[status] === undefined && isFor(route))
    .map(({ name, status }) => [status, { $ref: `#/components/responses/${name}` }])
  const own = Object.entries(route.answers).map(([status, answer]) => [
    status,
    describeAnswer(Number(status), answer, settle),
  ])
  return Object.fromEntries([...own, ...common])
}

const mediaTypes = { json: 'application/json', csv: 'text/csv', text: 'text/plain', html: 'text/html' } as const

function describeAnswer(status: number, answer: string | AnswerShape, settle: Settler): Response {
  const { description, headers, optionalHeaders, ...shapes } =
    typeof answer === 'string' ? { description: answer } : answer
  const isProblem = status >= 400 && Object.keys(shapes).length === 0
  const content = isProblem ? problemContent(status, description, settle) : contentOf(shapes, settle)
  const described = [...describeHeaders(headers, true), ...describeHeaders(optionalHeaders, false)]
  return {
    description,
    ...(described.length > 0 && { headers: Object.fromEntries(described) }),
    ...(Object.keys(content).length > 0 && { content }),
  }
}

function describeHeaders(headers: Readonly<Record<string, string>> = {}, required: boolean): [string, unknown][] {
  return Object.entries(headers).map(([name, description]) => [
    name,
    { description, required, schema: { type: 'string' } },
  ])
}

function contentOf(shapes: Omit<AnswerShape, 'description'>, settle: Settler): Record<string, MediaType> {
  const kinds = Object.keys(mediaTypes) as (keyof typeof mediaTypes)[]
  return Object.fromEntries(
    kinds.flatMap((kind) => {
      const shape = shapes[kind]
      return shape === undefined ? [] : [[mediaTypes[kind], mediaType(shape, settle)]]
    }),
  )
}

function mediaType(shape: Schema, settle: Settler): MediaType {
  // Bytes cannot be shown as a text.
  const shown = shape.format === 'binary' ? {} : examplesOf(settle.whole(shape))
  const examples = Object.entries(shown).map(([name, value]) => [name, { value }])
  return { schema: settle(shape), examples: Object.fromEntries(examples) }
}

function problemContent(status: number, description: string, settle: Settler): Record<string, MediaType> {
  const title = STATUS_CODES[status]!
  const type = problemType(title)
  const example = { ...(exampleOf(problem) as object), type, title, status, detail: `${description}.` }
  return { 'application/problem+json': { schema: settle(problem), examples: { example: { value: example } } } }
}
