/** The images as their Dockerfiles describe them. */
import { matchesGlob } from 'node:path'
import { read } from './repository.ts'

/** What `COPY src src` and the rest of an image's instructions say. */
export interface Image {
  readonly instructions: readonly { readonly name: string; readonly words: readonly string[]; readonly text: string }[]
  readonly environment: Readonly<Record<string, string>>
  readonly command: readonly string[]
}

export function readImage(path: string): Image {
  const lines = read(path)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const instructions = lines.map((line) => {
    const [name = '', ...words] = line.split(' ')
    return { name, words, text: words.join(' ') }
  })
  const pairs = instructions.filter(({ name }) => name === 'ENV').flatMap(({ words }) => words)
  const command = instructions.findLast(({ name }) => name === 'CMD')!.text
  return {
    instructions,
    environment: Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s, 2) as [string, string])),
    command: JSON.parse(command) as string[],
  }
}

/** What is copied from the repository into the last stage of an image. */
export function copied({ instructions }: Image): string[] {
  const last = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'))
  const copies = last.filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from='))
  return copies.flatMap(({ words }) => words.slice(0, -1))
}

/** What is copied from the repository in any stage. */
export function copiedAnywhere({ instructions }: Image): string[] {
  const copies = instructions.filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from='))
  return copies.flatMap(({ words }) => words.slice(0, -1))
}

const dockerignore = read('.dockerignore').trim().split('\n')

export function isKeptOut(path: string): boolean {
  return dockerignore.some((pattern) => matchesGlob(path, pattern) || matchesGlob(path, `${pattern}/**`))
}
