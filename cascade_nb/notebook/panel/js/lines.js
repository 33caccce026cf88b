// What tasks printed, as lines.

const LINES = 1000 // of output that are kept on the page

// Text of two streams as lines; `\r` goes back to the beginning of the line, as progress bars want it.
export class Lines {
  constructor() {
    this.clear()
  }

  clear() {
    this.lines = []
    this.open = false
    this.dropped = 0
  }

  add(stream, text) {
    const plain = text.replace(/\r\n/g, "\n")
    const pieces = plain.split("\n")
    pieces.forEach((piece, i) => {
      const last = this.lines[this.lines.length - 1]
      const ends = i < pieces.length - 1
      if (piece || ends) {
        if (this.open && last.stream === stream) last.text = overwritten(last.text + piece)
        else this.lines.push({ stream, text: overwritten(piece) })
        this.open = !ends
      }
    })
    const surplus = this.lines.length - LINES
    if (surplus > 0) {
      this.lines.splice(0, surplus)
      this.dropped += surplus
    }
  }

  get count() {
    return this.dropped + this.lines.length
  }
}

function overwritten(line) {
  const at = line.endsWith("\r") ? line.lastIndexOf("\r", line.length - 2) : line.lastIndexOf("\r")
  return at < 0 ? line : line.slice(at + 1)
}
