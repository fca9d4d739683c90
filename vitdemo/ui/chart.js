// Draws data.charts with Plotly.react, each into one node that outlives every update.

// Milliseconds between two drawings of live charts: on a laptop, the time that they take is the training's.
const REST = 6000;
let rested = 0; // performance.now() from which on they may be drawn again
let loading = null;

function loadPlotly(script) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const tag = document.createElement("script");
    tag.src = new URL(script, document.baseURI).href;
    tag.onload = () => resolve(window.Plotly);
    tag.onerror = () => reject(new Error("plotly.min.js could not be loaded"));
    document.head.append(tag);
  });
  return loading;
}

// The app's theme, light or dark, decides the color of text; on a page shown large, letters and margins grow with it.
function themed(layout, element, scale) {
  const style = getComputedStyle(element);
  const color = style.getPropertyValue("--st-text-color").trim() || style.color;
  const background = style.getPropertyValue("--st-background-color").trim() || "white";
  const font = { color, family: style.fontFamily, size: 12 * scale };
  const hoverlabel = { bgcolor: background, bordercolor: color, font: { ...font, size: 13 * scale } };
  return { ...layout, font, hoverlabel, autosize: true };
}

// A figure's own sizes in pixels, times `scale`.
function enlarge(layout, traces, scale) {
  if (scale === 1) return;
  layout.height *= scale;
  for (const side of Object.keys(layout.margin)) layout.margin[side] *= scale;
  for (const { font } of [...traces.map(({ textfont }) => ({ font: textfont })), ...(layout.annotations ?? [])]) {
    if (font?.size) font.size *= scale;
  }
}

// Whether longer curves are all that is new, and they fit between the axes as drawn.
function onlyLonger(element, figure, look, traces) {
  if (element.figure !== figure || element.look !== look) return false;
  const top = element._fullLayout.yaxis.range[1];
  return traces.every(({ y, mode }, place) => mode === element.data[place].mode && y.every((value) => value <= top));
}

// Draw the curves alone: a quarter of the time of Plotly.react, which draws axes and titles as well.
function lengthen(Plotly, element, traces) {
  const data = traces.map(({ x, y }) => ({ x, y }));
  const atOnce = { mode: "immediate", transition: { duration: 0 }, frame: { duration: 0, redraw: false } };
  Plotly.animate(element, { data }, atOnce).catch(() => {}); // of one that the next has overtaken
}

// When a chart comes near the part of the page that one sees: drawing takes 16 ms, and a page may have as many charts.
function inSight(element) {
  const { top, bottom, height } = element.getBoundingClientRect();
  if (height && top < 1.5 * innerHeight && bottom > -0.5 * innerHeight) return null; // the observer would say so a frame later
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

// Charts whose places are tokens light up together: the patch under the mouse on the pictures, its row and column in the
// matrix; in the matrix, the asking patch (solid) and the attended one (dotted) on the pictures.
function lightUp(Plotly, element, { cls, side, patch_size, color }, place) {
  if (!element.own) return; // not drawn yet
  const shapes = [];
  if (place && side) {
    for (const [token, dash] of [[place.attended, "dot"], [place.asking, "solid"]]) {
      const patch = token - cls;
      if (patch < 0) continue;
      const x0 = (patch % side) * patch_size;
      const y0 = Math.floor(patch / side) * patch_size;
      shapes.push({ type: "rect", x0, y0, x1: x0 + patch_size, y1: y0 + patch_size, line: { color, width: 2, dash } });
    }
  } else if (place) {
    const { asking: y, attended: x } = place;
    const band = { type: "rect", fillcolor: color, opacity: 0.5, line: { width: 0 } };
    shapes.push({ ...band, xref: "x domain", x0: 0, x1: 1, y0: y - 0.5, y1: y + 0.5 });
    shapes.push({ ...band, yref: "y domain", y0: 0, y1: 1, x0: x - 0.5, x1: x + 0.5 });
  }
  if (shapes.length || element.lit) Plotly.relayout(element, { shapes: [...element.own, ...shapes] });
  element.lit = shapes.length > 0;
}

function placeOf({ cls, side, patch_size }, { x, y }) {
  if (!side) return { asking: y, attended: x };
  const token = cls + Math.floor(y / patch_size) * side + Math.floor(x / patch_size);
  return { asking: token, attended: token };
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".charts");
  root.leave?.(); // Streamlit calls what is returned here when the charts go, not when they get new data
  root.classList.toggle("small", data.charts.length > 1);
  root.classList.toggle("clickable", Boolean(data.clickable));
  while (root.children.length < data.charts.length) root.append(document.createElement("div"));
  const [tokens] = data.tokens ?? [];
  const config = { responsive: true, displayModeBar: false };
  const nodes = data.charts.map(({ figure, traces, alt }, index) => {
    const element = root.children[index];
    const { data: drawn, layout } = JSON.parse(figure);
    enlarge(layout, drawn, data.scale);
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", alt);
    element.style.height = `${layout.height}px`;
    // Under a finger, a drag belongs to the page: it scrolls.
    if (data.clickable || matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
    traces?.forEach((values, place) => Object.assign(drawn[place], values));
    return { element, figure, traces: drawn, layout, values: JSON.stringify(traces) };
  });

  let gone = false;
  let shown = "";
  const draw = async () => {
    const Plotly = await loadPlotly(data.script);
    const near = nodes.map(({ element }) => inSight(element));
    for (const [place, { element, figure, traces, layout, values }] of nodes.entries()) {
      await near[place];
      while (element._dragging) await new Promise(requestAnimationFrame); // a zoom under way would be lost
      if (gone) return;
      const look = themed(layout, element, data.scale);
      shown = `${look.font.color} ${data.scale}`;
      if (element.figure !== figure || element.look !== shown || element.values !== values) {
        const longer = onlyLonger(element, figure, shown, traces);
        Object.assign(element, { figure, look: shown, values });
        if (longer) lengthen(Plotly, element, traces);
        else await Plotly.react(element, traces, look, config);
        Object.assign(element, { own: look.shapes ?? [], lit: false });
      }
      if (gone) return;
      element.removeAllListeners("plotly_click");
      if (data.clickable) {
        element.on("plotly_click", ({ points: [point] }) => setTriggerValue("clicked", { x: point.x, y: point.y }));
      }
      if (tokens) {
        const tell = (place) => window.dispatchEvent(new CustomEvent("vit-tokens", { detail: place }));
        element.removeAllListeners("plotly_hover");
        element.removeAllListeners("plotly_unhover");
        element.on("plotly_hover", ({ points: [point] }) => tell(placeOf(tokens, point)));
        element.on("plotly_unhover", () => tell(null));
      }
    }
    if (data.live && nodes[0].traces[0].x.length) rested = performance.now() + REST;
  };
  const light = ({ detail }) => nodes.forEach(({ element }) => lightUp(window.Plotly, element, tokens, detail));
  if (tokens) window.addEventListener("vit-tokens", light);
  const timer = setTimeout(draw, data.live ? rested - performance.now() : 0);

  // A change of theme changes no data, so it is watched for.
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
    window.removeEventListener("vit-tokens", light);
  };
  return () => root.leave();
}
