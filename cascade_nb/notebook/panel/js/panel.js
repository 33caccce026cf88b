// The panel in the browser. It shows what the kernel told and asks the kernel for what is clicked; it
// decides nothing. Python's side is panel.py, what is told is made in portrait.py.
//
// Everything that is shown is text (`textContent`), but for the picture of the graph, which is SVG made by
// cascade_nb.view: it is parsed as XML, and whatever could act is taken out once more.

import { connection } from "./connection.js"
import { whenLooksChange } from "./looks.js"
import { hideTwins } from "./twins.js"
import { View } from "./view.js"

export default () => {
  const shared = connection()

  return {
    initialize({ model }) {
      shared.model = model
      shared.take(model.get("snapshot"))
      model.on("msg:custom", (message) => {
        if (message.type === "patch") shared.take(message)
        else if (message.type === "node") {
          for (const { drawer, failures } of shared.views) {
            drawer.answer(message)
            failures.answer(message)
          }
        } else if (message.type === "timeline") for (const { timeline } of shared.views) timeline.answer(message)
      })
      // What was told before this moment, or while the connection was lost, has passed unheard.
      const hello = () => shared.send({ type: "hello" })
      model.on("comm_live_update", hello)
      hello()
    },

    render({ model, el }) {
      const view = new View(shared, model, el)
      let showTwins = null
      const onPicture = () => view.drawPicture()
      const onDisplays = () => view.drawDisplays()
      model.on("change:svg", onPicture)
      model.on("change:displays", onDisplays)
      view.drawDisplays()
      const look = () => shared.look()
      const watcher = new IntersectionObserver(([entry]) => {
        view.seen = entry.isIntersecting
        // Jupyter puts a view into its page only after it was rendered.
        if (el.isConnected) showTwins ??= hideTwins(el, shared.state.twin)
        look()
      })
      watcher.observe(view.root)
      const resized = new ResizeObserver(() => view.canvas.resized())
      resized.observe(view.canvas.graph)
      const looksAgain = whenLooksChange(() => view.repaint())
      document.addEventListener("visibilitychange", look)
      shared.views.add(view)
      return () => {
        shared.views.delete(view)
        document.removeEventListener("visibilitychange", look)
        watcher.disconnect()
        resized.disconnect()
        looksAgain()
        model.off("change:svg", onPicture)
        model.off("change:displays", onDisplays)
        showTwins?.()
        view.close()
        look()
      }
    },
  }
}
