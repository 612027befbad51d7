/**
 * Reads a page as strictly as no browser does: what is not closed, not quoted or not escaped fails here, and so does what
 * our rules for pages forbid.
 */
import { equal, ok } from 'node:assert/strict'

export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: (Element | string)[]
  readonly parent: Element | undefined
}

const voids = new Set(['meta', 'link', 'input', 'br', 'hr', 'img', 'col', 'wbr'])
const token = /<!DOCTYPE html>|<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*(\/?)>|[^<>]+/y
const entity = /&(amp|lt|gt|quot|#39|#96|nbsp);/g
const characters: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  '#96': '`',
  nbsp: '\u00a0',
}

/** @throws {AssertionError} if something of it is not as it has to be. */
export function parsePage(text: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], parent: undefined }
  let open: Element = root
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    const at = token.lastIndex
    const match = token.exec(text)
    ok(match, `no markup: ${JSON.stringify(text.slice(at, at + 80))}`)
    const [all, slash, name, attributes = '', selfClosing] = match
    if (name === undefined) {
      if (!all.startsWith('<')) open.children.push(decode(all))
    } else if (slash === '/') {
      equal(name, open.name, `</${name}> closes <${open.name}>: …${text.slice(Math.max(0, at - 80), at)}`)
      open = open.parent!
    } else {
      const element = { name, attributes: attributesOf(attributes), children: [], parent: open }
      open.children.push(element)
      if (!voids.has(name) && selfClosing !== '/') open = element
    }
  }
  equal(open.name, '', `<${open.name}> is not closed`)
  return root
}

function attributesOf(text: string): Record<string, string> {
  const found = [...text.matchAll(/([a-zA-Z-]+)(?:="([^"]*)")?/g)].map(([, name, value]) => [
    name!,
    decode(value ?? ''),
  ])
  equal(new Set(found.map(([name]) => name)).size, found.length, `an attribute twice:${text}`)
  return Object.fromEntries(found) as Record<string, string>
}

function decode(text: string): string {
  const rest = text.replace(entity, '')
  ok(!rest.includes('&'), `an & that is none: ${JSON.stringify(text.slice(0, 200))}`)
  return text.replace(entity, (_, name: string) => characters[name]!)
}

/** All elements of a name, or all, in their order. */
export function find(root: Element, name?: string): Element[] {
  const children = root.children.filter((child) => typeof child !== 'string')
  return children.flatMap((child) => [
    ...(name === undefined || child.name === name ? [child] : []),
    ...find(child, name),
  ])
}

/** The text in it, with single blanks. */
export function textOf(element: Element): string {
  const text = element.children.map((child) => (typeof child === 'string' ? child : ` ${textOf(child)} `)).join('')
  return text.replace(/[ \n]+/g, ' ').trim()
}

/** The cells of a table, row by row, by their headings. */
export function rowsOf(table: Element): Record<string, string>[] {
  const headings = find(find(table, 'thead')[0]!, 'th').map((cell) => textOf(cell).replace(/ [▲▼]$/, ''))
  return find(find(table, 'tbody')[0]!, 'tr').map((row) => {
    const cells = row.children.filter((child) => typeof child !== 'string')
    return Object.fromEntries(cells.map((cell, index) => [headings[index]!, textOf(cell)]))
  })
}

/** What every page has to be, whatever it shows. @throws {AssertionError} */
export function checkPage(text: string): Element {
  ok(text.startsWith('<!DOCTYPE html>'))
  const root = parsePage(text)
  const all = find(root)
  const [page] = find(root, 'html')
  equal(page?.attributes.lang, 'en')
  for (const name of ['title', 'main', 'h1']) equal(find(root, name).length, 1, `one ${name}`)
  ok(textOf(find(root, 'title')[0]!) !== '')

  const navigations = find(root, 'nav').map(({ attributes }) => attributes['aria-label'])
  equal(new Set(navigations).size, navigations.length, `a name of nav twice: ${navigations}`)
  ok(!navigations.includes(undefined), 'a nav without a name')

  const levels = all.flatMap(({ name }) => /^h([1-6])$/.exec(name)?.[1] ?? []).map(Number)
  levels.forEach((level, index) => {
    ok(level <= (levels[index - 1] ?? 0) + 1, `h${level} after h${levels[index - 1]}`)
  })

  const ids = all.flatMap(({ attributes: { id } }) => id ?? [])
  equal(new Set(ids).size, ids.length, `an id twice: ${ids}`)
  const labelled = new Set(find(root, 'label').map(({ attributes }) => attributes.for))
  for (const { name, attributes } of all) {
    equal(attributes.style, undefined, `style of <${name}>`)
    equal(
      Object.keys(attributes).find((each) => /^on/.test(each)),
      undefined,
      `script of <${name}>`,
    )
    ok(name !== 'style', 'a style sheet in the page')
    if (name === 'script') ok(/^\/assets\//.test(attributes.src ?? ''), 'a script in the page')
    if (['input', 'select', 'textarea'].includes(name) && attributes.type !== 'hidden') {
      ok(labelled.has(attributes.id) || attributes['aria-label'], `no label for ${attributes.name}`)
    }
    for (const each of ['aria-describedby', 'aria-labelledby', 'for']) {
      for (const id of attributes[each]?.split(' ') ?? []) ok(ids.includes(id), `${each}: no ${id}`)
    }
    for (const each of ['href', 'src', 'action']) {
      const address = attributes[each]
      if (address !== undefined) ok(/^[/#?](?!\/)/.test(address), `${each}="${address}" leads elsewhere`)
    }
    if (name === 'form' && attributes.method === 'post') {
      const token = all.some((each) => each.attributes.name === 'token' && isWithin(each, attributes.action!))
      ok(token, `no token in the form to ${attributes.action}`)
    }
  }
  return root
}

function isWithin(element: Element, action: string): boolean {
  for (let each = element.parent; each !== undefined; each = each.parent) {
    if (each.name === 'form') return each.attributes.action === action
  }
  return false
}
