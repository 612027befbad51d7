/**
 * Disks that fill up or become read-only, for real. They are mounted in a folder of their own, which only root may do: a
 * test that gets none has to say so.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './processes.ts'

/** A disk of a few MiB in memory; unmounted when the test is over. `undefined` if nothing may be mounted here. */
export function smallDisk(size: `${number}m`): string | undefined {
  return mounted((folder) => {
    run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'none', folder)
    return folder
  })
}

/** An ext4 file system on a file; `breakDown` makes it read-only under those who write, as Linux does after a disk error. */
export function breakableDisk(): { folder: string; breakDown: () => void } | undefined {
  const image = join(temporaryFolder(), 'disk.img')
  const folder = mounted((path) => {
    run('truncate', '-s', '20M', image)
    run('mkfs.ext4', '-q', image)
    run('mount', '-o', 'loop', image, path)
    return path
  })
  return folder === undefined ? undefined : { folder, breakDown: () => run('mount', '-o', 'remount,abort', folder) }
}

/** A second way to a file or a folder, as a container engine makes it for a volume. */
export function bound(source: string, isFile = false): string | undefined {
  return mounted((folder) => {
    const target = isFile ? join(folder, 'file') : folder
    if (isFile) closeSync(openSync(target, 'w'))
    run('mount', '--bind', source, target)
    return target
  })
}

export function makeReadOnly(folder: string): void {
  run('mount', '-o', 'remount,ro', folder)
}

/** Leaves no free byte on a disk; call the result to free them. */
export function fill(folder: string): () => void {
  const ballast = join(folder, 'ballast')
  const file = openSync(ballast, 'w')
  const block = Buffer.alloc(4_096)
  try {
    while (true) writeSync(file, block)
  } catch {
    closeSync(file)
  }
  if (statfsSync(folder).bavail !== 0) throw new Error(`${folder} is not full`)
  return () => rmSync(ballast)
}

/** Keeps the files of a process from growing beyond so many bytes, or lets them again. Returns whether that can be done here. */
export function limitFiles(pid: number, bytes: number | 'unlimited'): boolean {
  try {
    run('prlimit', '--pid', String(pid), `--fsize=${bytes}:unlimited`)
    return true
  } catch {
    return false
  }
}

/** Says loudly that a test did not run. */
export function tellSkipped(what: string, why = 'nothing may be mounted here. Run as root.'): string {
  process.stderr.write(`\nSKIPPED: "${what}": ${why}\n\n`)
  return why
}

function mounted(mount: (folder: string) => string): string | undefined {
  const folder = join(temporaryFolder(), 'disk')
  mkdirSync(folder)
  try {
    const path = mount(folder)
    // What is asked for last is done first: the processes of a test have ended then.
    onTestFinished(() => run('umount', path))
    return path
  } catch {
    return undefined
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'pipe' })
}
