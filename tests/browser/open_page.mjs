// Open a page in JupyterLab as a student does, and print what a student meets, as JSON.
//   node open_page.mjs ADDRESS TOKEN CHROMIUM
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { chromium } = require("playwright-core");
const [address, token, executablePath] = process.argv.slice(2);
const flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
const browser = await chromium.launch({ executablePath, args: flags });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(180000);
await page.goto(`${address}/lab/tree/06_dropout.ipynb?token=${token}`);
await page.waitForSelector(".jp-Notebook .jp-MarkdownOutput a");
await page.waitForSelector(".jp-NotebookPanel-toolbar [data-status=idle], .jp-Notebook-ExecutionIndicator[data-status=idle]");
await page.waitForTimeout(3000);
const met = {};
met.unsaved = await page.locator(".jp-mod-dirty").count();
met.dialogs = await page.locator(".jp-Dialog").allTextContents();
const term = page.locator('.jp-MarkdownOutput a[href*="glossary.md#"]').first();
met.definition = await term.getAttribute("title");
met.term = (await term.textContent()).toLowerCase();
const tabs = page.locator("#jp-main-dock-panel .lm-TabBar-tabLabel");
await term.click();
await page.waitForSelector(".jp-MarkdownViewer h2");
await page.waitForTimeout(3000);
met.tabs = await tabs.allTextContents();
met.visible = await page.evaluate(() => {
  const box = document.querySelector(".jp-MarkdownViewer").getBoundingClientRect();
  return [...document.querySelectorAll(".jp-MarkdownViewer h2")]
    .filter((h) => h.getBoundingClientRect().top < box.bottom)
    .filter((h) => h.getBoundingClientRect().bottom > box.top)
    .map((h) => h.textContent.replace("¶", "").trim().toLowerCase());
});
await page.goto(`${address}/lab/tree/06_dropout.ipynb`);
await page.waitForSelector(".jp-Notebook .jp-MarkdownOutput a");
await page.locator('.jp-MarkdownOutput a[href*="02_multilayer_perceptrons.ipynb"]').first().click();
await page.waitForTimeout(6000);
met.afterChapter = await tabs.allTextContents();
console.log(JSON.stringify(met));
await browser.close();
