// The panel of all runs of a kernel, in the browser: the same manners as the panel of one (panel.js).
// Python's side is cascade_nb/notebook/overview.

import { connection } from "./connection.js"
import { RunsView } from "./runs_view.js"
import { putIntoPage } from "./watching.js"

export default () => {
  const shared = connection()

  // Rows come one by one: those that are other than before.
  function take({ rows, ...news }) {
    const known = news.order ? Object.fromEntries(news.order.map((id) => [id, shared.state.rows?.[id]])) : shared.state.rows
    shared.take({ ...news, ...(rows || news.order ? { rows: { ...known, ...rows } } : {}) })
  }

  return {
    initialize({ model }) {
      shared.begin(model, take, (message) => {
        if (message.type !== "compared" || message.page !== shared.page) return
        for (const { comparison } of shared.views) comparison.take(message)
      })
    },

    render({ model, el }) {
      return putIntoPage(shared, new RunsView(shared, model, el), el)
    },
  }
}
