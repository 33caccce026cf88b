// Puts a view of a widget into its page: the kernel hears whether anybody can see it, and what stands beside it in
// the saved notebook for readers without a kernel is hidden as long as it is there.

import { hideTwins } from "./twins.js"

// Gives what takes it out again.
export function putIntoPage(shared, view, el) {
  let showTwins = null
  const look = () => shared.look()
  const watcher = new IntersectionObserver(([entry]) => {
    view.seen = entry.isIntersecting
    // Jupyter puts a view into its page only after it was rendered.
    if (el.isConnected) showTwins ??= hideTwins(el, shared.state.twin)
    look()
  })
  watcher.observe(view.root)
  document.addEventListener("visibilitychange", look)
  shared.views.add(view)
  return () => {
    shared.views.delete(view)
    document.removeEventListener("visibilitychange", look)
    watcher.disconnect()
    showTwins?.()
    view.close()
    look()
  }
}
