/** A door before a server: lets requests through and notes of each who came, for how long, and with what. */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer, text } from 'node:stream/consumers'

/** A request that came through. Times are milliseconds of `performance.now()`. */
export interface Visit {
  readonly path: string
  readonly authorization: string
  readonly body: string
  readonly begin: number
  /** When the server had done it, whether or not somebody still waited for the answer. */
  end: number | undefined
  status: number | undefined
}

export interface Door {
  readonly url: string
  close(): Promise<void>
}

/**
 * @param to The address of the server, without a path.
 * @param change Makes what is answered of what the server answered.
 * @param onVisit Told when a request has come; what it resolves to is waited for before the request goes on.
 */
export async function openDoor(
  to: string,
  onVisit: (visit: Visit) => Promise<void> | void,
  change: (content: string) => string = (content) => content,
): Promise<Door> {
  const agent = new Agent({ keepAlive: true })

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    const visit: Visit = {
      path: request.url!,
      authorization: request.headers.authorization ?? '',
      body: String(body),
      begin: performance.now(),
      end: undefined,
      status: undefined,
    }
    await onVisit(visit)
    const {
      method,
      headers: { 'accept-encoding': _, accept: __, ...headers },
    } = request
    const onwards = send(new URL(request.url!, to), { method: method!, headers, agent })
    onwards.end(body)
    try {
      const [answer] = (await once(onwards, 'response')) as [IncomingMessage]
      visit.status = answer.statusCode!
      const content = change(await text(answer))
      visit.end = performance.now()
      const { 'content-type': type = 'text/plain', 'set-cookie': cookies = [] } = answer.headers
      response.writeHead(answer.statusCode!, { 'content-type': type, 'set-cookie': cookies }).end(content)
    } catch {
      // The server cut it: so do we.
      visit.end = performance.now()
      response.destroy()
    }
  }

  const server = createServer((request, response) => {
    // Whoever goes away while he is still sending has asked for nothing.
    pass(request, response).catch(() => response.destroy())
  })
  // Who slept for long finds his connections as he left them: no accident keeps him from sending.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      agent.destroy()
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
