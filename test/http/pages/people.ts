/** Somebody with a browser: asks for pages, keeps the cookie, fills in forms. */
import type { OutgoingHttpHeaders } from 'node:http'
import { checkPage, type Element, find } from '../../helpers/markup.ts'
import type { Answer, Face } from '../server.ts'

export const HTML = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }

export interface Person {
  cookie: string | undefined
  /** The page at an address, checked. */
  see(path: string): Promise<Element>
  get(path: string, headers?: OutgoingHttpHeaders): Promise<Answer>
  /** Sends a form of a page, filled in, as a browser does: with what the page put into it. */
  send(page: Element, action: string, fields?: Readonly<Record<string, string>>): Promise<Answer>
  /** Sends these fields and nothing else. */
  post(path: string, fields: Readonly<Record<string, string>>, headers?: OutgoingHttpHeaders): Promise<Answer>
}

export function person(face: Face): Person {
  const own = () => ({ ...HTML, ...(self.cookie !== undefined && { Cookie: self.cookie }) })
  const keep = (answer: Answer) => {
    const [set] = answer.headers['set-cookie'] ?? []
    if (set !== undefined) self.cookie = set.split(';')[0]
    return answer
  }
  const self: Person = {
    cookie: undefined,
    async see(path) {
      return checkPage((await self.get(path)).text)
    },
    get: (path, headers = {}) => face.get(path, { ...own(), ...headers }),
    send: (page, action, fields = {}) => self.post(action, { ...fieldsOf(page, action), ...fields }),
    async post(path, fields, headers = {}) {
      const form = {
        'Content-Type': 'application/x-www-form-urlencoded',
        Origin: face.url,
        'Sec-Fetch-Site': 'same-origin',
      }
      const body = String(new URLSearchParams(fields))
      return keep(await face.ask(path, { method: 'POST', body, headers: { ...own(), ...form, ...headers } }))
    },
  }
  return self
}

/** What a form holds when it is loaded. */
export function fieldsOf(page: Element, action: string): Record<string, string> {
  const form = find(page, 'form').find(({ attributes }) => attributes.action === action)
  if (form === undefined) throw new Error(`There is no form to ${action}`)
  const inputs = find(form, 'input').map(({ attributes }) => [attributes.name!, attributes.value ?? ''])
  const selects = find(form, 'select').map((select) => {
    const options = find(select, 'option')
    const chosen = options.find(({ attributes }) => attributes.selected !== undefined) ?? options[0]
    return [select.attributes.name!, chosen?.attributes.value ?? '']
  })
  return Object.fromEntries([...inputs, ...selects])
}
