/**
 * The simulator's own face, beside Perun's: a page for people, and JSON under `/-/` for programs that set up and watch it
 * from another process. `/-/` answers connections of this machine only, and no pages of other sites in a browser.
 */
import type { IncomingMessage } from 'node:http'
import type { CallCounter } from './calls.ts'
import type { Fault, Faults } from './faults.ts'
import type { Edit, GroupState, NewGroup, World } from './world.ts'

/** What may be changed from outside. */
export interface Controls {
  readonly world: Omit<World, 'record'>
  readonly faults: Faults
  readonly calls: CallCounter
}

interface FaultOrders {
  readonly clear?: boolean
  readonly latency?: number
  readonly readOnly?: boolean
  readonly fail?: Fault | readonly Fault[]
}

type Route = (controls: Controls, body: unknown) => unknown

const routes: Readonly<Record<string, Route>> = {
  'GET /-/groups': ({ world }) => world.readAll(),
  'POST /-/groups': ({ world }, body) => ({ ids: asArray(body as NewGroup).map((group) => world.addGroup(group)) }),
  'POST /-/edit': ({ world }, body) => {
    const { name, by, ...edit } = body as Edit & { name: string; by?: string }
    world.edit(name, edit, by)
    return world.read(name)
  },
  'GET /-/calls': ({ calls }) => calls,
  'POST /-/calls/reset': ({ calls }) => calls.reset(),
  'POST /-/faults': ({ faults }, body) => {
    const { clear, latency, readOnly, fail = [] } = body as FaultOrders
    if (clear) faults.clear()
    if (latency !== undefined) faults.latency(latency)
    if (readOnly !== undefined) faults.readOnly(readOnly)
    for (const fault of asArray(fail)) faults.fail(fault)
  },
}

function asArray<T>(one: T | readonly T[]): readonly T[] {
  return Array.isArray(one) ? one : [one as T]
}

/** Whether the request comes from this machine and not from the page of another site. */
export function isFromHere({ socket, headers }: IncomingMessage): boolean {
  const address = socket.remoteAddress ?? ''
  const isLoopback = address === '::1' || /^(::ffff:)?127\./.test(address)
  return isLoopback && (headers.origin === undefined || headers.origin === `http://${headers.host}`)
}

/** Carries out an order such as `POST /-/edit`. One that makes no sense is answered with 400 and a sentence. */
export function administer(controls: Controls, order: string, body: string): { status: number; value: unknown } {
  if (!Object.hasOwn(routes, order))
    return { status: 404, value: { error: `Expected ${Object.keys(routes).join(', ')}` } }
  try {
    return { status: 200, value: routes[order]!(controls, body === '' ? {} : JSON.parse(body)) ?? null }
  } catch (error) {
    return { status: 400, value: { error: error instanceof Error ? error.message : String(error) } }
  }
}

/** All groups as a table that reloads itself. */
export function groupsPage(groups: readonly GroupState[]): string {
  const head = ['id', 'group', 'sites', 'granted', 'used', 'changed', 'by'].map((text) => `<th>${text}</th>`)
  const rows = groups.map((group) => {
    const { id, name, resources, granted, used, usedModifiedAt, usedModifiedBy } = group
    const cells = [id, name, resources.join(', '), granted, used, usedModifiedAt, usedModifiedBy]
    return `<tr>${cells.map((cell) => `<td>${escapeHtml(String(cell ?? '–'))}</td>`).join('')}</tr>`
  })
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>Perun simulator</title><h1>Perun simulator</h1>
<table border="1" cellpadding="4"><tr>${head.join('')}</tr>
${rows.join('\n')}</table></html>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
