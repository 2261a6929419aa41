// Uses the pages of a relay in Chromium as somebody with a phone and no mouse does, with
// JavaScript or without, and prints what is wrong as a JSON list.
//
//	node pages.mjs CHROMIUM FOLDER-FOR-PICTURES URL with|without
import { chromium } from "playwright-core";
import { inspect } from "./inspect.mjs";

const [executablePath, pictures, url, script] = process.argv.slice(2);
const patience = 60_000;
const faults = [];

async function check(page, name) {
	for (const fault of await page.evaluate(inspect)) {
		faults.push(`${name}: ${fault}`);
	}
	await page.screenshot({ path: `${pictures}/${name}-${script}.png`, fullPage: true });
}

// tabTo presses Tab until what is wanted has the focus, and shows that it has.
async function tabTo(page, selector) {
	for (let presses = 0; presses < 60; presses++) {
		await page.keyboard.press("Tab");
		const focus = await page.evaluate(wanted => {
			const e = document.activeElement;
			return e.matches(wanted) && { seen: getComputedStyle(e).outlineStyle !== "none" || getComputedStyle(e).boxShadow !== "none" };
		}, selector);
		if (focus) {
			if (!focus.seen) {
				faults.push(`${selector} does not show that it has the focus`);
			}
			return;
		}
	}
	throw new Error(`60 tabs do not lead to ${selector}`);
}

// enter presses Enter and waits for the page that answers.
async function enter(page) {
	await Promise.all([page.waitForEvent("load", { timeout: patience }), page.keyboard.press("Enter")]);
}

// join signs up. A visitor without JavaScript who comes before the ticket is good is told
// so, with the form to send again.
async function join(page) {
	const until = Date.now() + patience;
	await page.goto(`${url}/join`);
	await check(page, "join");
	for (;;) {
		await tabTo(page, "#name");
		await tabTo(page, "[name=publish]");
		if (!(await page.locator("[name=publish]").isChecked())) {
			await page.keyboard.press("Space");
		}
		await tabTo(page, "main form button");
		await enter(page);
		if (await page.locator(".sheet").count()) {
			return;
		}
		if (Date.now() > until) {
			throw new Error(`no address within ${patience} ms: ${await page.locator("main").innerText()}`);
		}
	}
}

async function manage(page, address, password) {
	await page.goto(`${url}/account`);
	await check(page, "login");
	await tabTo(page, "#address");
	await page.keyboard.type(address);
	await tabTo(page, "#password");
	await page.keyboard.type(password);
	await enter(page);
	await tabTo(page, "#label");
	await page.keyboard.type("telephone");
	await enter(page);
	if (!(await page.locator("p.secret").count())) {
		faults.push("the account page shows no new device password");
	}
	await page.evaluate(() => document.querySelectorAll("details").forEach(d => (d.open = true)));
	await check(page, "account");
}

const browser = await chromium.launch({
	executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync"], timeout: patience,
});
try {
	for (const colorScheme of ["dark", "light"]) {
		const context = await browser.newContext({
			colorScheme, javaScriptEnabled: script === "with", ignoreHTTPSErrors: true,
			viewport: { width: 360, height: 740 }, isMobile: true,
		});
		context.setDefaultTimeout(patience);
		const page = await context.newPage();
		for (const path of ["", "clients", "account/recover"]) {
			await page.goto(`${url}/${path}`);
			await check(page, `${path.replace("/", "-") || "home"}-${colorScheme}`);
		}
		if (colorScheme === "light") {
			await join(page);
			await check(page, "made");
			const [address, , password] = await page.locator(".secret").allInnerTexts();
			await manage(page, address, password);
		}
		await context.close();
	}
} finally {
	await browser.close();
}
console.log(JSON.stringify(faults));
