// What tasks printed, as lines.

const LINES = 1000 // of output that are kept on the page

// Text of two streams as lines, of each node that writes apart from those of others; `\r` goes back to the beginning
// of the line, as progress bars want it.
export class Lines {
  constructor() {
    this.clear()
  }

  clear() {
    this.lines = []
    this.open = new Map() // by stream and node, the line that has not ended
    this.dropped = 0
  }

  add(stream, text, node = "") {
    const plain = text.replace(/\r\n/g, "\n")
    const pieces = plain.split("\n")
    const key = `${stream}\n${node}`
    pieces.forEach((piece, i) => {
      const open = this.open.get(key)
      const ends = i < pieces.length - 1
      if (!piece && !ends) return
      const line = open ?? { stream, node, text: "" }
      line.text = overwritten(line.text + piece)
      if (!open) this.lines.push(line)
      if (ends) this.open.delete(key)
      else this.open.set(key, line)
    })
    const surplus = this.lines.length - LINES
    if (surplus <= 0) return
    const gone = new Set(this.lines.splice(0, surplus))
    this.dropped += surplus
    for (const [other, line] of this.open) if (gone.has(line)) this.open.delete(other)
  }

  get count() {
    return this.dropped + this.lines.length
  }
}

function overwritten(line) {
  const at = line.endsWith("\r") ? line.lastIndexOf("\r", line.length - 2) : line.lastIndexOf("\r")
  return at < 0 ? line : line.slice(at + 1)
}
