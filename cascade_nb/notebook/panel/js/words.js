// Numbers and lengths of time, as a colleague would say them.

export const number = (n) => n.toLocaleString("en-US")

export function lengthText(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`
  const minutes = Math.floor(whole / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

// As cascade_nb.control.words says it.
export function exactText(seconds) {
  if (seconds < 0.95) return `${Math.round(seconds * 1000)} ms`
  return seconds < 9.95 ? `${seconds.toFixed(1).replace(".0", "")} s` : lengthText(Math.round(seconds))
}

// What a hold would do; as cascade_nb.engine.inspection.hold_effects says it.
export function holdText({ waiting = 0, queued = 0, held = 0, running = 0 }) {
  return `holds ${number(waiting + queued + held)}${running ? `, ${number(running)} will finish` : ""}`
}

export function aboutText(seconds) {
  if (seconds < 10) return "a few seconds left"
  if (seconds < 60) return `about ${Math.round(seconds / 5) * 5} s left`
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min left`
  return `about ${(seconds / 3600).toFixed(1)} h left`
}

export function agoText(seconds) {
  if (seconds < 1.5) return "just now"
  return seconds < 60 ? `${Math.round(seconds)} s ago` : `${lengthText(seconds)} ago`
}
