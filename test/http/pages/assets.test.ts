import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, suite, test } from 'vitest'
import { assetAddress } from '#src/http/pages/assets.ts'
import { root } from '../../project/repository.ts'
import { startFace } from '../server.ts'

const folder = join(root, 'src/http/pages/assets')

suite('A file that pages need', () => {
  test.each(readdirSync(folder))('%s is what is in the folder, kept for good by browsers', async (file) => {
    await using face = await startFace({ keys: { operator: 'key' } })
    const { status, headers, text } = await face.get(assetAddress(file))
    expect([status, text]).toEqual([200, readFileSync(join(folder, file), 'utf8')])
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(headers['content-type']).toMatch(/^(text\/css|text\/javascript|image\/svg\+xml); charset=utf-8$/)
  })

  test.each(['uPlot.esm.js', 'uPlot.min.css'])('%s is that of its package', async (file) => {
    await using face = await startFace()
    const { status, text } = await face.get(assetAddress(file))
    expect([status, text]).toEqual([200, readFileSync(join(root, 'node_modules/uplot/dist', file), 'utf8')])
  })

  test('is compressed for whoever takes that, and not sent again to whoever has it', async () => {
    await using face = await startFace()
    const zipped = await fetch(face.url + assetAddress('style.css'), { headers: { 'Accept-Encoding': 'gzip' } })
    expect(zipped.headers.get('content-encoding')).toBe('gzip')
    expect(await zipped.text()).toBe(readFileSync(join(folder, 'style.css'), 'utf8'))
    for (const encoding of ['gzip', 'identity']) {
      const { headers } = await face.get(assetAddress('style.css'), { 'Accept-Encoding': encoding })
      const again = await face.get(assetAddress('style.css'), {
        'Accept-Encoding': encoding,
        'If-None-Match': headers.etag,
      })
      expect([again.status, again.text]).toEqual([304, ''])
    }
  })

  test.each(['style.css', 'style.0000000000000000.css', '..%2Fassets.ts', '%2e%2e%2flayout.ts', 'constructor'])(
    'is nothing else: %s is not there',
    async (file) => {
      await using face = await startFace()
      expect((await face.get(`/assets/${file}`)).status).toBe(404)
    },
  )

  test('has a name of which pages notice that it is wrong', () => {
    expect(() => assetAddress('nothing.css')).toThrow('There is no asset "nothing.css"')
  })
})
