// Print what axe-core finds on local pages, as JSON.
//   node axe.mjs CHROMIUM page.html ...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.cwd() + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [executablePath, ...files] = process.argv.slice(2);
const flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
const browser = await chromium.launch({ executablePath, args: flags });
const found = {};
for (const file of files) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ colorScheme });
    await page.goto(pathToFileURL(file).href, { waitUntil: "domcontentloaded" });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run());
    found[`${file} ${colorScheme}`] = violations.map(
      (v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 150)).join(" | ")}`
    );
    await page.close();
  }
}
console.log(JSON.stringify(found));
await browser.close();
