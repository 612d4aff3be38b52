// The layout of a chart that is `width` pixels wide: a title that has no room on one line goes on several,
// headings within it get smaller, and on a narrow page the legend stands below.
const NARROW = 560, ENTRY = 19; // pixels: a phone's width, the height of a legend's row
function fitted(layout, width, data) {
  if (!width) return layout;
  const own = (layout.template || {}).layout || {};
  const margin = Object.assign({ l: 80, r: 80, t: 100, b: 80 }, own.margin, layout.margin);
  const shown = Object.assign({}, layout, legendBelow(layout, own, margin, width, data || []));
  const room = width - margin.l - margin.r;
  if (shown.annotations) shown.annotations = shown.annotations.map((note) => headingFitted(note, room));
  return titleFitted(shown, own, Object.assign(margin, shown.margin), width, layout.height || 420);
}

// Lines of plotly's HTML that are at most `most` pixels wide; a tag is never broken, and has no width.
function wrapped(text, most, size) {
  let now = size, bold = false, added = 0;
  const broken = text.split(/<br ?\/?>/).map((line) => {
    let said = "", used = 0;
    for (const word of line.match(/(?:<[^>]*>|[^\s<])+/g) || []) {
      let long = 0, next = now;
      for (const part of word.match(/<[^>]*>|[^<]+/g) || []) {
        const asked = /^<span[^>]*font-size: *(\d+)/.exec(part);
        if (asked) next = now = Number(asked[1]);
        else if (part === "</span>") now = size;
        else if (part === "<sup>") next = now = size * 0.7;
        else if (part === "</sup>") now = size;
        else if (part === "<b>" || part === "</b>") bold = part === "<b>";
        else if (part[0] !== "<") long += part.replace(/&\w+;/g, "x").length * now * (bold ? 0.63 : 0.56);
      }
      const fits = !used || used + next * 0.3 + long <= most;
      said += !said ? word : fits ? " " + word : "<br>" + word;
      added += fits ? 0 : size * 1.3; // plotly's lines are as high as the title's own letters
      used = fits ? used + next * 0.3 + long : long;
    }
    return said;
  });
  return { text: broken.join("<br>"), added: added };
}

function titleFitted(layout, own, margin, width, before) {
  const title = typeof layout.title === "string" ? { text: layout.title } : layout.title;
  if (!title || !title.text) return layout;
  const size = (title.font || {}).size || ((own.title || {}).font || {}).size || 17;
  const aside = width < NARROW ? { x: 14 / width, xref: "container", xanchor: "left" } : {};
  const made = wrapped(title.text, Math.max(size * 7, width - (aside.x ? 14 : margin.l) - 8), size);
  if (!made.added) return aside.x ? Object.assign({}, layout, { title: Object.assign({}, title, aside) }) : layout;
  const height = layout.height || 420;
  const hung = title.yref === "container" && title.yanchor === "top" && title.y !== undefined;
  const pad = hung ? (1 - title.y) * before : Math.max(size + 6, margin.t / 2);
  const at = { y: 1, yref: "container", yanchor: "top", pad: { t: pad } };
  return Object.assign({}, layout, {
    title: Object.assign({}, title, aside, at, { text: made.text }),
    margin: Object.assign({}, layout.margin, { t: margin.t + made.added }),
    height: height + made.added,
  });
}

// A heading of a part of the figure, over its left edge or its middle, or words at its foot: more lines
// of it would cover something.
function headingFitted(note, whole) {
  const at = note.xref === "paper" && !note.showarrow && note.text;
  const above = note.yanchor === "bottom" && (note.x === 0 || note.xanchor === "center");
  const under = note.yanchor === "top" && note.x === 0 && note.y === 0;
  if (!at || !(above || under)) return note;
  const half = note.xanchor === "center" && Math.abs(note.x - 0.5) > 0.1;
  const room = (half ? whole / 2 - 12 : whole) - (note.xshift || 0);
  const size = (note.font || {}).size || 13;
  const lines = note.text.split(/<br ?\/?>/).map((line) => line.replace(/<[^>]*>/g, "").length);
  const long = Math.max(...lines) * 0.54;
  if (long * size <= room) return note;
  return Object.assign({}, note, { font: Object.assign({}, note.font, { size: Math.max(8, room / long) }) });
}

const NAMED = ["scatter", "scattergl", "bar", "histogram", "box", "candlestick", "ohlc"];

// On a narrow page a row of entries would cover title or lines, or be cut off: each gets its place below.
function legendBelow(layout, own, margin, width, data) {
  const legend = Object.assign({}, own.legend, layout.legend);
  if (width >= NARROW || layout.showlegend === false || legend.orientation !== "h") return {};
  const names = new Map();
  for (const trace of data) {
    const is = trace.showlegend !== false && trace.visible !== false && NAMED.includes(trace.type || "scatter");
    if (is && trace.name) names.set(trace.name, trace.name.length * 6.6 + 48);
  }
  if (!names.size || (names.size === 1 && layout.showlegend !== true && data.length === 1)) return {};
  const room = width - margin.l - margin.r, wide = Array.from(names.values());
  const one = wide.reduce((sum, part) => sum + part, 0) <= room;
  const rows = one ? 1 : Math.ceil(wide.length / Math.max(1, Math.floor(room / Math.max(...wide))));
  const bottom = 56 + rows * ENTRY;
  const below = { x: 0, xanchor: "left", y: 0, yref: "container", yanchor: "bottom" };
  const high = (layout.height || 420) + Math.max(0, bottom - margin.b);
  return {
    legend: Object.assign({}, layout.legend, below),
    margin: Object.assign({}, layout.margin, { b: Math.max(bottom, margin.b) }),
    height: high,
  };
}
