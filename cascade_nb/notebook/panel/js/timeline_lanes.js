// Where bars stand: a lane for each kind of task, or for each kind of place, and rows in it for what ran side by side.

export const HEAD = 22 // pixels above the lanes, for the times
const GAP = 6 // pixels between two lanes
const MOST_ROWS = 32 // rows of a lane; what more ran at once lies on others
export const EARLIER = "earlier, together"

const PLACES = { thread: "threads", process: "processes", loop: "the kernel's loop" }
const laneName = (bar, mode) => (mode === "kind" ? bar.kind : (PLACES[bar.place] ?? bar.place))

// `endOf` gives when a bar ends, of one that goes on when it would end now.
export function lanesOf(data, mode, endOf) {
  const lanes = new Map()
  const lane = (name) => {
    if (!lanes.has(name)) lanes.set(name, { name, bars: [], cells: [], rows: 1 })
    return lanes.get(name)
  }
  for (const cell of data.folded) lane(mode === "kind" ? cell.kind : EARLIER).cells.push(cell)
  const bars = data.bars.sort((one, other) => one.at - other.at)
  for (const bar of bars) lane(laneName(bar, mode)).bars.push(bar)
  const all = [...lanes.values()]
  for (const one of all) one.rows = stack(one.bars, endOf)
  place(all)
  return all
}

// Puts each bar into the first row that is free when it begins; gives how many rows that takes.
export function stack(bars, endOf) {
  const ends = []
  for (const bar of bars) {
    let row = ends.findIndex((end) => end <= bar.at + 1e-3)
    if (row < 0) row = ends.length < MOST_ROWS ? ends.length : ends.indexOf(Math.min(...ends))
    bar.row = row
    ends[row] = Math.max(ends[row] ?? 0, endOf(bar))
  }
  return Math.max(1, ends.length)
}

// How high rows are, and where lanes begin.
function place(lanes) {
  const rows = lanes.reduce((sum, lane) => sum + lane.rows, 0)
  const high = rows <= 24 ? 13 : rows <= 80 ? 8 : 4
  let top = HEAD
  for (const lane of lanes) {
    lane.high = high
    lane.top = top
    lane.height = Math.max(lane.rows * high, 13)
    top += lane.height + GAP
  }
}

export const heightOf = (lanes) => {
  const last = lanes[lanes.length - 1]
  return last ? last.top + last.height + GAP : HEAD + 40
}

// Times to write above the lanes: round ones, at most so many.
export function ticks(from, to, most) {
  const length = Math.max(to - from, 1e-6)
  const step = STEPS.find((one) => length / one <= most) ?? length
  const found = []
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9; i++) found.push(i * step)
  return { step, times: found }
}

const SHORT = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]
const LONG = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]
const DAYS = [2, 5, 10, 20, 50, 100, 200, 500, 1000].map((days) => days * 86400)
const STEPS = [...SHORT, ...LONG, ...DAYS]

// The bar at a point, or the nearest within some pixels.
export function barAt(lanes, x, y, timeOf, xOf, endOf) {
  const lane = lanes.find(({ top, height }) => y >= top && y <= top + height)
  if (!lane || timeOf(x) === null) return null
  const row = Math.floor((y - lane.top) / lane.high)
  let best = null
  let near = 4
  for (const bar of lane.bars) {
    if (bar.row !== row) continue
    const [begin, end] = [xOf(bar.at), Math.max(xOf(endOf(bar)), xOf(bar.at) + 2)]
    const away = x < begin ? begin - x : x > end ? x - end : 0
    if (away < near || (away === 0 && near === 0)) [best, near] = [bar, away]
  }
  return best
}
