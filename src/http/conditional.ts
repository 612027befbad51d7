/** Answers that need not be sent again to whoever has them. */
import { hash } from 'node:crypto'
import type { Context } from 'koa'

/**
 * Answers with a text and its fingerprint; with 304 and nothing if the request names that fingerprint. Whoever asked may
 * keep the text, and has to ask each time whether it is still true.
 *
 * @param type The media type of the text, `json` or `text/csv`.
 */
export function answerOnce(ctx: Context, text: string, type: string): void {
  ctx.set('Cache-Control', 'private, no-cache')
  ctx.vary('Accept')
  ctx.status = 200
  ctx.etag = hash('sha256', text, 'base64url')
  if (ctx.fresh) {
    ctx.status = 304
    return
  }
  ctx.type = type
  ctx.body = text
}
