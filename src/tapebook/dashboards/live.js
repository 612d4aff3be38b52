// Loads plotly beside Voila's frontend, and takes the "Loading" away when the first widget is there.
(function () {
  const address = document.currentScript.dataset.plotly;
  window.tapebookPlotly = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(window.Plotly);
    script.onerror = reject;
    document.head.appendChild(script);
  });
  const nothing = new Proxy(function () {}, { get: (_, name) => (name === Symbol.toPrimitive ? () => "" : nothing), apply: () => nothing });
  window.MathJax = nothing; // the frontend asks for it; no page of ours has formulas
  for (const name of ["voila_process", "voila_finish", "voila_heartbeat", "display_cells", "update_loading_text"])
    window[name] = window[name] || (() => {});
  addEventListener("DOMContentLoaded", () => {
    const wait = document.getElementById("wait");
    const shown = () => document.querySelector("#rendered_cells .jupyter-widgets, #rendered_cells .trouble");
    const watch = new MutationObserver(() => {
      if (!shown()) return;
      wait.remove();
      watch.disconnect();
    });
    if (shown()) wait.remove();
    else watch.observe(document.body, { childList: true, subtree: true });
  });
})();
