import { validate } from '@hyperjump/json-schema/openapi-3-1'
import { expect, suite, test } from 'vitest'
import { plain, read, section, tableRows } from '../../project/repository.ts'
import { document, mistakes, operations, responsesOf, routes } from './description.ts'

suite('the description of the API', () => {
  test('is a valid OpenAPI 3.1 document', async () => {
    const output = await validate('https://spec.openapis.org/oas/3.1/schema-base', toJson(document), 'BASIC')
    expect(output).toEqual({ valid: true })
  })

  test('has every route but those for people', () => {
    const forPrograms = routes.filter(({ isForPeople }) => isForPeople !== true)
    expect(operations.map(endpoint).toSorted()).toEqual(forPrograms.map(endpoint).toSorted())
    expect(document.tags.filter(({ description }) => description === '')).toEqual([])
  })

  test('has the requests that docs/API.md tells programs of, for the same people', () => {
    const pages = routes.filter(({ isForPeople }) => isForPeople === true).map(endpoint)
    const told = tableRows(section(read('docs/API.md'), 'Endpoints')).map(([request, who]) => [plain(request!), who])
    const described = operations.map(({ method, path, operation }) => [
      endpoint({ method, path }),
      operation.security[0]?.key?.[0] ?? 'all',
    ])
    expect(described.toSorted()).toEqual(told.filter(([request]) => !pages.includes(request!)).toSorted())
  })

  test('says what every parameter, body and answer looks like', () => {
    const open = routes
      .filter(({ isForPeople }) => isForPeople !== true)
      .flatMap(({ method, path, params = {}, query = {}, body, answers }) => {
        const name = `${method.toUpperCase()} ${path}`
        const ofPath = [...path.matchAll(/:(\w+)/g)].map((match) => match[1]!)
        const found = Object.entries(answers).filter(([status]) => /^2(?!04)/.test(status))
        return [
          ...ofPath.filter((each) => params[each] === undefined).map((each) => `${name}: params.${each}`),
          ...Object.entries(query).flatMap(([each, is]) => (typeof is === 'string' ? [`${name}: query.${each}`] : [])),
          ...(typeof body === 'string' ? [`${name}: body`] : []),
          ...found.flatMap(([status, is]) => (typeof is === 'string' ? [`${name}: answers.${status}`] : [])),
        ]
      })
    const help = 'give these a schema instead of a text; src/http/schema.ts has helpers, src/http/schemas/ examples'
    expect(open, help).toEqual([])
  })

  test('leaves no field of an answer out', () => {
    const answers = operations
      .filter(({ path }) => path !== '/api/doc/openapi.json')
      .flatMap(({ operation }) => responsesOf(operation).map(([, response]) => response))
    const open = [...openObjects(answers), ...openObjects(document.components.schemas)]
    expect(open).toEqual([])
  })
})

suite.each(operations)('the examples of $name', ({ operation }) => {
  const { requestBody } = operation
  const contents = [requestBody?.content ?? {}, ...responsesOf(operation).map(([, { content = {} }]) => content)]

  test('are what their schemas say', () => {
    const media = contents.flatMap((content) => Object.values(content))
    const all = media.flatMap(({ schema, examples }) =>
      Object.values(examples).flatMap(({ value }) => mistakes(schema, value)),
    )
    const ofParameters = operation.parameters.flatMap(({ schema, example }) => mistakes(schema, example))
    expect([...all, ...ofParameters]).toEqual([])
  })
})

/** As docs/API.md writes it: `GET /api/groups/:name`. */
function endpoint({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
}

/** The objects in it that may have fields nobody knows of. */
function openObjects(schema: unknown): unknown[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { type, additionalProperties } = schema as Record<string, unknown>
  const own = type === 'object' && additionalProperties === undefined ? [schema] : []
  return [...own, ...Object.entries(schema).flatMap(([key, each]) => (key === 'examples' ? [] : openObjects(each)))]
}

/** As a program gets it. */
function toJson(value: object) {
  return JSON.parse(JSON.stringify(value))
}
