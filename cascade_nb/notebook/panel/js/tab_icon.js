// The icon of the browser's tab while runs go on in this page. Jupyter changes icons of its own as its kernels work:
// those stay as they are, and are seen again when this one is gone.

const ICON = "cascade-icon"

// By the sign that the title begins with: a colour, and a shape for those who cannot tell the colours.
const DRAWN = {
  "▶": ["#1769c0", '<path d="M6 4.2v7.6L12 8z"/>'],
  "‖": ["#b26a00", '<path d="M5.2 4.5h2v7h-2zM8.8 4.5h2v7h-2z"/>'],
  "✕": ["#c3352f", '<path d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" stroke="#fff" stroke-width="2"/>'],
  "✓": ["#2f7d46", '<path d="M4.6 8.2l2.4 2.4 4.4-4.8" fill="none" stroke="#fff" stroke-width="2"/>'],
  "■": ["#6b7280", '<path d="M5.4 5.4h5.2v5.2H5.4z"/>'],
}

// Shows the icon of this sign; that of the page itself where there is none.
export function showIcon(sign, page = document) {
  const before = page.head.querySelector(`link.${ICON}`)
  if (!DRAWN[sign]) {
    before?.remove()
    return
  }
  if (before?.dataset.sign === sign) return
  const [colour, shape] = DRAWN[sign]
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="#fff"><circle cx="8" cy="8" r="8" fill="${colour}"/>${shape}</svg>`
  const link = page.createElement("link")
  link.className = ICON
  link.rel = "icon"
  link.type = "image/svg+xml"
  link.setAttribute("sizes", "any") // what fits any size goes before what has one
  link.dataset.sign = sign
  link.href = `data:image/svg+xml,${encodeURIComponent(svg)}`
  // A new one, and the last: some browsers look at no other change.
  page.head.append(link)
  before?.remove()
}
