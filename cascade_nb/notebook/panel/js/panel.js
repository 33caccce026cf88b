// The panel in the browser. It shows what the kernel told and asks the kernel for what is clicked; it
// decides nothing. Python's side is panel.py, what is told is made in portrait.py.
//
// Everything that is shown is text (`textContent`), but for the picture of the graph, which is SVG made by
// cascade_nb.view: it is parsed as XML, and whatever could act is taken out once more.

import { connection } from "./connection.js"
import { whenLooksChange } from "./looks.js"
import { View } from "./view.js"
import { putIntoPage } from "./watching.js"

export default () => {
  const shared = connection()

  return {
    initialize({ model }) {
      const take = (news) => shared.take(news)
      shared.begin(model, take, (message) => {
        if (message.type === "node") {
          for (const { drawer, failures } of shared.views) {
            drawer.answer(message)
            failures.answer(message)
          }
        } else if (message.type === "output") for (const { output } of shared.views) output.answer(message)
        else if (message.type === "find") for (const { canvas } of shared.views) canvas.finder.answer(message)
        else if (message.type === "timeline") for (const { timeline } of shared.views) timeline.answer(message)
      })
    },

    render({ model, el }) {
      const view = new View(shared, model, el)
      const onPicture = () => view.drawPicture()
      const onDisplays = () => view.drawDisplays()
      model.on("change:svg", onPicture)
      const onSince = () => view.drawSince()
      model.on("change:displays", onDisplays)
      model.on("change:since", onSince)
      view.drawSince()
      view.drawDisplays()
      const resized = new ResizeObserver(() => view.canvas.resized())
      resized.observe(view.canvas.graph)
      const looksAgain = whenLooksChange(() => view.repaint())
      const takeOut = putIntoPage(shared, view, el)
      return () => {
        resized.disconnect()
        looksAgain()
        model.off("change:svg", onPicture)
        model.off("change:displays", onDisplays)
        model.off("change:since", onSince)
        takeOut()
      }
    },
  }
}
