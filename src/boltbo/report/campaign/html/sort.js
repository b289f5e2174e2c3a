// Tables sort by a click on a column's name; a link to a fold opens it.
for (const table of document.querySelectorAll("table.sort")) {
  const body = table.tBodies[0];
  const value = (row, i) => {
    const cell = row.cells[i];
    if (!("v" in cell.dataset)) return cell.textContent;
    return cell.dataset.v === "" ? Infinity : Number(cell.dataset.v);
  };
  for (const button of table.querySelectorAll("thead button")) {
    button.addEventListener("click", () => {
      const head = button.parentElement, i = head.cellIndex;
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const order = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a < b ? -1 : a > b ? 1 : 0);
      const rows = [...body.rows].sort((a, b) => order(value(a, i), value(b, i)));
      body.append(...(up ? rows : rows.reverse()));
    });
  }
}
const open = () => {
  const fold = location.hash.startsWith("#task-") && document.getElementById(location.hash.slice(1));
  if (fold) { fold.open = true; fold.scrollIntoView(); }
};
addEventListener("hashchange", open);
open();
