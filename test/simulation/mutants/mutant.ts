/**
 * Defects for the simulation to find: those that an older service had, and the code without one of its precautions.
 *
 * Each is a replacement of a text that has to occur exactly once in a file of `src/`; when the code changes, a mutant that
 * does not fit any more says so.
 */
export interface Mutant extends Replacement {
  /** What is wrong then. */
  readonly name: string
  /** The second of two precautions against the same. */
  readonly also?: Replacement
}

export interface Replacement {
  readonly file: string
  readonly text: string
  readonly instead: string
}
