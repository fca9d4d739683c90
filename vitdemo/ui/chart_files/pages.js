// Pages of a chart that follows a slider: what it shows at each value is drawn ahead, each on a page
// of its own, so that a move of the slider only turns to another page.

const AHEAD = "ahead"; // class of a page that is being drawn: it takes its place, but is not seen

// Whether a chart cannot be zoomed: another page would not show the same part.
export function isFixed({ xaxis, yaxis }) {
  return Boolean(xaxis.fixedrange && yaxis.fixedrange);
}

function isShown(page) {
  return !page.hidden && !page.classList.contains(AHEAD);
}

// Whether a page has a figure, in the width that it would be drawn in now.
function has(page, figure) {
  const width = page._fullLayout?.width ?? 0;
  return page.figure === figure && Math.abs(width - page.parentElement.clientWidth) < 1;
}

// Return the page with a figure, shown instead of the one before; that one if there is none.
export function turnTo(root, figure) {
  const pages = [...root.children];
  const shown = pages.find(isShown);
  const page = pages.find((each) => has(each, figure)) ?? shown;
  if (page !== shown) {
    shown.hidden = true;
    page.hidden = false;
  }
  return page;
}

// Resolve when the browser has nothing else to do.
function idle() {
  return new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(() => resolve()));
}

// Draw each of the figures, named in order, on a page of its own, in the look of the theme. `draw`
// gets the place of a figure and its page, and returns whether to go on.
export async function drawAhead(root, figures, look, draw) {
  const isDrawn = (page, figure) => has(page, figure) && page.look === look;
  for (const [place, figure] of figures.entries()) {
    await idle();
    const pages = [...root.children];
    if (pages.some((page) => isDrawn(page, figure))) continue;
    const isFree = (page) => page.hidden && !figures.some((other) => isDrawn(page, other));
    const page = pages.find(isFree) ?? root.appendChild(document.createElement("div"));
    page.classList.add(AHEAD);
    page.hidden = false;
    const goesOn = await draw(place, page).finally(() => {
      page.hidden = true;
      page.classList.remove(AHEAD);
    });
    if (!goesOn) return;
  }
}
