"use strict";
// Names, labels and summaries come from the fleet: text goes in by textContent alone, never as markup.

const REFRESH_MILLISECONDS = 3000;
const BEHIND_SECONDS = 20;
const SHOWN_GPUS = 500;
const SHOWN_ALERTS = 200;
const CLASSES = new Set(["critical", "error", "warning", "info", "poor", "degraded", "fair", "insufficient", "missing",
  "number"]);

// What the page shows now; sort.column is a position in SORT_KEYS, null: as the server sorts, worst first.
const state = {
  gpus: [], count: 0, cursor: "", byId: new Map(), rows: new Map(),
  sort: { column: null, descending: false }, troubles: { gpus: "", alerts: "", score: "" },
};

function cell(text, kind, act) {
  const element = document.createElement("td");
  const shown = text === null || text === undefined ? "–" : String(text);
  if (act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = shown;
    button.addEventListener("click", act);
    element.append(button);
  } else {
    element.textContent = shown;
  }
  if (CLASSES.has(kind)) element.className = kind;
  return element;
}

function row(cells) {
  const element = document.createElement("tr");
  element.append(...cells);
  return element;
}

function moment(time) {
  return typeof time === "string" ? time.slice(0, 19).replace("T", " ") : null;
}

function percent(ratio) {
  return typeof ratio === "number" ? (100 * ratio).toFixed(2) + " %" : null;
}

function alertRow(alert) {
  const where = [alert.gpu_id, alert.host_id].filter(Boolean).join(" on ") || alert.scope;
  return row([
    cell(alert.severity, alert.severity),
    cell(alert.page ? "page" : "", alert.page ? "critical" : ""),
    cell(alert.rule),
    cell(where),
    cell(moment(alert.starts_at)),
    cell(alert.summary),
    cell(alert.action_text || alert.action),
  ]);
}

// A score stands on what is measured: the share is said wherever it is not nearly all.
function bandText(gpu) {
  const covered = gpu.coverage;
  if (gpu.band === null || typeof covered !== "number" || covered >= 0.9) return gpu.band;
  return gpu.band + " (" + Math.round(100 * covered) + " % measured)";
}

function rules(gpu) {
  return gpu.alerts.map((alert) => alert.rule).join(", ");
}

// Of each column of a GPU's row what it is sorted by.
const SORT_KEYS = [
  (gpu) => gpu.gpu_id, (gpu) => gpu.host_id, (gpu) => gpu.model, (gpu) => gpu.overall_score,
  (gpu) => gpu.thermal_score, (gpu) => gpu.memory_score, (gpu) => gpu.power_score, (gpu) => gpu.band,
  (gpu) => gpu.risk_score, (gpu) => gpu.failure_probability_30d, (gpu) => gpu.action,
  (gpu) => gpu.alerts.length, (gpu) => gpu.last_seen,
];

// A row is made again only when its GPU's status is another.
function keptGpuRow(gpu) {
  const kept = state.rows.get(gpu.gpu_id);
  if (kept && kept.gpu === gpu) return kept.element;
  const element = gpuRow(gpu);
  state.rows.set(gpu.gpu_id, { gpu, element });
  return element;
}

function gpuRow(gpu) {
  const alerts = rules(gpu);
  return row([
    cell(gpu.gpu_id, "", () => showDetails(gpu.gpu_id)),
    cell(gpu.host_id),
    cell(gpu.model),
    cell(gpu.overall_score, gpu.band),
    cell(gpu.thermal_score, "number"),
    cell(gpu.memory_score, "number"),
    cell(gpu.power_score, "number"),
    cell(bandText(gpu), gpu.band),
    cell(gpu.risk_level + " " + gpu.risk_score),
    cell(percent(gpu.failure_probability_30d), "number"),
    cell(gpu.action),
    cell(alerts || "none"),
    cell(gpu.missing ? moment(gpu.last_seen) + " missing" : moment(gpu.last_seen), gpu.missing ? "missing" : ""),
  ]);
}

function fill(id, rows) {
  document.querySelector("#" + id + " tbody").replaceChildren(...rows);
}

function note(id, shown, count, word) {
  const text = count === 0 ? "none" : shown < count ? shown + " of " + count + " " + word + " shown" : "";
  document.getElementById(id).textContent = text;
}

function summaryText(summary) {
  const bands = Object.entries(summary.bands).filter(([, count]) => count > 0);
  return [
    summary.gpus + " GPUs",
    bands.map(([band, count]) => count + " " + band).join(", "),
    summary.missing + " missing",
    summary.open_alerts + " open alerts",
  ].filter(Boolean).join(" · ");
}

async function get(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (response.status === 401) {
    window.location.assign("/login/");
  }
  if (!response.ok) {
    throw new Error(path + " answered " + response.status);
  }
  return response.json();
}

// What is not known comes last, whichever way is sorted.
function sorted(gpus) {
  const { column, descending } = state.sort;
  if (column === null) return gpus;
  const known = (value) => value !== null && value !== undefined;
  const key = SORT_KEYS[column];
  return [...gpus].sort((one, other) => {
    const [left, right] = [key(one), key(other)];
    if (!known(left) || !known(right)) return known(right) - known(left);
    const order = left < right ? -1 : left > right ? 1 : 0;
    return descending ? -order : order;
  });
}

function matches(gpu, word) {
  return [gpu.gpu_id, gpu.host_id, gpu.model, rules(gpu)].some((text) => text && text.toLowerCase().includes(word));
}

function showGpus() {
  const word = document.getElementById("filter").value.trim().toLowerCase();
  const shown = sorted(word ? state.gpus.filter((gpu) => matches(gpu, word)) : state.gpus);
  fill("gpus", shown.map(keptGpuRow));
  note("gpus-note", shown.length, state.count, "GPUs");
}

function showAlerts(open) {
  const alerts = open.alerts.slice(0, SHOWN_ALERTS);
  fill("alerts", alerts.map(alertRow));
  note("alerts-note", alerts.length, open.count, "alerts");
}

// What is shown stays, and is said to be old.
function trouble(part, text) {
  state.troubles[part] = text;
  const element = document.getElementById("trouble");
  element.textContent = Object.values(state.troubles).filter(Boolean).join("; ");
  element.hidden = element.textContent === "";
}

async function showDetails(gpuId) {
  const details = document.getElementById("details");
  document.getElementById("details-title").textContent = gpuId;
  try {
    const found = await get("/gpus/" + encodeURIComponent(gpuId) + "/explain/");
    document.getElementById("details-text").textContent = JSON.stringify(found, null, 2);
  } catch (error) {
    document.getElementById("details-text").textContent = error.message;
  }
  details.hidden = false;
}

function sortBy(column) {
  const same = state.sort.column === column;
  state.sort = { column, descending: same && !state.sort.descending };
  document.querySelectorAll("#gpus thead th").forEach((head, index) => {
    head.ariaSort = index !== column ? "none" : state.sort.descending ? "descending" : "ascending";
  });
  showGpus();
}

function prepare() {
  document.querySelectorAll("#gpus thead th").forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(index));
    head.replaceChildren(button);
  });
  document.getElementById("filter").addEventListener("input", showGpus);
  document.getElementById("details-close").addEventListener("click", () => {
    document.getElementById("details").hidden = true;
  });
}

function listen() {
  const events = new EventSource("/events/");
  events.addEventListener("alerts", (event) => {
    showAlerts(JSON.parse(event.data));
    trouble("alerts", "");
  });
  // The browser connects again by itself, but for what the server refused.
  events.addEventListener("error", () => {
    trouble("alerts", "alerts are not live: no connection");
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, REFRESH_MILLISECONDS);
  });
}

// What role score has not read yet is on no status: without this a role that stands still looks like calm.
async function askLag() {
  const found = await (await fetch("/readyz")).json();
  const lag = found.score_lag_seconds;
  trouble("score", lag >= BEHIND_SECONDS ? "role score is " + Math.round(lag) + " s behind: what is shown is old" : "");
}

// The server sends the order of all, and of them the statuses that changed since the cursor.
function take(fleet) {
  for (const gpu of fleet.gpus) state.byId.set(gpu.gpu_id, gpu);
  const shown = new Set(fleet.order);
  for (const id of state.byId.keys()) {
    if (!shown.has(id)) {
      state.byId.delete(id);
      state.rows.delete(id);
    }
  }
  // One that went and came back unchanged is not sent again: all is asked for anew.
  const whole = fleet.order.every((id) => state.byId.has(id));
  state.cursor = whole ? fleet.cursor : "";
  state.gpus = fleet.order.filter((id) => state.byId.has(id)).map((id) => state.byId.get(id));
}

async function refresh() {
  try {
    await askLag();
    const fleet = await get("/gpus/?since=" + state.cursor + "&limit=" + SHOWN_GPUS);
    take(fleet);
    state.count = fleet.count;
    showGpus();
    document.getElementById("summary").textContent = summaryText(fleet.summary);
    document.getElementById("simulated").hidden = !fleet.summary.simulated;
    trouble("gpus", "");
  } catch (error) {
    trouble("gpus", "not refreshed since an error: " + error.message);
  }
  setTimeout(refresh, REFRESH_MILLISECONDS);
}

prepare();
listen();
refresh();
