// Asks once a week how much time was saved: puts the form beside the page when the server says that it is due. Whatever fails,
// the page goes on without it.
"use strict";

async function answerSurvey(minutes) {
  await fetch("/api/survey", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ minutes }),
  });
}

async function offerSurvey() {
  const found = await fetch("/survey", { headers: { Accept: "text/html" } });
  if (found.status !== 200 || found.redirected) return;
  document.body.insertAdjacentHTML("beforeend", await found.text());
  const survey = document.getElementById("survey");
  const form = survey.querySelector("form");
  const dismiss = async () => {
    survey.remove();
    await answerSurvey(null);
  };
  survey.querySelector("[data-do=dismiss]").addEventListener("click", dismiss);
  survey.addEventListener("keydown", (event) => event.key === "Escape" && dismiss());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await answerSurvey(Number(form.elements.minutes.value));
    const thanks = document.createElement("p");
    thanks.setAttribute("role", "status");
    thanks.textContent = form.dataset.thanks;
    form.replaceWith(thanks);
    setTimeout(() => survey.remove(), 3000);
  });
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => offerSurvey().catch(() => {}));
else offerSurvey().catch(() => {});
