// A picture that cannot act.

import { SVG } from "./dom.js"

const HARMLESS = new Set(
  ("svg g path polygon polyline rect ellipse circle line text tspan title desc defs marker style use " +
    "clipPath pattern").split(" "),
)

export function safePicture(source) {
  const parsed = new DOMParser().parseFromString(source, "image/svg+xml").documentElement
  if (parsed.namespaceURI !== SVG || parsed.localName !== "svg") return null
  for (const element of [...parsed.querySelectorAll("*"), parsed]) {
    if (element.namespaceURI !== SVG || !HARMLESS.has(element.localName)) element.remove()
    for (const { name, value } of Array.from(element.attributes)) {
      const outside = /href$/i.test(name) && !value.startsWith("#")
      if (/^on/i.test(name) || outside || /url\(\s*['"]?(?!#)/i.test(value)) element.removeAttribute(name)
    }
    if (element.localName === "style" && /@import|url\(|expression/i.test(element.textContent)) element.remove()
  }
  return document.importNode(parsed, true)
}
