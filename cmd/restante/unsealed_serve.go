//go:build unsealedserve

package main

// servesUnsealed is for test/e2e alone: bounces and sign-up need a whole relay, which
// the demonstration is not.
const servesUnsealed = true
