// inspect looks at the page that is shown: does it fit, has every field and button a
// name, can every text be read (WCAG 2.2: 1.4.3, 1.4.10, 3.3.2, 4.1.2)?
export function inspect() {
	const found = [];
	const root = document.documentElement;
	if (root.scrollWidth > root.clientWidth) {
		found.push(`the page is ${root.scrollWidth} wide, the window ${root.clientWidth}`);
	}
	for (const inner of document.querySelectorAll("*")) {
		if (inner.scrollWidth > inner.clientWidth && getComputedStyle(inner).overflowX === "auto") {
			found.push(`<${inner.localName} class="${inner.className}"> is wider than the window and is cut off`);
		}
	}
	if (!root.lang || !document.title || document.querySelectorAll("h1").length !== 1) {
		found.push("the page lacks a language, a title, or has not one first heading");
	}
	for (const field of document.querySelectorAll("input:not([type=hidden]), textarea, select")) {
		if (!field.labels?.length && !field.getAttribute("aria-label")) {
			found.push(`the field ${field.name} has no label`);
		}
	}
	for (const button of document.querySelectorAll("button, a[href]")) {
		if (!(button.getAttribute("aria-label") ?? button.textContent).trim()) {
			found.push(`a button or link has no name: ${button.outerHTML.slice(0, 80)}`);
		}
	}

	const channels = colour => colour.match(/[\d.]+/g).map(Number);
	const linear = c => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
	const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
	const ground = element => {
		for (let e = element; e; e = e.parentElement) {
			const c = channels(getComputedStyle(e).backgroundColor);
			if (c.length === 3 || c[3] === 1) {
				return c;
			}
		}
		return [255, 255, 255];
	};
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const element = texts.currentNode.parentElement;
		const style = getComputedStyle(element);
		if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, style, svg")) {
			continue;
		}
		const [a, b] = [luminance(channels(style.color)), luminance(ground(element))];
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const least = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
		if (contrast < least) {
			found.push(`"${texts.currentNode.data.trim().slice(0, 40)}" has a contrast of ${contrast.toFixed(2)}, want ${least}`);
		}
	}
	return found;
}
