// The layout of a chart that is `width` pixels wide: a title that has no room on one line goes on several.
function fitted(layout, width) {
  const own = (layout.template || {}).layout || {};
  const title = typeof layout.title === "string" ? { text: layout.title } : layout.title;
  if (!title || !title.text || !width) return layout;
  const margin = Object.assign({ l: 80, t: 100 }, own.margin, layout.margin);
  const size = (title.font || {}).size || ((own.title || {}).font || {}).size || 17;
  const most = Math.max(12, Math.floor((width - margin.l - 8) / (size * 0.56)));
  let added = 0;
  const lines = title.text.split(/<br ?\/?>/).map((line) => {
    const wide = line.includes("<sup>") ? 0.7 : line.includes("<b>") ? 1.12 : 1;
    let text = "", used = 0;
    for (const word of line.split(" ")) {
      const long = word.replace(/<[^>]*>/g, "").length;
      const fits = !used || (used + 1 + long) * wide <= most;
      text += !text ? word : fits ? " " + word : "<br>" + word;
      added += fits ? 0 : size * 1.3;
      used = fits ? used + 1 + long : long;
    }
    return text;
  });
  if (!added) return layout;
  const at = { y: 1, yref: "container", yanchor: "top", pad: { t: Math.max(size + 6, margin.t / 2) } };
  return Object.assign({}, layout, {
    title: Object.assign({}, title, at, { text: lines.join("<br>") }),
    margin: Object.assign({}, layout.margin, { t: margin.t + added }),
    height: (layout.height || 420) + added,
  });
}
