// Lets charts follow a slider of Streamlit before the server answers.
//
// The server sends once what they show at each value. Streamlit's slider is an <input type="range">
// in a container with the class st-key-…, checked by tests/e2e.

const known = new Map(); // key of a slider -> { of, charts: states of each chart by key, value }

function valueOf(slider) {
  return document.querySelector(`.st-key-${slider} input[type=range]`)?.valueAsNumber;
}

// Draw the charts, from the top of the page, if a slider has moved.
function look() {
  for (const [slider, states] of known) {
    const value = valueOf(slider);
    if (value === undefined || value === states.value) continue;
    states.value = value;
    for (const root of document.querySelectorAll(".charts")) root.follow?.();
  }
}

// Keep the states of the charts that follow a slider, which may have moved since they were sent.
export function keep({ slider, of, charts }) {
  known.set(slider, { of, charts: JSON.parse(charts) });
  look();
}

// Return a chart as it is at the slider's value, with another `figure`, a name that changes with
// it: as it was sent, if that is the value it was sent for, or if the states are not here yet.
export function atSlider(sent, { key, at, of, chart }) {
  const { data, layout } = JSON.parse(sent.figure);
  const states = known.get(key);
  const value = states?.of === of ? (valueOf(key) ?? at) : at;
  const figure = `${of} ${value}`;
  if (value === at) return { ...sent, figure, data, layout };
  const { traces, layout: changed, ...words } = states.charts[chart][value];
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
