/** What the check found, for people and for programs. */
import { writeAmount, writeRounded } from './fixed.ts'
import type { Problem } from './problems.ts'
import type { Receipt } from './receipt.ts'
import type { Verdict } from './verify.ts'

/** @param seconds How long it took. */
export function describeVerdict(path: string, verdict: Verdict, precision: number, seconds: number): string {
  const facts = [
    ['groups', count(verdict.groups)],
    ['series', count(verdict.series)],
    ['entries', count(verdict.entries)],
    ['total', `${writeAmount(verdict.total)} credits`],
    ['digest', verdict.digest ?? 'none: not all entries could be read'],
    ['time', `${seconds.toFixed(1)} s`],
  ]
  const head = verdict.problemCount === 0 ? `${path} is all right.` : `${path} is NOT all right.`
  const lines = [head, ...facts.map(([name, value]) => `  ${name!.padEnd(10)}${value}`)]
  if (verdict.receipt !== undefined) lines.push('', ...describeReceipt(verdict.receipt, precision))
  if (verdict.problemCount > 0) lines.push('', ...describeProblems(verdict))
  return `${lines.join('\n')}\n`
}

export function describeProblems({ problems, problemCount }: Pick<Verdict, 'problems' | 'problemCount'>): string[] {
  const more = problemCount - problems.length
  return [
    `${count(problemCount)} ${problemCount === 1 ? 'problem was' : 'problems were'} found:`,
    ...problems.map((problem) => `  ${describeProblem(problem)}`),
    ...(more > 0 ? [`  and ${count(more)} more (--limit shows more)`] : []),
  ]
}

function describeProblem({ table, key, what, expected, found }: Problem): string {
  return printable(`${table} ${key}: ${what}: expected ${expected}, found ${found}`)
}

function describeReceipt(receipt: Receipt, precision: number): string[] {
  const { group, charges, remarks, total, due, published } = receipt
  const lines = charges.flatMap((line) => [
    `  site ${line.site}, ${line.metric}, project ${line.projectId}, price ${line.price}`,
    `    ${line.from} to ${line.to}, ${count(line.entries)} entries up to ${line.lastEntry}`,
    `    ${line.consumption} × ${line.perUnit} = ${line.credits} credits, last hash ${line.lastHash}`,
  ])
  const added = remarks.flatMap((remark) => [
    `  ${remark.kind} ${remark.entry}, ${remark.at}${remark.actor === null ? '' : `, by ${remark.actor}`}`,
    `    ${remark.credits} credits: ${remark.reason}`,
    `    hash ${remark.hash}`,
  ])
  return [
    `Receipt of ${group}:`,
    ...lines,
    ...added,
    `  total            ${total} credits`,
    `  Perun should show ${roundedText(due, precision)}, published is ${published ?? 'nothing yet'}`,
  ].map(printable)
}

function roundedText(credits: string, precision: number): string {
  const [whole = '0', fraction = ''] = credits.split('.')
  return writeRounded(BigInt(whole + fraction.padEnd(6, '0')), precision)
}

/** For programs: amounts are decimal strings. */
export function toJson(path: string, verdict: Verdict): string {
  const { problems, problemCount, total, ...counts } = verdict
  const found = { ledger: path, ok: problemCount === 0, ...counts, total: writeAmount(total), problemCount, problems }
  return `${JSON.stringify(found, null, 2)}\n`
}

function count(number: number): string {
  return number.toLocaleString('en')
}

/** Names in a ledger may hold anything; none of it may move the cursor of a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}
