// The chat page's own script: the address, keys and focus, what is pressed in our HTML, and finding back after a lost
// connection. Gradio puts it into the page's head before it makes the parts of the page.
"use strict";

const assistantPage = (() => {
  const SILENT_SECONDS = 15; // the server gives a sign of life every four
  const find = (selector) => document.querySelector(selector);
  const talk = () => new URLSearchParams(location.search).get("c") || "";
  let trigger = null; // of the bridge to the server, once the page stands
  let sent = null; // {text, key, draft} of the question that is being sent: pressed twice, it is the same
  let heardAt = Date.now();
  let sticks = true; // the answer is followed to its end as it grows

  const language = (() => {
    const chosen = /(?:^|; )assistant_language=(ru|en)(?:;|$)/.exec(document.cookie);
    if (chosen) return chosen[1];
    const wanted = navigator.languages.map((name) => name.slice(0, 2).toLowerCase());
    return wanted.find((name) => name === "ru" || name === "en") || "ru";
  })();
  document.documentElement.lang = language;

  // --- asking

  function key() {
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is not there over plain HTTP
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function asked(question) {
    if (!sent || sent.text !== question) sent = { text: question, key: key(), draft: draftKey() };
    heardAt = Date.now();
    sticks = true;
    if (question.trim()) document.body.classList.add("answering");
    field()?.focus();
    return [question, talk(), sent.key];
  }

  function answered() {
    if (!field()?.value) forgetSent(); // otherwise it was refused and has come back
    sent = null;
    showState();
    list();
  }

  function opened() {
    showState();
    restoreDraft();
  }

  const field = () => find("#question textarea");

  function type(text) {
    const box = field();
    if (!box) return;
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
  }

  // What is typed outlives a reload: nothing is as annoying as typing it again.
  const draftKey = () => `draft:${talk()}`;
  function keepDraft() {
    const text = field()?.value || "";
    if (text) sessionStorage.setItem(draftKey(), text);
    else sessionStorage.removeItem(draftKey());
  }
  function restoreDraft() {
    const draft = sessionStorage.getItem(draftKey());
    if (draft && !sent && field() && !field().value) type(draft);
  }

  function forgetSent() {
    if (sent && sessionStorage.getItem(sent.draft) === sent.text) sessionStorage.removeItem(sent.draft); // the server has it
  }

  // --- conversations

  function go(id, { push = true } = {}) {
    if (push) history.pushState(null, "", id ? `/?c=${encodeURIComponent(id)}` : "/");
    sticks = true;
    find("#rated").hidden = true; // it was said of another conversation
    trigger("clear");
    trigger("select");
    showCurrent();
    closeMenu();
    type(sessionStorage.getItem(draftKey()) || "");
  }

  let shownTalks = 0;
  function list(event = "input", data = {}) {
    if (event === "input" && find("#talks li.renaming")) return; // it would be drawn away from under the typing
    trigger?.(event, { search: find("#search")?.value || "", shown: shownTalks, ...data });
  }

  function showCurrent() {
    const current = talk();
    for (const link of document.querySelectorAll("#sidebar a[data-talk]")) {
      const isCurrent = link.dataset.talk === current && current !== "";
      if (isCurrent !== link.hasAttribute("aria-current")) {
        if (isCurrent) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    }
    const renamed = find("#talks a[aria-current]")?.textContent;
    const head = find("#history h1");
    if (head && renamed && head.textContent !== renamed) head.textContent = renamed;
    const title = current && head?.textContent;
    const product = find("#header strong")?.textContent;
    if (product) document.title = title ? `${title} · ${product}` : product;
  }

  function rename(button) {
    const row = button.closest("li");
    const link = row.querySelector("a");
    const box = Object.assign(document.createElement("input"), { type: "text", value: link.textContent, maxLength: 80 });
    box.setAttribute("aria-label", button.dataset.label);
    row.classList.add("renaming");
    row.append(box);
    box.focus();
    box.select();
    let isOver = false;
    const end = (saves) => {
      if (isOver) return;
      isOver = true;
      box.remove();
      row.classList.remove("renaming");
      const title = box.value.trim();
      if (saves && title && title !== link.textContent) list("edit", { talk: link.dataset.talk, title });
      button.focus();
    };
    box.addEventListener("blur", () => setTimeout(end, 0, true));
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault(); // it would press the button that has the focus next
        end(true);
      }
      if (event.key === "Escape") {
        event.stopPropagation();
        end(false);
      }
    });
  }

  // --- the sidebar on a narrow screen

  const menu = () => find("#header .menu");
  function openMenu() {
    document.body.classList.add("menu-open");
    menu().setAttribute("aria-expanded", "true");
    menu().setAttribute("aria-label", menu().dataset.hide);
    find("#new")?.focus();
  }
  function closeMenu() {
    if (!document.body.classList.contains("menu-open")) return;
    document.body.classList.remove("menu-open");
    menu().setAttribute("aria-expanded", "false");
    menu().setAttribute("aria-label", menu().dataset.show);
  }

  // --- what is pressed in our HTML

  let openWhenDeleted = "";
  let reopens = ""; // once the server has it back

  function showUndo() {
    const button = find("#undo button");
    button?.focus();
    if (button || !reopens) return;
    const id = reopens;
    reopens = "";
    if (!talk() && !sent) go(id); // whoever has gone on elsewhere stays there
  }

  const doing = {
    menu: () => (document.body.classList.contains("menu-open") ? closeMenu() : openMenu()),
    open: (link, event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return; // a tab of its own
      event.preventDefault();
      go(link.dataset.talk);
    },
    more: (button) => {
      shownTalks = Number(button.dataset.shown);
      list();
    },
    rename,
    delete: (button) => {
      const id = button.dataset.talk;
      list("delete", { talk: id });
      openWhenDeleted = id === talk() ? id : "";
      if (openWhenDeleted) go("");
    },
    restore: (button) => {
      reopens = button.dataset.talk === openWhenDeleted ? openWhenDeleted : "";
      list("undo", { talk: button.dataset.talk });
    },
    again: (button) => {
      type(button.dataset.question);
      setTimeout(() => find("#send").click(), 50); // when Gradio has taken what was typed
    },
    copy: async (button) => {
      const text = button.closest("article").querySelector(".text").innerText;
      await copyText(text);
      tell(button.dataset.done);
    },
    rate: (button) => {
      const message = button.closest("article");
      const form = message.querySelector("form.why");
      const isTaken = button.getAttribute("aria-pressed") === "true";
      if (isTaken && form.hidden) {
        form.hidden = false; // to change or to take back what was said
      } else {
        form.dataset.rating = isTaken ? "0" : button.dataset.rating;
        form.hidden = isTaken;
        rate(message);
      }
      form.querySelector("fieldset").hidden = form.dataset.rating !== "-1";
      if (form.hidden) return;
      form.scrollIntoView({ block: "nearest" });
      form.querySelector("fieldset:not([hidden]) input, textarea").focus();
    },
    close: (button) => closeForm(button.closest("form")),
  };

  let ratedIn = ""; // the conversation of what was rated last

  function rate(message) {
    ratedIn = talk();
    const form = message.querySelector("form.why");
    const isBad = form.dataset.rating === "-1";
    trigger("like", {
      message: message.dataset.message,
      rating: Number(form.dataset.rating),
      reason: (isBad && form.querySelector("input:checked")?.value) || "",
      comment: form.querySelector("textarea").value,
    });
  }

  function closeForm(form) {
    form.hidden = true;
    form.closest("article").querySelector(`[data-rating="${form.dataset.rating}"]`)?.focus();
  }

  async function copyText(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const box = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
    box.select();
    document.execCommand("copy"); // over plain HTTP there is nothing else
    box.remove();
  }

  function tell(text) {
    const region = find("#told [role=status]");
    if (region) region.textContent = text;
  }

  // --- what the server has shown anew

  function showState() {
    const live = find("#live .live");
    const isOurs = live && (live.dataset.talk === talk() || (sent && live.dataset.key === sent.key));
    find("#live")?.toggleAttribute("hidden", Boolean(live && !isOurs));
    document.body.classList.toggle("answering", Boolean(isOurs));
    if (live?.dataset.talk && live.dataset.key === sent?.key) forgetSent();
    if (isOurs && live.dataset.talk && !talk()) {
      history.replaceState(null, "", `/?c=${live.dataset.talk}`);
      list();
    }
  }

  function showRated() {
    const said = find("#rated [role]"); // or why it could not be kept
    if (!said || ratedIn !== talk()) return; // it may come when another conversation is open already
    find("#rated").hidden = false;
    if (!said.dataset.rated) return;
    const message = find(`article[data-message="${CSS.escape(said.dataset.rated)}"]`);
    for (const button of message?.querySelectorAll("button[data-rating]") || []) {
      button.setAttribute("aria-pressed", String(button.dataset.rating === said.dataset.rating));
    }
  }

  // Gradio puts every attribute as the server sent it: what a person opened stays open. The click tells of it: the event
  // "toggle" comes after the observer, which would open again what is being closed.
  const open = new Set();
  function noteFold(summary) {
    const part = summary?.parentElement;
    if (part?.dataset.keep) open[part.open ? "delete" : "add"](part.dataset.keep);
  }
  const files = () => find("#chat details.export[open]");
  function closeFiles() {
    open.delete(files().dataset.keep);
    files().open = false;
  }
  function keepOpen() {
    for (const part of document.querySelectorAll("#chat details[data-keep]")) {
      if (open.has(part.dataset.keep) && !part.open) part.open = true;
    }
  }

  function scroll() {
    const chat = find("#chat");
    const problem = find("#live .problem");
    if (problem) return problem.scrollIntoView({ block: "nearest" }); // why what was just asked is not answered
    const last = find("#live article") || [...document.querySelectorAll("#history article")].pop();
    if (!chat || !last || !sticks) return;
    const top = last.getBoundingClientRect().top - chat.getBoundingClientRect().top + chat.scrollTop;
    const isFirst = chat.querySelector("article") === last;
    chat.scrollTop = isFirst ? 0 : Math.min(chat.scrollHeight - chat.clientHeight, top - 12); // its question stays in sight
  }

  function watch(selector, work) {
    const element = find(selector);
    const attributeFilter = ["data-beat", "data-talk", "data-mark", "aria-current", "open"];
    const options = { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter };
    new MutationObserver(work).observe(element, options);
    work();
  }

  function connect(given) {
    const parts = ["#header", "#chat", "#live", "#history", "#talks", "#undo", "#rated", "#told", "#question textarea"];
    if (!parts.every(find)) return setTimeout(connect, 30, given); // Gradio makes them in no certain order
    trigger = given;
    watch("#live", () => {
      heardAt = Date.now();
      showState();
      keepOpen();
      scroll();
    });
    watch("#history", () => {
      keepOpen();
      showCurrent();
      scroll();
    });
    watch("#talks", showCurrent);
    watch("#undo", showUndo);
    watch("#rated", showRated);
    find("#chat").addEventListener("wheel", () => (sticks = false), { passive: true });
    find("#chat").addEventListener("touchmove", () => (sticks = false), { passive: true });
    find("#chat").setAttribute("tabindex", "0"); // so that keys scroll it
    find("#chat").setAttribute("role", "region");
    watch("#header", () => {
      find("#chat").setAttribute("aria-label", find("#header .bar")?.dataset.chat || document.title);
      setTimeout(restoreDraft); // what comes with the header makes the input anew
    });
    list();
  }

  // --- a lid that was closed, a server that was restarted

  async function recover() {
    const isBusy = document.body.classList.contains("answering");
    if (!isBusy || Date.now() - heardAt < SILENT_SECONDS * 1000) return;
    try {
      const answer = await fetch("/health/live", { cache: "no-store" });
      if (answer.ok) location.reload(); // the answer is there, or is followed again
    } catch {
      find("#header .lost")?.removeAttribute("hidden"); // until the reload of a later try
    }
  }
  setInterval(recover, 3000);

  let refreshedAt = Date.now();
  document.addEventListener("visibilitychange", () => {
    const isIdle = !document.body.classList.contains("answering");
    if (document.visibilityState !== "visible" || !isIdle || !trigger || Date.now() - refreshedAt < 30000) return;
    refreshedAt = Date.now();
    list(); // another tab or computer may have gone on
  });

  // --- keys, clicks, the way back

  document.addEventListener("click", (event) => {
    const summary = event.target.closest?.("summary");
    noteFold(summary);
    if (files() && summary?.parentElement !== files()) closeFiles();
    const pressed = event.target.closest?.("[data-do]");
    if (pressed) doing[pressed.dataset.do](pressed, event);
    else if (document.body.classList.contains("menu-open") && !event.target.closest("#sidebar")) closeMenu();
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("#header form")) sessionStorage.clear(); // the next person at this computer sees no drafts
    if (!event.target.matches("form.why")) return;
    event.preventDefault();
    rate(event.target.closest("article"));
    closeForm(event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const form = event.target.closest?.("form.why");
    if (form) closeForm(form);
    else if (files()) {
      files().querySelector("summary").focus();
      closeFiles();
    }
    else if (document.body.classList.contains("menu-open")) {
      closeMenu();
      menu().focus();
    }
  });
  let searching = 0;
  document.addEventListener("input", (event) => {
    if (event.target.matches("#question textarea")) keepDraft();
    if (!event.target.matches("#search")) return;
    clearTimeout(searching);
    searching = setTimeout(() => {
      shownTalks = 0;
      list();
    }, 250);
  });
  addEventListener("popstate", () => go(talk(), { push: false }));

  return { talk, asked, answered, opened, connect };
})();
