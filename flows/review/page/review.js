// Shows one picture after the other, and sends what a person says of it. The next picture is shown
// once the server has the answer on its disk.
"use strict";

const byId = (id) => document.getElementById(id);
const PAGE = crypto.getRandomValues(new Uint32Array(4)).join("-"); // a page that is loaded
const SMALL = 100; // px of a picture whose pixels are shown as they are
const POLL_MS = 5000; // between looks for more, where nothing is left
const DIGITS = [..."0123456789"];
const KEYS = { n: "no digit", m: "several", s: "skip", z: "undo", Backspace: "undo", Enter: "confirm", " ": "confirm" };
const CHOICES = ["reason", "source", "run"];

let state = null; // as the server sent it last
let shown = null; // the picture that is looked at, once it can be seen
let busy = true;
let timer = 0;
const loaded = new Map(); // by number: promises of pictures
const said = []; // kinds of this page's answers, to tell at the end

// --- what the server is asked

async function ask(action, facts = {}) {
  const choice = Object.fromEntries(CHOICES.map((name) => [name, byId(name).value]));
  const body = JSON.stringify({ page: PAGE, ...choice, ...facts });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`/api/${action}`, { method: "POST", headers, body });
  if (answer.status === 401) throw new Error(await answer.text());
  const found = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(found.error), { refused: found.refused });
  return found;
}

async function picturesOf(number) {
  const answer = await fetch(`/picture/${number}`);
  if (!answer.ok) throw new Error(await answer.text());
  const files = await answer.blob();
  const first = Number(answer.headers.get("x-first"));
  return Promise.all([
    image(files.slice(0, first, "image/png"), "The picture to be judged"),
    image(files.slice(first, files.size, "image/png"), "The digit as the model sees it"),
  ]);
}

async function image(file, words) {
  const picture = new Image();
  picture.src = URL.createObjectURL(file);
  picture.alt = words;
  await picture.decode();
  picture.classList.toggle("small", picture.naturalWidth < SMALL);
  return picture;
}

function load(number) {
  if (!loaded.has(number)) {
    const both = picturesOf(number).then((pictures) => ({ pictures }), (error) => ({ error: error.message }));
    loaded.set(number, both);
  }
  return loaded.get(number);
}

async function forget(number) {
  const { pictures = [] } = await loaded.get(number);
  loaded.delete(number);
  pictures.forEach((picture) => URL.revokeObjectURL(picture.src));
}

// --- what is done

async function act(action) {
  if (busy || !state) return;
  const current = state.pictures[0];
  const digit = action === "confirm" ? current?.likely[0]?.[0] : action;
  const answers = !["skip", "undo"].includes(action);
  if (answers && (!shown || digit === undefined)) return;
  if (action === "skip" && !current) return;
  performance.mark("key");
  busy = true;
  try {
    if (answers) {
      await take(await ask("answer", { number: current.number, said: String(digit) }));
      said.push(DIGITS.includes(String(digit)) ? (Number(digit) === current.likely[0]?.[0] ? "confirmed" : "corrected") : digit);
      tell(`Answered: ${digit}.`);
      performance.measure("answer", "key");
    } else if (action === "skip") {
      await take(await ask("skip", { number: current.number }));
      tell("Skipped.");
    } else {
      const found = await ask("undo");
      await take(found);
      if (found.undone) said.pop();
      tell(found.undone ? "Undone." : "There is nothing to undo.");
    }
  } catch (error) {
    await failed(error);
  }
  busy = false;
}

async function failed(error) {
  if (error.refused) {
    try {
      await take(await ask("upcoming"));
      tell(`Your answer was not taken: ${error.message}.`);
      return;
    } catch (other) {
      error = other;
    }
  }
  trouble(error instanceof TypeError ? "The server does not answer, so that your answer is not kept. Try again." : error.message);
}

async function renew() {
  busy = true;
  try {
    await take(await ask("upcoming"));
  } catch (error) {
    await failed(error);
  }
  busy = false;
}

// --- what is shown

async function take(found) {
  clearTimeout(timer);
  state = found;
  const numbers = found.pictures.map((picture) => picture.number);
  [...loaded.keys()].filter((number) => !numbers.includes(number)).forEach(forget);
  numbers.forEach(load);
  byId("left").textContent = found.left.toLocaleString("en");
  byId("answered").textContent = found.answered.toLocaleString("en");
  document.title = found.left ? `(${found.left}) Review` : "Review";
  trouble(found.trouble ? `Your answers are kept, but are not in the results yet: ${found.trouble}` : "");
  byId("picture").hidden = !numbers.length;
  byId("done").hidden = Boolean(numbers.length);
  shown = null;
  if (numbers.length) await show(found.pictures[0]);
  else finish(found);
}

async function show(picture) {
  describe(picture);
  const { pictures, error } = await load(picture.number);
  if (state.pictures[0]?.number !== picture.number) return;
  byId("unshown").hidden = !error;
  byId("unshown").textContent = error ? `It cannot be shown (${error}), so it can only be skipped.` : "";
  byId("original").replaceChildren(...(pictures ? [pictures[0]] : []));
  byId("form").replaceChildren(...(pictures ? [pictures[1]] : []));
  shown = error ? null : picture;
  enable(!error);
}

function describe(picture) {
  byId("why").textContent = picture.why;
  byId("path").textContent = picture.page ? `${picture.path}, page ${picture.page + 1}` : picture.path;
  byId("path").title = `${picture.source}/${picture.path}`;
  byId("likely").replaceChildren(...picture.likely.map(bar));
  const likeliest = picture.likely[0];
  mark(likeliest?.[0]);
  byId("picture").setAttribute("aria-label", likeliest ? `Picture, likeliest a ${likeliest[0]} by ${percent(likeliest[1])}` : "Picture");
}

function mark(digit) {
  byId("confirm-words").textContent = digit === undefined ? "Confirm" : `It is a ${digit}`;
  for (const button of byId("digits").children) button.classList.toggle("likeliest", Number(button.dataset.act) === digit);
}

function bar([digit, share]) {
  const item = document.createElement("li");
  const parts = ["digit", "bar", "share"].map((name) => {
    const part = document.createElement("span");
    part.className = name;
    return part;
  });
  parts[0].textContent = digit;
  const filled = document.createElement("span");
  filled.style.setProperty("--share", share);
  parts[1].append(filled);
  parts[2].textContent = percent(share);
  item.append(...parts);
  return item;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function enable(answers, skip = true) {
  for (const button of document.querySelectorAll("#keys button")) {
    const action = button.dataset.act;
    button.disabled = action !== "undo" && !(action === "skip" ? skip : answers);
  }
}

function finish(found) {
  const counts = ["confirmed", "corrected", "no digit", "several"]
    .map((kind) => [said.filter((each) => each === kind).length, kind])
    .filter(([count]) => count)
    .map(([count, kind]) => `${count.toLocaleString("en")} ${kind}`);
  const others = found.left - found.skipped;
  const words = [said.length ? `You have answered ${said.length.toLocaleString("en")}: ${counts.join(", ")}.` : ""];
  if (others > 0) words.push(`Others are looking at the last ${others.toLocaleString("en")}.`);
  if (found.skipped) words.push(`${found.skipped.toLocaleString("en")} that you skipped wait.`);
  words.push("What comes is shown here by itself.");
  const some = CHOICES.some((name) => byId(name).value);
  byId("done-title").textContent = found.left ? "Nothing left for you" : some ? "Nothing left by this filter" : "All done";
  byId("done-words").textContent = words.filter(Boolean).join(" ");
  byId("again").hidden = !found.skipped;
  enable(false, false);
  mark();
  tell(byId("done-title").textContent);
  timer = setTimeout(renew, POLL_MS);
}

function tell(words) {
  const likeliest = state?.pictures[0]?.likely[0];
  byId("said").textContent = likeliest ? `${words} Next: likeliest a ${likeliest[0]}, ${percent(likeliest[1])}.` : words;
}

function trouble(words) {
  byId("trouble").textContent = words;
  byId("trouble").hidden = !words;
}

async function fillChoices() {
  const found = await (await fetch("/api/choices")).json();
  for (const name of CHOICES) {
    const select = byId(name);
    const before = select.value;
    const options = found[name].map(([value, words]) => new Option(name === "reason" ? words.replaceAll("_", " ") : words, value));
    select.replaceChildren(new Option("all", ""), ...options);
    select.value = found[name].some(([value]) => value === before) ? before : "";
  }
}

// --- keys, buttons and filters

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = event.target.closest?.("select, input, summary, button");
  if (at && (!at.matches("button") || [" ", "Enter"].includes(event.key))) return; // its own keys
  const action = DIGITS.includes(event.key) ? event.key : KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  act(action);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("#keys button");
  if (!button) return;
  if (event.detail) button.blur(); // a pointer's: Enter is to confirm the next picture
  act(button.dataset.act);
});

byId("again").addEventListener("click", async () => take(await ask("again")));
byId("filters").addEventListener("toggle", () => byId("filters").open && fillChoices());
for (const name of CHOICES) {
  byId(name).addEventListener("change", () => {
    byId("filters").toggleAttribute("data-on", CHOICES.some((each) => byId(each).value));
    renew();
  });
}

addEventListener("pagehide", () => {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ page: PAGE });
  fetch("/api/leave", { method: "POST", headers, body, keepalive: true }); // a beacon has no origin
});
addEventListener("pageshow", (event) => event.persisted && renew());

byId("digits").append(
  ...DIGITS.map((digit) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: digit });
    button.dataset.act = digit;
    return button;
  })
);
renew();
