/**
 * HTML as values. What is put into a template is text and stays text, whatever it holds; only what another template made
 * is markup. So a page cannot be broken by the name of a project, and nobody has to remember to escape it.
 *
 * Values go between tags or into quoted attributes. Nothing may be put into a script or a style sheet.
 */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toString(): string {
    return this.text
  }
}

/** What can be put into a template. Nothing is shown of `undefined`, `null` and `false`, so that `condition && html` works. */
export type HtmlValue = Html | string | number | bigint | undefined | null | false | readonly HtmlValue[]

export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(parts.reduce((text, part, index) => `${text}${render(values[index - 1])}${part}`))
}

function render(value: HtmlValue): string {
  if (value === undefined || value === null || value === false) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(render).join('')
  return String(value).replace(/[&<>"'`\0]/g, (character) => escapes[character]!)
}

/** A NUL is no character of HTML; the sign for "no such character" is shown in its place. */
const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
  '\0': '\uFFFD',
}
