// Does work in place of waiting: looks for a number n such that the SHA-256 of
// "TICKET:n" begins with as many zero bits as the form asks for. The page works
// without this script; then one waits. The other side of it is web/work.go.
"use strict";

(() => {
	const form = document.getElementById("join");
	const status = document.getElementById("work-status");
	if (!form || !status || !form.elements.ticket) {
		return;
	}

	const constants = new Uint32Array([
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
		0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
		0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
		0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
		0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
		0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
	]);
	const initial = [
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	];
	const schedule = new Uint32Array(64);

	// compress is the compression function of SHA-256 (FIPS 180-4, 6.2.2) on the
	// block in the first 16 words of the schedule.
	function compress(state) {
		const w = schedule;
		for (let i = 16; i < 64; i++) {
			const x = w[i - 15];
			const y = w[i - 2];
			const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
			const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
			w[i] = w[i - 16] + s0 + w[i - 7] + s1;
		}
		let a = state[0], b = state[1], c = state[2], d = state[3];
		let e = state[4], f = state[5], g = state[6], h = state[7];
		for (let i = 0; i < 64; i++) {
			const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
			const t1 = (h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i]) | 0;
			const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
			const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
			h = g; g = f; f = e; e = (d + t1) | 0;
			d = c; c = b; b = a; a = (t1 + t2) | 0;
		}
		return [a + state[0], b + state[1], c + state[2], d + state[3],
			e + state[4], f + state[5], g + state[6], h + state[7]];
	}

	// load puts ASCII text into the schedule, as one block that ends the message if
	// the length of all of it is given.
	function load(text, length) {
		schedule.fill(0, 0, 16);
		for (let i = 0; i < text.length; i++) {
			schedule[i >> 2] |= text.charCodeAt(i) << (24 - 8 * (i & 3));
		}
		if (length) {
			schedule[text.length >> 2] |= 0x80 << (24 - 8 * (text.length & 3));
			schedule[15] = 8 * length;
		}
	}

	// A ticket is just one block long: it is hashed once.
	const ticket = form.elements.ticket.value;
	load(ticket);
	const afterTicket = compress(initial);

	function zeroBits(n) {
		const tail = ":" + n;
		load(tail, ticket.length + tail.length);
		const sum = compress(afterTicket);
		const first = Math.clz32(sum[0]);
		return first < 32 ? first : 32 + Math.clz32(sum[1]);
	}

	const bits = Number(form.dataset.bits);
	const ready = performance.now() + 1000 * Number(form.dataset.wait);
	const never = "never" in form.dataset;
	let n = 0;
	let wanted = false; // the button was pressed before the work was done

	const isReady = () => !never && performance.now() >= ready;

	function done(text) {
		status.textContent = text;
		document.querySelector(".bar")?.remove();
		if (wanted) {
			form.submit();
		}
	}

	// search works for a while and lets the page breathe.
	function search() {
		const end = performance.now() + 40;
		while (performance.now() < end) {
			for (const last = n + 500; n < last; n++) {
				if (zeroBits(n) >= bits) {
					form.elements.work.value = n;
					done("Ready: your browser has done the work, and there is no need to wait.");
					return;
				}
			}
		}
		if (isReady()) {
			done("Ready.");
			return;
		}
		setTimeout(search, 0);
	}

	form.addEventListener("submit", (event) => {
		if (form.elements.work.value || isReady() || (form.elements.token && form.elements.token.value)) {
			return;
		}
		event.preventDefault();
		wanted = true;
		status.textContent = "One moment: your browser is still at work. The page goes on by itself.";
	});

	status.textContent = "Your browser is doing some work in place of waiting.";
	setTimeout(search, 0);
})();
