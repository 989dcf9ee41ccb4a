// Shows the progress of a run.
"use strict";
const place = document.getElementById("live");
const source = new EventSource(place.dataset.events);
const show = (message) => {
  const progress = JSON.parse(message.data);
  for (const [name, value] of Object.entries(progress)) {
    const cell = document.getElementById("live-" + name);
    if (!cell) continue;
    if (Array.isArray(value)) cell.textContent = value.join(", ") || "none";
    else if (name === "seconds") cell.textContent = value.toFixed(1);
    else cell.textContent = value === null ? "" : value;
  }
};
source.addEventListener("progress", show);
source.addEventListener("verdict", (message) => {
  show(message);
  source.close();
  document.getElementById("live-state").textContent = "It is over. Load this page again for its figures and pictures.";
});
