// What failed, as a part of the panel.

import { h } from "./dom.js"
import { section } from "./section.js"

export class Failures {
  constructor() {
    this.section = section("failures")
    this.element = this.section.element
    this.list = h("ul", { class: "cs-failures" })
    this.section.body.append(this.list)
  }

  draw(failures) {
    this.section.show(failures.length)
    if (this.list.childElementCount === failures.length) return
    this.list.replaceChildren(
      ...failures.map(({ task, error, where }) =>
        h(
          "li",
          {},
          h("div", {}, h("b", {}, task), " ", h("span", { class: "cs-error" }, error)),
          ...(where ? [h("div", { class: "cs-where" }, where)] : []),
        ),
      ),
    )
  }
}
