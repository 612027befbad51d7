/** Forms that pages send: read, and refused if a page of somebody else may have sent them. */
import { randomBytes } from 'node:crypto'
import { bodyParser } from '@koa/bodyparser'
import type { Context } from 'koa'
import { isSame, type Viewer } from '../door.ts'
import { BadRequestError, BodyTooLargeError, ForbiddenError, UnsupportedBodyError } from '../errors.ts'
import type { RouteContext } from '../route.ts'
import { type Html, html } from './html.ts'

/** The longest form that is read, in bytes. */
const LARGEST_FORM = 65_536
const TOKEN = 'token'

const readText = bodyParser({
  enableTypes: ['text'],
  extendTypes: { text: ['application/x-www-form-urlencoded'] },
  textLimit: LARGEST_FORM,
})

/** To be put into each form that is sent with POST. */
export function tokenField({ token }: Viewer): Html {
  return html`<input type="hidden" name="${TOKEN}" value="${masked(token)}">`
}

/** Looks different each time, so that the length of a compressed page tells nothing about it (`compress.ts`). */
function masked(token: string): string {
  const secret = Buffer.from(token)
  const mask = randomBytes(secret.length)
  return Buffer.concat([mask, combined(mask, secret)]).toString('base64url')
}

function unmasked(text: string): string {
  const both = Buffer.from(text, 'base64url')
  const length = Math.floor(both.length / 2)
  return combined(both.subarray(0, length), both.subarray(length)).toString()
}

function combined(mask: Buffer, other: Buffer): Buffer {
  return Buffer.from(mask.map((byte, index) => byte ^ other[index]!))
}

/**
 * The fields of a form, without its token.
 *
 * @throws {ForbiddenError} if it was not sent from a page that we gave to this browser.
 * @throws {BodyTooLargeError} if it is longer than 64 KiB.
 * @throws {UnsupportedBodyError} if it is no form.
 */
export async function readForm(ctx: RouteContext): Promise<URLSearchParams> {
  if (isFromElsewhere(ctx)) throw new ForbiddenError('This form was sent from the page of another site.')
  if (!ctx.is('application/x-www-form-urlencoded')) throw new UnsupportedBodyError('This takes only forms.')
  const fields = new URLSearchParams(await textOf(ctx))
  if (!isSame(unmasked(fields.get(TOKEN) ?? ''), ctx.state.viewer.token)) {
    throw new ForbiddenError('This form is too old: go back, load the page again and send it once more.')
  }
  fields.delete(TOKEN)
  return fields
}

async function textOf(ctx: Context): Promise<string> {
  try {
    await readText(ctx, async () => undefined)
  } catch (error) {
    if ((error as { status?: unknown }).status === 413) {
      // What is still coming is thrown away: see `json.ts`.
      ctx.req.resume()
      throw new BodyTooLargeError(`The form is longer than ${LARGEST_FORM} bytes.`)
    }
    throw new BadRequestError(`The form cannot be read: ${(error as Error).message}.`)
  }
  return typeof ctx.request.body === 'string' ? ctx.request.body : ''
}

/** Browsers say where a form comes from; to addresses without https by the older of the two headers only. */
function isFromElsewhere({ req: { headers } }: Context): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  return headers.origin !== undefined && URL.parse(headers.origin)?.host !== headers.host?.toLowerCase()
}
