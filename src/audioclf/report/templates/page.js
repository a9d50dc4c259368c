"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;
  root.classList.add("js");

  // Theme: that of the system, until the reader chooses another.
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("audioclf-theme"); } catch { return null; } };
  const store = (value) => { try { localStorage.setItem("audioclf-theme", value); } catch { /* a file may have no storage */ } };
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const showTheme = () => byId("theme").setAttribute("aria-pressed", String(isDark()));
  if (["dark", "light"].includes(stored())) root.dataset.theme = stored();
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    store(root.dataset.theme);
    showTheme();
  });
  system.addEventListener("change", showTheme);
  showTheme();

  // Tables: a click on a head sorts, a second one turns the order round.
  const sortValue = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.v;
    if (value === undefined) return cell.textContent.trim();
    return value === "" ? null : Number(value);
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), "en", { numeric: true });
  const sortTable = (table, head) => {
    const column = head.cellIndex;
    const rows = [...table.tBodies[0].rows];
    const numeric = head.classList.contains("num");
    const was = head.getAttribute("aria-sort");
    const order = was ? (was === "ascending" ? "descending" : "ascending") : numeric ? "descending" : "ascending";
    const sign = order === "ascending" ? 1 : -1;
    const keyed = rows.map((row) => [sortValue(row, column), row]);
    keyed.sort(([a], [b]) => a === null ? (b === null ? 0 : 1) : b === null ? -1 : sign * compare(a, b));
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  };
  for (const button of document.querySelectorAll(".sortable .sort"))
    button.addEventListener("click", () => sortTable(button.closest("table"), button.closest("th")));
})();
