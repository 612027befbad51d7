/**
 * The files that pages need: style sheets, scripts, pictures. All of them are known when the program starts, and each is
 * served under an address that changes with what is in it, so a browser asks once for each version.
 */
import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { gzipSync } from 'node:zlib'
import { NotFoundError } from '../errors.ts'
import type { Route } from '../route.ts'

interface Asset {
  readonly type: string
  readonly plain: Buffer
  readonly gzipped: Buffer
  readonly etag: string
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
}

const folder = new URL('./assets/', import.meta.url)
/** By the last part of their address. */
const assets = new Map<string, Asset>()
const addresses = new Map<string, string>()
for (const file of readdirSync(folder)) addAsset(file, readFileSync(new URL(file, folder)))
/** What comes from packages, as it is in them. */
for (const file of ['uPlot.esm.js', 'uPlot.min.css']) {
  addAsset(file, readFileSync(new URL(file, import.meta.resolve('uplot'))))
}

/** @param file Its name, such as `style.css`: `/assets/style.4f2b….css` is its address then. */
function addAsset(file: string, plain: Buffer): void {
  const extension = extname(file)
  const etag = hash('sha256', plain, 'hex').slice(0, 16)
  const name = `${file.slice(0, -extension.length)}.${etag}${extension}`
  assets.set(name, { type: types[extension]!, plain, gzipped: gzipSync(plain), etag })
  addresses.set(file, `/assets/${name}`)
}

/** The address of a file of `assets/`. @throws {RangeError} if there is none of that name. */
export function assetAddress(file: string): string {
  const address = addresses.get(file)
  if (address === undefined) throw new RangeError(`There is no asset ${JSON.stringify(file)}`)
  return address
}

/** `GET /assets/:file`. */
export function assetsRoute(): Route {
  return {
    method: 'get',
    path: '/assets/:file',
    who: 'all',
    isForPeople: true,
    summary: 'A file that pages need',
    answers: { 200: 'The file', 304: 'It is still the same', 404: 'There is no such file' },
    handle(ctx) {
      const asset = assets.get(ctx.params.file!)
      if (asset === undefined) throw new NotFoundError(`There is nothing at ${ctx.path}.`)
      const isGzipped = ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
      ctx.set('Cache-Control', 'public, max-age=31536000, immutable')
      ctx.vary('Accept-Encoding')
      ctx.status = 200
      ctx.etag = isGzipped ? `${asset.etag}-gzip` : asset.etag
      if (ctx.fresh) {
        ctx.status = 304
        return
      }
      if (isGzipped) ctx.set('Content-Encoding', 'gzip')
      ctx.type = asset.type
      ctx.body = isGzipped ? asset.gzipped : asset.plain
    },
  }
}
