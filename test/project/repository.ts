/** The repository as its documents see it: files, and the tables, commands and links of Markdown. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

export function exists(path: string): boolean {
  return existsSync(join(root, path))
}

export interface Package {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
}

export const packageJson = JSON.parse(read('package.json')) as Package

/** All files that are kept: neither what `.gitignore` names nor Git's own. */
export function allFiles(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (isIgnored(entry.name)) return []
    return entry.isDirectory() ? allFiles(path) : [path]
  })
}

const ignored = ['.git', ...read('.gitignore').trim().split('\n')].map((line) => line.replace(/\/$/, ''))

function isIgnored(name: string): boolean {
  return ignored.some((each) => (each.startsWith('*') ? name.endsWith(each.slice(1)) : name === each))
}

export const sources = allFiles('src')
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: read(path) }))

export const documents = ['README.md', 'CHANGELOG.md', ...allFiles('docs').filter((path) => path.endsWith('.md'))]

/** Those that tell people what to type and set; changelog and decisions tell of other times, too. */
export const manuals = documents.filter((path) => path !== 'CHANGELOG.md' && !path.startsWith('docs/decisions/'))

/** What stands under a heading, up to the next one of its level or above. Fails if there is no such heading. */
export function section(markdown: string, heading: string): string {
  const lines = markdown.split('\n')
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading)
  if (start === -1) throw new Error(`There is no heading "${heading}"`)
  const level = /^#+/.exec(lines[start]!)![0].length
  const length = lines.slice(start + 1).findIndex((line) => (/^(#+) /.exec(line)?.[1]?.length ?? level + 1) <= level)
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n')
}

/** The cells of all tables, without the heads of the tables. */
export function tableRows(markdown: string): string[][] {
  const lines = markdown.split('\n')
  const isRow = (line: string | undefined) => line?.startsWith('|') ?? false
  const isRule = (line: string | undefined) => /^\|[-| ]+\|$/.test(line ?? '')
  const rows = lines.filter((line, index) => isRow(line) && !isRule(line) && !isRule(lines[index + 1]))
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}

/** The text of a cell or word that is written as code, else the text itself. */
export function plain(text: string): string {
  return text.replace(/^`(.*)`$/, '$1')
}

/** All that is written as code within lines. */
export function inlineCode(markdown: string): string[] {
  return [...withoutFences(markdown).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!)
}

/** The lines of all fenced blocks of a language. */
export function fenced(markdown: string, language: string): string[] {
  return blocks(markdown, language).flatMap((block) => block.split('\n'))
}

/** The fenced blocks of a language. */
export function blocks(markdown: string, language: string): string[] {
  const all = [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].filter((match) => match[1] === language)
  return all.map((match) => match[2]!.trimEnd())
}

/** What is typed in a shell, or may be: lines of blocks, and what is written as code within lines. */
export function typedIn(markdown: string): string[] {
  return [...fenced(markdown, 'sh'), ...inlineCode(markdown)]
}

/** Where links lead to; those to other sites are left out. */
export function links(markdown: string): string[] {
  const all = [...withoutFences(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
  return all.filter((link) => !/^[a-z]+:/.test(link))
}

/** The anchors that links may lead to. */
export function anchors(markdown: string): string[] {
  const headings = [...withoutFences(markdown).matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function withoutFences(markdown: string): string {
  return markdown.replace(/^```.*?^```$/gms, '')
}
