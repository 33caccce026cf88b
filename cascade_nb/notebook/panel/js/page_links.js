// Leads to the pages where clusters show what they do.

import { h } from "./dom.js"

const WEB_PAGE = /^https?:\/\//i

export class PageLinks {
  constructor() {
    this.element = h("span", { class: "cs-pages" })
    this.told = ""
  }

  // Addresses come from a cluster: what is no page of the web leads nowhere.
  draw(addresses = []) {
    const pages = addresses.filter((address) => WEB_PAGE.test(address))
    if (this.told === pages.join(" ")) return
    this.told = pages.join(" ")
    this.element.replaceChildren(...pages.map(pageLink))
  }
}

function pageLink(address) {
  const said = { href: address, title: address, target: "_blank", rel: "noopener noreferrer" }
  return h("a", { class: "cs-link", ...said }, "Dask dashboard")
}
