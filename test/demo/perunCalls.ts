/** Speaks to a simulated Perun as bare as possible, so that its tests see status, headers and text as they are. */
import { onTestFinished } from 'vitest'
import { type PerunOptions, type PerunSimulator, startPerun } from '../../src/demo/perun/simulator.ts'

export const SITE = 8676
export const OTHER_SITE = 8677
export const USED = 'urn:perun:group:attribute-def:opt:denbiCreditsCurrent'
export const GRANTED = 'urn:perun:group:attribute-def:opt:denbiCreditsGranted'
export const EMAIL = 'urn:perun:group:attribute-def:def:toEmail'
export const TIMESTAMPS = 'urn:perun:group_resource:attribute-def:opt:denbiCreditTimestamps'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export type Bean = Readonly<Record<string, unknown>>

export interface AttributeBean extends Bean {
  readonly id: number
  readonly friendlyName: string
  readonly value: unknown
}

export interface GroupBean extends Bean {
  readonly id: number
  /** Only of a RichGroup. */
  readonly attributes: readonly AttributeBean[]
}

/** A Perun of its own for one test, with one site. */
export async function perunForTest(options: PerunOptions = {}): Promise<PerunSimulator> {
  const perun = await startPerun(options)
  onTestFinished(() => perun.close())
  perun.addResource(SITE)
  return perun
}

export const basic = (login: string, password: string) => `Basic ${btoa(`${login}:${password}`)}`

export async function request(url: string, init: RequestInit = {}): Promise<Answer> {
  const headers = { authorization: basic('credits', 'secret'), 'content-type': 'application/json', ...init.headers }
  const response = await fetch(url, { ...init, headers })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** A POST of one method. */
export function post(perun: PerunSimulator, method: string, parameters: unknown, headers = {}): Promise<Answer> {
  return request(`${perun.url}/${method}`, { method: 'POST', body: JSON.stringify(parameters), headers })
}

/** What a method returns. */
export async function call<T = Bean>(perun: PerunSimulator, method: string, parameters: unknown): Promise<T> {
  const { status, text } = await post(perun, method, parameters)
  if (status !== 200) throw new Error(`${method} failed with ${status}: ${text}`)
  return JSON.parse(text)
}

/** What a method refuses with, which has to be a JSON error with status 400. */
export async function refusal(perun: PerunSimulator, method: string, parameters: unknown): Promise<Bean> {
  const { status, text } = await post(perun, method, parameters)
  if (status !== 400) throw new Error(`Expected ${method} to be refused with 400, got ${status}: ${text}`)
  return JSON.parse(text)
}

/** The least of an attribute that Perun takes, with the definition as this Perun has it. */
export async function attribute(perun: PerunSimulator, name: string, value: unknown) {
  const definition = await call<AttributeBean>(perun, 'attributesManager/getAttributeDefinition', {
    attributeName: name,
  })
  const { id, friendlyName, namespace, type } = definition
  return { id, friendlyName, namespace, type, value }
}

/** Sets attributes of a group by itself. */
export async function set(perun: PerunSimulator, group: number, name: string, value: unknown): Promise<Answer> {
  return post(perun, 'attributesManager/setAttributes', { group, attributes: [await attribute(perun, name, value)] })
}
