// What scrolls inside itself on a narrow screen can be reached with the keyboard, too.
function makeScrollersFocusable() {
  for (const part of document.querySelectorAll("table, pre, mjx-container, div.output, .cell_output")) {
    if (part.scrollWidth > part.clientWidth && !part.hasAttribute("tabindex")) part.tabIndex = 0;
  }
}
window.addEventListener("load", () => {
  const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();
  typeset.then(makeScrollersFocusable);
});
window.addEventListener("resize", makeScrollersFocusable);
