// The saved picture below the panel.

// The same cell has a picture that stays when the notebook is saved and opened without a kernel. While the
// panel shows the same graph alive, that one is hidden; where it cannot be found, both are seen.
export function hideTwins(el, twin) {
  const area = el.closest(".jp-OutputArea")
  if (!area || !twin) return () => {}
  const hide = (on) => {
    for (const child of area.children) {
      const image = child.querySelector(".jp-RenderedSVG img")
      const text = child.querySelector(".jp-RenderedText pre")
      const ours = image?.src.includes(twin) || text?.textContent.includes(twin)
      if (ours) child.classList.toggle("cascade-twin", on)
    }
  }
  hide(true)
  const watch = new MutationObserver((records) => {
    if (records.some(({ target }) => !el.contains(target))) hide(true)
  })
  watch.observe(area, { childList: true, subtree: true })
  return () => {
    watch.disconnect()
    hide(false)
  }
}
