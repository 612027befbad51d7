/** How far a move is: on one line of a terminal, elsewhere a line for each table. */
interface Terminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const CLEAR_LINE = '\r\u001b[K'

export function createProgress(terminal: Terminal) {
  let current = { stage: '', rows: 0, begun: 0 }
  const line = () => {
    const seconds = Math.max((performance.now() - current.begun) / 1_000, 0.001)
    const speed = Math.round(current.rows / seconds).toLocaleString('en')
    return `${current.stage}: ${current.rows.toLocaleString('en')} rows, ${speed}/s`
  }
  const finishStage = () => {
    if (current.stage !== '') terminal.write(terminal.isTTY ? `${CLEAR_LINE}${line()}\n` : `${line()}\n`)
  }
  return {
    tell(stage: string, rows: number): void {
      if (stage !== current.stage) {
        finishStage()
        current = { stage, rows: 0, begun: performance.now() }
      }
      current.rows += rows
      if (terminal.isTTY) terminal.write(`${CLEAR_LINE}${line()}`)
    },
    say: (text: string) => void terminal.write(`${text}\n`),
    end: finishStage,
  }
}
