// Two comforts, neither of them needed: a page that shows progress brings itself up to date without being
// loaded anew, and a window that another page has opened tells it how things ended.
"use strict";

const progress = document.getElementById("progress");

async function refresh() {
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("progress");
      if (!fresh) return location.reload();
      // Only what has changed is touched, so that it alone is read out.
      for (const part of page.querySelectorAll("main [id]")) {
        if (part.querySelector("[id]")) continue;
        const old = document.getElementById(part.id);
        if (old && old.textContent !== part.textContent) old.replaceChildren(...part.childNodes);
      }
      document.title = page.title;
      const heading = page.querySelector("h1");
      if (heading) document.querySelector("h1").textContent = heading.textContent;
      if (!fresh.hasAttribute("data-running")) return;
    }
  } catch {
    // No answer this time: the next may come.
  }
  setTimeout(refresh, 2500);
}

if (progress && progress.hasAttribute("data-running")) setTimeout(refresh, 2500);

const told = document.getElementById("told");

if (told && window.opener) {
  window.opener.postMessage(JSON.parse(told.dataset.message), told.dataset.origin);
  window.close();
}
