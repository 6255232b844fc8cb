// Sorting by a click on a column's name; without it the page lacks nothing else.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      const key = (row) => row.children[column].textContent.trim();
      const number = (row) => parseFloat(key(row).replaceAll(",", "")); // leaves out a sign behind it
      const compare = head.classList.contains("number")
        ? (a, b) => number(a) - number(b)
        : (a, b) => key(a).localeCompare(key(b));
      const rows = [...table.tBodies[0].rows].sort((a, b) => (down ? -1 : 1) * compare(a, b));
      table.tBodies[0].append(...rows);
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  });
}
