// Draws data.figure with Plotly.react into one node that outlives every update.

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

// The app's theme, light or dark, decides the colour of text.
function themed(layout, element) {
  const style = getComputedStyle(element);
  const color = style.getPropertyValue("--st-text-color").trim() || style.color;
  const background = style.getPropertyValue("--st-background-color").trim() || "white";
  const font = { color, family: style.fontFamily, size: 12 };
  const hoverlabel = { bgcolor: background, bordercolor: color, font: { color, family: style.fontFamily } };
  return { ...layout, font, hoverlabel, autosize: true };
}

export default function ({ data, parentElement, setTriggerValue }) {
  const element = parentElement.querySelector(".figure");
  const { data: traces, layout } = JSON.parse(data.figure);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", data.alt);
  element.classList.toggle("clickable", data.clickable);
  element.style.height = `${layout.height}px`;
  const config = { responsive: true, displayModeBar: false };
  // Under a finger, a drag belongs to the page: it scrolls.
  if (data.clickable || matchMedia("(pointer: coarse)").matches) layout.dragmode = false;

  let gone = false;
  let shown = "";
  const draw = async () => {
    const Plotly = await loadPlotly(data.script);
    if (gone) return;
    const look = themed(layout, element);
    shown = look.font.color;
    await Plotly.react(element, traces, look, config);
    if (gone) return;
    element.removeAllListeners("plotly_click");
    if (data.clickable) {
      element.on("plotly_click", ({ points: [point] }) => setTriggerValue("clicked", { x: point.x, y: point.y }));
    }
  };
  draw();

  // A change of theme changes no data, so it is watched for.
  const watch = new MutationObserver(() => {
    if (shown && themed(layout, element).font.color !== shown) draw();
  });
  for (let node = element.parentElement; node; node = node.parentElement) {
    watch.observe(node, { attributes: true, attributeFilter: ["style", "class"] });
  }
  return () => {
    gone = true;
    watch.disconnect();
  };
}
