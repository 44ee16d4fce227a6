// Follows a load on the page that also has the form: only what the load changes is put in anew, so that nothing chosen
// or typed is lost. Without scripts the page still has its link to the one that refreshes itself.
"use strict";

const SECONDS = 3;
const CHANGING = ["loading", "failed-documents", "loaded-documents"];

async function follow() {
  try {
    const answer = await fetch("/admin/documents", { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const now = new DOMParser().parseFromString(await answer.text(), "text/html");
      now.getElementById("to-form")?.remove(); // it is on this page
      for (const id of CHANGING) {
        const found = now.getElementById(id);
        if (found) document.getElementById(id)?.replaceWith(found);
      }
      if (!now.querySelector("meta[http-equiv=refresh]")) return; // the load has ended
    }
  } catch {
    // the server is being restarted, or the network is away: the next try
  }
  setTimeout(follow, SECONDS * 1000);
}

setTimeout(follow, SECONDS * 1000);
