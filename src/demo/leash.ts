/**
 * Loaded into the demo's worker (`--import`): ends it when the demo is gone, however that ended.
 *
 * The worker is in a process group of its own, so that Ctrl-C reaches the demo only; so nothing else would tell it.
 */
const LOOK_EVERY_MS = 500

const demo = process.ppid

setInterval(() => {
  if (process.ppid !== demo) process.kill(process.pid, 'SIGTERM')
}, LOOK_EVERY_MS).unref()
