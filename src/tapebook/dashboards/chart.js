// A chart that follows its figure, the reader's light or dark mode, and the width that it has.
function plotly(model) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  if (!window.tapebookPlotly)
    window.tapebookPlotly = new Promise((resolve) => {
      model.on("msg:custom", (said) => {
        if (!said.plotly || window.Plotly) return;
        const script = document.createElement("script");
        script.textContent = said.plotly;
        document.head.appendChild(script);
        resolve(window.Plotly);
      });
      model.send({ want: "plotly" });
    });
  return window.tapebookPlotly;
}

function mode() {
  const said = document.documentElement.dataset.theme;
  if (said) return said;
  const lab = document.body.dataset.jpThemeLight;
  if (lab && !document.body.dataset.voila) return lab === "true" ? "light" : "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

async function render({ model, el }) {
  const place = document.createElement("div");
  place.className = "tb-chart";
  place.tabIndex = 0;
  place.setAttribute("role", "img");
  el.appendChild(place);
  const Plotly = await plotly(model);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function draw() {
    const looks = model.get("looks");
    const said = JSON.stringify(model.get("figure"));
    const figure = JSON.parse(
      mode() === "dark" ? said.replace(/#[0-9A-Fa-f]{6}\b/g, (c) => looks.exchanged[c.toUpperCase()] || c) : said,
    );
    const layout = Object.assign({}, figure.layout, { autosize: true });
    const own = layout.template || {};
    layout.template = Object.assign({}, own, { layout: Object.assign({}, own.layout, looks[mode()]) });
    delete layout.width;
    const least = (layout.meta || {}).min_width || 0;
    if (place.clientWidth && least > place.clientWidth) Object.assign(layout, { width: least, autosize: false });
    const shown = fitted(layout, layout.width || place.clientWidth, figure.data);
    place.style.minHeight = (shown.height || 420) + "px";
    place.setAttribute("aria-label", model.get("description"));
    try {
      Plotly.react(place, figure.data, shown, { responsive: true, displaylogo: false });
    } catch (error) {
      place.textContent = "This chart cannot be drawn.";
    }
  }
  draw();
  if (place.on) place.on("plotly_click", (event) => {
    const point = event.points[0];
    model.set("picked", { trace: point.curveNumber, point: point.pointNumber, at: Date.now() });
    model.save_changes();
  });
  model.on("change:figure", draw);
  let width = place.clientWidth;
  const fit = new ResizeObserver(() => {
    if (!place.clientWidth || place.clientWidth === width || !place._fullLayout) return;
    width = place.clientWidth;
    draw();
  });
  fit.observe(el);
  dark.addEventListener("change", draw);
  window.addEventListener("tapebook-theme", draw);
  return () => {
    fit.disconnect();
    dark.removeEventListener("change", draw);
    window.removeEventListener("tapebook-theme", draw);
    Plotly.purge(place);
  };
}

export default { render };
