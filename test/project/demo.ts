/** Whether settings that a document or a container has lead to the demo. */
import { expect } from 'vitest'
import type { Settings } from '#src/config/settings.ts'
import { startDemoExporter, startDemoPerun } from '#src/demo/world.ts'
import { createPerunRpc } from '#src/publish/perun/rpc.ts'

/** Starts exporter and Perun on ports of their own: only host and port of the settings may differ. */
export async function expectTheDemo(settings: Settings): Promise<void> {
  await using exporter = await disposable(startDemoExporter())
  await using perun = await disposable(startDemoPerun())
  const [target] = settings.targets
  expect(new URL(target!.url).pathname).toBe(new URL(exporter.url).pathname)
  const { login, password, url, voId, attributes } = settings.perun!
  const address = perun.home + new URL(url).pathname
  const rpc = createPerunRpc({ url: address, login, password, timeout: 5_000, connections: 1 })
  const attributeName = attributes.used
  await expect(rpc.call('attributesManager/getAttributeDefinition', { attributeName })).resolves.toBeDefined()
  rpc.close()
  expect(voId).toBe(perun.voId)
}

/** Both demo servers can be closed; one of them says so in its own way. */
async function disposable<Server extends { close(): Promise<void> }>(starting: Promise<Server>) {
  const server = await starting
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.close() })
}
