/** Answers over HTTP, as Perun and the proxy before it give them. */
import type { ServerResponse } from 'node:http'
import { PerunException, uncaught } from './exceptions.ts'

export function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.statusCode = status
  response.setHeader('content-type', `${type}; charset=utf-8`)
  response.end(body)
}

/** A page such as a proxy makes: never JSON. */
export function sendPage(response: ServerResponse, status: number, title: string): void {
  send(response, status, 'text/html', `<!doctype html><html><title>${title}</title><h1>${title}</h1></html>`)
}

export function sendUnauthorized(response: ServerResponse): void {
  response.setHeader('www-authenticate', 'Basic realm="Perun"')
  sendPage(response, 401, 'Unauthorized')
}

/** Sends what `call` returns as JSON, or the exception it throws as Perun writes it. */
export function sendResult(response: ServerResponse, call: () => unknown): void {
  const { status, body } = resultOf(call)
  send(response, status, 'application/json', body)
}

/** Makes the call. @returns What Perun answers; it never throws. */
export function resultOf(call: () => unknown): { status: number; body: string } {
  try {
    // A method without a result answers with the four letters `null`.
    return { status: 200, body: JSON.stringify(call() ?? null) }
  } catch (error) {
    const { status, body } = error instanceof PerunException ? error : uncaught(error)
    return { status, body: JSON.stringify(body) }
  }
}
