/** An HTTP server on a free port of the loopback interface, for tests that need a peer of their own making. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Peer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string
  /** What it was asked, in order. */
  readonly requests: IncomingMessage[]
}

/** @param answer Called for each request; may leave it without an answer. */
export async function startPeer(answer: RequestListener): Promise<Peer> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
