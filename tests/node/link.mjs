// A person on the hosted pages, with a keyboard alone: what it is told to do comes as JSON in the first
// argument, what it saw is printed as JSON. Every page is held to axe-core, and photographed.
//
//   { url, width, height, shots, choose, rounds: [{ fill, cause }], watch, leave, opener }
//
// `fill` is by field name; a round with a `cause` is expected to fail for it, one without to succeed. With
// `opener`, a port, a page of another site opens the window and tells what it is told.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const plan = JSON.parse(process.argv[2]);
const seen = { pages: [], requests: [], returned: null, message: null };
const home = mkdtempSync(join(tmpdir(), "link-"));

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  userDataDir: home,
  protocolTimeout: 40_000,
  args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
});

// Chromium has been seen to hang: whatever happens, this ends.
const alarm = setTimeout(() => end(new Error("it took too long")), (plan.seconds ?? 100) * 1000);

async function end(error) {
  clearTimeout(alarm);
  const chromium = browser.process();
  const gone = new Promise((done) => chromium.once("exit", done));
  chromium.kill("SIGKILL");
  await Promise.race([gone, new Promise((done) => setTimeout(done, 2000))]);
  try {
    rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  } catch {
    // Its children may still be writing: what is left is in the folder of what is temporary.
  }
  if (error) {
    console.error(error.stack ?? String(error));
    console.error(JSON.stringify(seen, null, 1));
    process.exit(1);
  }
  console.log(JSON.stringify(seen));
  process.exit(0);
}

function claim(holds, what) {
  if (!holds) throw new Error(what);
}

let page = await browser.newPage();
const opener = page;
if (plan.opener) {
  const html = `<!doctype html><title>opener</title><button>Connect</button><script>
    addEventListener("message", (told) => { document.title = JSON.stringify([told.origin, told.data]); });
    document.querySelector("button").onclick = () => open(${JSON.stringify(plan.url)}, "link", "width=500,height=700");
  </script>`;
  const site = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end(html));
  await new Promise((ready) => site.listen(plan.opener, "127.0.0.1", ready));
  await page.goto(`http://127.0.0.1:${plan.opener}/`);
  const opened = new Promise((ready) => browser.once("targetcreated", ready));
  await page.click("button");
  page = await (await opened).page();
}
await page.setViewport({ width: plan.width ?? 1280, height: plan.height ?? 900 });
if (plan.dark) await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
if (plan.script === false) await page.setJavaScriptEnabled(false);
page.on("request", (request) => seen.requests.push(request.url()));
page.on("console", (said) => {
  // A broken policy shows itself here.
  if (/Content Security Policy|Refused to/.test(said.text())) seen.violation = said.text();
});

let shot = 0;

// What is wrong with the page, by a judge that nobody here wrote; and what it looks like.
async function look(name) {
  const title = await page.title();
  if (plan.script !== false) {
    await page.evaluate(axe);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const result = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), tags);
    const wrong = result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
    seen.pages.push({ name, title, wrong, passes: result.passes.length });
  }
  const spill = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  claim(spill <= 0, `${name} is ${spill} pixels wider than the window`);
  if (plan.shots) {
    mkdirSync(plan.shots, { recursive: true });
    const file = `${plan.name ?? "link"}-${String(++shot).padStart(2, "0")}-${name}.png`;
    await page.screenshot({ path: join(plan.shots, file), fullPage: true });
  }
}

// Tabs until the element is reached, as somebody without a mouse has to; its focus must be visible.
async function reach(selector) {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press("Tab");
    const there = await page.evaluate((selector) => {
      const own = document.activeElement;
      if (!own?.matches(selector)) return null;
      const style = getComputedStyle(own);
      return { visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
    }, selector);
    if (there) {
      claim(there.visible, `the focus of ${selector} cannot be seen`);
      return;
    }
  }
  claim(false, `${selector} cannot be reached with the keyboard`);
}

async function follow(selector) {
  await reach(selector);
  await Promise.all([page.waitForNavigation({ timeout: 40_000 }), page.keyboard.press("Enter")]);
}

async function fill(name, value) {
  const selector = `[name="${name}"]`;
  await reach(selector);
  const kind = await page.$eval(selector, (own) => own.type);
  if (kind === "checkbox") {
    await page.keyboard.press("Space");
  } else if (kind === "select-one") {
    await page.keyboard.type(value);
    const chosen = await page.$eval(selector, (own) => own.value);
    claim(chosen === value, `${name} is ${chosen}`);
  } else {
    await page.keyboard.down("Control");
    await page.keyboard.press("KeyA");
    await page.keyboard.up("Control");
    await page.keyboard.type(value);
  }
}

async function round({ fill: fields, cause, invisible }, at) {
  for (const name of invisible ?? []) {
    const box = await page.$eval(`[name="${name}"]`, (own) => own.getBoundingClientRect().height);
    claim(box === 0, `${name} is shown although it is not asked for`);
  }
  // Fields come in the page's order.
  for (const [name, value] of Object.entries(fields)) await fill(name, value);
  await follow("form[method=post] button[type=submit]");
  const trouble = await page.$eval(".trouble", (own) => ({
    cause: own.dataset.cause ?? "fields",
    focused: own === document.activeElement,
  })).catch(() => null);
  if (!cause) {
    claim(!trouble, `it failed for ${trouble?.cause}`);
    return;
  }
  claim(trouble?.cause === cause, `instead of ${cause}: ${trouble?.cause}`);
  claim(trouble.focused, "what went wrong is not where the focus is");
  const kept = await page.$$eval("form input", (all) => all.map((own) => [own.name, own.type, own.value]));
  for (const [name, kind, value] of kept) {
    if (kind === "password") claim(value === "", `the secret ${name} is shown again`);
    else if (name in fields && kind !== "checkbox") claim(value === fields[name], `${name} was not kept`);
  }
  await look(`failed-${at}-${cause}`);
}

try {
  if (plan.opener) await page.waitForSelector("h1");
  else await page.goto(plan.url, { timeout: 40_000 });
  await look("opened");
  if (plan.choose) {
    await reach("#q");
    await page.keyboard.type(plan.choose.slice(0, 4));
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    await look("searched");
    await follow(`.systems a[href$="/${plan.choose}"]`);
    await look("form");
  }
  for (const [at, one] of (plan.rounds ?? []).entries()) await round(one, at + 1);
  if (plan.rounds) {
    await look("connected");
    seen.connected = await page.$eval("h1", (own) => own.textContent);
  }
  if (plan.watch) {
    // The page brings itself up to date.
    await page.waitForFunction(() => !document.querySelector("#kind-purchase-orders-state") ||
      document.querySelector("#kind-purchase-orders-state").textContent === "Done", { timeout: 60_000 });
    await look("loaded");
  }
  if (plan.leave && plan.opener) {
    await reach(plan.leave);
    await page.keyboard.press("Enter");
    await opener.waitForFunction(() => document.title.startsWith("["), { timeout: 20_000 });
    seen.message = JSON.parse(await opener.title());
    seen.closed = page.isClosed();
  } else if (plan.leave) {
    await follow(plan.leave);
    seen.returned = page.url();
    if (!plan.away) await look("left");
  }
  await end();
} catch (error) {
  await page.screenshot({ path: join(plan.shots ?? home, "failed.png") }).catch(() => {});
  await end(error);
}
