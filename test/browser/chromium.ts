/**
 * Looks at pages as people do: in Debian's Chromium, at the size of a phone and of a desk, in light and dark.
 *
 * `CHROMIUM` names the program if it is not found by `PATH`, and `PICTURES` a folder in which to leave what it looked like.
 */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tellSkipped } from '../process/disks.ts'

export const looks = [
  { size: 'phone', scheme: 'light', viewport: { width: 390, height: 844 } },
  { size: 'phone', scheme: 'dark', viewport: { width: 390, height: 844 } },
  { size: 'desk', scheme: 'light', viewport: { width: 1280, height: 900 } },
  { size: 'desk', scheme: 'dark', viewport: { width: 1280, height: 900 } },
] as const

export type Look = (typeof looks)[number]

/** Of a test, in milliseconds: a look for accessibility takes seconds where others are at work, too. */
const MOST_MS = 90_000
/** Of a picture, in pixels: a table on a phone is long. */
const MOST_HEIGHT = 3_000

/** Nothing of it may ask for anything by itself: updates, lists, other protocols. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const program = findProgram()

function findProgram(): string | undefined {
  const named = process.env.CHROMIUM
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = folders.flatMap((folder) => ['chromium', 'chromium-browser'].map((name) => join(folder, name)))
  return (named === undefined || named === '' ? found : [named]).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

export interface Visit {
  readonly page: Page
  /** Goes to an address of the worker and looks whether all is well there. */
  see(path: string): Promise<void>
  /** The same for where it is. @param name Of the picture. @param expected What the browser complains of if all is well. */
  inspect(name: string, expected?: RegExp): Promise<void>
}

/** A test that needs Chromium; without it, it says loudly that it did not run. @param url Where the worker answers. */
export function browserTest(
  name: string,
  look: Look,
  visit: (open: (url: string) => Promise<Visit>) => Promise<void>,
): void {
  test(
    `${name} (${look.size}, ${look.scheme})`,
    async ({ skip }) => {
      if (program === undefined)
        return skip(tellSkipped(name, 'there is no Chromium here. Install it or set CHROMIUM.'))
      await using visits = new AsyncDisposableStack()
      await visit(async (url) => {
        const context = await browser!.newContext({ viewport: look.viewport, colorScheme: look.scheme })
        visits.defer(() => context.close())
        return visitOf(await context.newPage(), url, look)
      })
    },
    MOST_MS,
  )
}

let browser: Browser | undefined

/** Starts Chromium once for the tests of a file. */
export function useChromium(): void {
  beforeAll(async () => {
    if (program !== undefined) browser = await chromium.launch({ executablePath: program, args: FLAGS })
  })
  afterAll(() => browser?.close())
}

function visitOf(page: Page, url: string, look: Look): Visit {
  const problems: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`) && !request.url().startsWith('data:')) problems.push(request.url())
  })
  page.on('requestfailed', (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`))

  async function inspect(name: string, expected?: RegExp): Promise<void> {
    await page.waitForLoadState('load')
    expect(problems.splice(0).filter((problem) => !expected?.test(problem))).toEqual([])
    const [shown, available] = (await page.evaluate(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    )) as [number, number]
    expect(shown, `${name} is wider than its window`).toBeLessThanOrEqual(available)
    if (process.env.PICTURES) {
      mkdirSync(process.env.PICTURES, { recursive: true })
      const path = join(process.env.PICTURES, `${name}.${look.size}.${look.scheme}.png`)
      const clip = { x: 0, y: 0, width: look.viewport.width, height: MOST_HEIGHT }
      await page.screenshot({ path, fullPage: true, clip })
    }
    await page.evaluate(axe.source)
    const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults
    const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).slice(0, 3)}`)
    expect(told, name).toEqual([])
  }

  return {
    page,
    async see(path) {
      await page.goto(url + path)
      await inspect(path.replaceAll(/[^\w-]+/g, '_').slice(0, 60))
    },
    inspect,
  }
}

/** What can be reached with the tabulator, in its order: tags with their text or name. */
export async function tabStops(page: Page, most = 60): Promise<string[]> {
  const stops: string[] = []
  // From the beginning, wherever the page has put people.
  await page.evaluate('document.body.tabIndex = -1, document.body.focus()')
  for (let count = 0; count < most; count += 1) {
    await page.keyboard.press('Tab')
    const stop = (await page.evaluate(`(() => {
      const at = document.activeElement
      if (at === null || at === document.body) return ''
      const { width, height } = at.getBoundingClientRect()
      if (width === 0 || height === 0) return 'hidden ' + at.outerHTML
      return at.tagName.toLowerCase() + ' ' + (at.name || at.textContent.trim())
    })()`)) as string
    if (stop === '') break
    stops.push(stop)
  }
  return stops
}
