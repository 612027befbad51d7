/** Every route answers every status that it is said to answer, as it is said to. */
import { expect, onTestFinished, suite, test } from 'vitest'
import { common } from './common.ts'
import { complaintsAbout, type Described, operations, responsesOf } from './description.ts'
import { type Asked, requests } from './requests.ts'
import { asOperator, startBroken, startInTrouble, startWorld, type World } from './world.ts'

async function withWorld(): Promise<World> {
  const world = await startWorld()
  onTestFinished(() => world[Symbol.asyncDispose]())
  return world
}

function send({ face }: World, method: string, { path, headers = asOperator, body }: Asked) {
  return face.ask(path, { method, headers, body })
}

/** A request that works. */
async function working(described: Described, world: World): Promise<Asked> {
  const cases = requests[described.name] ?? {}
  const [status] = Object.keys(cases).filter((each) => each.startsWith('2'))
  if (status === undefined) throw new Error(`Give ${described.name} a request that works, in requests.ts`)
  return await cases[Number(status)]![0]!(world)
}

/** Nothing can fail in them. */
const infallible = ['GET /ping', 'GET /livez']

suite.each(operations)('$name', (described) => {
  const { name, method, operation } = described
  const own = requests[name] ?? {}
  const documented = responsesOf(operation).map(([status]) => status)

  test('has requests for each of its own statuses, and for no others', () => {
    const told = Object.keys(own).map(Number)
    const help = 'give each route in requests.ts a request for each status that is not in common.ts'
    expect(
      documented.filter((status) => !told.includes(status) && common[status] === undefined),
      help,
    ).toEqual([])
    expect(
      told.filter((status) => !documented.includes(status)),
      'statuses that the route does not name',
    ).toEqual([])
  })

  const cases = Object.entries(own).flatMap(([status, each]) =>
    each.map((make, index) => ({ status: Number(status), number: index + 1, make })),
  )
  test.each(cases)('answers $status as it says ($number)', async ({ status, make }) => {
    const world = await withWorld()
    const answer = await send(world, method, await make(world))
    expect(answer.status, answer.text).toBe(status)
    expect(complaintsAbout(described, answer)).toEqual([])
  })

  const general = documented.filter((status) => common[status] !== undefined && own[status] === undefined)
  test.each(general)('answers %i as all do', async (status) => {
    const world = await withWorld()
    const answer = await common[status]!(await working(described, world), method, world)
    expect(answer.status, answer.text).toBe(status === 500 && infallible.includes(name) ? 200 : status)
    expect(complaintsAbout(described, answer)).toEqual([])
  })

  test('says whether it needs the ledger, and a key', async () => {
    const world = await withWorld()
    const asked = await working(described, world)
    await using trouble = await startInTrouble()
    const { status } = await trouble.ask(asked.path, { method, body: asked.body })
    expect(status === 503).toBe(documented.includes(503))
    const answer = await send(world, method, { ...asked, headers: {} })
    expect(answer.status === 401).toBe(operation.security.length > 0)
  })

  const bodies = Object.values(operation.requestBody?.content ?? {}).flatMap(({ examples }) => Object.entries(examples))
  test.each(bodies)('takes the example of a body: %s', async (_, { value }) => {
    const world = await withWorld()
    const answer = await send(world, method, { ...(await working(described, world)), body: value })
    expect([200, 201, 202, 204], answer.text).toContain(answer.status)
    expect(complaintsAbout(described, answer)).toEqual([])
  })

  const parameters = operation.parameters.filter((parameter) => parameter.in === 'query')
  test.each(parameters)('takes the example of the parameter $name', async ({ name: parameter, example }) => {
    const world = await withWorld()
    const asked = await working(described, world)
    const path = `${asked.path.split('?')[0]}?${new URLSearchParams({ [parameter]: String(example) })}`
    const answer = await send(world, method, { ...asked, path })
    expect([200, 201, 202, 204], answer.text).toContain(answer.status)
    expect(complaintsAbout(described, answer)).toEqual([])
  })
})

test('A probe answers whatever else is broken', async () => {
  await using face = await startBroken()
  for (const path of ['/ping', '/livez']) expect((await face.get(path)).status).toBe(200)
})

// So that people may compute them after us.
test.each(['POST /api/plan', 'POST /api/costs_per_hour'])('The examples of %s are its answers', async (name) => {
  const { path, method, operation } = operations.find((each) => each.name === name)!
  const [, response] = responsesOf(operation).find(([status]) => status === 200)!
  const asked = operation.requestBody!.content['application/json']!.examples
  const { examples } = response.content!['application/json']!
  const world = await withWorld()
  for (const [title, { value }] of Object.entries(asked)) {
    const { json } = await send(world, method, { path, body: value })
    expect(json).toEqual(withPricesOf(examples[title]!.value, json))
  }
})

/** The example, with the prices of the answer: which they are is not its matter. */
function withPricesOf(example: unknown, answer: unknown): unknown {
  if (typeof example !== 'object' || example === null) return example
  return { ...example, prices: (answer as { prices: unknown }).prices }
}
