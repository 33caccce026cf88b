// How all nodes of one kind stand, in a word.

export function kindState(kind, ended) {
  if (kind.failed) return "failed"
  if (kind.done === kind.total) return "done"
  if (ended) return "left"
  if (kind.paused) return "held"
  if (kind.asking) return "asking"
  if (kind.running) return "running"
  if (kind.held) return "held"
  return kind.queued ? "queued" : "waiting"
}
