import { expect, suite, test } from 'vitest'
import { describeApi } from '#src/http/openapi.ts'
import type { Route } from '#src/http/route.ts'
import { decimal, digits, exampleOf, fields, list, named, nullable, oneOf, perMeter, text } from '#src/http/schema.ts'
import { meter, meters } from '../helpers/billing.ts'

const route = (rest: Partial<Route>): Route => ({
  method: 'get',
  path: '/api/things/:name',
  who: 'reader',
  summary: 'A thing',
  answers: {},
  handle: () => undefined,
  ...rest,
})

const describe = (...routes: Route[]) => describeApi({ routes, meters, version: '1' })

suite('the description', () => {
  test('has a named schema once, however many routes refer to it', () => {
    const thing = named('Thing', fields({ name: text('Its name', 'a') }))
    const answers = { 200: { description: 'Things', json: list(thing) }, 201: { description: 'One', json: thing } }
    const { paths, components } = describe(route({ answers }))
    const { responses } = paths['/api/things/{name}']!.get!
    const reference = { $ref: '#/components/schemas/Thing' }
    expect(responses).toMatchObject({
      200: { content: { 'application/json': { schema: { items: reference } } } },
      201: { content: { 'application/json': { schema: reference, examples: { example: { value: { name: 'a' } } } } } },
    })
    expect(Object.keys(components.schemas)).toEqual(['Thing', 'Problem'])
  })

  test('cannot have two schemas of one name', () => {
    const [one, other] = [named('Thing', text('One', 'a')), named('Thing', text('Another', 'b'))]
    const answers = { 200: { description: 'One', json: one }, 201: { description: 'Another', json: other } }
    expect(() => describe(route({ answers }))).toThrow('Two schemas have the name Thing')
  })

  test('speaks of the meters that there are', () => {
    const body = perMeter('Sizes', ({ unit }) => digits(`In ${unit}`, 4))
    const gpu = meter('gpu', 'project_gpu_usage', 'GPU·h', '5')
    const routes = [route({ method: 'post', body })]
    const { paths } = describeApi({ routes, meters: new Map([[gpu.metric, gpu]]), version: '1' })
    expect(paths['/api/things/{name}']!.post!.requestBody!.content['application/json']).toEqual({
      schema: {
        type: 'object',
        description: 'Sizes',
        properties: { gpu: expect.objectContaining({ description: 'In GPU·h' }) },
        additionalProperties: false,
      },
      examples: { example: { value: { gpu: 4 } } },
    })
  })

  test('gives each choice of a body an example of its name', () => {
    const body = oneOf({ shorter: fields({ a: text('A', 'x') }), longer: fields({ b: decimal('B', '1.5') }) })
    const { content } = describe(route({ method: 'post', body })).paths['/api/things/{name}']!.post!.requestBody!
    expect(content['application/json']!.examples).toEqual({
      shorter: { value: { a: 'x' } },
      longer: { value: { b: '1.5' } },
    })
  })

  test('takes a route in the making, of which only texts are known', () => {
    const made = describe(route({ query: { q: 'What to look for' }, answers: { 200: 'Things', 404: 'None' } }))
    const { parameters, responses } = made.paths['/api/things/{name}']!.get!
    expect(parameters).toMatchObject([
      { name: 'name', in: 'path' },
      { name: 'q', description: 'What to look for' },
    ])
    expect(responses[200]).toEqual({ description: 'Things' })
    expect(responses[404]).toHaveProperty(['content', 'application/problem+json'])
  })
})

suite('an example', () => {
  test('has all fields, and of what may be null a value', () => {
    const schema = fields({ a: nullable(text('A', 'x')), b: list(decimal('B', '1')) }, { c: nullable(fields({})) })
    expect(exampleOf(schema)).toEqual({ a: 'x', b: ['1'], c: {} })
  })
})
