/** The same writes by a client that does nothing else: what this machine and the simulator allow. */
import { Agent, request } from 'node:http'
import { json } from 'node:stream/consumers'
import { names, SITE } from './perun.ts'

interface Address {
  readonly url: string
  readonly login: string
  readonly password: string
}

/**
 * Looks all groups of the site up and writes each once.
 *
 * @returns The seconds that the writes took, with `lanes` of them at a time.
 */
export async function writeBare(perun: Address, lanes: number, value: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes })
  const headers = {
    'content-type': 'application/json',
    authorization: `Basic ${Buffer.from(`${perun.login}:${perun.password}`).toString('base64')}`,
    cookie: '',
  }
  async function call(method: string, parameters: object): Promise<unknown> {
    const body = JSON.stringify(parameters)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const options = { agent, method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) } }
    const outgoing = request(`${perun.url}/${method}`, options, (answer) => {
      headers.cookie ||= answer.headers['set-cookie']?.[0]?.split(';')[0] ?? ''
      if (answer.statusCode === 200) json(answer).then(resolve, reject)
      else reject(new Error(`${method}: ${answer.statusCode}`))
    })
    outgoing.on('error', reject).end(body)
    return promise
  }

  const define = (attributeName: string) => call('attributesManager/getAttributeDefinition', { attributeName })
  const [used, timestamps] = [await define(names.used), await define(names.timestamps)] as [object, object]
  const list = { resource: SITE, attrNames: [names.used] }
  const bulk = 'groupsManager/getRichGroupsAssignedToResourceWithAttributesByNames'
  const groups = (await call(bulk, list)) as { id: number }[]
  const times = { project_mb_usage: value, project_vcpu_usage: value }
  const attributes = [
    { ...used, value },
    { ...timestamps, value: times },
  ]
  const begun = performance.now()
  const rest = groups.values()
  const lane = async () => {
    for (const { id } of rest)
      await call('attributesManager/setAttributes', {
        group: id,
        resource: SITE,
        workWithGroupAttributes: true,
        attributes,
      })
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  agent.destroy()
  return (performance.now() - begun) / 1_000
}
