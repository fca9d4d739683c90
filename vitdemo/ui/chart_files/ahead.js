// Lets charts follow a slider of Streamlit before the server answers.
//
// The server sends once what they show at each value. Streamlit's slider is an <input type="range">
// in a container with the class st-key-…, checked by tests/e2e.

const known = new Map(); // key of a slider -> { of, charts: states of each chart by key, value }

function valueOf(slider) {
  return document.querySelector(`.st-key-${slider} input[type=range]`)?.valueAsNumber;
}

function follow() {
  for (const root of document.querySelectorAll(".charts")) root.follow?.(); // from the top
}

// Draw the charts if a slider has moved.
function look() {
  for (const [slider, states] of known) {
    const value = valueOf(slider);
    if (value === undefined || value === states.value) continue;
    states.value = value;
    follow();
  }
}

// Keep the states of the charts that follow a slider, which may have moved since they were sent. If
// none are sent, `ask` for them once the browser has drawn what it has.
export function keep({ slider, of, charts }, ask) {
  const states = JSON.parse(charts);
  if (Object.keys(states).length === 0) {
    (window.requestIdleCallback ?? setTimeout)(ask);
    return;
  }
  known.set(slider, { of, charts: states, value: valueOf(slider) });
  follow();
}

// Return what a chart shows at each value of its slider, or nothing if that is not here yet.
function statesOf({ key, of, chart }) {
  const states = known.get(key);
  return states?.of === of ? states.charts[chart] : [];
}

// Return the names of what a chart shows at each value.
export function figuresOf(follows) {
  return statesOf(follows).map((_, value) => `${follows.of} ${value}`);
}

// Return a chart as it is at a value of its slider, by default where that stands, with the name of
// its `figure`; as it was sent, if the states are not here yet.
export function atSlider(sent, follows, value = valueOf(follows.key)) {
  const { data, layout } = JSON.parse(sent.figure);
  const states = statesOf(follows);
  const at = states.length ? (value ?? follows.at) : follows.at;
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
