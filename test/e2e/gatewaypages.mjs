// Brings a gateway to a second machine by its pages alone, as somebody does who never
// types a command: a wrong code, then the right one, then the link. Prints what is wrong
// as a JSON list.
//
//	node gatewaypages.mjs CHROMIUM FOLDER-FOR-PICTURES OLD-PAGE NEW-PAGE ADDRESS PASSWORD IMAPS SMTPS
import { chromium } from "playwright-core";
import { inspect } from "./inspect.mjs";

const [executablePath, pictures, oldURL, newURL, address, password, imaps, smtps] = process.argv.slice(2);
const patience = 120_000;
const faults = [];

async function check(page, name) {
	for (const fault of await page.evaluate(inspect)) {
		faults.push(`${name}: ${fault}`);
	}
	await page.screenshot({ path: `${pictures}/gateway-${name}.png`, fullPage: true });
}

// press presses a button and waits for the page that answers.
async function press(page, button) {
	await Promise.all([page.waitForEvent("load"), button.click()]);
}

// offer has the old machine show a code.
async function offer(page) {
	await press(page, page.getByRole("button", { name: "Show a code for it" }));
	const hidden = page.locator("[aria-labelledby=pairing] details");
	await hidden.evaluate(d => (d.open = true));
	return { code: await page.locator(".code").innerText(), link: await hidden.locator("code").innerText() };
}

// type fills in the form for codes.
async function type(page, code) {
	await page.locator("details").evaluate(d => (d.open = true));
	const form = page.locator("details form");
	await form.getByLabel("Code").fill(code);
	await form.getByLabel("Address of your account").fill(address);
	await form.getByLabel("Password of your account").fill(password);
	await form.getByLabel("IMAP server").fill(imaps);
	await form.getByLabel("SMTP server").fill(smtps);
	await press(page, form.getByRole("button"));
}

// shows waits for a text, which a page that loads again by itself comes to show.
const shows = (page, text) => page.getByText(text).first().waitFor();

const browser = await chromium.launch({
	executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync"], timeout: patience,
});
try {
	const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 800 } });
	context.setDefaultTimeout(patience);
	const [before, after] = [await context.newPage(), await context.newPage()];
	await before.goto(oldURL);
	await after.goto(newURL);
	await check(after, "welcome");

	await after.getByLabel("The link that it shows").fill("restante-pair:torn");
	await press(after, after.locator("main > form button"));
	await shows(after, "not the whole link");
	await check(after, "torn-link");

	const burned = (await offer(before)).code;
	await check(before, "offer");
	await type(after, burned.replace(/.$/, last => (Number(last) + 1) % 10));
	await shows(after, "The code was wrong");
	await check(after, "wrong-code");
	await shows(before, "The other machine got nothing: the code was wrong");
	await check(before, "burned");

	const { link } = await offer(before);
	await after.getByLabel("The link that it shows").fill(link);
	await press(after, after.locator("main > form button"));
	await check(after, "taking");
	await shows(after, "Everything from your other machine is here");
	await check(after, "taken");
	await shows(before, "The other machine has everything");

	const known = [];
	for (const [page, url] of [[before, oldURL], [after, newURL]]) {
		await page.goto(url);
		const words = await page.locator("h3 + p + p strong").innerText();
		known.push(JSON.stringify([words, ...(await page.locator("table th[scope=row]").allInnerTexts())]));
	}
	if (known[0] !== known[1]) {
		faults.push(`the machines show different keys or contacts: ${known}`);
	}
	await after.locator("table details").evaluate(d => (d.open = true));
	await press(after, after.getByRole("button", { name: "Show the key of" }));
	if (!(await after.locator("svg.qr").count())) {
		faults.push("the key of a contact is not shown as a code");
	}
	await check(after, "key");
} finally {
	await browser.close();
}
console.log(JSON.stringify(faults));
