/** How far a check is, on one line of a terminal; anywhere else nothing is said. */

interface Terminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const CLEAR_LINE = '\r\u001b[K'

export function createProgress(terminal: Terminal) {
  let current = { stage: '', begun: 0 }
  const write = (text: string) => {
    if (terminal.isTTY === true) terminal.write(text)
  }
  return {
    tell(stage: string, done: number, total: number): void {
      if (stage !== current.stage) current = { stage, begun: performance.now() }
      const speed = Math.round(done / ((performance.now() - current.begun) / 1_000)).toLocaleString('en')
      const far =
        total === 0 ? '…' : `${Math.floor((100 * done) / total)} % of ${total.toLocaleString('en')}, ${speed}/s`
      write(`${CLEAR_LINE}${stage}: ${far}`)
    },
    clear(): void {
      write(CLEAR_LINE)
    },
  }
}
