// The page for operators. It shows what the WebSocket tells, and puts everything it is told into the document as text.
"use strict";

const LOG_LENGTH = 100;
const PATIENCE = { first: 500, most: 10000 }; // milliseconds until the connection is tried again
const SOON = 10; // seconds of a lease that are shown as few

const $ = (id) => document.getElementById(id);
const devices = new Map(); // name -> { device, at: performance.now() of the news, row }
const ownKeys = new Map(Object.entries(JSON.parse(sessionStorage.getItem("keys") || "{}"))); // "device fencing" -> key
let token = sessionStorage.getItem("token");
let pause = PATIENCE.first;
let newest = 0;

// --- small helpers ---------------------------------------------------------------------------------------------------

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function duration(seconds) {
  const s = Math.max(0, Math.ceil(seconds));
  if (s < 60) return `${s} s`;
  const two = (n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60);
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

const wording = (name) => name.toLowerCase().replaceAll("_", " ");
const badge = (wish) => make("span", `type type-${wish.priority}`, wording(wish.lock_type));
const keyOf = (name, holder) => ownKeys.get(`${name} ${holder.fencing_number}`);

function notify(text) {
  $("notice").textContent = text || "";
  $("notice").hidden = !text;
}

function showConnection(state, text) {
  $("connection").dataset.state = state;
  $("connection").textContent = text;
}

// --- the table -------------------------------------------------------------------------------------------------------

function takeDevice(device, isNews) {
  const known = devices.get(device.device_name);
  const row = known ? known.row : makeRow(device.device_name);
  devices.set(device.device_name, { device, at: performance.now(), row });
  fillRow(row, device);
  if (isNews) {
    row.root.classList.remove("changed");
    void row.root.offsetWidth; // begin the animation anew
    row.root.classList.add("changed");
  }
  $("nothing").hidden = devices.size > 0;
}

function makeRow(name) {
  const row = { root: make("tr") };
  const head = make("th", "", name);
  head.scope = "row";
  row.holder = make("td");
  row.lease = make("td", "lease");
  row.waiting = make("td", "waiting");
  row.actions = make("td", "actions");
  row.root.append(head, row.holder, row.lease, row.waiting, row.actions);
  row.root.dataset.device = name;
  const after = [...devices.keys()].filter((other) => other > name).sort()[0];
  document.querySelector("#devices tbody").insertBefore(row.root, after ? devices.get(after).row.root : null);
  return row;
}

function fillRow(row, device) {
  const holder = device.holder;
  row.root.classList.toggle("free", !holder);
  row.holder.replaceChildren();
  row.lease.replaceChildren();
  row.waiting.replaceChildren();
  if (holder) {
    const who = make("div");
    who.append(make("span", "who", holder.user_id), badge(holder));
    row.holder.append(who);
    const why = [holder.reason, holder.plan_uid].filter(Boolean).join(" · ");
    if (why) row.holder.append(make("div", "why", why));
    row.holder.append(make("div", "fence", `fencing number ${holder.fencing_number}`));
    row.left = make("span");
    row.bar = make("progress");
    row.bar.max = Math.max(holder.expires_in, 0.001);
    row.bar.setAttribute("aria-label", `lease of ${device.device_name}`);
    row.lease.append(row.left, row.bar);
  } else {
    row.left = row.bar = null;
    row.holder.textContent = "free";
  }
  if (device.waiting.length) {
    const queue = make("ol", "queue");
    for (const waiter of device.waiting) {
      const item = make("li");
      item.append(make("span", "", waiter.user_id), badge(waiter));
      if (waiter.reason) item.append(make("div", "why", waiter.reason));
      queue.append(item);
    }
    row.waiting.append(queue);
  }
  fillActions(row, device);
  tick();
}

function fillActions(row, device) {
  // A button that stays keeps the focus of whoever is about to press it.
  const kind = !device.holder ? "none" : keyOf(device.device_name, device.holder) ? "release" : "force";
  if (row.actions.dataset.kind === kind) return;
  row.actions.dataset.kind = kind;
  row.actions.replaceChildren();
  if (kind === "none") return;
  const button = make("button", kind === "force" ? "danger" : "", kind === "force" ? "Force release …" : "Release …");
  button.type = "button";
  button.setAttribute("aria-label", `${button.textContent.replace(" …", "")} ${device.device_name}`);
  button.addEventListener("click", () => release(device.device_name));
  row.actions.append(button);
}

function tick() {
  const now = performance.now();
  for (const { device, at, row } of devices.values()) {
    if (!device.holder) continue;
    const left = device.holder.expires_in - (now - at) / 1000;
    row.left.textContent = left > 0 ? `${duration(left)} left` : "running out";
    row.left.classList.toggle("soon", left < SOON);
    row.bar.value = Math.max(0, left);
  }
}

// --- the log ---------------------------------------------------------------------------------------------------------

const SENTENCES = {
  acquired: "took it",
  released: "released it",
  expired: "let the lease run out",
  force_released: "lost it",
};

function log(news) {
  const item = make("li");
  const time = make("time", "", new Date(news.at * 1000).toLocaleTimeString());
  time.dateTime = new Date(news.at * 1000).toISOString();
  const text = make("span");
  text.append(make("b", "", news.device_name), ": ", make("b", "", news.user_id), ` ${SENTENCES[news.action]}`);
  if (news.by) text.append(" to ", make("b", "", news.by));
  text.append(badge(news));
  const why = news.note || (news.action === "acquired" && news.reason);
  if (why) text.append(" ", make("span", "why", why));
  item.append(time, text);
  item.dataset.action = news.action;
  $("log").prepend(item);
  while ($("log").children.length > LOG_LENGTH) $("log").lastChild.remove();
  $("quiet").hidden = true;
}

function takeStatus(status) {
  const shown = new Set(status.devices.map((device) => device.device_name));
  const free = (name) => ({ device_name: name, locked: false, holder: null, waiting: [] });
  for (const device of status.devices) takeDevice(device, false);
  for (const name of [...devices.keys(), ...status.recent.map((news) => news.device_name)]) {
    if (!shown.has(name)) takeDevice(free(name), false);
    shown.add(name);
  }
  for (const news of status.recent) if (news.version > newest) log(news);
  newest = status.version;
}

// --- the service -----------------------------------------------------------------------------------------------------

async function ask(path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  const options = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) };
  const response = await fetch(path, options);
  const answer = await response.json();
  return { ...answer, status: response.status };
}

async function connect() {
  try {
    const answer = await ask("/api/locks/status");
    if (answer.status === 401) return askForToken();
  } catch {
    return connectAgain();
  }
  const protocols = token ? ["ble-coordination", `bearer.${token}`] : ["ble-coordination"];
  const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws`, protocols);
  socket.onmessage = (event) => takeMessage(JSON.parse(event.data));
  socket.onclose = connectAgain;
  const beat = setInterval(() => socket.readyState === 1 && socket.send('{"type":"ping"}'), 20000);
  socket.addEventListener("close", () => clearInterval(beat));
}

function connectAgain() {
  showConnection("lost", "no connection, trying again …");
  setTimeout(connect, pause);
  pause = Math.min(2 * pause, PATIENCE.most);
}

function takeMessage(message) {
  if (message.type === "initial_status") {
    pause = PATIENCE.first;
    showConnection("live", "live");
    takeStatus(message);
  } else if (message.type === "lock_update") {
    newest = message.version;
    takeDevice(message.device, true);
    log(message);
  } else if (message.type === "device_update") {
    newest = message.version;
    takeDevice(message.device, false);
  }
}

function askForToken() {
  showConnection("lost", "a token is needed");
  const dialog = $("token-dialog");
  dialog.onclose = () => {
    token = $("token").value.trim();
    sessionStorage.setItem("token", token);
    connect();
  };
  dialog.showModal();
}

// --- what an operator does -------------------------------------------------------------------------------------------

function openDialog(dialog, whenYes) {
  dialog.returnValue = "cancel";
  dialog.onclose = () => dialog.returnValue === "yes" && whenYes().catch((error) => notify(`No answer: ${error.message}`));
  dialog.showModal();
}

const ownName = () => localStorage.getItem("name") || "";

function rememberKeys() {
  sessionStorage.setItem("keys", JSON.stringify(Object.fromEntries(ownKeys)));
}

function release(name) {
  const holder = devices.get(name).device.holder;
  if (!holder) return;
  const key = keyOf(name, holder);
  $("confirm-title").textContent = key ? `Release ${name}?` : `Take ${name} away from ${holder.user_id}?`;
  $("confirm-text").textContent = key
    ? "Whoever waits for it gets it."
    : `${holder.user_id} holds it for ${wording(holder.lock_type)}${holder.reason ? `: ${holder.reason}` : ""}. ` +
      "It is told at once and must stop what it does.";
  $("confirm-force").hidden = Boolean(key);
  $("confirm-user").required = !key;
  $("confirm-user").value = ownName();
  $("confirm-reason").value = "";
  $("confirm-yes").textContent = key ? "Release it" : "Force release";
  openDialog($("confirm"), async () => {
    let body = { device_name: name, lock_key: key };
    if (!key) {
      const user = $("confirm-user").value.trim();
      localStorage.setItem("name", user);
      // Only the lock that was shown: somebody else may have the device by now.
      body = { device_name: name, force: true, user_id: user, reason: $("confirm-reason").value.trim(),
        fencing_number: holder.fencing_number };
    }
    const answer = await ask("/api/lock/release", body);
    notify(answer.success ? "" : `${name} was not released: ${answer.message}`);
    if (key) {
      ownKeys.delete(`${name} ${holder.fencing_number}`);
      rememberKeys();
    }
  });
}

$("take").addEventListener("click", () => {
  $("take-known").replaceChildren(...[...devices.keys()].sort().map((name) => {
    const option = make("option");
    option.value = name;
    return option;
  }));
  $("take-user").value = ownName();
  openDialog($("take-dialog"), async () => {
    const name = $("take-device").value.trim(), user = $("take-user").value.trim();
    localStorage.setItem("name", user);
    const answer = await ask("/api/lock/request", {
      device_name: name, lock_type: $("take-type").value, user_id: user, reason: $("take-reason").value.trim(),
      timeout: 60 * Number($("take-minutes").value),
    });
    notify(answer.success ? "" : `${name} was not taken: ${answer.message}`);
    if (!answer.success) return;
    ownKeys.set(`${name} ${answer.fencing_number}`, answer.lock_key);
    rememberKeys();
    const known = devices.get(name); // the news of it may have come before the key
    if (known) fillActions(known.row, known.device);
  });
});

for (const button of document.querySelectorAll("button.leave")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
setInterval(tick, 250);
connect();
