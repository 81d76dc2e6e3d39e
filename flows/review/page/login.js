// Logs in by a request of the page's own, so that no other page can.
"use strict";

const byId = (id) => document.getElementById(id);

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ name: byId("name").value, password: byId("password").value });
  const headers = { "content-type": "application/json" };
  let trouble = "the server does not answer";
  try {
    const answer = await fetch("/api/login", { method: "POST", headers, body });
    if (answer.ok) {
      location.assign("/");
      return;
    }
    trouble = (await answer.json()).error;
  } catch {
    // it is said below
  }
  byId("trouble").textContent = trouble;
  byId("trouble").hidden = false;
});
