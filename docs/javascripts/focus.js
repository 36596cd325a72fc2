// What scrolls sideways can be reached by the keyboard. The theme takes the mark away again on some
// screens, so it is set anew when that happens.
function reachable(box) {
  if (box.scrollWidth > box.clientWidth && box.tabIndex !== 0) box.tabIndex = 0
}
const boxes = document.querySelectorAll('.md-typeset__table, .md-typeset pre > code, .md-typeset table')
const changed = new MutationObserver((records) => records.forEach(({ target }) => reachable(target)))
const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => reachable(target)))
for (const box of boxes) {
  reachable(box)
  changed.observe(box, { attributeFilter: ['tabindex'] })
  resized.observe(box)
}
