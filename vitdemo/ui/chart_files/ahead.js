// Lets charts follow a control before the server answers: a slider of Streamlit, or a framed chart.
//
// The server sends once what they show at each value. Streamlit's slider is an <input type="range">
// in a container with the class st-key-…, checked by tests/e2e.

const known = new Map(); // key of a control -> { of, sent, charts: chart -> value -> state, value }
const chosen = new Map(); // key of a framed chart -> values: what the server drew, and clicks since

function valueOf(control) {
  if (chosen.has(control)) return chosen.get(control).at(-1);
  return document.querySelector(`.st-key-${control} input[type=range]`)?.valueAsNumber;
}

function follow() {
  for (const root of document.querySelectorAll(".charts")) root.follow?.(); // from the top
}

// Draw the charts if a control has another value.
function look() {
  for (const [control, states] of known) {
    const value = valueOf(control);
    if (value === undefined || value === states.value) continue;
    states.value = value;
    follow();
  }
}

// A cell of a framed chart was clicked.
export function choose(chart, value) {
  chosen.get(chart).push(value);
  look();
}

// The server has drawn a framed chart with this value, and so knows of all clicks up to it.
export function answered(chart, value) {
  const values = chosen.get(chart) ?? [];
  const place = values.lastIndexOf(value);
  chosen.set(chart, place < 0 ? [value] : values.slice(place));
  look();
}

// A framed chart left the page.
export function forget(chart) {
  chosen.delete(chart);
}

// Keep the states of the charts that follow a control, which may have changed since they were sent.
// If none are sent, `ask` for them once the browser has drawn what it has.
export function keep({ control, of, charts: sent }, ask) {
  const charts = JSON.parse(sent);
  if (Object.keys(charts).length === 0) {
    (window.requestIdleCallback ?? setTimeout)(ask);
    return;
  }
  const { of: before, sent: had } = known.get(control) ?? {};
  if (before === of && had === sent) return;
  known.set(control, { of, sent, charts, value: valueOf(control) });
  follow();
}

// Return what a chart shows at each value of its control, or nothing if that is not here yet.
function statesOf({ key, of, chart }) {
  const states = known.get(key);
  return states?.of === of ? states.charts[chart] : {};
}

// Return the names of what a chart shows at each value.
export function figuresOf(follows) {
  return Object.keys(statesOf(follows)).map((value) => `${follows.of} ${value}`);
}

// Return a chart as it is at a value of its control, by default the value of now, with the name of
// its `figure`; as it was sent, if the state at the value is not here yet.
export function atControl(sent, follows, value = valueOf(follows.key)) {
  const { data, layout } = JSON.parse(sent.figure);
  const states = statesOf(follows);
  const at = value in states ? value : follows.at;
  const figure = `${follows.of} ${at}`;
  if (at === follows.at) return { ...sent, figure, data, layout };
  const { traces, layout: changed, ...words } = states[at];
  return {
    ...sent,
    ...words,
    figure,
    data: traces.map((values, i) => ({ ...data[i], ...values })),
    layout: { ...layout, ...changed },
  };
}

const watch = new MutationObserver(look);
watch.observe(document.body, { subtree: true, attributeFilter: ["aria-valuetext"] });
