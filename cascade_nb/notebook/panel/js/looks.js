// Says when the page looks otherwise: another theme of Lab's, or dark instead of light. What is painted on a
// canvas keeps the colours that it was painted in; all else follows the style sheet by itself.

// `repaint` is called then; gives what ends it.
export function whenLooksChange(repaint) {
  const dark = globalThis.matchMedia("(prefers-color-scheme: dark)")
  // Lab names a theme on the body when its sheet is loaded; what the sheet changes is there in the next frame.
  const theme = new MutationObserver(() => requestAnimationFrame(repaint))
  theme.observe(document.body, { attributeFilter: ["data-jp-theme-name", "data-jp-theme-light", "class"] })
  dark.addEventListener("change", repaint)
  return () => {
    theme.disconnect()
    dark.removeEventListener("change", repaint)
  }
}
