/**
 * Answers are sent compressed to whoever takes that: pages, lists and metrics shrink to a tenth and less. It happens beside
 * other work, in a thread of Node.
 *
 * Whoever could make a browser ask for the same page again and again, with guesses in it, could tell by the length of a
 * compressed answer when a guess is right. The only secret in our answers is the token of forms, which looks different each
 * time (`pages/forms.ts`); keys and cookies are in none.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Context, Middleware } from 'koa'

const gzipped = promisify(gzip)

/** Below that, in bytes, an answer fits one packet as it is. */
const LEAST = 1_400
/** A level above makes it some percent smaller and takes twice as long. */
const LEVEL = 4

export const compress: Middleware = async (ctx, next) => {
  await next()
  const text = textOf(ctx)
  if (text === undefined || Buffer.byteLength(text) < LEAST) return
  ctx.vary('Accept-Encoding')
  if (ctx.acceptsEncodings('gzip', 'identity') !== 'gzip') return
  ctx.body = await gzipped(text, { level: LEVEL })
  ctx.set('Content-Encoding', 'gzip')
  // It means the same, and is not the same bytes.
  const { etag } = ctx.response
  if (etag?.startsWith('"')) ctx.set('ETag', `W/${etag}`)
}

/** What is sent as text and was not encoded yet; objects are sent as JSON. */
function textOf({ body, res, response }: Context): string | undefined {
  if (res.hasHeader('Content-Encoding') || Buffer.isBuffer(body)) return undefined
  if (typeof body === 'string') return body
  return response.is('json') ? JSON.stringify(body) : undefined
}
