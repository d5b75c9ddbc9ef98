"use strict";
// Names, labels and summaries come from the fleet: text goes in by textContent alone, never as markup.

const REFRESH_MILLISECONDS = 3000;
const SHOWN_GPUS = 500;
const SHOWN_ALERTS = 200;
const CLASSES = new Set(["critical", "error", "warning", "info", "poor", "degraded", "fair", "missing", "number"]);

function cell(text, kind) {
  const element = document.createElement("td");
  element.textContent = text === null || text === undefined ? "–" : String(text);
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

function gpuRow(gpu) {
  const alerts = gpu.alerts.map((alert) => alert.rule).join(", ");
  return row([
    cell(gpu.gpu_id),
    cell(gpu.host_id),
    cell(gpu.model),
    cell(gpu.overall_score, gpu.band),
    cell(gpu.thermal_score, "number"),
    cell(gpu.memory_score, "number"),
    cell(gpu.power_score, "number"),
    cell(gpu.band, gpu.band),
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

async function refresh() {
  const trouble = document.getElementById("trouble");
  try {
    const [fleet, open] = await Promise.all([get("/gpus/?sort=worst&limit=" + SHOWN_GPUS), get("/alerts/")]);
    const alerts = open.alerts.slice(0, SHOWN_ALERTS);
    fill("alerts", alerts.map(alertRow));
    note("alerts-note", alerts.length, open.count, "alerts");
    fill("gpus", fleet.gpus.map(gpuRow));
    note("gpus-note", fleet.gpus.length, fleet.count, "GPUs");
    document.getElementById("summary").textContent = summaryText(fleet.summary);
    document.getElementById("simulated").hidden = !fleet.summary.simulated;
    trouble.hidden = true;
  } catch (error) {
    // What is shown stays, and is said to be old.
    trouble.textContent = "not refreshed since an error: " + error.message;
    trouble.hidden = false;
  }
  setTimeout(refresh, REFRESH_MILLISECONDS);
}

refresh();
