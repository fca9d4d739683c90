// Draws data.charts with Plotly.react, each into one node that is kept over all updates.
//
// _fullLayout and _dragging are private to Plotly, checked by tests/e2e.

import { answered, atControl, choose, figuresOf, forget } from "./ahead.js";
import { listenToKeys } from "./keyboard.js";
import { drawAhead, isFixed, turnTo } from "./pages.js";

// Milliseconds between two updates of live charts: on a laptop, drawing takes time from the run.
const REST = 6000;
let rested = 0; // performance.now() after which they may be drawn again
// Milliseconds of drawing after which the browser shows what is drawn, before it draws more; and
// without drawing after which the next chart is shown at once.
const BUSY = 60;
const IDLE = 200;
let turn = Promise.resolve(); // resolves when the next chart may be drawn
let drawing = 0; // milliseconds of drawing since the last frame
let ended = -IDLE; // performance.now() after the last drawing
let loading = null;
const revealed = new Set(); // what the page has scrolled to

function loadPlotly(url) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const tag = document.createElement("script");
    tag.src = new URL(url, document.baseURI).href;
    tag.onload = () => resolve(window.Plotly);
    tag.onerror = () => reject(new Error("plotly.min.js could not be loaded"));
    document.head.append(tag);
  });
  return loading;
}

// Return the layout with the text color of the theme, light or dark, and fonts times `scale`.
function themed(layout, element, scale) {
  const style = getComputedStyle(element);
  const color = style.getPropertyValue("--st-text-color").trim() || style.color;
  const background = style.getPropertyValue("--st-background-color").trim() || "white";
  const font = { color, family: style.fontFamily, size: 12 * scale };
  const hoverFont = { ...font, size: 13 * scale };
  const hoverlabel = { bgcolor: background, bordercolor: color, font: hoverFont };
  return { ...layout, font, hoverlabel, autosize: true };
}

// Multiply the sizes that a figure gives in pixels by `scale`.
function enlarge(layout, traces, scale) {
  if (scale === 1) return;
  layout.height *= scale;
  for (const side of Object.keys(layout.margin)) layout.margin[side] *= scale;
  const annotations = layout.annotations ?? [];
  const fonts = [...traces.map(({ textfont }) => textfont), ...annotations.map(({ font }) => font)];
  for (const font of fonts) {
    if (font?.size) font.size *= scale;
  }
}

// Whether the curves only got longer, and still fit the axes as drawn.
function onlyLonger(element, figure, look, traces) {
  if (element.figure !== figure || element.look !== look) return false;
  const [bottom, top] = element._fullLayout.yaxis.range;
  const fits = (value) => value === null || (bottom <= value && value <= top);
  return traces.every(({ y, mode }, i) => mode === element.data[i].mode && y.every(fits));
}

// Draw only the curves. Plotly.react also draws axes and titles and takes four times as long.
function lengthen(Plotly, element, traces) {
  const data = traces.map(({ x, y }) => ({ x, y }));
  const frame = { duration: 0, redraw: false };
  const atOnce = { mode: "immediate", transition: { duration: 0 }, frame };
  Plotly.animate(element, { data }, atOnce).catch(() => {}); // the next update may interrupt it
}

// Move the frame of a picture to the clicked cell at once, and let other charts follow; the server's
// answer draws all of them again.
function moveFrame(Plotly, element, { key, values }, { x, y }) {
  const { dx: size } = element.data.find(({ type }) => type === "heatmap");
  const [column, row] = [x, y].map((value) => Math.floor(value / size));
  choose(key, values[row][column]);
  const [frame] = element.own;
  const [x0, y0] = [column * size, row * size];
  const corners = { x0, y0, x1: x0 + size, y1: y0 + size };
  Plotly.relayout(element, { shapes: [{ ...frame, ...corners, visible: true }] });
}

// Run `draw`, which tells whether there was something to draw, when the charts before it are drawn.
// The first of several is shown before the others are drawn, and those whenever they took long: a
// frame of the page costs as much as a chart.
function inTurn(draw) {
  const drawn = turn.then(async () => {
    const begun = performance.now();
    const isFirst = begun - ended > IDLE;
    if (!(await draw())) return;
    ended = performance.now();
    drawing += ended - begun;
    if (!isFirst && drawing < BUSY) return;
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    drawing = 0;
  });
  turn = drawn.catch(() => {}); // one that cannot be drawn stops no other
  return drawn;
}

// Resolve when a chart is within half a screen of the visible part of the page: drawing one takes
// 16 ms, and a page may have 16 of them.
function nearView(element) {
  const { top, bottom, height } = element.getBoundingClientRect();
  const isNear = height && top < 1.5 * innerHeight && bottom > -0.5 * innerHeight;
  if (isNear) return null; // the observer would report it a frame later
  return new Promise((resolve) => {
    const look = (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      watch.disconnect();
      resolve();
    };
    const root = element.closest("[data-testid=stMain]");
    const watch = new IntersectionObserver(look, { root, rootMargin: "50% 0px" });
    watch.observe(element);
  });
}

// Scroll to a grid of charts that is out of sight, as on a phone, where the settings are above it.
// Its scroll margin leaves room for the status of the run.
function reveal(root, id) {
  if (!id || revealed.has(id)) return;
  revealed.add(id);
  const { top, bottom } = root.getBoundingClientRect();
  if (top < 0.8 * innerHeight && bottom > 0.2 * innerHeight) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  root.scrollIntoView({ block: "start", behavior: calm ? "instant" : "smooth" });
}

// Show the values at one x in the charts of a grid; null hides them.
function hoverTogether(Plotly, nodes, x) {
  for (const { element } of nodes) {
    if (!element.own) continue; // not drawn yet
    if (x === null) Plotly.Fx.unhover(element, {});
    else Plotly.Fx.hover(element, { xval: x }, "xy", true);
  }
}

// Charts highlight tokens together. Hovering over a patch highlights it on the pictures, and its
// row and column in the matrix. Hovering over the matrix highlights the query patch (solid) and the
// key patch (dotted) on the pictures.
function highlight(Plotly, element, { cls, side, patch_size, color }, tokens) {
  if (!element.own) return; // not drawn yet
  const shapes = [];
  if (tokens && side) {
    for (const [token, dash] of [[tokens.key, "dot"], [tokens.query, "solid"]]) {
      const patch = token - cls;
      if (patch < 0) continue;
      const x0 = (patch % side) * patch_size;
      const y0 = Math.floor(patch / side) * patch_size;
      const line = { color, width: 2, dash };
      shapes.push({ type: "rect", x0, y0, x1: x0 + patch_size, y1: y0 + patch_size, line });
    }
  } else if (tokens) {
    const { query: y, key: x } = tokens;
    const band = { type: "rect", fillcolor: color, opacity: 0.5, line: { width: 0 } };
    shapes.push({ ...band, xref: "x domain", x0: 0, x1: 1, y0: y - 0.5, y1: y + 0.5 });
    shapes.push({ ...band, yref: "y domain", y0: 0, y1: 1, x0: x - 0.5, x1: x + 0.5 });
  }
  if (shapes.length || element.highlighted) {
    Plotly.relayout(element, { shapes: [...element.own, ...shapes] });
  }
  element.highlighted = shapes.length > 0;
}

// Return the query and the key token at a point: row and column of a matrix; on a picture, both are
// the patch.
function tokensAt({ cls, side, patch_size }, { x, y }) {
  if (!side) return { query: y, key: x };
  const token = cls + Math.floor(y / patch_size) * side + Math.floor(x / patch_size);
  return { query: token, key: token };
}

// Draw the charts; return a function that stops watching the page when they leave it.
export function show(component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".charts");
  root.leave?.(); // for new data, Streamlit does not call the function that is returned below
  root.classList.toggle("many", data.charts.length > 1);
  root.classList.toggle("clickable", Boolean(data.clickable));
  while (root.children.length < data.charts.length) root.append(document.createElement("div"));
  const [positions] = data.tokens ?? []; // how positions map to tokens
  const [follows] = data.follows ?? []; // a control
  const [cells] = data.cells ?? []; // what a click chooses
  if (cells) answered(cells.key, cells.chosen);
  root.classList.toggle("pages", Boolean(follows?.ahead));
  const config = { responsive: true, displayModeBar: false };
  if (data.clickable) config.doubleClickDelay = 0; // two quick clicks are two choices
  const nodeOf = (chart, element) => {
    const { figure, data: drawn, layout, traces, alt, large } = chart;
    enlarge(layout, drawn, data.scale);
    element.classList.toggle("large", Boolean(large));
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", alt);
    element.style.height = `${layout.height}px`;
    // On a touchscreen, a drag scrolls the page.
    if (data.clickable || matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
    const { shapes, ...rest } = layout;
    const still = JSON.stringify([drawn, rest]); // what lies under the shapes
    traces?.forEach((values, i) => Object.assign(drawn[i], values));
    return { element, figure, still, traces: drawn, layout, alt, values: JSON.stringify(traces) };
  };
  const nodes = data.charts.map((sent, index) => {
    const chart = follows ? atControl(sent, follows) : { ...sent, ...JSON.parse(sent.figure) };
    const { title = "" } = chart;
    const heading = root.previousElementSibling;
    if (heading.textContent !== title) heading.textContent = title;
    return nodeOf(chart, follows ? turnTo(root, chart.figure) : root.children[index]);
  });

  let gone = false;
  let shown = "";
  const update = async (Plotly, { element, figure, still, traces, layout, values }) => {
    const look = themed(layout, element, data.scale);
    shown = `${look.font.color} ${data.scale}`;
    const isSame = element.look === shown && element.values === values;
    if (isSame && element.figure === figure) return false;
    const own = look.shapes ?? [];
    if (onlyLonger(element, figure, shown, traces)) lengthen(Plotly, element, traces);
    else if (isSame && element.still === still) await Plotly.relayout(element, { shapes: own });
    else await Plotly.react(element, traces, look, config);
    Object.assign(element, { figure, still, look: shown, values, own, highlighted: false });
    return true;
  };
  const draw = async () => {
    const Plotly = await loadPlotly(data.plotly);
    const near = nodes.map(({ element }) => nearView(element));
    for (const [i, node] of nodes.entries()) {
      const { element } = node;
      await near[i];
      while (element._dragging) await new Promise(requestAnimationFrame); // a zoom in progress
      await inTurn(() => !gone && update(Plotly, node));
      if (gone) return;
      element.removeAllListeners("plotly_click");
      if (data.clickable) {
        const click = ({ x, y }) => {
          if (cells) moveFrame(Plotly, element, cells, { x, y });
          setTriggerValue("clicked", { x, y });
        };
        element.on("plotly_click", ({ points: [point] }) => click(point));
        listenToKeys(root, element, node.alt, click);
      }
      if (nodes.length > 1) {
        element.removeAllListeners("plotly_hover");
        element.removeAllListeners("plotly_unhover");
        const others = nodes.filter((other) => other !== node);
        const show = (x) => hoverTogether(Plotly, others, x);
        element.on("plotly_hover", ({ points: [{ x }] }) => show(x));
        element.on("plotly_unhover", () => show(null));
      }
      if (positions) {
        const send = (tokens) =>
          window.dispatchEvent(new CustomEvent("vit-tokens", { detail: tokens }));
        element.removeAllListeners("plotly_hover");
        element.removeAllListeners("plotly_unhover");
        element.on("plotly_hover", ({ points: [point] }) => send(tokensAt(positions, point)));
        element.on("plotly_unhover", () => send(null));
      }
    }
    if (follows?.ahead && isFixed(nodes[0].layout)) {
      drawAhead(root, figuresOf(follows), shown, async (value, page) => {
        const node = nodeOf(atControl(data.charts[0], follows, value), page);
        await inTurn(() => !gone && update(Plotly, node));
        return !gone;
      });
    }
    if (data.live && nodes[0].traces[0].x.length) rested = performance.now() + REST;
  };
  const receive = ({ detail }) => {
    for (const { element } of nodes) highlight(window.Plotly, element, positions, detail);
  };
  if (positions) window.addEventListener("vit-tokens", receive);
  root.follow = follows && (() => show(component));
  reveal(root, data.reveal);
  const timer = setTimeout(draw, data.live ? rested - performance.now() : 0);

  // A change of the theme changes no data, so Streamlit does not call this function again.
  const watch = new MutationObserver(() => {
    const look = themed(nodes[0].layout, root, data.scale);
    if (shown && `${look.font.color} ${data.scale}` !== shown) draw();
  });
  for (let node = root; node; node = node.parentElement) {
    watch.observe(node, { attributes: true, attributeFilter: ["style", "class"] });
  }
  root.leave = () => {
    gone = true;
    clearTimeout(timer);
    watch.disconnect();
    window.removeEventListener("vit-tokens", receive);
  };
  return () => {
    root.leave();
    if (cells) forget(cells.key);
  };
}
