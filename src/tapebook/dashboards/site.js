// Ages of runs, the switch between light and dark, and the search of the gallery; nothing else needs a script.
(function () {
  const root = document.documentElement;
  const kept = localStorage.getItem("tapebook-theme");
  if (kept) root.dataset.theme = kept;
  function age(seconds) {
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
      if (seconds >= size) {
        const n = Math.floor(seconds / size);
        return n + " " + unit + (n > 1 ? "s" : "") + " ago";
      }
    return "just now";
  }
  function ages() {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      if (!(seconds >= 0)) continue;
      time.textContent = age(seconds);
      const late = Number(time.dataset.late);
      if (late && seconds > late * 3600) {
        time.classList.add("late");
        time.textContent += ": late, expected every " + late + " hours";
      }
    }
  }
  function offs() {
    for (const time of document.querySelectorAll("time[data-off]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      time.dataset.said ??= time.textContent;
      const off = seconds < 0 ? "in " + age(-seconds).replace(" ago", "").replace("just now", "a moment") : age(seconds);
      time.textContent = time.dataset.said + " (" + off + ")";
    }
  }
  function ready() {
    ages();
    offs();
    setInterval(() => { ages(); offs(); }, 30000);
    for (const button of document.querySelectorAll("[data-theme-switch]"))
      button.addEventListener("click", () => {
        const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
        root.dataset.theme = dark ? "light" : "dark";
        localStorage.setItem("tapebook-theme", root.dataset.theme);
        dispatchEvent(new Event("tapebook-theme"));
      });
    for (const link of document.querySelectorAll("[data-print]"))
      link.addEventListener("click", (event) => {
        event.preventDefault();
        link.closest("details").open = false;
        print();
      });
    addEventListener("click", (event) => {
      for (const open of document.querySelectorAll(".tb-bar details[open]")) if (!open.contains(event.target)) open.open = false;
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") for (const open of document.querySelectorAll(".tb-bar details[open]")) open.open = false;
    });
    const search = document.querySelector(".tb-search input");
    if (search)
      search.addEventListener("input", () => {
        const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        for (const card of document.querySelectorAll(".tb-card")) {
          card.hidden = !words.every((word) => card.dataset.words.includes(word));
          card.style.display = card.hidden ? "none" : "";
          shown += !card.hidden;
        }
        document.querySelector("#count").textContent = shown + (shown === 1 ? " report" : " reports");
        history.replaceState(null, "", search.value ? "?q=" + encodeURIComponent(search.value) : location.pathname);
      });
  }
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", ready);
  else ready();
})();
