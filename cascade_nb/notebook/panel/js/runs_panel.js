// The panel of all runs of a kernel, in the browser: the same manners as the panel of one (panel.js).
// Python's side is cascade_nb/notebook/overview.

import { connection } from "./connection.js"
import { RunsView } from "./runs_view.js"
import { hideTwins } from "./twins.js"

export default () => {
  const shared = connection()

  // Rows come one by one: those that are other than before.
  function take({ rows, ...news }) {
    const known = news.order ? Object.fromEntries(news.order.map((id) => [id, shared.state.rows?.[id]])) : shared.state.rows
    shared.take({ ...news, ...(rows || news.order ? { rows: { ...known, ...rows } } : {}) })
  }

  return {
    initialize({ model }) {
      shared.model = model
      take(model.get("snapshot"))
      model.on("msg:custom", (message) => {
        if (message.type === "patch") take(message)
        else if (message.type === "compared" && message.page === shared.page) {
          for (const { comparison } of shared.views) comparison.take(message)
        }
      })
      const hello = () => shared.send({ type: "hello" })
      model.on("comm_live_update", hello)
      hello()
    },

    render({ model, el }) {
      const view = new RunsView(shared, model, el)
      let showTwins = null
      const look = () => shared.look()
      const watcher = new IntersectionObserver(([entry]) => {
        view.seen = entry.isIntersecting
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
    },
  }
}
