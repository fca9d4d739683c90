// Chooses cells of a clickable chart by keyboard: arrow keys move a frame, Enter clicks.
//
// _fullLayout and calcdata are private to Plotly, checked by tests/e2e.

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

// Return the centers of cells, whose edges or centers Plotly computed.
function centers(values, count) {
  if (values.length === count) return values;
  return values.slice(1).map((value, i) => (value + values[i]) / 2);
}

// Return what a click can choose, row by row as seen on the screen: for each cell of the topmost
// heatmap its center, for points one row from left to right.
function cellsOf({ calcdata, _fullLayout: { xaxis, yaxis } }) {
  const heatmap = calcdata.map(([first]) => first).findLast(({ z }) => z);
  if (heatmap) {
    const { z } = heatmap;
    const ascending = (axis, values, count) =>
      [...centers(values, count).entries()].sort(([, a], [, b]) => axis.d2p(a) - axis.d2p(b));
    const across = ascending(xaxis, heatmap.x, z[0].length);
    const isCell = (row) => ([column]) => Number.isFinite(z[row][column]);
    return ascending(yaxis, heatmap.y, z.length).map(([row, y]) =>
      across.filter(isCell(row)).map(([, x]) => ({ x, y })),
    );
  }
  const points = calcdata.findLast(([{ trace }]) => trace.mode === "markers") ?? calcdata[0];
  return [points.toSorted((a, b) => a.x - b.x).map(({ x, y }) => ({ x, y }))];
}

// Return the size of a cell in pixels, at least that of a point.
function pitch(axis, values) {
  const [first, second] = values.map((value) => axis.d2p(value));
  return Math.max(16, second === undefined ? axis._length : Math.abs(second - first));
}

// Add a control over a chart, which takes the focus; it lets the mouse through.
function addControl(root) {
  const control = document.createElement("div");
  control.className = "keyboard";
  control.tabIndex = 0;
  control.setAttribute("role", "application");
  const frame = control.appendChild(document.createElement("div"));
  frame.className = "frame";
  const said = control.appendChild(document.createElement("div"));
  said.className = "said";
  said.setAttribute("aria-live", "polite");
  root.append(control);
  return Object.assign(control, { frame, said, at: [0, 0] });
}

// Let the keyboard move over a chart's cells, and tell `choose` which one Enter chooses.
export function listenToKeys(root, element, alt, choose) {
  const control = root.querySelector(".keyboard") ?? addControl(root);
  control.setAttribute("aria-label", `${alt} Move with the arrow keys, choose with Enter.`);
  if (control.chosen && control.alt !== alt) control.said.textContent = alt; // what Enter did
  Object.assign(control, { alt, chosen: false });

  const show = () => {
    const cells = cellsOf(element);
    control.at[0] = Math.min(Math.max(control.at[0], 0), cells.length - 1);
    const [row] = control.at;
    control.at[1] = Math.min(Math.max(control.at[1], 0), cells[row].length - 1);
    const [, column] = control.at;
    const { xaxis, yaxis } = element._fullLayout;
    const cell = cells[row][column];
    const isGrid = cells.length > 1;
    const width = isGrid || cells[0].length === 1 ? pitch(xaxis, cells[0].map(({ x }) => x)) : 16;
    const height = isGrid ? pitch(yaxis, cells.map(([{ y }]) => y)) : 16;
    Object.assign(control.frame.style, {
      left: `${xaxis._offset + xaxis.d2p(cell.x) - width / 2}px`,
      top: `${yaxis._offset + yaxis.d2p(cell.y) - height / 2}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
    return { cell, cells };
  };
  const say = ({ cells }) => {
    const [row, column] = control.at;
    const place = `column ${column + 1} of ${cells[row].length}`;
    control.said.textContent =
      cells.length > 1 ? `Row ${row + 1} of ${cells.length}, ${place}` : place;
  };
  control.onfocus = show;
  control.onkeydown = (event) => {
    if (MOVES[event.key]) {
      control.at = control.at.map((place, i) => place + MOVES[event.key][i]);
      say(show());
    } else if (event.key === "Enter" || event.key === " ") {
      control.chosen = true;
      choose(show().cell);
    } else return;
    event.preventDefault(); // the page does not scroll
  };
}

