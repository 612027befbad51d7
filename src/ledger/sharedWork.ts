/**
 * PORT, a part of a ledger that several workers share: what has to be done for groups, each by one worker at a time.
 *
 * What is asked for is durable. Asked again before it is begun, it is the same work; asked again meanwhile, it is done once more
 * afterwards. What a worker had begun when it died is done by another one.
 */
export interface SharedWork {
  /**
   * Asks for the work of these groups.
   *
   * @param look Has whoever does it told to look, whatever the ledger knows.
   */
  request(groups: readonly string[], look?: boolean): Promise<void>
  /**
   * Begins to do what was asked for, here or elsewhere.
   *
   * @param workers Groups at a time, 1 or more.
   * @param work Must not reject.
   */
  begin(workers: number, work: (group: string, look: boolean) => Promise<void>): void
  /** Begins nothing further. Resolves when nothing is under way here any more; `begin` may follow. */
  pause(): Promise<void>
  /** How many groups wait for their turn, here and elsewhere, as of a moment ago. */
  readonly waiting: number
  /** Whether no other worker is there that would do what waits. */
  isAlone(): Promise<boolean>
}
