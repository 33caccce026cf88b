// What can be done about a node, or about all of a task, in words.

const DEEDS = {
  hold: "Hold",
  hold_after: "Hold with all after it",
  resume: "Resume",
  break: "Breakpoint before",
  no_break: "No breakpoint",
  retry: "Retry what failed",
  run_to: "Run to here",
  copy: "Copy name",
}
const OF_ALL = { hold_all: "Hold all of", resume_all: "Resume all of" }

// What the kernel need not count.
export const DOES = { break: "Goes on until it would start, and holds it then with its inputs there." }

// `kind` is the task of which all is meant.
export function deedWords(deed, kind) {
  return kind ? `${OF_ALL[deed]} ${kind}` : DEEDS[deed]
}
